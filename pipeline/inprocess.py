"""Films in this process alone, without Ray: a whole one, a few ranges or shots to try something, one frame, its labels.

    film = open_film("input.mp4")
    still(film, "12.5s", "frame.png", Look(sheet=read_sheet("edits.json")))

What comes out is what `semcolor-video` makes of the same frames. But where a range begins more than `WARM` frames
after its shot, the colours' past is counted from there on: measured on three films, that moves a and b by less than
0.01 on average and by 0.1 at most.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ..errors import OutputError
from ..flow import BLOCK, LOOKAHEAD, Motion, Steadier, estimate
from ..models import has_cuda
from .chunk import Chunk, Resume
from .compose import Painted, PlaneFormat, chroma_planes, picture
from .edits.apply import Control
from .edits.resolve import plan
from .edits.sheet import Sheet
from .encode import Encoding, choose_encoding, chroma_size
from .film import Film
from .mux import assemble, check_output, check_place, output_format
from .overlay import likeliest
from .reader import FilmReader
from .shots import shot_around
from .timecode import Moment, frame_at
from .writer import PartWriter, place

__all__ = ["WARM", "Look", "colorize", "label_map", "still"]

WARM = 96
"""Frames before a range that are painted too, if its shot has so many: four times what the steadier remembers."""

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Look:
    """What decides the colours; as the command's options."""

    size: int = 256
    steady: float = 1.0
    vivid: float = 1.0
    weights: Path | None = None
    device: str = "auto"
    sheet: Sheet = Sheet()


@dataclass(frozen=True)
class Frames:
    """Neighbouring frames in colour."""

    chunk: Chunk
    luma: np.ndarray
    """(N, H, W), the film's own samples."""
    thumbs: np.ndarray
    """(N, h, w) uint8 luma at network size."""
    ab: np.ndarray | list[Painted]
    """(N, 2, h/2, w/2) float16, CIE Lab, or as `Control.finish` gives it."""
    labels: np.ndarray
    """(N, 62, h/4, w/4) uint8 probabilities * 255."""


