"""Decode a film once, in order, and hand out chunks that never cross a cut.

Luma is the decoder's Y plane, copied and never converted. Sources without a Y plane (RGB, palette, 1 bit) are
converted once to full range 4:4:4 of the same depth; see `tags.luma_format`.

Each decoded frame is compared with the film's table of time stamps. FFmpeg conceals damage in frames. Such frames are
kept, as an archive wants it, and are listed in `Chunk.damaged`. A frame that cannot be decoded at all is replaced by
the picture before it, and is listed in `Chunk.lost`. A frame of another size raises a `FilmError`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from ..errors import FilmError, InputError
from ..flow import horizon
from ..models import network_size
from .chunk import CHUNK_SIZES, Resume
from .cuts import BEHIND, CutFinder
from .damage import Watch
from .defaults import CHUNK, SIZE
from .filling import Filling, Picture
from .film import Film
from .findings import CONCEALED, LOST
from .frames import Frames
from .opening import open_container
from .owncolors import Spans, own_color
from .planes import chroma_of, luma_of, planar
from .probe import decoded, in_place, stamped
from .sequences.curves import DISPLAY, viewed
from .sequences.scans import Scans

LUMA_BYTES = 128 << 20
"""Upper bound of a chunk's luma, in bytes. Larger frames get smaller chunks, down to the smallest permitted size."""

STEPS_BACK = (0, 50, 500)
"""Frames to step back before each attempt to seek, if the last one arrived too late or at a wrong frame.

If all attempts fail, the film is decoded from its start."""

SKIPPING = ("h264", "hevc", "mpeg2video", "mpeg4")
"""Codecs whose decoders can leave out frames that no other frame needs."""


def read_chunks(
    film: Film, chunk: int = CHUNK, size: int = SIZE, start: Resume | None = None, kept: Spans = ()
) -> Iterator[Frames]:
    """The film's chunks in order; see `FilmReader` for the arguments."""
    return iter(FilmReader(film, chunk, size, start, kept))


