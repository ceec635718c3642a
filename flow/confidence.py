"""How far a colour that is carried from a neighbouring frame is to be believed in the present one.

Flow is least exact where things move against each other. A colour that is carried on there may belong to another thing
and would be a ghost. A ghost is recognised by how far it differs from the present frame's own colour.
"""

from __future__ import annotations

import cv2
import numpy as np

from .planes import halve, length, resize

SURROUNDINGS_SIGMA = 2.0
"""Standard deviation of the Gaussian that a pixel's surroundings are weighted with, in units of 8 pixels of network
size."""

MIN_USUAL = 0.4
"""Least difference, in ab units, that counts as the usual one, however little the network flickers."""

VISIBILITY_STEP = 102
"""Visibility (0 to 255) up to which no weight is carried on; from twice that on, all of it is. This is 0.4."""

EDGE_SPREAD = 0.3, 0.7
"""Spread of flow around a pixel (chroma grid) from which on it counts as a motion edge, and how much more makes it one
surely."""

DOUBT_STEPS, DOUBT_STEP, DOUBT_DIVISOR = 5, 51, 16
"""Doubt of the picture begins where visibility is below 5 times 51, that is 255, and is full at 4 times 51 and below.
Full doubt counts a sixteenth of a motion edge: since the difference enters by its fourth power, a colour must then
differ by twice as much for the same effect."""


def carried_share(visible: np.ndarray) -> np.ndarray:
    """The share of a weight that is carried on: visible (uint8) -> float32, 0 up to visibility 0.4, 1 from 0.8 on."""
    return np.clip(visible.astype(np.float32) * np.float32(1 / VISIBILITY_STEP) - 1, 0, 1)


def motion_edge(flow: np.ndarray) -> np.ndarray:
    """How surely things move against each other near a pixel.

    Args:
        flow: (H, W, 2) float32, in pixels.

    Returns:
        (H/2, W/2) float32, 0 (they do not) to 1 (surely).
    """
    kernel = np.ones((7, 7), np.uint8)
    planes = [halve(plane) for plane in cv2.split(flow)]
    spread = np.maximum(*(cv2.dilate(plane, kernel) - cv2.erode(plane, kernel) for plane in planes))
    start, width = EDGE_SPREAD
    return np.clip((spread - np.float32(start)) * np.float32(1 / width), 0, 1)


def common_error(gap: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The smooth part of a frame's difference from its neighbours, extended to where that difference is not known.

    A per-frame network errs by whole regions. So the error that well-known pixels show in this frame is the error of
    the pixels beside them, too.

    Args:
        gap: (C, H, W) float32, frame minus neighbours.
        weight: (H, W) float32, how many frames the neighbours' colour stands for.

    Returns:
        (C, H, W) float32, smaller where little is known around.
    """
    height, width = weight.shape
    small = (width // 4, height // 4)
    known = _blur(resize(weight, small)) + 1
    return np.stack([resize(_blur(resize(plane * weight, small)) / known, (width, height)) for plane in gap])


def ghost_suspicion(
    gap: np.ndarray, weight: np.ndarray, visible: np.ndarray, edge: np.ndarray, ratio: float
) -> np.ndarray:
    """How much a colour that is carried on looks like a ghost: s, where the caller divides its weight by 1 + s.

    On a motion edge, a colour that differs by `ratio` times the usual difference loses half of its weight, and one that
    differs by twice as much keeps a seventeenth. Away from motion edges, but where the pixel is not surely visible, a
    colour must differ twice as much for that. The usual difference is measured on the frame itself, since networks
    differ in how much they flicker.

    Args:
        gap: (C, H, W) float32, by how much the frame's colour differs from the one that is carried on.
        weight: (H, W) float32, the weight to be divided.
        visible: (H, W) uint8, as in `Motion`.
        edge: (H, W) float32, `motion_edge` at this size.
        ratio: see above.

    Returns:
        (H, W) float32, 0 and above.
    """
    differs = length(*gap)
    usual = max(cv2.mean(differs, (weight >= 1).view(np.uint8))[0], MIN_USUAL)
    doubt = np.clip(DOUBT_STEPS - visible.astype(np.float32) * np.float32(1 / DOUBT_STEP), 0, 1) / DOUBT_DIVISOR
    return np.maximum(edge, doubt) * np.square(np.square(differs * np.float32(1 / (ratio * usual))))


def _blur(picture: np.ndarray) -> np.ndarray:
    """(H, W) float32: each pixel's mean over its surroundings."""
    return cv2.GaussianBlur(picture, (0, 0), SURROUNDINGS_SIGMA, borderType=cv2.BORDER_REPLICATE)
