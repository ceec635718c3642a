"""`semcolor-video INPUT`: its options. Nothing heavy is imported before the arguments have been checked."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...errors import UserError
from ...models import is_weights
from ...pipeline.chunk import CHUNK_SIZES
from ...pipeline.defaults import CHUNK, CODEC, CRF, PRESET, SCENES, SIZE, STEADY, VIVID
from ...pipeline.extras import NOT_FILMS, Extra, Kind, check_record_name, check_report_name
from ...pipeline.look import Look
from ...pipeline.selection import EVERYTHING, parse_selection
from ...pipeline.sequences.names import is_sequence
from ...pipeline.storage import Location, location_of
from ...pipeline.suffixes import why_other
from . import options, ways
from .places import is_photo, places

if TYPE_CHECKING:
    from ...pipeline.encode import Encoding
    from ...pipeline.film import Film

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _chunk_size(chunk: int) -> int:
    if chunk not in CHUNK_SIZES:
        raise typer.BadParameter(f"{chunk} is not one of {', '.join(map(str, CHUNK_SIZES))}.")
    return chunk


@app.command()
def video(
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="The film: a file, a URL, or pictures: their folder, or scan_%06d.dpx."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="The colour film; or pictures: out/scan_%06d.dpx.  [default: INPUT with .color added]",
        ),
    ] = None,
    fps: options.Fps = None,
    track: options.Track = None,
    transfer: options.Transfer = None,
    strict: options.Strict = False,
    drop: options.Drop = None,
    only: options.Only = None,
    size: options.Size = SIZE,
    codec: options.Codec = CODEC,
    pix_fmt: options.PixFmt = None,
    crf: options.Crf = CRF,
    preset: options.Preset = PRESET,
    labels: Annotated[
        str | None, typer.Option(metavar="PATH", help="Also write a film of the predicted labels.")
    ] = None,
    label_maps: Annotated[
        str | None, typer.Option(metavar="PATH", help="Also write label maps: FFV1, each pixel's value is its label.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Label maps have the film's size.  [default: that of the networks]")
    ] = False,
    coverage: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Also write a grey film: how surely key frames and edits give the colours."),
    ] = None,
    summary: Annotated[
        str | None, typer.Option(metavar="PATH", help="Also write labels, colours and shares per shot: JSON.")
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Also write what was kept and changed, with digests: .html or .json."),
    ] = None,
    record: Annotated[
        str | None, typer.Option(metavar="PATH", help="Also write how it was made: edits, settings, digests; .json.")
    ] = None,
    edits: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Corrections of labels and colours: JSON; see --edits-schema.")
    ] = None,
    palette: Annotated[
        Path | None, typer.Option(metavar="PATH", help='Colours for some labels: JSON, {"sky": "#88aacc"}.')
    ] = None,
    reference: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="Photo whose colours its labels get; may be repeated.")
    ] = None,
    keyframe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHEN=PATH",
            help="A frame that was coloured elsewhere, as 310=310.png; its shot takes its colours. May be repeated.",
        ),
    ] = None,
    span: Annotated[
        str | None, typer.Option("--range", metavar="FROM-TO", help="Only 10s-14s, or frames 250-350; without sound.")
    ] = None,
    shots: Annotated[
        str | None, typer.Option(metavar="N,N", help="Only these shots, counted from 0; without sound.")
    ] = None,
    still: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only one frame, at 12.5s or number 300, as PNG or JPEG.")
    ] = None,
    steady: options.Steady = STEADY,
    no_steady: Annotated[bool, typer.Option("--no-steady", help="Paint each frame alone: --steady 0.")] = False,
    scenes: options.Scenes = SCENES,
    motion: Annotated[Literal["dis", "raft"], typer.Option(help="Measures motion; use RAFT with a GPU.")] = "dis",
    motion_weights: Annotated[
        Path | None, typer.Option(metavar="PATH", help="RAFT's weights: a state dict of torchvision's small or large.")
    ] = None,
    compare: Annotated[
        str | None, typer.Option(metavar="PATH", help="Also write a film that shows frames unsteadied | steadied.")
    ] = None,
    weights: options.Weights = None,
    vivid: options.Vivid = VIVID,
    keep_colour: options.KeepColour = "never",
    device: options.Device = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Networks at the same time; 2 and more run on Ray.  [default: one per GPU, or one per CPU core]"
        ),
    ] = None,
    chunk: Annotated[int, typer.Option(callback=_chunk_size, help="Frames per chunk: 16, 24, 32, 48 or 96.")] = CHUNK,
    address: options.Address = None,
    work: options.Work = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over; delete the work of an interrupted run.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the work, so that new edits repaint only the shots they touch.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
    quiet: options.Quiet = False,
    list_labels: Annotated[
        bool,
        typer.Option("--list-labels", callback=options.list_labels, is_eager=True, help="Print the labels and exit."),
    ] = False,
    edits_schema: Annotated[
        bool,
        typer.Option(
            "--edits-schema",
            callback=options.edits_schema,
            is_eager=True,
            help="Print the JSON Schema of edits and exit.",
        ),
    ] = False,
    report_schema: Annotated[
        bool,
        typer.Option(
            "--report-schema",
            callback=options.report_schema,
            is_eager=True,
            help="Print the JSON Schema of reports and exit.",
        ),
    ] = False,
    version: options.Version = False,
) -> None:
    """Colorize a black-and-white film.

    Sound, subtitles, timing and luma stay as they are. After an interruption, the same command continues
    where it stopped.
    """
    film_at, target = places(source, output, still is not None, codec)
    is_still = still is not None or is_photo(film_at)
    wanted: dict[Kind, str | None] = {Kind.LABELS: labels, Kind.MAPS: label_maps, Kind.COMPARE: compare}
    wanted |= {Kind.COVERAGE: coverage, Kind.SUMMARY: summary, Kind.REPORT: report, Kind.RECORD: record}
    extra_paths = {kind: location_of(path) for kind, path in wanted.items() if path}
    _check_paths(target, extra_paths, {"--range": span, "--shots": shots, "--still": still})
    selection = parse_selection(drop, only)
    if selection != EVERYTHING and (span or shots or still):
        raise UserError("--drop and --only choose what goes with the whole film; leave them out to try a part.")
    if label_maps and PurePath(label_maps).suffix.lower() != ".mkv":
        raise UserError(f"--label-maps {label_maps}: only Matroska keeps their legend; give a name that ends in .mkv.")
    if report:
        check_report_name(report)
    if record:
        check_record_name(record)
    if full and not label_maps:
        raise UserError("--full applies to --label-maps; give both.")
    if weights and not is_weights(weights):
        raise UserError(f"--weights {weights} is not a file of semcolor's networks.")
    raft = _raft_weights(motion, motion_weights)
    if raft and (span or shots or still):
        raise UserError("--motion raft works only on the whole film; leave it out to try a part.")

    base = options.work_base(work)
    from ...pipeline.edits.reading import gather
    from ...pipeline.film import open_film
    from ...pipeline.outputs import check_place, prepared
    from ...pipeline.photo import photo_film
    from ..film.workdir import work_folder

    # If a run was stopped after it delivered the film, its work folder and its outputs exist. `ways.whole` checks
    # whether they are of this film.
    has_work = not fresh and work_folder(target, base).is_dir()
    if isinstance(film_at, str) or film_at.is_file() or is_sequence(film_at):
        for kind, path in {Kind.FILM: target, **extra_paths}.items():  # before the film is read from end to end
            is_film = kind not in NOT_FILMS and not is_still
            check_place(film_at, path, overwrite or has_work, film_format=is_film)
    sheet = gather(edits, palette, reference or [], keyframe or [])
    if coverage and not sheet:
        raise UserError("--coverage shows what key frames and edits cover; give --keyframe, --edits or --palette.")
    look = Look(
        size=size,
        steady=0.0 if no_steady else steady,
        scenes=scenes,
        vivid=vivid,
        weights=weights and weights.absolute(),
        motion_weights=raft,
        keep_colour=keep_colour,
        sheet=sheet,
    )
    if is_photo(film_at):
        if extra_paths or any(value is not None for value in (span, shots, still, fps, track, transfer)):
            raise UserError(f"{source} is a photo; only options of the look apply to it.")
        with photo_film(Path(film_at)) as film:
            return ways.still(film, target, "0", look, device, overwrite=overwrite, quiet=quiet)
    film = open_film(film_at, fps=fps, track=track, transfer=transfer, strict=strict)
    film = replace(film, selection=selection)
    ways.tell_findings(film, film.findings)
    if not (output or quiet or still is not None or film.scans) and PurePath(target).suffix != PurePath(source).suffix:
        print(f"{ways.NAME}: {target}: so named, because {why_other(PurePath(source).suffix, codec)}.", file=sys.stderr)
    if still is not None:
        return ways.still(film, target, still, look, device, overwrite=overwrite, quiet=quiet)
    told = len(film.findings)
    film, encoding = prepared(film, target, codec, crf, preset, pix_fmt=pix_fmt or "", keep_colour=keep_colour)
    ways.tell_findings(film, film.findings[told:])
    if span is not None or shots is not None:
        from ...pipeline.shots import spans

        wanted_frames = spans(film, span, shots, size)
        return ways.excerpt(film, target, wanted_frames, look, device, encoding, overwrite=overwrite, quiet=quiet)
    from ..film.job import Settings

    settings = Settings(look=look, device=device, workers=workers, chunk=chunk, address=address, work=base)
    extras = _extras(film, look, encoding, extra_paths, full, (codec, crf, preset))
    how = {"has_work": has_work, "overwrite": overwrite, "fresh": fresh, "keep": keep, "quiet": quiet}
    ways.whole(film, target, encoding, settings, extras, **how)


OPTIONS = {
    Kind.LABELS: "--labels",
    Kind.MAPS: "--label-maps",
    Kind.COMPARE: "--compare",
    Kind.COVERAGE: "--coverage",
    Kind.SUMMARY: "--summary",
    Kind.REPORT: "--report",
    Kind.RECORD: "--record",
}
"""Options that write the extras."""


def _extras(
    film: Film,
    look: Look,
    encoding: Encoding,
    extra_paths: dict[Kind, Location],
    full: bool,
    coder: tuple[str, float, str],
) -> list[Extra]:
    """The extras, with their encodings.

    Args:
        film: the film, as it is read.
        look: the look.
        encoding: encoding of the colour film.
        extra_paths: places of the extras, by kind.
        full: whether label maps have the film's size.
        coder: codec, crf and preset.
    """
    from ...pipeline.encode import choose_encoding, labels_encoding, maps_encoding
    from ...pipeline.overlay import overlay_size
    from ...pipeline.reader import thumb_size

    thumb = thumb_size(film, look.size)
    if encoding.pictures and Kind.COMPARE in extra_paths:
        encoding = choose_encoding(film.previewed(), *coder)
    encodings = {
        Kind.LABELS: labels_encoding(film, *overlay_size(thumb)),
        Kind.MAPS: maps_encoding(film, *((film.width, film.height) if full else thumb[::-1])),
        Kind.COVERAGE: maps_encoding(film, thumb[1] // 2, thumb[0] // 2),
        Kind.COMPARE: replace(encoding, width=2 * film.width),
    }
    return [Extra(kind, path, encodings.get(kind)) for kind, path in extra_paths.items()]


def _check_paths(target: Location, extra_paths: dict[Kind, Location], parts: dict[str, str | None]) -> None:
    """Raise UserError if two outputs have the same path, or if options exclude each other. `parts`: options that
    choose a part."""
    seen: dict[Location, str] = {}
    for kind, path in {Kind.FILM: target, **extra_paths}.items():
        option, path = OPTIONS.get(kind, "the output"), path if isinstance(path, str) else path.resolve()
        if path in seen:
            raise UserError(f"{option} {path} is also the path of {seen[path]}; give another path.")
        seen[path] = option
    part = [option for option, value in parts.items() if value is not None]
    if len(part) > 1:
        raise UserError(f"{' and '.join(part)} exclude each other; give one.")
    if part and extra_paths:
        raise UserError(f"{OPTIONS[next(iter(extra_paths))]} needs the whole film; leave {part[0]} out.")
    if part and isinstance(target, str):
        raise UserError(f"{part[0]} writes to this machine; give a path with -o, not {target}.")


def _raft_weights(motion: str, weights: Path | None) -> Path | None:
    """The absolute path of RAFT's weights; None: motion is measured by DIS. Raises UserError."""
    if motion == "dis":
        if weights:
            raise UserError("--motion-weights is for RAFT; give --motion raft as well.")
        return None
    if not weights:
        raise UserError("--motion raft needs --motion-weights PATH; semcolor comes without weights of RAFT.")
    from ...flow.raft import Raft

    Raft(weights)  # raises RaftWeightsError, a UserError, if the file cannot be used
    return weights.absolute()


def run(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit code; see `options.ended`."""
    return options.run_command(app, arguments, ways.NAME)


def main() -> None:
    options.exit_with(run)


if __name__ == "__main__":
    main()
