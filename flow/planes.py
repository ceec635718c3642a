"""Small operations on planes of pixels that several modules of this floor share."""

from __future__ import annotations

import cv2
import numpy as np


def halve(picture: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, C) uint8 or float32 at half the size in each direction, averaged."""
    height, width = picture.shape[:2]
    return cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 at the size (width, height): averaged if that is smaller, else interpolated linearly."""
    smaller = size[0] < picture.shape[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def local_mean(picture: np.ndarray, side: int) -> np.ndarray:
    """(H, W) or (H, W, C): each pixel's mean over a window of `side` x `side` pixels around it."""
    return cv2.blur(picture, (side, side))


def slope(luma: np.ndarray) -> np.ndarray:
    """(H, W) uint8 luma -> (H, W) float32: the length of its gradient, in levels a pixel."""
    x, y = (cv2.Sobel(luma, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    return length(x, y)


def length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The length of each vector with the components x and y, elementwise.

    `cv2.magnitude` is not used: its last bit depends on the arrays' addresses in memory, so a film would not come out
    the same twice. (All other functions of OpenCV and NumPy that this floor uses were tried in the same way and are
    exact.)
    """
    return np.sqrt(x * x + y * y)
