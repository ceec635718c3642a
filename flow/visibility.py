"""What of each frame its neighbour shows, and flow where there is something to follow; whatever measured the flow.

A pixel counts as visible in the neighbour where

- going there and back ends where it began: |w + b|^2 <= 0.01 (|w|^2 + |b|^2) + 0.5 in pixels of network size
  (Sundaram, Brox and Keutzer, "Dense point trajectories by GPU-accelerated large displacement optical flow", ECCV
  2010), and
- it looks the same there, once the frames' difference in exposure is taken out.

Pictures here are luma on the chroma grid (half of network size in each direction), flows are in pixels of that grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import cv2
import numpy as np

from .planes import halve, length, slope
from .warp import remap, sources

__all__ = ["relate", "without_specks"]

FLAT = 3.0
"""Slope of luma, in levels a pixel of the chroma grid, below which flow counts as a guess."""

WIDE = 41
"""Side of the window, in pixels of the chroma grid, from which flat places take their flow."""


def relate(
    old: np.ndarray, new: np.ndarray, forward: np.ndarray, backward: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Settles the flow between two frames and judges what of each the other one shows.

    Args:
        old, new: (H, W) uint8 luma, equal in exposure.
        forward, backward: (H, W, 2) float32, from `old` to `new` and from `new` to `old`.

    Returns:
        The settled flows, backward and forward, like `backward`; then how surely each pixel of `new` is seen in
        `old`, and each of `old` in `new`: (H, W) uint8, 255 sure; 128 and above where both checks hold; 0 where the
        pixel leaves the frame.
    """
    first, second = _View(old), _View(new)
    back, forth = _settle(cv2.split(backward), second, first), _settle(cv2.split(forward), first, second)
    seen_new, seen_old = _visibility(second, first, back, forth), _visibility(first, second, forth, back)
    return cv2.merge(back), cv2.merge(forth), seen_new, seen_old


Planes = Sequence[np.ndarray]
"""A flow's x and y offsets, (H, W) float32 each."""


class _View:
    """A frame and what is asked of it in both directions."""

    def __init__(self, luma: np.ndarray) -> None:
        self.luma = without_specks(luma)  # (H, W) uint8
        self.slope = slope(self.luma)  # (H, W) float32: length of the gradient, levels a pixel
        self.power = np.square(cv2.blur(self.slope, (9, 9)) * np.float32(1 / FLAT))  # 1: as much as FLAT all around


def without_specks(luma: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of the chroma grid, without what is smaller than 2 x 2 of its pixels or thinner than 2.

    Dust and scratches of a worn print come and go with a frame: nothing is hidden for long, and nothing moves.
    """
    return cv2.medianBlur(luma, 3)


def _settle(flow: Planes, present: _View, other: _View) -> Planes:
    """Flow without the arbitrary motion that an estimator finds where there is nothing to see.

    Where the picture is flat (sky, walls, road), the flow of the textured surroundings takes over. Where it hardly
    moves and holding still explains it as well, it holds still: grain does not make a wall creep.

    `flow` leads from `present` to `other`.
    """
    texture = present.power / (present.power + 1) + np.float32(1e-3)  # 0 flat .. 1
    known = _surroundings(texture) + np.float32(0.01)
    means = [cv2.resize(_surroundings(plane * texture) / known, texture.shape[::-1]) for plane in flow]
    flow = [mean + (plane - mean) * texture for plane, mean in zip(flow, means, strict=True)]

    still = cv2.boxFilter(cv2.absdiff(present.luma, other.luma), cv2.CV_32F, (5, 5))
    there = remap(other.luma, sources(cv2.merge(flow)))
    moved = cv2.boxFilter(cv2.absdiff(present.luma, there), cv2.CV_32F, (5, 5))
    # Not what moves by more than a third of a pixel, lest going there and back fail where rest and motion meet; but the
    # flatter the picture, the less a large flow means.
    slow = np.clip(2 - length(*flow) * np.square(texture) * np.float32(1 / 0.35), 0, 1)
    moves = 1 - slow * np.clip(1.5 - (still - moved), 0, 1)
    return [plane * moves for plane in flow]


def _surroundings(picture: np.ndarray) -> np.ndarray:
    """(H, W) float32 -> (H/2, W/2): means over a window of WIDE pixels."""
    return cv2.blur(halve(picture), (WIDE // 2 | 1, WIDE // 2 | 1))


def _visibility(present: _View, other: _View, flow: Planes, back: Planes) -> np.ndarray:
    """How surely each pixel of the present frame is seen in the other: (H, W) uint8, see `relate`.

    `flow` leads from `present` to `other`, `back` from there to here.
    """
    height, width = present.luma.shape
    where, luma = sources(cv2.merge(flow)), other.luma.astype(np.float32)
    # One remap of four channels takes less time than those of two and of one.
    *back, there, _ = cv2.split(remap(cv2.merge([*back, luma, luma]), where))
    gap = _square(flow[0] + back[0], flow[1] + back[1])
    # 0.5 square pixels of network size are 0.125 of this grid's. Where the picture is flat, flow is loose (up to 5
    # pixels): that it does not come back is no sign of an occlusion there.
    loose = np.maximum(1 / np.maximum(present.power, np.float32(0.04)) + 0.025, 0.125)
    allowed = np.float32(0.01) * (_square(*flow) + _square(*back)) + loose
    doubt = gap / allowed  # 1: on the threshold

    change = present.luma - there
    # A smooth difference is exposure, not motion. Its share is bounded, lest a large uncovered patch explain itself
    # away.
    smooth = cv2.blur(change, (height // 4 | 1, height // 4 | 1), borderType=cv2.BORDER_REFLECT)
    change = cv2.blur(cv2.absdiff(change, np.clip(smooth, -10, 10)), (3, 3))
    # Beside edges a small error of the flow makes a large difference.
    doubt = np.maximum(doubt, change / (6 + np.float32(0.7) * cv2.blur(present.slope, (3, 3))))

    seen = cv2.convertScaleAbs(cv2.exp(np.float32(-log(2)) * doubt * doubt), alpha=255)
    return seen & cv2.inRange(where, (-0.5, -0.5), (width - 0.5, height - 0.5))


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x * x + y * y
