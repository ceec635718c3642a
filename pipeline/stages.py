"""The stages of a chunk, each written once: painting, motion, steadying, composing.

The Ray actors of a film, the calls that run in one process, and the estimate of a batch all use these stages. No stage
uses Ray. Steadying and composing need the chunks in order; painting and motion take them in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np

from ..errors import WorkError
from ..flow import STRIDE, Answers, Estimator, Motion, Steadier, complete, estimate
from .chunk import Chunk
from .compose import Layered, chroma_planes
from .edits.apply import ResolvedEdits
from .edits.coverage import coverage
from .encode import Encoding, chroma_size
from .extras import Kind
from .film import Film
from .frames import Colors, Frames, Painted, Thumbs
from .overlay import likeliest, overlay
from .report.observe import observe
from .revisiting import Revisiting
from .sequences.curves import viewed
from .summary import count
from .writer import Pictures
from .ycbcr import PlaneFormat

T = TypeVar("T")


def frames_to_paint(first: int, stop: int, ends: bool, edits: ResolvedEdits | None) -> tuple[int, ...]:
    """The frames of a chunk that the networks paint; `flow.between` carries their colours to the others.

    They are every `STRIDE`-th frame of the shot, its last one, and those where a label edit of a region begins or has
    just ended, because no colour is carried past these places.

    Args:
        first: number of the chunk's first frame, a multiple of `STRIDE` frames after the shot's first.
        stop: number after its last frame.
        ends: whether the shot ends with the chunk.
        edits: the edits.

    Returns:
        Their numbers within the chunk, in order; the first one is 0.
    """
    wanted = set(range(first, stop, STRIDE))
    if ends:
        wanted.add(stop - 1)
    if edits:
        wanted |= edits.breaks(first, stop)
    return tuple(sorted(frame - first for frame in wanted))


class Painting:
    """Thumbs → labels → chroma, frame by frame."""

    def __init__(
        self,
        paint: Callable[..., tuple[np.ndarray, np.ndarray]],
        edits: ResolvedEdits | None = None,
        revisiting: Revisiting | None = None,
    ) -> None:
        """
        Args:
            paint: `Painter.paint`.
            edits: the edits. Label edits apply between the two networks.
            revisiting: gives shots the colours of earlier ones.
        """
        self._paint, self._edits, self._revisiting = paint, edits, revisiting

    def paint(self, chunk: Chunk, thumbs: Thumbs) -> Painted:
        """Chroma and labels of the frames of a chunk that the steadier needs, as the networks paint them."""
        at = frames_to_paint(chunk.start, chunk.stop, chunk.ends_shot, self._edits)
        return Painted(self._colors(chunk, thumbs.pictures, at), at)

    def paint_all(self, chunk: Chunk, thumbs: Thumbs) -> Colors:
        """Chroma and labels of each frame of a chunk, as the networks paint it."""
        return self._colors(chunk, thumbs.pictures, range(len(chunk)))

    def _colors(self, chunk: Chunk, thumbs: np.ndarray, at: Sequence[int]) -> Colors:
        """Chroma and labels of the frames `at` of a chunk. thumbs: (N, h, w) uint8, those of the whole chunk."""
        edits, relabeled = self._edits, dict[int, np.ndarray]()
        wanted, numbers = thumbs[list(at)], [chunk.start + n for n in at]

        def amend(n: int, labels: np.ndarray) -> np.ndarray:
            assert edits
            given = edits.amend(numbers[n], labels)
            if given is not labels and self._revisiting:
                relabeled[n] = np.abs(given - labels).sum(0) / 2
            return given

        colors = Colors(*self._paint(wanted, amend if edits else None))
        if self._revisiting is None:
            return colors
        return self._revisiting.colors(numbers, wanted, colors, relabeled)


def survey(thumbs: Thumbs, estimator: Estimator | None = None) -> Motion:
    """Motion between consecutive frames, from the frame before the chunk on. Without an estimator, DIS estimates it."""
    return estimate(thumbs.pictures, thumbs.before, estimator)


class Pairing(Generic[T]):
    """Holds a chunk back until the next chunk of its shot arrives, because steadying looks ahead."""

    def __init__(self) -> None:
        self._held: T | None = None

    def push(self, chunk: Chunk, item: T) -> list[tuple[T, T | None]]:
        """Take the next chunk.

        Args:
            chunk: the next chunk.
            item: the data of this chunk, to be paired.

        Returns:
            Pairs (item, the following item) of the chunks that can be steadied now. The last chunk of a shot is paired
            with None. A chunk that is `Chunk.beyond` appears only as the following item.
        """
        ready: list[tuple[T, T | None]] = [] if self._held is None else [(self._held, item)]
        self._held = None
        if chunk.ends_shot and not chunk.beyond:
            ready.append((item, None))
        elif not chunk.beyond:
            self._held = item
        return ready

    @property
    def holds(self) -> bool:
        """Whether a chunk is held back."""
        return self._held is not None

    def rest(self) -> list[tuple[T, T | None]]:
        """The chunk that is still held back, paired with None."""
        held, self._held = self._held, None
        return [] if held is None else [(held, None)]


class Steadying:
    """Keeps colours and labels steady along a shot. Chunks come in order."""

    def __init__(self, strength: float, starts: Mapping[int, bytes], edits: ResolvedEdits | None = None) -> None:
        """
        Args:
            strength: 0 to 1; see `flow.Steadier`.
            starts: number of a frame → the steadier's state there (empty where a shot begins), for the frames at which
                chunks may begin without the chunk before them.
            edits: the edits. Where a label edit begins or ends, the frames before and after do not affect each other.
        """
        self._steadier, self._starts, self._edits = Steadier(strength), starts, edits
        self._next = -1

    def blend(
        self, chunk: Chunk, painted: Painted, motion: Motion, following: tuple[Painted, Motion] | None
    ) -> tuple[Colors, bytes]:
        """Steady the colours of a chunk.

        Args:
            chunk: the next chunk.
            painted: its colours as painted.
            motion: motion of its frames.
            following: painted colours and motion of the next chunk in the shot; None where the shot ends.

        Returns:
            (steady colours, the steadier's state after the chunk). The state is empty where a shot ends and where no
            part of the output may end.

        Raises:
            WorkError: if the chunk is not the next one. A chunk that was lost with its worker never comes, and the
                chunk after it must not take its place.
        """
        if chunk.start not in (self._next, *self._starts):
            raise WorkError(f"chunk of frame {chunk.start} came where frame {self._next} is due.")
        if state := self._starts.get(chunk.start):
            self._steadier.restore(state)
        seen = self._cut(chunk.start, motion)
        ahead = following and (_answers(following[0]), self._cut(chunk.stop, following[1]))
        ab, labels, after = complete(_answers(painted), seen, ahead)
        steady = Colors(*self._steadier.blend(ab, labels, seen, chunk.shot_start, after))
        self._next = chunk.stop
        return steady, self._steadier.state() if chunk.may_end_part and not chunk.ends_shot else b""

    def _cut(self, start: int, motion: Motion) -> Motion:
        return self._edits.forget(start, motion) if self._edits else motion


def _answers(painted: Painted) -> Answers:
    return Answers(painted.colors.ab, painted.colors.labels, painted.at)


@dataclass(frozen=True)
class Composed:
    """The planes of a chunk, ready to be encoded."""

    chroma: np.ndarray
    """(N, 2, ch, cw) uint8, or uint16 above 8 bits: Cb and Cr as they are encoded."""
    extras: Pictures = field(default_factory=dict)
    """Pictures of the extra films, by kind."""
    note: dict[str, Any] | None = None
    """What the summary and the report need to know about the chunk; a value that JSON has."""


class Composing:
    """Combines steady colours with the film's own luma."""

    def __init__(
        self,
        film: Film,
        encoding: Encoding,
        extras: Mapping[Kind, Encoding] | None = None,
        *,
        summary: bool = False,
        report: bool = False,
        edits: ResolvedEdits | None = None,
    ) -> None:
        """
        Args:
            film: the source.
            encoding: encoding of the colour film.
            extras: encodings of the extra films that are wanted, by kind.
            summary: whether labels and colours are counted for the summary.
            report: whether labels and colours are noted for the report.
            edits: the edits. Colours and references apply over the steadied colours.
        """
        self._film, self._extras, self._edits = film, extras or {}, edits
        self._summary, self._report = summary or report, report
        self._size = chroma_size(film.width, film.height, encoding.pix_fmt)
        self._pictures = encoding.pictures is not None

    def compose(self, frames: Frames, colors: Colors, painted: Colors | None = None) -> Composed:
        """Make the planes of a chunk and the pictures of the extra films.

        Args:
            frames: the frames of a chunk.
            colors: steady colours of the same frames.
            painted: their colours as the networks painted them, for `Kind.COMPARE`.
        """
        chunk, thumbs, labels = frames.chunk, frames.thumbs.pictures, colors.labels
        layered = finished(chunk, colors, self._edits)
        chroma = chroma_of_frames(self._film, frames, layered, self._size)
        extras: Pictures = {}
        if Kind.LABELS in self._extras:
            extras[Kind.LABELS] = (np.stack([overlay(t, p) for t, p in zip(thumbs, labels, strict=True)]),)
        if maps := self._extras.get(Kind.MAPS):
            extras[Kind.MAPS] = (np.stack([likeliest(p, (maps.height, maps.width)) for p in labels]),)
        if Kind.COVERAGE in self._extras:
            extras[Kind.COVERAGE] = (coverage(self._edits, chunk.start, labels),)
        if painted and Kind.COMPARE in self._extras:  # each half has the samples of a colour film
            extras[Kind.COMPARE] = self._comparison(frames, painted.ab, layered, chroma)
        note = count(chunk, thumbs, layered, labels) if self._summary else None
        if note and self._report:
            note |= observe(*self._displayed(frames, layered, chroma, "yuv420p"), labels)
        return Composed(chroma, extras, note)

    def _displayed(
        self, frames: Frames, steady: np.ndarray | list[Layered], chroma: np.ndarray, pix_fmt: str
    ) -> tuple[Film, Frames, np.ndarray]:
        """The film, its frames and their planes of chroma as a display shows them.

        Pictures hold code values that may not be those of a display, so chroma is made again for people to look at.

        Args:
            frames: the frames of a chunk.
            steady: steady chroma with the edits.
            chroma: the planes of the colour film.
            pix_fmt: pixel format of the planes that are made again.
        """
        if not self._pictures:
            return self._film, frames, chroma
        film = self._film.previewed()
        if (film.coding, film.bits) != (self._film.coding, self._film.bits):
            shown = viewed(frames.luma, self._film.coding, self._film.bits, film.bits)
            frames = replace(frames, luma=shown)
        return film, frames, chroma_of_frames(film, frames, steady, chroma_size(film.width, film.height, pix_fmt))

    def _comparison(
        self, frames: Frames, painted: np.ndarray, steady: np.ndarray | list[Layered], chroma: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Luma and chroma of a chunk, twice side by side: as painted, and steadied.

        Args:
            frames: the frames of a chunk.
            painted: chroma as the networks painted it.
            steady: steady chroma with the edits.
            chroma: the planes of the colour film.
        """
        film, frames, chroma = self._displayed(frames, steady, chroma, self._extras[Kind.COMPARE].pix_fmt)
        both = [chroma_of_frames(film, frames, painted, (chroma.shape[2], chroma.shape[3])), chroma]
        return np.concatenate([frames.luma, frames.luma], -1), np.concatenate(both, -1)


def finished(chunk: Chunk, colors: Colors, edits: ResolvedEdits | None) -> np.ndarray | list[Layered]:
    """Steady chroma with the edits applied, as `chroma_of_frames` takes it."""
    return edits.finish(chunk.start, colors.ab, colors.labels) if edits else colors.ab


def chroma_of_frames(film: Film, frames: Frames, ab: np.ndarray | list[Layered], size: tuple[int, int]) -> np.ndarray:
    """Chroma planes of a chunk's frames.

    Args:
        film: the source, which defines how samples are coded.
        frames: N frames.
        ab: (N, 2, h/2, w/2) CIE Lab, or N frames with layers.
        size: (rows, columns) of a chroma plane.

    Returns:
        (N, 2, rows, columns): Cb and Cr, of luma's type.
    """
    fmt = PlaneFormat.of(film)
    own = [None] * len(frames.chunk) if frames.chroma is None else frames.chroma
    each = zip(ab, frames.thumbs.pictures, frames.luma, own, strict=True)
    return np.stack([chroma_planes(below, thumb, luma, size, fmt, kept) for below, thumb, luma, kept in each])
