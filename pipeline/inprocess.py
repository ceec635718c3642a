"""Colorize in this process alone, without Ray: a whole film, some ranges or shots, one frame, or its labels.

    film = open_film("input.mp4")
    still(film, "12.5s", "frame.png", Look(sheet=read_sheet("edits.json")))

The results are those of `semcolor-video` for the same frames, with one exception: if a range starts more than `WARM`
frames into its shot, steadying starts `WARM` frames before the range instead of at the shot's start. Measured on three
films, this changes a and b by less than 0.01 on average and by 0.1 at most.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..flow import BLOCK, LOOKAHEAD, Motion, horizon
from ..models import pick_device, pick_precision
from .chunk import Resume
from .edits.apply import ResolvedEdits
from .edits.keys import Paint
from .edits.resolve import resolve
from .encode import Encoding
from .extras import Kind
from .files import file_sha256, move_into_place, temporary_beside
from .film import Film
from .frames import Colors, Frames, Painted
from .keeping import kept_spans
from .look import Look
from .mux import assemble
from .negative import looks_negative, samples, warning
from .outputs import check_beside, check_output, prepared
from .overlay import likeliest
from .owncolors import OwnCount, ShotColor, Spans, add_own, shots_of
from .parts import findings_of
from .pictures import place
from .reader import FilmReader, thumb_size
from .report.lumacheck import LumaCheck
from .revisiting import Revisiting
from .scenefinding import find_scenes
from .sequences.names import located
from .shots import shot_around
from .stages import Composing, Painting, Pairing, Steadying, chroma_of_frames, finished, survey
from .stills import check_still, encoded
from .storage import Location
from .timecode import Moment
from .writer import PartWriter
from .ycbcr import PlaneFormat, picture

if TYPE_CHECKING:  # the networks are imported only to paint
    from ..models.painter import Painter

_log = logging.getLogger(__name__)

WARM = 96
"""Greatest number of frames of its shot that are painted before a range: four times the steadier's memory."""

Colored = tuple[Frames, Colors, ResolvedEdits | None]
"""Frames, their steady colours, and the edits that apply to them."""


def colorize(
    film: Film,
    output: str | os.PathLike[str],
    look: Look | None = None,
    *,
    spans: Sequence[tuple[int, int]] = (),
    encoding: Encoding | None = None,
    overwrite: bool = False,
    report: str | os.PathLike[str] | None = None,
    record: str | os.PathLike[str] | None = None,
    progress: Callable[[int], None] = lambda done: None,
    device: str = "auto",
) -> tuple[ShotColor, ...]:
    """Colorize a film and write it, whole or not at all.

    Args:
        film: the source.
        output: the colour film; its suffix selects the container.
        look: the options that decide the colours.
        spans: pairs (first frame, number after the last). If given, only these frames are written, one span after
            another from time 0 on, without sound. The whole film keeps its time stamps and other streams.
        encoding: encoding of the colour film; by default that of `choose_encoding`.
        overwrite: whether an existing output is replaced, and an existing report or record.
        report: a file that gets what was kept and what was changed: ``.html`` or ``.json``. Only for the whole film.
        record: a file (``.json``) that gets how the film was made. Only for the whole film.
        progress: called with the number of frames done.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The colours that the written shots, or parts of shots, have in the source.

    Raises:
        SemcolorError: one sentence; nothing is left at `output`.
    """
    look, started, device = look or Look(), time.monotonic(), pick_device(device)
    output = Path(located(output, film.scans and film.scans.pattern)).absolute()
    if encoding is None:
        film, encoding = prepared(film, output, keep_colour=look.keep_colour)
    check_output(film, output, encoding, overwrite, copy_streams=not spans)
    check_beside(film, output, {"report": report, "record": record}, overwrite, whole=not spans)
    target = _cut_out(film, spans) if spans else film
    beside = output.parent.parent if encoding.pictures else output.parent
    with tempfile.TemporaryDirectory(prefix=".semcolor-", dir=beside) as folder:
        check = None if report is None else LumaCheck(film, encoding)
        writer, done = PartWriter(folder, target, encoding, luma_check=check), 0
        counts: list[OwnCount] = []
        colored = False
        painter, each = _painter(film, look, device), list(spans) or [(0, film.frames)]
        negative = each == [(0, film.frames)] and looks_negative(samples(film), painter.paint)
        if negative:
            _log.warning(warning(film))
        for frames, colors, edits in _colored(film, look, each, painter.paint):
            composed = Composing(film, encoding, report=report is not None, edits=edits).compose(frames, colors)
            stop = done + len(frames.chunk)
            pts = tuple(int(p) for p in target.pts[done:stop])
            chunk = replace(frames.chunk, start=done, pts=pts, durations=target.durations(done, stop))
            writer.write(chunk, frames.luma, composed.chroma, note=composed.note)
            counts = add_own(counts, frames.chunk)
            colored = colored or frames.chroma is None or any(own is None for own in frames.chroma)
            done = stop
            progress(done)
        result = assemble(target, folder, writer.parts, output, encoding, copy_streams=not spans, colored=colored)
        finish = place if encoding.pictures else move_into_place
        if report is None and record is None:
            finish(result, output)
            return shots_of(counts)
        from .report.build import Made, settings_of, timings_of, write_report
        from .report.record import write_record

        settings = settings_of(look, encoding, device, pick_precision(device))
        files: dict[str, tuple[Path, Location, str]] = {Kind.FILM: (result, output, file_sha256(result))}
        with ExitStack() as stack:
            written: list[tuple[Path, Path]] = []  # temporary file, its place
            if report is not None:
                made = Made(
                    film=film,
                    encoding=encoding,
                    folder=Path(folder),
                    parts=writer.parts,
                    files=files,
                    findings=findings_of(film.findings, writer.parts),
                    settings=settings,
                    timings=timings_of(film.frames, started),
                    negative=negative,
                )
                written.append(temporary_beside(stack, report))
                write_report(made, written[-1][0])
                files[Kind.REPORT] = *written[-1], file_sha256(written[-1][0])
            if record is not None:
                written.append(temporary_beside(stack, record))
                write_record(written[-1][0], film, look, settings, files)
            finish(result, output)
            for temporary, its_place in written:
                move_into_place(temporary, its_place)
    return shots_of(counts)


