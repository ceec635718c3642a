"""Decode a film once, in order, and hand out chunks that never cross a cut.

Luma is the decoder's Y plane, copied and never converted. Sources without a Y plane (RGB, palette, 1 bit) are
converted once to full range 4:4:4 of the same depth; see `film.luma_format`.

What is decoded is compared with the film's table of time stamps, frame by frame. FFmpeg's concealment of damaged
frames is kept, as an archive wants it, and the frames are listed in `Chunk.damaged`; a frame that does not
come out at all, a picture of another size, or a film that ends early is a `FilmError`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from ..errors import FilmError, InputError
from ..flow import horizon
from ..models import network_size
from .chunk import CHUNK_SIZES, Chunk, Resume
from .cuts import BEHIND, CutFinder
from .defaults import CHUNK, SIZE
from .film import Film
from .frames import Frames, Thumbs
from .probe import stamped
from .storage import open_container

LUMA_BYTES = 128 << 20
"""A chunk's luma is kept below this by taking smaller chunks, down to the smallest permitted one."""

STEPS_BACK = (0, 50, 500)
"""Frames to step back when seeking came out too late or wrong; after these the film is decoded from its start."""


def read_chunks(film: Film, chunk: int = CHUNK, size: int = SIZE, start: Resume | None = None) -> Iterator[Frames]:
    """The film's chunks in order; see `FilmReader`."""
    return iter(FilmReader(film, chunk, size, start))


