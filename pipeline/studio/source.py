"""The frames and the shots of an open film, in any order.

A film is decoded from the place where it was read last if the wanted frame is near, and everything that is read on the
way is kept for a while. So neighbours of a frame cost one decoding step, and frames that were seen before cost none.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator

import numpy as np

from ..chunk import Resume
from ..filling import Picture
from ..film import Film
from ..following import FOLLOWED
from ..reader import FilmReader, thumb_of_luma, thumb_size
from ..shots import shot_around
from .shelf import Shelf

NEAR = 48
"""Frames from the last one that was read up to which reading goes on instead of seeking."""

ALONE = ("dnxhd", "dvvideo", "ffv1", "jpeg2000", "mjpeg", "prores", "rawvideo", "v210")
"""Codecs that code each frame alone, so that any frame is read without those before it."""


class Shots:
    """What is known of a film's shots. Any thread may use it."""

    def __init__(self, film: Film, size: int, cuts: list[int] | None = None, scanned: int = 0) -> None:
        """
        Args:
            film: the source.
            size: short side of the networks' input picture; cuts are found on thumbs of this size.
            cuts: numbers of the first frames of the shots that an earlier scan found, in order.
            scanned: number of the frame up to which that scan came.
        """
        self.film, self.size = film, size
        self.cuts, self.scanned = cuts or [0], scanned
        """Numbers of the first frames of all shots before frame `scanned`."""
        self._found: dict[int, tuple[int, int]] = {}

    @property
    def complete(self) -> bool:
        """Whether all shots are known."""
        return self.scanned >= self.film.frames

    def saw(self, frame: int, cut: bool) -> None:
        """Note the next frame of a scan from the film's start. `cut`: a shot begins with it."""
        if cut and frame:
            self.cuts.append(frame)
        self.scanned = frame + 1

    def known(self) -> list[tuple[int, int]]:
        """(first frame, number after the last) of the shots that are known to their ends, from the film's start on."""
        ends = [*self.cuts[1:], *([self.film.frames] if self.complete else [])]
        return list(zip(self.cuts, ends, strict=False))

    def of(self, frame: int) -> tuple[int, int] | None:
        """(first frame, number after the last) of the shot of a frame; None if it is not known yet."""
        place = bisect.bisect_right(self.cuts, frame)
        if frame < self.scanned and (place < len(self.cuts) or self.complete):
            return self.cuts[place - 1], self.cuts[place] if place < len(self.cuts) else self.film.frames
        return next((shot for shot in list(self._found.values()) if shot[0] <= frame < shot[1]), None)

    def around(self, frame: int) -> tuple[int, int]:
        """(first frame, number after the last) of the shot of a frame. Decodes the shot if it is not known."""
        shot = self.of(frame)
        if shot is None:
            shot = shot_around(self.film, frame, self.size)
            self._found[shot[0]] = shot
        return shot


class Source:
    """Luma and thumbs of single frames. Each thread needs a source of its own; they share a shelf."""

    def __init__(self, film: Film, size: int, shelf: Shelf) -> None:
        """
        Args:
            film: the source.
            size: short side of the thumbs in pixels.
            shelf: keeps what was read.
        """
        self.film, self._size, self._shelf = film, size, shelf
        self._reading: Iterator[tuple[Picture, bool]] | None = None
        self._next = 0
        self._inter = not film.scans and film.codec not in ALONE

    def thumb(self, frame: int, since: int | None = None) -> np.ndarray:
        """The luma of a frame at network size.

        Args:
            frame: number of the frame.
            since: number of a frame before it from which on all will soon be wanted. If that costs little, they are
                read now.

        Returns:
            (h, w) uint8, full range 0..255.
        """
        kept = self._shelf.get(f"thumb {frame}")
        return kept[0] if kept else self._read(frame, since)[1]

    def has(self, frame: int) -> bool:
        """Whether the thumb of a frame is there already."""
        return f"thumb {frame}" in self._shelf

    def large_thumb(self, frame: int) -> np.ndarray:
        """(h, w) uint8, full range 0..255: luma at the size in which regions are followed."""
        return thumb_of_luma(self.film, self.luma(frame), thumb_size(self.film, FOLLOWED))

    def luma(self, frame: int) -> np.ndarray:
        """(H, W) uint8, or uint16 above 8 bits: the film's own samples."""
        kept = self._shelf.get(f"luma {frame}")
        return kept[0] if kept else self._read(frame)[0]

    def close(self) -> None:
        """Close the film's file."""
        self._reading = None

    def _read(self, frame: int, since: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Luma and thumb of a frame, from the file."""
        if self._reading is None or not self._next <= frame <= self._next + NEAR:
            # A seek leads to a key frame, and all frames from there on have to be decoded in any case.
            begin = frame if since is None or f"thumb {since}" in self._shelf or not self._inter else since
            self._reading = FilmReader(self.film, size=self._size, start=Resume(frame=begin), hasty=True).pictures()
        reading, self._reading = self._reading, None  # what ends or fails is not read on
        for picture, _ in reading:
            luma = picture.luma.copy()  # a view of the decoder's buffer
            self._shelf.put(f"thumb {picture.number}", picture.thumb)
            self._shelf.put(f"luma {picture.number}", luma)
            self._next = picture.number + 1
            if picture.number == frame:
                self._reading = reading
                return luma, picture.thumb
        raise IndexError(f"the film has no frame {frame}")