def still(
    film: Film,
    moment: Moment,
    output: str | os.PathLike[str],
    look: Look | None = None,
    *,
    overwrite: bool = False,
    device: str = "auto",
) -> np.ndarray:
    """Colorize one frame as in the whole film, write it to `output`, and return it.

    Args:
        film: the source.
        moment: number or time of the frame; see `timecode.Moment`.
        output: a picture file (PNG, JPEG, TIFF, WebP).
        look: the options that decide the colours.
        overwrite: whether an existing output is replaced.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        (H, W, 3) uint8 R'G'B' with square pixels: a film whose pixels are not square is stretched.

    Raises:
        SemcolorError: one sentence; nothing is left at `output`.
    """
    output, frame = Path(output).absolute(), film.frame_at(moment, "the still")
    check_still(film, output, overwrite)
    look = look or Look()
    with closing(_colored(film, look, [(frame, frame + 1)], _painter(film, look, device).paint)) as painted:
        frames, colors, edits = next(painted)
        chroma = chroma_of_frames(film, frames, finished(frames.chunk, colors, edits), (film.height, film.width))
    shown = picture(frames.luma[0], chroma[0], PlaneFormat.of(film))
    if film.sample_aspect != 1:
        size = round(film.width * film.sample_aspect), film.height
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_CUBIC)
    data = encoded(shown, output.suffix, colored=frames.chroma is None)
    with tempfile.TemporaryDirectory(prefix=".semcolor-", dir=output.parent) as folder:
        temporary = Path(folder) / "still"
        temporary.write_bytes(data)
        move_into_place(temporary, output)
    return shown


def label_map(
    film: Film, moment: Moment, look: Look | None = None, *, full: bool = False, device: str = "auto"
) -> np.ndarray:
    """The labels of one frame, as in the whole film.

    Args:
        film: the source.
        moment: number or time of the frame; see `timecode.Moment`.
        look: the options that decide the labels.
        full: whether the map has the film's size instead of network size.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        (h, w) uint8: indices of `models.labels.NAMES`.

    Raises:
        SemcolorError: one sentence.
    """
    frame = film.frame_at(moment, "the label map")
    look = look or Look()
    with closing(_colored(film, look, [(frame, frame + 1)], _painter(film, look, device).paint)) as painted:
        frames, colors, _ = next(painted)
    size = (film.height, film.width) if full else frames.thumbs.pictures.shape[1:]
    return likeliest(colors.labels[0], size)