class FilmReader:
    """Iterate to get the film's chunks as `Frames`, in order.

    Args:
        film: what to read.
        chunk: frames of a chunk, one of `CHUNK_SIZES`; large pictures get smaller chunks, see `chunk_size`.
        size: short side of the thumbs, a multiple of 32.
        start: where to go on, noted by an earlier run over the same film. From there on the chunks are those of a run
            from the film's start, up to `start.stop`. `Resume.stop` says what follows it.

    Raises:
        InputError: for a size that is not permitted.
        FilmError: while iterating, if a frame cannot be decoded.
    """

    def __init__(self, film: Film, chunk: int = CHUNK, size: int = SIZE, start: Resume | None = None) -> None:
        if chunk not in CHUNK_SIZES:
            raise InputError(f"--chunk {chunk}: the chunk size must be one of {', '.join(map(str, CHUNK_SIZES))}.")
        if size < 32 or size % 32:
            raise InputError(f"--size {size}: the network's size must be a multiple of 32.")
        self.film = film
        self.chunk = chunk_size(film, chunk)
        self.size = thumb_size(film, size)
        self.start = start or Resume()

    def __iter__(self) -> Iterator[Frames]:
        """Frames fill the chunk until it is full or the shot ends."""
        start, shot = self.start, self.start.shot
        stop = self.film.frames if start.stop is None else start.stop
        pending = list[Picture]()
        shot_start, before = start.shot_start, None
        luma = self._buffer()

        def flush(ends_shot: bool) -> Frames:
            nonlocal shot_start, before, pending, luma
            first, count = pending[0].number, len(pending)
            chunk = Chunk(
                shot=shot,
                start=first,
                shot_start=shot_start,
                ends_shot=ends_shot,
                pts=tuple(int(p) for p in self.film.pts[first : first + count]),
                durations=self.film.durations(first, first + count),
                interlaced=tuple(p.interlaced for p in pending),
                damaged=tuple(p.number for p in pending if p.damaged),
                beyond=first >= stop,
            )
            thumbs = Thumbs(np.stack([p.thumb for p in pending]), before if shot_start else None)
            frames = Frames(chunk, luma[:count], thumbs)
            shot_start, before = 0 if ends_shot else shot_start + count, pending[-1].thumb
            pending, luma = [], self._buffer()
            return frames

        def add(picture: Picture, cut: bool) -> Iterator[Frames]:
            nonlocal shot, before
            if picture.number < start.frame:  # the run that is continued has written it
                before = picture.thumb
                return
            if cut and picture.number > start.frame and pending:
                yield flush(ends_shot=True)
                shot += 1
            elif len(pending) == self.chunk:
                yield flush(ends_shot=False)
            luma[len(pending)] = picture.luma
            picture.luma = luma[len(pending)]  # lets go of the decoder's buffer
            pending.append(picture)

        for picture, cut in self.pictures():
            if picture.number > stop and (cut or picture.number == horizon(stop - shot_start, stop)):
                break
            yield from add(picture, cut)
            if picture.number == stop and cut:
                return
        if pending:
            yield flush(ends_shot=True)

    def pictures(self) -> Iterator[tuple[Picture, bool]]:
        """(picture, whether a new shot begins with it), from a few frames before `start` on.

        Of those before `start` it is not known whether a shot begins. A picture waits until the cut finder has seen
        enough of what follows.
        """
        finder, waiting = CutFinder(), deque[Picture]()
        for picture in self._pictures():
            waiting.append(picture)
            cut = finder.push(picture.thumb)
            if cut is not None:
                yield waiting.popleft(), cut
        for cut in finder.finish():
            yield waiting.popleft(), cut

    def _buffer(self) -> np.ndarray:
        film = self.film
        return np.empty((self.chunk, film.height, film.width), np.uint8 if film.bits == 8 else np.uint16)

    def _pictures(self) -> Iterator[Picture]:
        """Pictures from a few before `start` on, so that the cut finder sees what the first run saw."""
        start = self.start.frame
        if not start:
            yield from self._decode(0, None)
            return
        first = max(0, start - BEHIND)
        origins = [first - back for back in STEPS_BACK if first - back > 0]
        for origin in [*origins, None]:
            pictures = self._decode(first, origin)
            try:
                warm = [next(pictures) for _ in range(start - first)]
            except (_Misplaced, FilmError):
                if origin is None:
                    raise
                continue
            if not self.start.luma_sha256 or luma_sha256(warm[-1].luma) == self.start.luma_sha256:
                yield from warm
                yield from pictures
                return
            if origin is None:
                raise FilmError(
                    f"{self.film.path}: {self.film.when(start - 1)} is not the picture that the earlier run saw; "
                    f"the film has changed, start over."
                )

    def _decode(self, first: int, origin: int | None) -> Iterator[Picture]:
        """Pictures `first`, `first` + 1, … after seeking to the frame `origin` (None: from the film's start).

        Raises `_Misplaced` when seeking came out after `first`, `FilmError` when a frame is missing.
        """
        film = self.film
        with open_container(film.path) as container:
            stream: Any = next(s for s in container.streams.video if s.index == film.stream)
            stream.codec_context.thread_type = "AUTO"
            number = 0
            if origin is not None:
                container.seek(int(film.pts[origin]), stream=stream)
                number = -1
            trouble = [""]
            for frame, pts in stamped(_decoded(container, stream, trouble)):
                if number < 0:  # the first frame after seeking tells where we are
                    number = int(np.searchsorted(film.pts, pts)) if pts is not None else film.frames
                    if number > first or film.pts[number] != pts:
                        raise _Misplaced
                self._check(frame, pts, number, trouble[0])
                if number >= first:
                    yield self._picture(frame, number)
                number += 1
            if number < film.frames:
                raise FilmError(
                    f"{film.path} ends early: {max(number, 0)} of {film.frames} frames could be decoded{trouble[0]}."
                )

    def _check(self, frame: Any, pts: int | None, number: int, trouble: str) -> None:
        film = self.film
        if number >= film.frames:
            raise FilmError(f"{film.path} decodes to more than the {film.frames} frames of its table{trouble}.")
        if pts != film.pts[number]:
            raise FilmError(f"{film.path}: {film.when(number)} could not be decoded{trouble}.")
        if (frame.width, frame.height, frame.format.name) != (film.width, film.height, film.pix_fmt):
            raise FilmError(
                f"{film.path}: from {film.when(number)} on the pictures are {frame.width}x{frame.height} "
                f"{frame.format.name} instead of {film.width}x{film.height} {film.pix_fmt}; split the film there."
            )

    def _picture(self, frame: Any, number: int) -> Picture:
        luma = _luma(frame, self.film)
        return Picture(number, luma, self._thumb(luma), bool(frame.interlaced_frame), bool(frame.is_corrupt))

    def _thumb(self, luma: np.ndarray) -> np.ndarray:
        """Luma at network size, 0..255 full range."""
        h, w = self.size
        shrinks = h * w <= luma.size
        thumb = cv2.resize(luma, (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        step = 1 << (self.film.bits - 8)
        low, high = (0, (256 * step) - 1) if self.film.full_range else (16 * step, 235 * step)
        if (low, high) == (0, 255):
            return thumb
        return np.clip((thumb.astype(np.float32) - low) * (255 / (high - low)) + 0.5, 0, 255).astype(np.uint8)


class _Misplaced(Exception):
    """Seeking came out after the wanted frame."""


class Picture:
    """A decoded frame: its number, `luma` (H, W), a view of the decoder's buffer, and thumb (h, w)."""

    __slots__ = ("damaged", "interlaced", "luma", "number", "thumb")

    def __init__(self, number: int, luma: np.ndarray, thumb: np.ndarray, interlaced: bool, damaged: bool) -> None:
        self.number, self.luma, self.thumb = number, luma, thumb
        self.interlaced, self.damaged = interlaced, damaged


def _decoded(container: Any, stream: Any, trouble: list[str]) -> Iterator[Any]:
    """Frames; a packet that fails is noted in `trouble` and the frame table decides whether one is missing."""
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            trouble[0] = f" ({error.strerror})"
            continue
        yield from frames


def _luma(frame: Any, film: Film) -> np.ndarray:
    """(H, W) uint8 or uint16 view of the Y plane (8-bit sources and others)."""
    if film.luma_fmt != film.pix_fmt:
        matrix = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}[film.matrix]
        wide = ColorRange.JPEG if film.full_range else ColorRange.MPEG
        frame = frame.reformat(format=film.luma_fmt, dst_colorspace=matrix, dst_color_range=wide)
    plane = frame.planes[0]
    dtype = np.dtype(np.uint8 if film.bits == 8 else ">u2" if film.luma_fmt.endswith("be") else "<u2")
    rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)
    luma = rows[: film.height, : film.width]
    return luma if dtype.isnative else luma.astype(np.uint16)


def luma_sha256(luma: np.ndarray) -> str:
    """Digest of one frame's luma (H, W)."""
    return hashlib.sha256(luma.tobytes()).hexdigest()


def chunk_size(film: Film, wanted: int) -> int:
    """The largest permitted chunk size up to `wanted` whose luma stays below `LUMA_BYTES`; at least 16."""
    frame = film.width * film.height * (1 if film.bits == 8 else 2)
    return max((c for c in CHUNK_SIZES if c <= wanted and c * frame <= LUMA_BYTES), default=CHUNK_SIZES[0])


def thumb_size(film: Film, size: int = SIZE) -> tuple[int, int]:
    """(h, w) at network size, of the displayed aspect; see `models.network_size`."""
    return network_size(float(film.width * film.sample_aspect / film.height), size)