class FilmReader:
    """Iterate to get the film's chunks as `Frames`, in order.

    Args:
        film: the source.
        chunk: chunk size in frames, one of `CHUNK_SIZES`; large frames get smaller chunks, see `chunk_size`.
        size: short side of the thumbs in pixels, a multiple of 32.
        start: where to resume, noted by an earlier run over the same film. From there to `start.stop`, the chunks are
            the same as in a run from the film's start. See `Resume.stop` for the chunk after it.
        kept: shots whose own chroma is read as well; see `keeping.kept_spans`.
        hasty: whether frames before the start that no other frame needs are not decoded. A search for damage sees them
            only without this.

    Raises:
        InputError: if `chunk` or `size` is not permitted.
        FilmError: while iterating, if the film is not what its table says, or is `strict` and damaged.
    """

    def __init__(
        self,
        film: Film,
        chunk: int = CHUNK,
        size: int = SIZE,
        start: Resume | None = None,
        kept: Spans = (),
        hasty: bool = False,
    ) -> None:
        if chunk not in CHUNK_SIZES:
            raise InputError(f"--chunk {chunk}: the chunk size must be one of {', '.join(map(str, CHUNK_SIZES))}.")
        if size < 32 or size % 32:
            raise InputError(f"--size {size}: the network's size must be a multiple of 32.")
        self.film = film
        self.chunk = chunk_size(film, chunk)
        self.size = thumb_size(film, size)
        self.start = start or Resume()
        self.kept = kept
        self._hasty = hasty and film.codec in SKIPPING

    def __iter__(self) -> Iterator[Frames]:
        """Fill each chunk until it is full or the shot ends."""
        first = self.start.frame
        stop = self.film.frames if self.start.stop is None else self.start.stop
        filling = Filling(self.film, self.chunk, self.start, stop)
        for picture, cut in self.pictures():
            if picture.number < first:  # an earlier run has written this frame
                filling.before = picture.thumb
                continue
            if picture.number > stop and (cut or picture.number == horizon(stop - filling.shot_start, stop)):
                break
            if cut and picture.number > first:
                yield filling.hand_out(ends_shot=True)
            elif filling.full:
                yield filling.hand_out(ends_shot=False)
            if picture.number == stop and cut:
                return
            filling.add(picture)
        if filling.pictures:
            yield filling.hand_out(ends_shot=True)

    def pictures(self) -> Iterator[tuple[Picture, bool]]:
        """Yield (picture, whether a new shot begins with it), from a few frames before `start` on.

        For the frames before `start` the second value is unreliable. A picture waits until the cut finder has seen
        enough of the frames after it.
        """
        finder, waiting = CutFinder(), deque[Picture]()
        for picture in self._pictures():
            waiting.append(picture)
            cut = finder.push(picture.thumb)
            if cut is not None:
                yield waiting.popleft(), cut
        for cut in finder.finish():
            yield waiting.popleft(), cut

    def _pictures(self) -> Iterator[Picture]:
        """Yield pictures from a few before `start` on, so the cut finder sees the same frames as in the first run."""
        start = self.start.frame
        if not start:
            yield from self._decode(0, None)
            return
        first = max(0, start - BEHIND)
        # Where frames are counted, nothing shows at which one a seek arrives.
        steps = () if self.film.counted else STEPS_BACK
        origins = [first - back for back in steps if first - back > 0]
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
                    f"{self.film.path}: {self.film.when(start - 1)} is not the picture that an earlier run read; "
                    f"the film has changed, start over."
                )

    def _decode(self, first: int, origin: int | None) -> Iterator[Picture]:
        """Yield the pictures `first`, `first` + 1, … after a seek to the frame `origin` (None: from the film's start).

        Raises:
            _Misplaced: if the seek arrived after `first` or at an unknown time stamp.
            FilmError: if a frame is none of the film's, or if the film is `strict` and damaged.
        """
        film = self.film
        if film.scans:
            for number in range(first, film.frames):
                yield self._scan(film.scans, number)
            return
        with open_container(film.path) as container:
            stream: Any = next(s for s in container.streams.video if s.index == film.stream)
            if not film.counted:
                stream.codec_context.thread_type = "AUTO"
            watch, number, before = Watch(stream), 0, None
            if origin is not None:
                container.seek(int(film.pts[origin]), stream=stream)
                number = -1
            if film.counted:
                frames = in_place(container, stream, watch)
            else:
                since = int(film.pts[first]) if self._hasty else None
                frames = decoded(container, stream, origin is None, watch, since)
            for frame, pts in stamped(frames):
                if frame is None and not film.counted:
                    continue  # the next time stamp shows what is lost
                place = number if film.counted else self._place(pts)
                if number < 0:  # the first frame after the seek shows where it arrived
                    if place > first:
                        raise _Misplaced
                    number = place
                self._check(frame, place, number)
                yield from self._lost(before, range(max(number, first), place))
                if frame is None:
                    yield from self._lost(before, range(max(number, first), number + 1))
                elif place >= first:
                    yield self._picture(frame, place, watch.damaged(frame))
                number, before = place + 1, frame or before
            yield from self._lost(before, range(max(number, first), film.frames))

    def _place(self, pts: int | None) -> int:
        """Number of the frame with a time stamp; the number of frames if there is none."""
        place = int(np.searchsorted(self.film.pts, pts)) if pts is not None else self.film.frames
        return place if place < self.film.frames and self.film.pts[place] == pts else self.film.frames

    def _check(self, frame: Any, place: int, number: int) -> None:
        """Raise FilmError if a decoded frame is none of the film's frames from `number` on. `place`: its number."""
        film = self.film
        if not number <= place < film.frames:
            raise FilmError(
                f"{film.path}: a picture was decoded near {film.when(min(number, film.frames - 1))} whose time stamp "
                f"is not the film's; has the film changed?"
            )
        if frame is None:
            return
        if (frame.width, frame.height, frame.format.name) != (film.width, film.height, film.pix_fmt):
            raise FilmError(
                f"{film.path}: from {film.when(place)} on the pictures are {frame.width}x{frame.height} "
                f"{frame.format.name} instead of {film.width}x{film.height} {film.pix_fmt}; split the film there."
            )

    def _scan(self, scans: Scans, number: int) -> Picture:
        """The picture of a frame of a sequence."""
        film, samples = self.film, scans.samples(number)
        luma = scans.luma_of(samples, film.coding, film.bits)
        thumb = self._thumb(luma)
        own = own_color(thumb, scans.chroma_of(samples, film.bits, self.size), film.bits)
        chroma = scans.chroma_of(samples, film.bits) if self._keeps(number) else None
        return Picture(number, luma, thumb, False, False, own, np.stack(chroma) if chroma else None)

    def _keeps(self, number: int) -> bool:
        """Whether the shot of a frame keeps its own chroma."""
        return any(first <= number < stop for first, stop in self.kept)

    def _lost(self, before: Any, numbers: range) -> Iterator[Picture]:
        """Yield the picture of the frame `before` in the place of frames that could not be decoded."""
        for number in numbers:
            if before is None:
                raise FilmError(f"{self.film.path}: {self.film.when(number)} could not be decoded.")
            self._refuse(number, LOST)
            picture = self._picture(before, number, damaged=False)
            picture.lost = True
            yield picture

    def _refuse(self, number: int, what: str) -> None:
        """Raise FilmError about a frame, if the film must be without damage."""
        if self.film.strict:
            raise FilmError(
                f"{self.film.path}: {self.film.when(number)} {what}; leave --strict out to colorize the film all the "
                f"same."
            )

    def thumb_of(self, frame: Any) -> np.ndarray:
        """The thumb of a decoded frame."""
        return self._thumb(luma_of(planar(frame, self.film), self.film))

    def thumb_of_scan(self, scans: Scans, number: int) -> np.ndarray:
        """The thumb of a frame of a sequence."""
        return self._scan(scans, number).thumb

    def _picture(self, frame: Any, number: int, damaged: bool) -> Picture:
        if damaged:
            self._refuse(number, CONCEALED)
        flags = bool(frame.interlaced_frame), damaged
        frame = planar(frame, self.film)
        luma, chroma = luma_of(frame, self.film), chroma_of(frame, self.film.bits)
        thumb = self._thumb(luma)
        own = own_color(thumb, chroma, self.film.bits)
        return Picture(number, luma, thumb, *flags, own, np.stack(chroma) if chroma and self._keeps(number) else None)

    def _thumb(self, luma: np.ndarray) -> np.ndarray:
        return thumb_of_luma(self.film, luma, self.size)


