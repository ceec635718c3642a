"""A region of one frame, followed through its shot in both directions of time.

Two things are known of the region in the next frame. Motion says where the region of the frame before went; that is
exact for a few frames, and drifts. Memory says what looks like the region (see `models.memory`). That never drifts, and
it finds the region again after it was hidden, but it is coarse. A network sees both, how sure the motion is, and the
luma, and draws the outline. What it drew is learned, so that the memory knows the region as it looks now.

Where neither motion nor memory speaks for the region, nothing is drawn: a region that is lost fades, it does not
scatter.

Measured by tests/benchmarks/regions.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from .motion import equalize, one_thread
from .planes import halve, length, slope
from .visibility import appearance_change
from .warp import inside, remap, sources

MATCH_GAP = 1.5
"""Forward-backward gap, in pixels of the chroma grid, that makes a match half sure."""


class Memory(Protocol):
    """What a region looks like; see `models.memory.RegionMemory`."""

    def give(self, thumb: np.ndarray, mask: np.ndarray) -> None:
        """Remember a frame in which the region is given."""
        ...

    def tell(self, thumb: np.ndarray) -> np.ndarray:
        """The log odds (h/2, w/2) that the places of a picture (h, w) look like the region."""
        ...

    def outline(self, before: np.ndarray, sure: np.ndarray) -> np.ndarray:
        """The region's mask in this picture, from the mask of the frame before, moved along, and its sureness."""
        ...


class Place(NamedTuple):
    """A region in one frame."""

    frame: int
    """Number of the frame."""
    mask: np.ndarray
    """(h/2, w/2) uint8 on the chroma grid, 255 inside, 0 outside."""
    confidence: float
    """How sure the place is, 0 to 1: how much like the region what is inside the mask looks; 0 where nothing is."""


def track(thumbs: np.ndarray, mask: np.ndarray, at: int, remember: Callable[[], Memory]) -> Iterator[Place]:
    """The place of one frame's region in all other frames of the shot.

    Args:
        thumbs: (N, h, w) uint8 luma of one shot, full range; h and w are multiples of 32. Two are held at once, so a
            memory map will do.
        mask: (h/2, w/2) uint8 on the chroma grid, 255 inside, 0 outside, of frame `at`.
        at: number of the frame that `mask` belongs to.
        remember: makes a memory for a region.

    Yields:
        The region's place in a frame. First come the frames `at` + 1 to N - 1, then `at` - 1 to 0, then `at` itself.

    Raises:
        ValueError: there is no frame `at`, or the mask does not fit the thumbs.
    """
    if not 0 <= at < len(thumbs):
        raise ValueError(f"there is no frame {at} among {len(thumbs)}")
    if mask.shape != (thumbs[at].shape[0] // 2, thumbs[at].shape[1] // 2) or mask.dtype != np.uint8:
        raise ValueError(f"the mask is {mask.dtype} {mask.shape}, the thumbs {thumbs[at].shape}")
    for way in (range(at + 1, len(thumbs)), range(at - 1, -1, -1)):
        follower = _Follower(thumbs[at], mask.astype(np.float32) / 255, remember()) if way else None
        for frame in way:
            assert follower
            with one_thread():
                found, confidence = follower.step(thumbs[frame])
            yield Place(frame, np.rint(found * 255).astype(np.uint8), confidence)
    yield Place(at, mask, 1.0)


class _Follower:
    """A region that is followed in one direction of time.

    Arrays are on the chroma grid unless stated otherwise. Pictures are (h, w) uint8 luma, masks (h, w) float32.
    """

    def __init__(self, thumb: np.ndarray, mask: np.ndarray, memory: Memory) -> None:
        self._memory = memory
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(0)
        memory.give(thumb, mask)
        self._before, self._mask = halve(thumb), mask
        """The frame before and the region in it."""

    def step(self, thumb: np.ndarray) -> tuple[np.ndarray, float]:
        """Take the next frame, (2h, 2w) uint8, and return the region in it and how sure that is, 0 to 1."""
        picture = halve(thumb)
        likeness = 1 / (1 + np.exp(-self._memory.tell(thumb)))
        mask = self._memory.outline(*self._carried(picture))
        self._before, self._mask = picture, mask
        within = np.maximum(2 * mask - 1, 0)
        total = float(within.sum())
        return mask, float((within * likeness).sum()) / total if total >= 1 else 0.0

    def _carried(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The region of the frame before, moved into the present frame, and how sure the motion is, 0 to 1."""
        like_before = equalize(picture, self._before)
        back = self._dis.calc(like_before, self._before, None)  # type: ignore[call-overload]
        forth = self._dis.calc(self._before, like_before, None)  # type: ignore[call-overload]
        where = sources(back)
        gap = length(*cv2.split(back + remap(forth, where)))
        there = remap(self._before.astype(np.float32), where)
        change = appearance_change(like_before, there, slope(like_before))
        doubt = np.square(gap * np.float32(1 / MATCH_GAP)) + np.square(change)
        seen = inside(where).astype(np.float32) / 255
        sure = np.clip(2 * np.exp(doubt * np.float32(-np.log(2))) * seen - 0.5, 0, 1)
        return np.clip(remap(self._mask, where, cubic=True), 0, 1), sure
