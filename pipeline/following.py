"""Regions followed through the shots of a film."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError
from ..flow.track import Place, track
from ..models.memory import RegionMemory
from ..models.sight import Sight
from .chunk import Resume
from .defaults import SIZE
from .film import Film
from .reader import FilmReader, thumb_size
from .shots import shot_around
from .timecode import Moment

FOLLOWED = 320
"""Short side of the pictures in which regions are followed. On DAVIS' six clips J is .79 here and at 384, where a frame
takes 1.5 times as long; at 256 outlines are coarser."""

LOST_FRAMES, LOST_CONFIDENCE = 10, 0.5
"""A region is lost where its confidence stays below LOST_CONFIDENCE for LOST_FRAMES frames."""


def follow(
    film: Film, frame: Moment, mask: np.ndarray, *, weights: str | os.PathLike[str] | None = None
) -> Iterator[Place]:
    """Follow a region of one frame through the shot of this frame.

    Args:
        film: the source.
        frame: number or time of the frame in which the region is known; see `timecode.Moment`.
        mask: (H, W) uint8 of the film's size, 255 inside, 0 outside.
        weights: a weights file, by default the one that ships.

    Yields:
        (frame, mask, confidence) for every frame of the shot: its number; the region's mask like `mask`, with values
        between along the border; and how sure it is, 0 to 1. First come the frames after the given one, then those
        before it, from near to far, and at last the given frame itself.

    Raises:
        UserError: there is no such frame, or the mask does not fit the film.
        SemcolorError: the film or the weights cannot be read.
    """
    size = film.height, film.width
    if mask.shape != size or mask.dtype != np.uint8:
        raise UserError(f"the mask is {mask.dtype} {mask.shape}; it must be uint8 {size}, the film's size.")
    at = film.frame_at(frame, "frame")
    first, stop = shot_around(film, at, SIZE)
    with thumbs_of(film, first, stop, FOLLOWED) as thumbs:
        height, width = thumbs.shape[1:]
        small = cv2.resize(mask, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        sight = Sight(Path(weights) if weights else None)
        for n, found, confidence in track(thumbs, small, at - first, lambda: RegionMemory(sight)):
            large = cv2.resize(found, size[::-1], interpolation=cv2.INTER_LINEAR)
            yield Place(first + n, mask if first + n == at else large, confidence)


@contextmanager
def thumbs_of(film: Film, first: int, stop: int, size: int) -> Iterator[np.ndarray]:
    """Thumbs of the frames `first` .. `stop` - 1, (N, h, w) uint8; kept in a file, because a shot may be long.

    Args:
        film: the source.
        first: number of the first frame.
        stop: number after the last frame.
        size: the thumbs' short side.
    """
    with tempfile.TemporaryFile() as file:
        held = np.memmap(file, np.uint8, "w+", shape=(stop - first, *thumb_size(film, size)))
        for picture, _ in FilmReader(film, size=size, start=Resume(frame=first)).pictures():
            if picture.number >= stop:
                break
            if picture.number >= first:
                held[picture.number - first] = picture.thumb
        yield held


class Thumbs(Sequence):
    """Thumbs of the frames `first` .. `stop` - 1, read when they are asked for."""

    def __init__(self, read: Callable[[int], np.ndarray], first: int, stop: int) -> None:
        self._read, self._first, self._stop = read, first, stop

    def __len__(self) -> int:
        return self._stop - self._first

    def __getitem__(self, n):
        return self._read(self._first + n)


def lost_since(sure: Mapping[int, float], first: int, last: int) -> tuple[int, ...]:
    """The frames from which on a followed region is lost: at most one before, and one after those where it is given.

    Args:
        sure: number of a frame → the region's confidence there. Frames follow one another.
        first: number of the first frame where the region is given.
        last: number of the last one.
    """
    lost = []
    for way in (sorted(n for n in sure if n > last), sorted((n for n in sure if n < first), reverse=True)):
        run = 0
        for place, n in enumerate(way):
            run = run + 1 if sure[n] < LOST_CONFIDENCE else 0
            if run == LOST_FRAMES:
                lost.append(way[place - LOST_FRAMES + 1])
                break
    return tuple(lost)
