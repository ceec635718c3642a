"""`semcolor-video INPUT`: the command. Nothing heavy is imported before the arguments are known to be good."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from .. import __version__
from ..models import is_weights
from ..pipeline.chunk import CHUNK_SIZES
from ..pipeline.errors import SemcolorError, UserError

NAME = "semcolor-video"

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"semcolor {__version__}")
        raise typer.Exit


def _multiple_of_32(size: int) -> int:
    if size % 32:
        raise typer.BadParameter(f"{size} is not a multiple of 32.")
    return size


def _chunk_size(chunk: int) -> int:
    if chunk not in CHUNK_SIZES:
        raise typer.BadParameter(f"{chunk} is not one of {', '.join(map(str, CHUNK_SIZES))}.")
    return chunk


@app.command()
def video(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="The film, in any format FFmpeg reads.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="The colour film.  [default: INPUT with .color added]"),
    ] = None,
    size: Annotated[
        int, typer.Option(min=64, max=1024, callback=_multiple_of_32, help="The network's short side, pixels.")
    ] = 256,
    codec: Annotated[
        str, typer.Option(help="libx264, libx265, ffv1 (lossless), or another of FFmpeg's encoders.")
    ] = "libx264",
    crf: Annotated[float, typer.Option(min=0, max=63, help="Quality where the codec has it; lower is better.")] = 16,
    preset: Annotated[str, typer.Option(help="Speed of libx264 and libx265, ultrafast to veryslow.")] = "veryfast",
    labels: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Also write a film of what the network understood.")
    ] = None,
    steady: Annotated[
        float, typer.Option(min=0, max=1, help="How still colours are held along a shot: 0 not at all, 1 as can be.")
    ] = 1.0,
    no_steady: Annotated[bool, typer.Option("--no-steady", help="Paint each frame alone; --steady 0.")] = False,
    motion: Annotated[Literal["dis", "raft"], typer.Option(help="What measures motion; RAFT wants a GPU.")] = "dis",
    motion_weights: Annotated[
        Path | None, typer.Option(metavar="PATH", help="RAFT's weights: a state dict of torchvision's small or large.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Also write a film of both, each frame alone | steady.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Networks of your own training.  [default: those that ship]")
    ] = None,
    vivid: Annotated[
        float, typer.Option(min=0, max=2, help="Strength of the colours: 0 grey, 1 as trained, 2 twice as much.")
    ] = 1.0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the networks run.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Networks at once.  [default: one a GPU, or one a CPU core]")
    ] = None,
    chunk: Annotated[
        int, typer.Option(callback=_chunk_size, help="Frames handed on together: 16, 24, 32, 48 or 96.")
    ] = 32,
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="A Ray cluster to work on, or auto.  [default: this machine]"),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; throw away what an interrupted run has left.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Colorize a black-and-white film.

    Sound, subtitles, timing and luma stay as they are. Interrupted, the same command goes on where it stopped.
    """
    # Absolute: Ray's workers live in another folder, and FFmpeg takes what stands before a colon for a protocol.
    source = source.absolute()
    target = (output or source.with_name(f"{source.stem}.color{source.suffix}")).absolute()
    further = {kind: path.absolute() for kind, path in (("labels", labels), ("compare", compare)) if path}
    taken = {target.resolve(): "the colour film's"}
    for kind, path in further.items():
        if path.resolve() in taken:
            raise UserError(f"--{kind} {path} is {taken[path.resolve()]} own path; give another.")
        taken[path.resolve()] = f"--{kind}'s"
    raft = _raft_weights(motion, motion_weights)

    from ..pipeline.assemble import check_output, check_place, output_format
    from ..pipeline.film import open_film
    from .work import work_folder

    # A run that was stopped after it put the film in its place has left its folder. Whether it is this film
    # is seen below.
    left = not fresh and work_folder(target).is_dir()
    for path in (target, *further.values()):
        if source.is_file():  # before the film is read from end to end
            check_place(source, path, overwrite or left)
    film = open_film(source)
    from ..pipeline.encode import choose_encoding, labels_encoding
    from ..pipeline.overlay import overlay_size
    from ..pipeline.reader import thumb_size

    encoding = choose_encoding(film, codec, crf, preset, output_format(target))
    encodings = {
        "labels": labels_encoding(film, *overlay_size(thumb_size(film, size))),
        "compare": replace(encoding, width=2 * film.width),
    }
    also = {kind: (path, encodings[kind]) for kind, path in further.items()}

    from .film import Settings, colorize_film, finished
    from .progress import reporter

    if weights and not is_weights(weights):
        raise UserError(f"--weights {weights} is not a file of semcolor's networks.")
    settings = Settings(
        weights=weights and weights.absolute(),
        size=size,
        steady=0 if no_steady else steady,
        raft=raft,
        vivid=vivid,
        device=device,
        workers=workers,
        chunk=chunk,
        address=address,
    )
    if not (left and finished(film, target, encoding, settings, also)):
        check_output(film, target, encoding, overwrite)
        for path, its_encoding in also.values():
            check_output(film, path, its_encoding, overwrite, copy_streams=False)
    with reporter(film.frames, quiet) as progress:
        summary = colorize_film(film, target, encoding, settings, also, progress, fresh)
    if summary.damaged:
        frames = ", ".join(map(str, summary.damaged[:10])) + (" …" if len(summary.damaged) > 10 else "")
        print(f"{NAME}: {source}: the decoder concealed damage in frames {frames}.", file=sys.stderr)
    if not quiet and not summary.workers:
        print(f"{target}: an earlier run had finished it.")
    elif not quiet:
        again = f" ({summary.resumed} of them by an earlier run)" if summary.resumed else ""
        stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in summary.stages.items())
        queues = ", ".join(f"{stage} {chunks:.1f}" for stage, chunks in summary.queues.items())
        print(f"seconds of work: {stages}; {summary.workers} × {summary.device}")
        print(f"chunks at a time: {queues}")
        if summary.restarts:
            print(f"workers were lost; the film went on from its last part {summary.restarts} times")
        print(
            f"{target}: {summary.frames} frames{again}, {summary.shots} shots, "
            f"{summary.seconds:.1f} s, {summary.speed:.1f} frames/s"
        )


