"""Which pixels of a frame its neighbour shows too, and flow that is settled where there is nothing to follow.

Both work on the flow of any estimator. A pixel counts as visible in the neighbouring frame if both checks hold:

- Forward-backward consistency: the flow there (w) and the flow back from there (b) end where they began,
  |w + b|^2 <= 0.01 (|w|^2 + |b|^2) + 0.5 in pixels of network size (Sundaram, Brox and Keutzer, "Dense point
  trajectories by GPU-accelerated large displacement optical flow", ECCV 2010).
- Appearance: the pixel looks the same there, once the difference in exposure between the frames is taken out.

Pictures here are luma on the chroma grid (half of network size in each direction), and flow is in pixels of that grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import cv2
import numpy as np

from .planes import halve, length, local_mean, slope
from .warp import inside, remap, sources

FLAT_SLOPE = 3.0
"""Slope of luma, in levels a pixel of the chroma grid, below which flow counts as a guess."""

FLAT_WINDOW = 41
"""Side of the window, in pixels of the chroma grid, from which flat places take their flow."""

MIN_TEXTURE = 1e-3
"""Weight that a pixel without any texture has in the mean flow of its surroundings."""

MEAN_DAMPING = 0.01
"""Added to the weight of that mean: it draws the mean to rest where there is no texture in the window."""

SLOW = 0.35
"""Flow, in pixels of the chroma grid, up to which a pixel may be held still; from twice that on it never is.

It is a third of a pixel, lest the forward-backward check fail where resting and moving pixels meet.
"""

STILL_MARGIN = 1.5
"""Levels of luma by which holding still must explain the pixel worse than moving does, for it to move wholly. At one
level less it does not move at all."""

RELATIVE_GAP = 0.01
"""The square of the forward-backward gap may be this share of the squared lengths of both flows."""

SQUARE_GAP = 0.125
"""It may be this much more, in square pixels of the chroma grid: 0.5 square pixels of network size."""

FLAT_GAP = 0.025
MIN_POWER = 0.04
"""Where the picture is flat, flow is loose, and a gap there does not prove an occlusion. The gap may be up to about 5
pixels: its square up to 1 / `_View.power` + FLAT_GAP, with `power` taken as at least MIN_POWER."""

LUMA_CHANGE, SLOPE_CHANGE = 6.0, 0.7
"""Change of luma that is on the threshold of the appearance check: LUMA_CHANGE levels, and SLOPE_CHANGE levels more
for each level a pixel of slope, since beside edges a small error of the flow makes a large difference."""

MAX_EXPOSURE = 10
"""Levels of luma that a difference in exposure may explain. It is bounded, lest a large uncovered patch explain itself
away."""

EXPOSURE_WINDOW = 4
"""A difference counts as exposure if it is smooth: its mean over a window of this fraction of the picture's height."""

Planes = Sequence[np.ndarray]
"""A flow's x and y offsets, (H, W) float32 each."""