def colorize(
    film: Film,
    output: str | os.PathLike[str],
    look: Look | None = None,
    spans: Sequence[tuple[int, int]] = (),
    encoding: Encoding | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Write a film in colour, whole or not at all; of `spans` (first frame, number after the last) only, if given.

    The whole film keeps its time stamps and other streams; spans follow one another from time 0 on, without sound.
    `progress` is called with the number of frames done. Raises SemcolorError.
    """
    look, output = look or Look(), Path(output).absolute()
    encoding = encoding or choose_encoding(film, container=output_format(output))
    check_output(film, output, encoding, overwrite, copy_streams=not spans)
    target = _cut_out(film, spans) if spans else film
    size, fmt = chroma_size(film.width, film.height, encoding.pix_fmt), _format(film)
    with tempfile.TemporaryDirectory(prefix=".semcolor-", dir=output.parent) as folder:
        writer, done = PartWriter(folder, target, encoding), 0
        for frames in _coloured(film, look, spans or [(0, film.frames)]):
            stop = done + len(frames.chunk)
            pts = tuple(int(p) for p in target.pts[done:stop])
            chunk = replace(frames.chunk, start=done, pts=pts, durations=target.durations(done, stop))
            trios = zip(frames.ab, frames.thumbs, frames.luma, strict=True)
            writer.write(chunk, frames.luma, np.stack([chroma_planes(*trio, size, fmt) for trio in trios]))
            done = stop
            progress(done)
        place(assemble(target, folder, writer.parts, output, encoding, copy_streams=not spans), output)


def still(
    film: Film, moment: Moment, output: str | os.PathLike[str], look: Look | None = None, overwrite: bool = False
) -> np.ndarray:
    """One frame in colour, as it is in the whole film: written to `output` and returned, (H, W, 3) uint8 R'G'B'.

    Pixels are square: a film whose pixels are not is stretched. Raises SemcolorError.
    """
    output, frame = Path(output).absolute(), frame_at(film, moment, "the still")
    check_still(film, output, overwrite)
    frames = _last(film, look or Look(), frame)
    fmt = _format(film)
    chroma = chroma_planes(frames.ab[-1], frames.thumbs[-1], frames.luma[-1], (film.height, film.width), fmt)
    shown = picture(frames.luma[-1], chroma, fmt)
    if film.sample_aspect != 1:
        size = round(film.width * film.sample_aspect), film.height
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_CUBIC)
    _, data = cv2.imencode(output.suffix, cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
    with tempfile.TemporaryDirectory(prefix=".semcolor-", dir=output.parent) as folder:
        temporary = Path(folder) / "still"
        temporary.write_bytes(data.tobytes())
        place(temporary, output)
    return shown


def label_map(film: Film, moment: Moment, look: Look | None = None, full: bool = False) -> np.ndarray:
    """What is read in one frame, as it is in the whole film: (h, w) uint8, values as in `models.labels.NAMES`.

    At network size, or at the film's with `full`. Raises SemcolorError.
    """
    frames = _last(film, look or Look(), frame_at(film, moment, "the label map"))
    return likeliest(frames.labels[-1], (film.height, film.width) if full else frames.thumbs.shape[1:])


def check_still(film: Film, output: Path, overwrite: bool) -> None:
    """Raise OutputError if there cannot be a picture at `output`."""
    if output.suffix.lower() not in PICTURES:
        raise OutputError(f"{output}: {output.suffix or 'no suffix'} names no picture's format; use .png or .jpg.")
    check_place(film.path, output, overwrite, film_format=False)


def _last(film: Film, look: Look, frame: int) -> Frames:
    *_, frames = _coloured(film, look, [(frame, frame + 1)])
    return frames


def _coloured(film: Film, look: Look, spans: Sequence[tuple[int, int]]) -> Iterator[Frames]:
    """The frames of the spans, in order, a chunk or less at a time."""
    from ..models.painter import Painter

    device = look.device if look.device != "auto" else "cuda" if has_cuda() else "cpu"
    painter = Painter(device, weights=look.weights, vivid=look.vivid)
    with tempfile.TemporaryDirectory(prefix="semcolor-") as folder:
        for number, (first, stop) in enumerate(spans):
            shot = shot_around(film, first, look.size)[0] if first else 0
            begin = max(shot, first - WARM - (first - WARM - shot) % BLOCK)
            control = None
            if look.sheet != Sheet():
                # What lies around the span is painted by the sheet as well: its colours have a say in the span's.
                within = begin, min(stop + 2 * BLOCK + LOOKAHEAD, film.frames)
                control = plan(
                    film, look.sheet, look.size, lambda: painter.paint, Path(folder), str(number), within, (first, stop)
                )
            yield from _span(film, look, painter.paint, control, begin, first, stop)


class _Painted(NamedTuple):
    """`Frames` as the networks give them, and their motion if it is wanted."""

    chunk: Chunk
    luma: np.ndarray
    thumbs: np.ndarray
    ab: np.ndarray
    labels: np.ndarray
    motion: Motion | None


def _span(
    film: Film, look: Look, paint: Callable, control: Control | None, begin: int, first: int, stop: int
) -> Iterator[Frames]:
    for frames in _steadied(_painted(film, look, paint, control, begin, stop), look.steady):
        chunk = frames.chunk
        wanted = slice(max(first - chunk.start, 0), min(stop - chunk.start, len(frames.thumbs)))
        if wanted.start < wanted.stop:
            ab, labels = frames.ab[wanted], frames.labels[wanted]
            shown = control.finish(chunk.start + wanted.start, ab, labels) if control else ab
            yield Frames(_part(chunk, wanted), frames.luma[wanted], frames.thumbs[wanted], shown, labels)
        if chunk.stop >= stop:
            return


def _painted(
    film: Film, look: Look, paint: Callable, control: Control | None, begin: int, stop: int
) -> Iterator[_Painted]:
    """Up to the last frame that has a say in those before `stop`: of the last chunk there may be fewer than it has."""
    for chunk, luma, thumbs, before in FilmReader(film, size=look.size, start=Resume(frame=begin)):
        start, seen = chunk.start, _seen(chunk, stop) if look.steady else stop
        if seen <= start:
            return
        thumbs = thumbs[: seen - start]
        amend = None if control is None else (lambda n, labels, start=start: control.amend(start + n, labels))
        ab, labels = paint(thumbs, amend)
        motion = estimate(thumbs, before) if look.steady else None
        yield _Painted(chunk, luma, thumbs, ab, labels, control.forget(start, motion) if control and motion else motion)
        if seen <= chunk.stop:
            return


def _seen(chunk: Chunk, stop: int) -> int:
    """The frame before which everything in the chunk's shot lies that has a say in the colours before `stop`.

    (A shot's first labels are those of its first BLOCK + LOOKAHEAD frames.)
    """
    begin = chunk.start - chunk.shot_start
    blocks = max(-(-(stop - begin) // BLOCK) * BLOCK, BLOCK + LOOKAHEAD)
    return begin + blocks + LOOKAHEAD if begin < stop else stop


def _steadied(painted: Iterator[_Painted], strength: float) -> Iterator[_Painted]:
    steadier = Steadier(strength)
    for frames, following in pairwise(chain(painted, [None])):
        assert frames  # None comes last
        if frames.motion:
            after = None
            if following and following.motion and not frames.chunk.ends_shot:
                after = following.ab, following.motion
            ab, labels = steadier.blend(frames.ab, frames.labels, frames.motion, frames.chunk.shot_start, after)
            frames = frames._replace(ab=ab, labels=labels)
        yield frames


def _part(chunk: Chunk, wanted: slice) -> Chunk:
    return replace(
        chunk,
        start=chunk.start + wanted.start,
        shot_start=chunk.shot_start + wanted.start,
        ends_shot=chunk.ends_shot and wanted.stop == len(chunk),
        pts=chunk.pts[wanted],
        durations=chunk.durations[wanted],
        interlaced=chunk.interlaced[wanted],
    )


def _cut_out(film: Film, spans: Sequence[tuple[int, int]]) -> Film:
    """The film as if it consisted of these frames only, from time 0 on."""
    lasts = [max(1, duration) for span in spans for duration in film.durations(*span)]
    ends = np.cumsum(lasts, dtype=np.int64)
    return replace(film, pts=ends - lasts, last_duration=lasts[-1])


def _format(film: Film) -> PlaneFormat:
    return PlaneFormat(film.matrix, film.bits, film.full_range)
