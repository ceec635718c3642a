"""What the commands share: options that mean the same in all of them, and how a command ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from ... import __version__
from ...errors import SemcolorError, UserError


def _version(wanted: bool) -> None:
    if wanted:
        print(f"semcolor {__version__}")
        raise typer.Exit


def _multiple_of_32(size: int) -> int:
    if size % 32:
        raise typer.BadParameter(f"{size} is not a multiple of 32.")
    return size


Size = Annotated[
    int, typer.Option(min=64, max=1024, callback=_multiple_of_32, help="The network's short side, pixels.")
]
Codec = Annotated[str, typer.Option(help="libx264, libx265, ffv1 (lossless), or another of FFmpeg's encoders.")]
Crf = Annotated[float, typer.Option(min=0, max=63, help="Quality where the codec has it; lower is better.")]
Preset = Annotated[str, typer.Option(help="Speed of libx264 and libx265, ultrafast to veryslow.")]
Steady = Annotated[
    float, typer.Option(min=0, max=1, help="How still colours are held along a shot: 0 not at all, 1 as can be.")
]
Weights = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Networks of your own training.  [default: those that ship]")
]
Vivid = Annotated[
    float, typer.Option(min=0, max=2, help="Strength of the colours: 0 grey, 1 as trained, 2 twice as much.")
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the networks run.")]
Address = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="A Ray cluster to work on, or auto.  [default: this machine]")
]
Work = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where unfinished work lies; needed for outputs that are URLs.  [default: beside the output]",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
]


def work_base(folder: Path | None) -> Path | None:
    """`--work`, absolute. Raises UserError."""
    if folder and not folder.is_dir():
        raise UserError(f"--work {folder} is no folder; create it first.")
    return folder and folder.absolute()


def ended(app: typer.Typer, arguments: list[str] | None, name: str) -> tuple[int, str]:
    """Run a command: its exit code, and what is to be said on stderr ("" for nothing).

    0 done, 2 the user's mistake, 1 any other failure, 130 Ctrl-C, or what the command returns. SEMCOLOR_DEBUG=1 turns
    errors back into tracebacks.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = typer.main.get_command(app).main(arguments, prog_name=name, standalone_mode=False) or 0
    except TyperException as error:
        return 2, error.format_message()
    except (SemcolorError, OSError) as error:
        if os.environ.get("SEMCOLOR_DEBUG"):
            raise
        return 2 if isinstance(error, UserError) else 1, str(error)
    # 130 is Typer's code for Ctrl-C.
    return code, "stopped; the same command goes on from here." if code == 130 else ""


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)  # unwinds: actors stop, the lock goes, Ray shuts down
