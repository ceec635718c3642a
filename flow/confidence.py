"""How far what was seen in a neighbouring frame may be believed in this one.

Flow is least exact where things move against each other. A colour that is carried on there may be another thing's, and
would be a ghost; that it is odd beside this frame's own gives it away.
"""

from __future__ import annotations

import cv2
import numpy as np

from .planes import halve, length, resize

__all__ = ["motion_edge", "shared", "sight", "suspicion"]

NEAR = 2.0
"""What surrounds a pixel reaches as far as a Gaussian of this standard deviation, in units of 8 pixels of network
size."""

QUIET = 0.4
"""Least (ab units) that the pixels count as differing on an average, however quiet the network."""


def sight(visible: np.ndarray) -> np.ndarray:
    """How much of a weight is carried: visibility (uint8) 0.8 and above is whole, 0.4 and below none; 0..1 float32."""
    return np.clip(visible.astype(np.float32) * np.float32(1 / 102) - 1, 0, 1)


def motion_edge(flow: np.ndarray) -> np.ndarray:
    """Where things move against each other nearby: (H, W, 2) float32 -> (H/2, W/2), 0 no .. 1 surely."""
    kernel = np.ones((7, 7), np.uint8)
    planes = [halve(plane) for plane in cv2.split(flow)]
    spread = np.maximum(*(cv2.dilate(plane, kernel) - cv2.erode(plane, kernel) for plane in planes))
    return np.clip((spread - np.float32(0.3)) * np.float32(1 / 0.7), 0, 1)


def shared(gap: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The smooth part of a frame's difference from its neighbours, wherever it is known, spread to where it is not.

    A per-frame network errs by whole regions: what well-known pixels say of this frame's error holds beside them too.

    Args:
        gap: (C, H, W) float32, frame minus neighbours; weight: (H, W) float32, how well founded these are.

    Returns:
        (C, H, W) float32, smaller where little is known around.
    """
    height, width = weight.shape
    small = (width // 4, height // 4)
    known = _blur(resize(weight, small)) + 1
    return np.stack([resize(_blur(resize(plane * weight, small)) / known, (width, height)) for plane in gap])


def suspicion(odd: np.ndarray, weight: np.ndarray, visible: np.ndarray, edge: np.ndarray, times: float) -> np.ndarray:
    """By how much more than once a weight is to be divided, because a colour that is carried on looks like a ghost.

    Where things move against each other, what differs by `times` as much as this frame's pixels do on an average halves
    its weight, twice as much leaves a seventeenth; where the picture leaves a doubt, a colour twice as odd does.
    Measured by the frame itself, since networks differ in how much they flicker.

    Args:
        odd: (C, H, W) float32, in what the frame differs; weight: (H, W) float32, what may be divided.
        visible: (H, W) uint8, as in `Motion`; edge: (H, W) float32, `motion_edge` at this size.
    """
    differs = length(*odd)
    usual = max(cv2.mean(differs, (weight >= 1).view(np.uint8))[0], QUIET)
    doubt = np.clip(5 - visible.astype(np.float32) * np.float32(1 / 51), 0, 1) / 16
    return np.maximum(edge, doubt) * np.square(np.square(differs * np.float32(1 / (times * usual))))


def _blur(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), NEAR, borderType=cv2.BORDER_REPLICATE)