def relate(
    old: np.ndarray, new: np.ndarray, forward: np.ndarray, backward: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The settled flow between two frames, and how surely each frame's pixels are visible in the other.

    Args:
        old, new: (H, W) uint8 luma, equal in exposure.
        forward, backward: (H, W, 2) float32, from `old` to `new` and from `new` to `old`.

    Returns:
        Four arrays: the settled backward flow, the settled forward flow, the visibility of `new` in `old`, and the
        visibility of `old` in `new`. Flows are (H, W, 2) float32. Visibilities are (H, W) uint8: 255 is sure, 128 and
        above means that both checks hold, 0 means that the pixel leaves the frame.
    """
    first, second = _View(old), _View(new)
    back, forth = _settle(cv2.split(backward), second, first), _settle(cv2.split(forward), first, second)
    seen_new, seen_old = _visibility(second, first, back, forth), _visibility(first, second, forth, back)
    return cv2.merge(back), cv2.merge(forth), seen_new, seen_old


def without_specks(luma: np.ndarray) -> np.ndarray:
    """(H, W) uint8 luma of the chroma grid, without specks smaller than 2 x 2 pixels and lines thinner than 2 pixels.

    Such are the dust and the scratches of a worn print. They come and go with a single frame, so they neither move nor
    hide anything for long.
    """
    return cv2.medianBlur(luma, 3)


def appearance_change(luma: np.ndarray, warped: np.ndarray, luma_slope: np.ndarray) -> np.ndarray:
    """How differently each pixel looks in another frame, apart from a smooth difference in exposure.

    Args:
        luma: (H, W) uint8, the present frame.
        warped: (H, W) float32, luma of the other frame warped to the present one.
        luma_slope: (H, W) float32, `slope` of the present frame.

    Returns:
        (H, W) float32, 0 and above; 1 is on the threshold of what counts as the same.
    """
    change = luma - warped
    window = len(luma) // EXPOSURE_WINDOW | 1
    smooth = cv2.blur(change, (window, window), borderType=cv2.BORDER_REFLECT)
    exposure = np.clip(smooth, -MAX_EXPOSURE, MAX_EXPOSURE)
    change = local_mean(cv2.absdiff(change, exposure), 3)
    return change / (LUMA_CHANGE + np.float32(SLOPE_CHANGE) * local_mean(luma_slope, 3))


class _View:
    """A frame, and those of its properties that both directions need."""

    def __init__(self, luma: np.ndarray) -> None:
        self.luma = without_specks(luma)
        """(H, W) uint8."""
        self.slope = slope(self.luma)
        """(H, W) float32: length of the gradient, levels a pixel."""
        self.power = np.square(local_mean(self.slope, 9) * np.float32(1 / FLAT_SLOPE))
        """(H, W) float32: how much texture is around each pixel; 1 where the mean slope is FLAT_SLOPE."""


def _settle(flow: Planes, present: _View, other: _View) -> Planes:
    """Flow without the arbitrary motion that an estimator finds where there is nothing to see.

    Where the picture is flat (sky, walls, road), the flow of the textured surroundings takes over. Where a pixel
    hardly moves and holding still explains it as well, it holds still, so that grain does not make a wall creep.

    Args:
        flow: leads from `present` to `other`.
        present, other: the two frames.

    Returns:
        The settled flow from `present` to `other`.
    """
    texture = present.power / (present.power + 1) + np.float32(MIN_TEXTURE)  # 0 flat .. 1
    known = _surroundings(texture) + np.float32(MEAN_DAMPING)
    means = [cv2.resize(_surroundings(plane * texture) / known, texture.shape[::-1]) for plane in flow]
    flow = [mean + (plane - mean) * texture for plane, mean in zip(flow, means, strict=True)]

    still = cv2.boxFilter(cv2.absdiff(present.luma, other.luma), cv2.CV_32F, (5, 5))
    there = remap(other.luma, sources(cv2.merge(flow)))
    moved = cv2.boxFilter(cv2.absdiff(present.luma, there), cv2.CV_32F, (5, 5))
    # The flatter the picture, the less a large flow means.
    slow = np.clip(2 - length(*flow) * np.square(texture) * np.float32(1 / SLOW), 0, 1)
    moves = 1 - slow * np.clip(STILL_MARGIN - (still - moved), 0, 1)
    return [plane * moves for plane in flow]


def _surroundings(picture: np.ndarray) -> np.ndarray:
    """(H, W) float32 -> (H/2, W/2): means over a window of FLAT_WINDOW pixels."""
    return local_mean(halve(picture), FLAT_WINDOW // 2 | 1)


def _visibility(present: _View, other: _View, flow: Planes, back: Planes) -> np.ndarray:
    """How surely each pixel of the present frame is visible in the other one.

    Args:
        present, other: the two frames.
        flow, back: from `present` to `other`, and from `other` to `present`.

    Returns:
        (H, W) uint8, as in `relate`.
    """
    where, luma = sources(cv2.merge(flow)), other.luma.astype(np.float32)
    # One remap of four channels takes less time than one of two and one of one.
    *back, there, _ = cv2.split(remap(cv2.merge([*back, luma, luma]), where))
    gap = _square(flow[0] + back[0], flow[1] + back[1])
    loose = np.maximum(1 / np.maximum(present.power, np.float32(MIN_POWER)) + FLAT_GAP, SQUARE_GAP)
    allowed = np.float32(RELATIVE_GAP) * (_square(*flow) + _square(*back)) + loose
    # 1 is on the threshold, for either check.
    doubt = np.maximum(gap / allowed, appearance_change(present.luma, there, present.slope))
    seen = cv2.convertScaleAbs(cv2.exp(np.float32(-log(2)) * doubt * doubt), alpha=255)
    return seen & inside(where)


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The squared length of each vector with the components x and y."""
    return x * x + y * y
