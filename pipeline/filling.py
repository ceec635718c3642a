"""The chunk that the reader is filling, frame by frame."""

from __future__ import annotations

import numpy as np

from .chunk import Chunk, Resume
from .film import Film
from .frames import Frames, Thumbs
from .owncolors import OwnColor


class Picture:
    """A decoded frame.

    Args:
        number: number of the frame in the film.
        luma: (H, W) uint8, or uint16 above 8 bits; at first a view of the decoder's buffer.
        thumb: (h, w) uint8, full range 0..255: luma at network size.
        interlaced: whether its two fields were taken at different times.
        damaged: whether FFmpeg found errors in it and concealed them.
        own: the colours that it already has.
        chroma: (2, ch, cw) of luma's type: its own Cb and Cr, if its shot keeps them.
    """

    __slots__ = ("chroma", "damaged", "interlaced", "lost", "luma", "number", "own", "thumb")

    def __init__(
        self,
        number: int,
        luma: np.ndarray,
        thumb: np.ndarray,
        interlaced: bool,
        damaged: bool,
        own: OwnColor = OwnColor.GREY,
        chroma: np.ndarray | None = None,
    ) -> None:
        self.number, self.luma, self.thumb = number, luma, thumb
        self.interlaced, self.damaged = interlaced, damaged
        self.own, self.chroma = own, chroma
        self.lost = False
        """Whether it stands for a frame that could not be decoded."""


class Filling:
    """The chunk that is being filled."""

    def __init__(self, film: Film, size: int, start: Resume, stop: int) -> None:
        """
        Args:
            film: the source.
            size: chunk size in frames.
            start: where reading starts.
            stop: first frame that is `Chunk.beyond`.
        """
        self._film, self._size, self._stop = film, size, stop
        self._shot = start.shot
        self.shot_start = start.shot_start
        """Number of the chunk's first frame, counted from the shot's first frame."""
        self.before: np.ndarray | None = None
        """Thumb of the frame before the chunk, (h, w) uint8."""
        self.pictures: list[Picture] = []
        self._luma = self._buffer()

    def _buffer(self) -> np.ndarray:
        film = self._film
        return np.empty((self._size, film.height, film.width), np.uint8 if film.bits == 8 else np.uint16)

    @property
    def full(self) -> bool:
        """Whether the chunk has as many frames as the chunk size."""
        return len(self.pictures) == self._size

    def add(self, picture: Picture) -> None:
        """Append a picture and copy its luma, which releases the decoder's buffer."""
        luma = self._luma[len(self.pictures)]
        luma[:] = picture.luma
        picture.luma = luma
        self.pictures.append(picture)

    def hand_out(self, ends_shot: bool) -> Frames:
        """The chunk as filled so far. After that, the next chunk is empty."""
        pictures, first, stop = self.pictures, self.pictures[0].number, self.pictures[-1].number + 1
        chunk = Chunk(
            shot=self._shot,
            start=first,
            shot_start=self.shot_start,
            ends_shot=ends_shot,
            pts=tuple(int(p) for p in self._film.pts[first:stop]),
            durations=self._film.durations(first, stop),
            interlaced=tuple(p.interlaced for p in pictures),
            damaged=tuple(p.number for p in pictures if p.damaged),
            lost=tuple(p.number for p in pictures if p.lost),
            beyond=first >= self._stop,
            own=tuple(int(p.own) for p in pictures),
        )
        thumbs = Thumbs(np.stack([p.thumb for p in pictures]), self.before if self.shot_start else None)
        chroma = [p.chroma for p in pictures if p.chroma is not None]
        frames = Frames(chunk, self._luma[: len(pictures)], thumbs, np.stack(chroma) if chroma else None)
        self._shot += ends_shot
        self.shot_start = 0 if ends_shot else self.shot_start + len(pictures)
        self.before = pictures[-1].thumb
        self.pictures, self._luma = [], self._buffer()
        return frames