def _raft_weights(motion: str, weights: Path | None) -> Path | None:
    """The file, if it is one that RAFT can use. Raises UserError."""
    if motion == "dis":
        if weights:
            raise UserError("--motion-weights are RAFT's; give --motion raft as well.")
        return None
    if not weights:
        raise UserError("--motion raft needs --motion-weights PATH; no weights of RAFT come with semcolor.")
    from ..flow.raft import Raft, RaftWeightsError

    try:
        Raft(weights)
    except RaftWeightsError as error:
        raise UserError(f"--motion-weights: {error}") from error
    return weights.absolute()


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)  # unwinds: actors stop, the lock goes, Ray shuts down


def run(arguments: list[str] | None = None) -> int:
    """The command's exit code: 0 done, 2 the user's mistake, 1 any other failure, 130 Ctrl-C.

    SEMCOLOR_DEBUG=1 turns errors back into tracebacks.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = typer.main.get_command(app).main(arguments, prog_name=NAME, standalone_mode=False) or 0
    except TyperException as error:
        message, code = error.format_message(), 2
    except (SemcolorError, OSError) as error:
        if os.environ.get("SEMCOLOR_DEBUG"):
            raise
        message, code = str(error), 2 if isinstance(error, UserError) else 1
    else:
        message = "stopped; the same command goes on from here." if code == 130 else ""  # Typer's code for Ctrl-C
    if message:
        print(f"{NAME}: {message}", file=sys.stderr)
    return code


def main() -> None:
    with suppress(BrokenPipeError):  # the reader of our output has left
        sys.exit(run())


if __name__ == "__main__":
    main()
