"""Warping of pictures by a backward flow.

A backward flow says, for every pixel of the present picture, where it was in the other picture: the pixel at x is taken
from x + flow(x). If that place lies outside the other picture, the pixel takes the value at the border. Whether it is
to be believed is the business of `visibility`.

The choice of library was measured on one CPU core, in milliseconds for one picture at network size 256x448, float32:

    ============================  ===================  =============  =======
    what                          cv2.remap (H, W, C)  grid_sample    kornia
    ============================  ===================  =============  =======
    2 x 128 x 224, bilinear       0.22                 0.21           0.54
    2 x 128 x 224, bicubic        0.5-0.7              0.8            1.2
    2 x 128 x 224, Lanczos-4      2.4                  --             --
    62 x 64 x 112, bilinear       0.27                 2.4            3.2
    62 x 64 x 112, bicubic        4.2 (by 4 channels)  11             7-11
    ============================  ===================  =============  =======

So all warping uses `cv2.remap` on channels-last arrays. Chroma is warped bicubically, since repeated bilinear warping
would blur it. Label probabilities are warped bilinearly, all channels in one call: they are smooth, and they must not
overshoot.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np


@lru_cache(maxsize=8)
def _grid(height: int, width: int) -> np.ndarray:
    """(height, width, 2) float32: every pixel's own x and y. The array is shared, so it is read-only."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    grid = np.dstack([x, y])
    grid.flags.writeable = False
    return grid


def sources(flow: np.ndarray) -> np.ndarray:
    """The place in the other picture from which each pixel is taken.

    Args:
        flow: (H, W, 2) any float, x and y offsets in pixels of this grid.

    Returns:
        (H, W, 2) float32 absolute x and y, as `cv2.remap` takes them.

    Raises:
        ValueError: the flow has another shape.
    """
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise ValueError(f"a flow has shape (H, W, 2), not {flow.shape}")
    return _grid(*flow.shape[:2]) + flow


def inside(where: np.ndarray) -> np.ndarray:
    """Which of the places (H, W, 2) lie in a picture of the same size: (H, W) uint8, 255 inside, 0 outside."""
    height, width = where.shape[:2]
    return cv2.inRange(where, (-0.5, -0.5), (width - 0.5, height - 0.5))


def warp(picture: np.ndarray, flow: np.ndarray, cubic: bool = False) -> np.ndarray:
    """The other picture as seen from the present one.

    Args:
        picture: (C, H, W) or (H, W) uint8 or float32, the other picture.
        flow: (H, W, 2) backward flow in pixels.
        cubic: bicubic (a = -0.75) instead of bilinear, for at most 4 channels.

    Returns:
        An array of the shape and type of `picture`.

    Raises:
        ValueError: picture and flow differ in size.
    """
    if picture.shape[-2:] != flow.shape[:2]:
        raise ValueError(f"picture {picture.shape} and flow {flow.shape} differ in size")
    if picture.ndim == 2:
        return remap(picture, sources(flow), cubic)
    warped = remap(np.ascontiguousarray(picture.transpose(1, 2, 0)), sources(flow), cubic)
    return np.ascontiguousarray(np.atleast_3d(warped).transpose(2, 0, 1))


def remap(picture: np.ndarray, where: np.ndarray, cubic: bool = False) -> np.ndarray:
    """`cv2.remap` with the settings of this module.

    Args:
        picture: (H, W) or (H, W, C) uint8 or float32.
        where: (H, W, 2) float32, from `sources`.
        cubic: bicubic instead of bilinear.

    Returns:
        An array of the shape and type of `picture`.
    """
    how = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    return cv2.remap(picture, where, None, how, borderMode=cv2.BORDER_REPLICATE)
