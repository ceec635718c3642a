"""What colours a region can carry: the picture of a colour picker, and the colour that is given where one is asked.

Luma stays the source's, so a colour is a choice of chroma. At a luma, only a part of all chroma is inside the gamut: a
picker that shows that part alone asks for nothing that cannot be given (after Zhang et al., "Real-Time User-Guided
Image Colorization with Learned Deep Priors", SIGGRAPH 2017).
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from ..edits.orders import chroma_of
from ..ycbcr import PlaneFormat, chroma_at_luma, fit_gamut, picture, reachable

REACH, LEAST_REACH = 130.0, 8.0
"""Greatest a and b, positive and negative, that any colour has; the least that a picker shows."""

SIDE = 220
"""Width and height of the picker's picture, in pixels."""

OUTSIDE = 2 / 255
"""Difference of chroma from which on a colour counts as outside of the gamut."""


@lru_cache(maxsize=64)
def disc(luma: int, fmt: PlaneFormat) -> tuple[np.ndarray, float]:
    """The picture of a picker at a luma.

    Args:
        luma: 0 (black) to 255 (white).
        fmt: how the film's samples are coded.

    Returns:
        (SIDE, SIDE, 4) uint8 R'G'B' and opacity: a grows to the right and b upwards; transparent outside of the gamut.
        And the a and b at the picture's borders: as far as the gamut reaches at this luma.
    """
    ab, _, inside = _gamut(luma, fmt, REACH)
    reach = float(np.abs(ab[:, inside]).max(initial=LEAST_REACH)) * 1.04
    _, rgb, inside = _gamut(luma, fmt, reach)
    return np.dstack([rgb, np.where(inside, 255, 0).astype(np.uint8)]), reach


def _gamut(luma: int, fmt: PlaneFormat, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a and b (2, SIDE, SIDE) up to `reach`, their colours at a luma (SIDE, SIDE, 3), and which are in the gamut."""
    axis = np.linspace(-reach, reach, SIDE, dtype=np.float32)
    ab = np.stack(np.meshgrid(axis, axis[::-1]))
    plane = np.full((SIDE, SIDE), luma / 255, np.float32)
    chroma = chroma_at_luma(ab, plane, fmt.matrix, steps=4)
    fitted = fit_gamut(chroma.copy(), plane, fmt.matrix)
    inside = np.abs(fitted - chroma).max(0) < OUTSIDE
    shown = PlaneFormat(fmt.matrix, 8, True)
    return ab, picture(np.full((SIDE, SIDE), luma, np.uint8), shown.chroma(fitted), shown), inside


def given(color: str, lumas: list[int], fmt: PlaneFormat) -> list[str]:
    """The colours ``#rrggbb`` that pixels of some lumas (0 to 255) get where a colour ``#rrggbb`` is asked."""
    display = PlaneFormat(fmt.matrix, 8, True)
    table = reachable(chroma_of(color), display)
    samples = np.array([lumas], np.uint8)
    chroma = display.chroma(np.stack([np.take(plane, samples) for plane in table]))
    return ["#" + bytes(pixel).hex() for pixel in picture(samples, chroma, display)[0]]


def lumas(gray: np.ndarray, mask: np.ndarray) -> list[int]:
    """The lumas below which a tenth, a half and nine tenths of a region's pixels are.

    Args:
        gray: (H, W) uint8: the frame without colours.
        mask: (h, w) uint8: the region, 255 inside.
    """
    inside = cv2.resize(gray, mask.shape[::-1], interpolation=cv2.INTER_AREA)[mask >= 128]
    return [int(x) for x in np.percentile(inside, (10, 50, 90))] if inside.size else [128, 128, 128]
