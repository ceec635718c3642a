"""Options that several commands have in common, and the exit codes of all commands."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from ... import __version__
from ...errors import UserError, told
from ...pipeline.files import unwritable


def _version(wanted: bool) -> None:
    if wanted:
        print(f"semcolor {__version__}")
        raise typer.Exit


def list_labels(wanted: bool) -> None:
    """Print the labels and end."""
    if wanted:
        from ...models.labels import NAMES, PALETTE

        for number, (name, color) in enumerate(zip(NAMES, PALETTE, strict=True)):
            print(f"{number:2} {name:12} #{bytes(color).hex()}")
        raise typer.Exit


def edits_schema(wanted: bool) -> None:
    """Print the JSON Schema of sheets and end."""
    if wanted:
        import json

        from ...pipeline.edits.sheet import Sheet

        print(json.dumps(Sheet.model_json_schema(), indent=1))
        raise typer.Exit


def report_schema(wanted: bool) -> None:
    """Print the JSON Schema of reports and end."""
    if wanted:
        import json

        from ...pipeline.report.records import Report

        print(json.dumps(Report.model_json_schema(), indent=1))
        raise typer.Exit


def _multiple_of_32(size: int) -> int:
    if size % 32:
        raise typer.BadParameter(f"{size} is not a multiple of 32.")
    return size


Transfer = Annotated[
    Literal["log", "linear", "display"] | None,
    typer.Option(help="Meaning of a sequence's code values.  [default: as its pictures tell]"),
]
Size = Annotated[
    int,
    typer.Option(min=64, max=1024, callback=_multiple_of_32, help="Short side of the networks' pictures in pixels."),
]
Codec = Annotated[str, typer.Option(help="libx264, libx265, ffv1 (lossless), or another encoder of FFmpeg.")]
PixFmt = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Pixel format, like yuv422p10le.  [default: 4:2:0 with the film's bits, if the codec can]"
    ),
]
Crf = Annotated[float, typer.Option(min=0, max=63, help="Quality, for codecs that have this setting; lower is better.")]
Preset = Annotated[str, typer.Option(help="Speed of libx264 and libx265, from ultrafast to veryslow.")]
Steady = Annotated[
    float,
    typer.Option(min=0, max=1, help="Steadiness of colours along a shot, from 0 (none) to 1 (greatest)."),
]
Scenes = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="How far a shot takes the colours of an earlier shot of the same place, from 0 (not) to 1."
    ),
]
Weights = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Networks that you have trained.  [default: those of semcolor]")
]
Vivid = Annotated[
    float, typer.Option(min=0, max=2, help="Strength of the colours: 0 grey, 1 as trained, 2 twice as much.")
]
KeepColour = Annotated[
    Literal["never", "auto", "always"],
    typer.Option(help="Shots that keep the film's own colours: auto those in colour, always also tinted ones."),
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the networks run.")]
Address = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Ray cluster to run on, or auto.  [default: this machine]")
]
Work = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder for unfinished work; needed if the output is a URL.  [default: beside the output]",
    ),
]
Fps = Annotated[
    str | None,
    typer.Option(metavar="RATE", help="Frames per second of a film without time stamps: 18, 17.98 or 24000/1001."),
]
Track = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Video track to colorize, counted from 0.  [default: the film's]"),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse a film that is damaged, instead of telling what was wrong with it.")
]
Drop = Annotated[
    list[str] | None,
    typer.Option(metavar="STREAM", help="Leave streams out: data:0, or a kind such as subtitle; may be repeated."),
]
Only = Annotated[
    str | None,
    typer.Option(metavar="STREAMS", help="Keep only these other streams: audio,subtitle, or audio:1.  [default: all]"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
]


def work_base(folder: Path | None) -> Path | None:
    """The folder of `--work` as an absolute path. Raises UserError if it does not exist or cannot be written."""
    if folder and not folder.is_dir():
        raise UserError(f"--work {folder} is not a folder; create it first.")
    if folder and (reason := unwritable(folder)):
        raise UserError(f"--work {folder} cannot be written: {reason}.")
    return folder and folder.absolute()


def ended(app: typer.Typer, arguments: list[str] | None, name: str) -> tuple[int, str]:
    """Run a command. Returns its exit code and the message for stderr ("" for none).

    The exit code is 0 for success, 2 for a mistake of the user, 1 for any other failure, 130 for Ctrl-C, or the value
    that the command returns. With SEMCOLOR_DEBUG=1, errors are raised as tracebacks instead.
    """
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    try:
        code = typer.main.get_command(app).main(arguments, prog_name=name, standalone_mode=False) or 0
    except TyperException as error:
        return 2, error.format_message()
    except Exception as error:
        message = told(error)
        if not message or os.environ.get("SEMCOLOR_DEBUG"):
            raise
        return 2 if isinstance(error, UserError) else 1, message
    # Typer's code for Ctrl-C is 130.
    return code, "stopped; the same command continues from here." if code == 130 else ""


def run_command(app: typer.Typer, arguments: list[str] | None, name: str) -> int:
    """Run a command and print its message on stderr, each line after the command's name. Returns the exit code."""
    code, message = ended(app, arguments, name)
    for line in message.splitlines():
        print(f"{name}: {line}", file=sys.stderr)
    return code


def exit_with(run: Callable[[], int]) -> None:
    """End the process with the exit code of `run`."""
    with suppress(BrokenPipeError):  # the reader of our output has ended
        sys.exit(run())


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)  # unwinds the stack: actors end, the lock is released, Ray is shut down
