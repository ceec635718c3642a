"""Regions that are drawn in several frames: followed from one to the next, and changed there.

A region goes from the frame in which it is described through its shot, in both directions of time. Where a shape is
drawn in a frame on the way, the region that has arrived there is changed by it, and goes on from there; what lies
before that frame stays as it was. What the region looks like is remembered from all frames in which it was drawn. What
was learned between them is forgotten, since the region had slipped there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from ...flow.snap import REACH, snap
from ...flow.track import Memory, Place, track
from ..following import Thumbs

Read = Callable[[int], np.ndarray]
"""Number of a frame → its thumb, (h, w) uint8."""

Mend = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A region that has arrived in a frame (h/2, w/2), and the frame's thumb (h, w) → the region as it goes on."""


def follow_drawn(
    read: Read,
    span: tuple[int, int],
    frame: int,
    mask: np.ndarray,
    mends: Mapping[int, Mend],
    remember: Callable[[], Memory],
) -> Iterator[Place]:
    """The place of a region in all frames of a span; see `flow.track.track`.

    Args:
        read: the thumbs.
        span: (first frame, number after the last), of one shot.
        frame: number of the frame in which the region is described.
        mask: (h/2, w/2) uint8, 255 inside: the region in this frame.
        mends: number of another frame → how the region changes there.
        remember: makes a memory for a region.

    Yields:
        The region's place in a frame: first in those after `frame`, then in those before it, then in `frame` itself.
    """
    for way in (1, -1):
        drawn, ahead = [(frame, mask)], sorted((n for n in mends if (n - frame) * way > 0), key=lambda n: n * way)
        going = True
        while going:
            going = False
            for place in one_way(read, span, drawn, way, remember):
                if ahead and place.frame == ahead[0]:
                    changed = mends[ahead.pop(0)](place.mask, read(place.frame))
                    drawn.append((place.frame, changed))
                    yield Place(place.frame, changed, 1.0)
                    going = True
                    break
                yield place
    yield Place(frame, mask, 1.0)


def one_way(
    read: Read, span: tuple[int, int], drawn: Sequence[tuple[int, np.ndarray]], way: int, remember: Callable[[], Memory]
) -> Iterator[Place]:
    """The place of a region in the frames of a span that follow the last one in which it was drawn.

    Args:
        read: see `follow_drawn`.
        span: see `follow_drawn`.
        drawn: the frames in which it was drawn, in the order in which it comes to them, and its masks there.
        way: 1 for the frames after the last of them, -1 for those before.
        remember: see `follow_drawn`.
    """
    begin, mask = drawn[-1]
    first, stop = (begin, span[1]) if way > 0 else (span[0], begin + 1)

    def memory() -> Memory:
        made = remember()
        for n, earlier in drawn[:-1]:
            made.give(read(n), earlier.astype(np.float32) / 255)
        return made

    thumbs: Any = Thumbs(read, first, stop)  # as good as an array for it
    for place in track(thumbs, mask, begin - first, memory):
        if place.frame + first == begin:  # it comes last, or alone
            return
        yield place._replace(frame=place.frame + first)


def mended(arrived: np.ndarray, changed: np.ndarray, thumb: np.ndarray) -> np.ndarray:
    """A region that was followed and then changed: its new border is moved to luma edges, its old one stays.

    Args:
        arrived: (h/2, w/2) uint8, as it was followed.
        changed: (h, w) uint8, as it is drawn.
        thumb: (h, w) uint8.

    Returns:
        (h/2, w/2) uint8.
    """
    before = cv2.resize(arrived, thumb.shape[::-1], interpolation=cv2.INTER_LINEAR)
    side = 2 * round(REACH * len(thumb)) + 1
    touched = (cv2.absdiff(before, changed) > 127).astype(np.uint8)
    near = cv2.dilate(touched, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    near = cv2.resize(near, arrived.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.where(near > 0, snap(changed, thumb), arrived)
