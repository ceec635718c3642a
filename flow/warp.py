"""Warping of pictures by a backward flow.

A backward flow says, for every pixel of the present picture, where it was in the other one: the pixel at x is taken
from x + flow(x). Pixels that lie outside take the border's value; whether they may be believed is visibility's
affair (see `motion`).

Which library: measured on one CPU core, milliseconds for one picture at network size 256x448, float32,

    ============================  ===================  =============  =======
    what                          cv2.remap (H, W, C)  grid_sample    kornia
    ============================  ===================  =============  =======
    2 x 128 x 224, bilinear       0.22                 0.21           0.54
    2 x 128 x 224, bicubic        0.5-0.7              0.8            1.2
    2 x 128 x 224, Lanczos-4      2.4                  --             --
    62 x 64 x 112, bilinear       0.27                 2.4            3.2
    62 x 64 x 112, bicubic        4.2 (by 4 channels)  11             7-11
    ============================  ===================  =============  =======

so all warping is cv2's on channels-last arrays: bicubic for chroma, where repeated warping would blur, bilinear
over all channels in one call for label probabilities, which are smooth and must not overshoot.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np


@lru_cache(maxsize=8)
def _grid(height: int, width: int) -> np.ndarray:
    """(height, width, 2) float32: every pixel's own x and y; read-only, since it is shared."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    grid = np.dstack([x, y])
    grid.flags.writeable = False
    return grid


def sources(flow: np.ndarray) -> np.ndarray:
    """Where each pixel comes from.

    Args:
        flow: (H, W, 2) any float, x and y offsets in pixels of this grid.

    Returns:
        (H, W, 2) float32 absolute x and y, as `cv2.remap` wants them.
    """
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise ValueError(f"a flow has shape (H, W, 2), not {flow.shape}")
    return _grid(*flow.shape[:2]) + flow


def warp(picture: np.ndarray, flow: np.ndarray, cubic: bool = False) -> np.ndarray:
    """The other picture seen from the present one.

    Args:
        picture: (C, H, W) or (H, W) uint8 or float32.
        flow: (H, W, 2) backward flow in pixels.
        cubic: bicubic (a = -0.75) instead of bilinear; at most 4 channels then.

    Returns:
        Same shape and type as `picture`.
    """
    if picture.shape[-2:] != flow.shape[:2]:
        raise ValueError(f"picture {picture.shape} and flow {flow.shape} differ in size")
    if picture.ndim == 2:
        return remap(picture, sources(flow), cubic)
    warped = remap(np.ascontiguousarray(picture.transpose(1, 2, 0)), sources(flow), cubic)
    return np.ascontiguousarray(np.atleast_3d(warped).transpose(2, 0, 1))


def remap(picture: np.ndarray, where: np.ndarray, cubic: bool = False) -> np.ndarray:
    """`cv2.remap` of an (H, W) or (H, W, C) picture with this module's settings; `where` comes from `sources`."""
    how = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    return cv2.remap(picture, where, None, how, borderMode=cv2.BORDER_REPLICATE)