class _Misplaced(Exception):
    """A seek arrived after the wanted frame or at an unknown time stamp."""


def luma_sha256(luma: np.ndarray) -> str:
    """SHA-256 of one frame's luma (H, W), hexadecimal."""
    return hashlib.sha256(luma.tobytes()).hexdigest()


def chunk_size(film: Film, wanted: int) -> int:
    """The largest permitted chunk size up to `wanted` whose luma takes at most `LUMA_BYTES`; at least 16."""
    frame = film.width * film.height * (1 if film.bits == 8 else 2)
    return max((c for c in CHUNK_SIZES if c <= wanted and c * frame <= LUMA_BYTES), default=CHUNK_SIZES[0])


def thumb_of_luma(film: Film, luma: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A film's luma (H, W) reduced to (h, w), uint8, full range 0..255."""
    h, w = size
    shrinks = h * w <= luma.size
    thumb = cv2.resize(luma, (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if film.coding != DISPLAY:
        return viewed(thumb, film.coding, film.bits, 8)
    if film.bits == 8:
        return thumb if film.full_range else cv2.LUT(thumb, _stretched(np.arange(256), 8, False))
    return _stretched(thumb, film.bits, film.full_range)


def _stretched(luma: np.ndarray, bits: int, full_range: bool) -> np.ndarray:
    """Samples of Y of any shape → uint8, 0 for black and 255 for white."""
    step = 1 << (bits - 8)
    low, high = (0, (256 * step) - 1) if full_range else (16 * step, 235 * step)
    return np.clip((luma.astype(np.float32) - low) * (255 / (high - low)) + 0.5, 0, 255).astype(np.uint8)


def thumb_size(film: Film, size: int = SIZE) -> tuple[int, int]:
    """(h, w) of a thumb: network size in the aspect ratio at display; see `models.network_size`."""
    return network_size(float(film.width * film.sample_aspect / film.height), size)
