"""`semcolor-video INPUT`: the command. Nothing heavy is imported before the arguments are known to be good."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from ...errors import UserError
from ...models import is_weights
from ...pipeline.chunk import CHUNK_SIZES
from ...pipeline.storage import Place, join, parent, place_of
from . import options as command

if TYPE_CHECKING:
    from ...pipeline.edits.sheet import Sheet
    from ...pipeline.encode import Encoding
    from ...pipeline.film import Film

NAME = "semcolor-video"

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _list_labels(wanted: bool) -> None:
    if wanted:
        from ...models.labels import NAMES, PALETTE

        for number, (name, colour) in enumerate(zip(NAMES, PALETTE, strict=True)):
            print(f"{number:2} {name:12} #{bytes(colour).hex()}")
        raise typer.Exit


def _edits_schema(wanted: bool) -> None:
    if wanted:
        import json

        from ...pipeline.edits.sheet import Sheet

        print(json.dumps(Sheet.model_json_schema(), indent=1))
        raise typer.Exit


def _chunk_size(chunk: int) -> int:
    if chunk not in CHUNK_SIZES:
        raise typer.BadParameter(f"{chunk} is not one of {', '.join(map(str, CHUNK_SIZES))}.")
    return chunk


@app.command()
def video(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="The film, in any format FFmpeg reads; or its URL.")],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="PATH", help="The colour film.  [default: INPUT with .color added]"),
    ] = None,
    size: command.Size = 256,
    codec: command.Codec = "libx264",
    crf: command.Crf = 16,
    preset: command.Preset = "veryfast",
    labels: Annotated[
        str | None, typer.Option(metavar="PATH", help="Also write a film of what the network understood.")
    ] = None,
    label_maps: Annotated[
        str | None, typer.Option(metavar="PATH", help="Also write label maps: FFV1, a pixel's value is its label.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Label maps of the film's size.  [default: the network's]")
    ] = False,
    summary: Annotated[
        str | None, typer.Option(metavar="PATH", help="Also write each shot's labels, their colours and shares: JSON.")
    ] = None,
    edits: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Corrections of labels and colours: JSON, see --edits-schema.")
    ] = None,
    palette: Annotated[
        Path | None, typer.Option(metavar="PATH", help='A colour for each of some labels: JSON, {"sky": "#88aacc"}.')
    ] = None,
    reference: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="A photo whose colours its labels shall have; or several.")
    ] = None,
    span: Annotated[
        str | None, typer.Option("--range", metavar="FROM-TO", help="Only 10s-14s, or frames 250-350; without sound.")
    ] = None,
    shots: Annotated[
        str | None, typer.Option(metavar="N,N", help="Only these shots, the first is 0; without sound.")
    ] = None,
    still: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only the frame at 12.5s, or frame 300: a PNG or JPEG.")
    ] = None,
    steady: command.Steady = 1.0,
    no_steady: Annotated[bool, typer.Option("--no-steady", help="Paint each frame alone; --steady 0.")] = False,
    motion: Annotated[Literal["dis", "raft"], typer.Option(help="What measures motion; RAFT wants a GPU.")] = "dis",
    motion_weights: Annotated[
        Path | None, typer.Option(metavar="PATH", help="RAFT's weights: a state dict of torchvision's small or large.")
    ] = None,
    compare: Annotated[
        str | None, typer.Option(metavar="PATH", help="Also write a film of both, each frame alone | steady.")
    ] = None,
    weights: command.Weights = None,
    vivid: command.Vivid = 1.0,
    device: command.Device = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Networks at once.  [default: one a GPU, or one a CPU core]")
    ] = None,
    chunk: Annotated[
        int, typer.Option(callback=_chunk_size, help="Frames handed on together: 16, 24, 32, 48 or 96.")
    ] = 32,
    address: command.Address = None,
    work: command.Work = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; throw away what an interrupted run has left.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the work, so that other edits repaint only the shots they touch.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
    quiet: command.Quiet = False,
    list_labels: Annotated[
        bool, typer.Option("--list-labels", callback=_list_labels, is_eager=True, help="Print the labels and leave.")
    ] = False,
    edits_schema: Annotated[
        bool,
        typer.Option(
            "--edits-schema", callback=_edits_schema, is_eager=True, help="Print the JSON Schema of edits and leave."
        ),
    ] = False,
    version: command.Version = False,
) -> None:
    """Colorize a black-and-white film.

    Sound, subtitles, timing and luma stay as they are. Interrupted, the same command goes on where it stopped.
    """
    # Absolute: Ray's workers live in another folder, and FFmpeg takes what stands before a colon for a protocol.
    film_at, named = place_of(source), PurePath(source)
    ending = f".color{named.suffix}" if still is None else ".color.png"
    target = place_of(output) if output else join(parent(film_at), f"{named.stem}{ending}")
    wanted = {"labels": labels, "maps": label_maps, "compare": compare, "summary": summary}
    besides = {kind: place_of(path) for kind, path in wanted.items() if path}
    _check_paths(target, besides, {"--range": span, "--shots": shots, "--still": still})
    if label_maps and PurePath(label_maps).suffix.lower() != ".mkv":
        raise UserError(f"--label-maps {label_maps}: only Matroska keeps their legend; let the name end in .mkv.")
    if full and not label_maps:
        raise UserError("--full is of --label-maps; give both.")
    if weights and not is_weights(weights):
        raise UserError(f"--weights {weights} is not a file of semcolor's networks.")
    raft = _raft_weights(motion, motion_weights)
    if raft and (span or shots or still):
        raise UserError("--motion raft is of the whole film; leave it out to try a part.")

    base = command.work_base(work)
    from ...pipeline.film import open_film
    from ...pipeline.mux import check_output, check_place, output_format
    from ..film.workdir import work_folder

    # A run that was stopped after it put the film in its place has left its folder. Whether it is this film
    # is seen below.
    left = not fresh and work_folder(target, base).is_dir()
    for kind, path in {"film": target, **besides}.items():
        if isinstance(film_at, str) or film_at.is_file():  # before the film is read from end to end
            check_place(film_at, path, overwrite or left, film_format=kind != "summary" and still is None)
    from ...pipeline.edits.sheet import gather

    sheet = gather(edits, palette, reference or [])
    film = open_film(film_at)
    strength = 0.0 if no_steady else steady
    look = Colours(size, strength, vivid, weights and weights.absolute(), device, sheet)
    if still is not None:
        return _still(film, target, still, look, overwrite, quiet)
    from ...pipeline.encode import choose_encoding, labels_encoding, maps_encoding
    from ...pipeline.overlay import overlay_size
    from ...pipeline.reader import thumb_size

    encoding = choose_encoding(film, codec, crf, preset, output_format(target))
    if span is not None or shots is not None:
        return _excerpt(film, target, span, shots, look, encoding, overwrite, quiet)
    thumb = thumb_size(film, size)
    encodings = {
        "labels": labels_encoding(film, *overlay_size(thumb)),
        "maps": maps_encoding(film, *((film.width, film.height) if full else thumb[::-1])),
        "compare": replace(encoding, width=2 * film.width),
    }
    also = {kind: (path, encodings.get(kind)) for kind, path in besides.items()}

    from ..film.driver import Settings, colorize_film, finished
    from .progress import reporter

    settings = Settings(**look._asdict(), raft=raft, workers=workers, chunk=chunk, address=address, work=base)
    if not (left and finished(film, target, encoding, settings, also)):
        check_output(film, target, encoding, overwrite)
        for path, its_encoding in also.values():
            if its_encoding:
                check_output(film, path, its_encoding, overwrite, copy_streams=False)
            else:
                check_place(film_at, path, overwrite, film_format=False)
    with reporter(film.frames, quiet) as progress:
        done = colorize_film(film, target, encoding, settings, also, progress, fresh, keep)
    if done.damaged:
        frames = ", ".join(map(str, done.damaged[:10])) + (" …" if len(done.damaged) > 10 else "")
        print(f"{NAME}: {source}: the decoder concealed damage in frames {frames}.", file=sys.stderr)
    if not quiet and not done.workers:
        print(f"{target}: an earlier run had finished it.")
    elif not quiet:
        again = f" ({done.resumed} of them by an earlier run)" if done.resumed else ""
        stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in done.stages.items())
        queues = ", ".join(f"{stage} {chunks:.1f}" for stage, chunks in done.queues.items())
        print(f"seconds of work: {stages}; {done.workers} × {done.device}")
        print(f"chunks at a time: {queues}")
        if done.restarts:
            print(f"workers were lost; the film went on from its last part {done.restarts} times")
        print(
            f"{target}: {done.frames} frames{again}, {done.shots} shots, "
            f"{done.seconds:.1f} s, {done.speed:.1f} frames/s"
        )


class Colours(NamedTuple):
    """What decides the colours, by the names of `pipeline.inprocess.Look` and `jobs.film.driver.Settings`."""

    size: int
    steady: float
    vivid: float
    weights: Path | None
    device: str
    sheet: Sheet


OPTIONS = {"labels": "--labels", "maps": "--label-maps", "compare": "--compare", "summary": "--summary"}


def _check_paths(target: Place, besides: dict[str, Place], parts: dict[str, str | None]) -> None:
    """Raise UserError where two files are one, or options exclude each other."""
    seen: dict[Place, str] = {}
    for kind, path in {"": target, **besides}.items():
        option, path = OPTIONS.get(kind, "the output"), path if isinstance(path, str) else path.resolve()
        if path in seen:
            raise UserError(f"{option} {path} is {seen[path]}'s own path; give another.")
        seen[path] = option
    part = [option for option, value in parts.items() if value is not None]
    if len(part) > 1:
        raise UserError(f"{' and '.join(part)} exclude each other; give one.")
    if part and besides:
        raise UserError(f"{OPTIONS[next(iter(besides))]} is of the whole film; leave {part[0]} out.")
    if part and isinstance(target, str):
        raise UserError(f"{part[0]} writes to this machine; give a path with -o, not {target}.")


def _still(film: Film, target: Place, when: str, look: Colours, overwrite: bool, quiet: bool) -> None:
    from ...pipeline.inprocess import Look, still

    started = time.monotonic()
    still(film, when, target, Look(**look._asdict()), overwrite)
    if not quiet:
        print(f"{target}: {time.monotonic() - started:.1f} s")


def _excerpt(
    film: Film,
    target: Place,
    span: str | None,
    shots: str | None,
    look: Colours,
    encoding: Encoding,
    overwrite: bool,
    quiet: bool,
) -> None:
    from ...pipeline.inprocess import Look, colorize
    from ...pipeline.shots import spans
    from .progress import reporter

    started = time.monotonic()
    wanted = spans(film, span, shots, look.size)
    frames = sum(stop - first for first, stop in wanted)
    with reporter(frames, quiet) as progress:
        colorize(film, target, Look(**look._asdict()), wanted, encoding, overwrite, lambda n: progress(n, len(wanted)))
    if not quiet:
        print(f"{target}: {frames} frames, {time.monotonic() - started:.1f} s")


def _raft_weights(motion: str, weights: Path | None) -> Path | None:
    """The file, if it is one that RAFT can use. Raises UserError."""
    if motion == "dis":
        if weights:
            raise UserError("--motion-weights are RAFT's; give --motion raft as well.")
        return None
    if not weights:
        raise UserError("--motion raft needs --motion-weights PATH; no weights of RAFT come with semcolor.")
    from ...flow.raft import Raft

    Raft(weights)  # raises RaftWeightsError, a UserError, if the file cannot be used
    return weights.absolute()


def run(arguments: list[str] | None = None) -> int:
    """The command's exit code; see `options.ended`."""
    code, message = command.ended(app, arguments, NAME)
    if message:
        print(f"{NAME}: {message}", file=sys.stderr)
    return code


def main() -> None:
    with suppress(BrokenPipeError):  # the reader of our output has left
        sys.exit(run())


if __name__ == "__main__":
    main()