def _painter(film: Film, look: Look, device: str) -> Painter:
    """The networks of a look, for a film, on a device: ``auto``, ``cpu`` or ``cuda``."""
    from ..models.painter import Painter

    size = thumb_size(film, look.size)
    return Painter(pick_device(device), weights=look.weights, vivid=look.vivid, size=size)


def _colored(film: Film, look: Look, spans: Sequence[tuple[int, int]], paint: Paint) -> Generator[Colored, None, None]:
    """Yield the painted frames of the spans in order, at most a chunk at a time.

    The masks of their edits are there only until the next frames are asked for, or the generator is closed.
    """
    with tempfile.TemporaryDirectory(prefix="semcolor-") as folder:
        scenes = find_scenes(film, look, Path(folder) / "scenes.zip", shown=spans)
        for number, (first, stop) in enumerate(spans):
            shot = shot_around(film, first, look.size)[0] if first else 0
            begin = max(shot, first - WARM - (first - WARM - shot) % BLOCK)
            edits = None
            if look.sheet:
                # The edits also apply to the frames around the span, whose colours affect those of the span.
                within = begin, min(stop + 2 * BLOCK + LOOKAHEAD, film.frames)
                edits = resolve(
                    film,
                    look.sheet,
                    look.size,
                    lambda: paint,
                    Path(folder),
                    str(number),
                    weights=look.weights,
                    within=within,
                    shown=(first, stop),
                    scenes=scenes,
                )
                for sentence in edits.lost(film.when):
                    _log.warning(sentence)
            kept = kept_spans(film, look, begin, stop)
            painting = Painting(paint, edits, scenes and Revisiting(scenes, look, edits))
            for frames, colors in _span(film, look, painting, edits, begin, stop, kept):
                start = frames.chunk.start
                wanted = slice(max(first - start, 0), min(stop - start, len(frames.chunk)))
                if wanted.start < wanted.stop:
                    yield frames[wanted], colors[wanted], edits


def _span(
    film: Film, look: Look, painting: Painting, edits: ResolvedEdits | None, begin: int, stop: int, kept: Spans
) -> Iterator[tuple[Frames, Colors]]:
    """Yield the frames from `begin` at least to the frame before `stop`, with their steady colours."""
    read = _read(film, look, begin, stop, kept)
    if not look.steady:
        yield from ((frames, painting.paint_all(frames.chunk, frames.thumbs)) for frames in read)
        return
    steadying = Steadying(look.steady, {begin: b""}, edits)
    surveyed = ((frames, painting.paint(frames.chunk, frames.thumbs), survey(frames.thumbs)) for frames in read)
    for (frames, painted, motion), following in _with_following(surveyed):
        steady, _ = steadying.blend(frames.chunk, painted, motion, following and following[1:])
        yield frames, steady


Surveyed = tuple[Frames, Painted, Motion]
"""Frames, their painted colours, and the motion between them."""


def _with_following(surveyed: Iterator[Surveyed]) -> Iterator[tuple[Surveyed, Surveyed | None]]:
    """Yield each chunk with the next chunk of its shot; None where there is none."""
    pairing = Pairing[Surveyed]()
    for item in surveyed:
        yield from pairing.push(item[0].chunk, item)
    yield from pairing.rest()


def _read(film: Film, look: Look, begin: int, stop: int, kept: Spans) -> Iterator[Frames]:
    """Yield the frames from `begin` to the last one that affects the colours before `stop`."""
    for frames in FilmReader(film, size=look.size, start=Resume(frame=begin), kept=kept):
        chunk = frames.chunk
        seen = horizon(chunk.start - chunk.shot_start, stop) if look.steady else stop
        if seen <= chunk.start:
            return
        if seen < chunk.stop:
            frames = frames[: seen - chunk.start]
        yield frames
        if seen <= chunk.stop:
            return


def _cut_out(film: Film, spans: Sequence[tuple[int, int]]) -> Film:
    """A film that consists of only the frames of the spans, from time 0 on."""
    lasts = [max(1, duration) for span in spans for duration in film.durations(*span)]
    ends = np.cumsum(lasts, dtype=np.int64)
    numbers = np.concatenate([np.arange(*span) for span in spans])
    scans = film.scans and film.scans.selected(numbers)
    return replace(film, pts=ends - lasts, last_duration=lasts[-1], scans=scans, numbers=numbers)
