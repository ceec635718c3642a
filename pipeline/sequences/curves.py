"""How the code values of pictures are shown: the curves from code values to luma on a display, and back.

The networks, motion, cuts and chroma need luma as a display shows it. A film's own code values may be

    display   as shown: R'G'B' of a display, or the Y' of a film
    log       printing density: Cineon's film scans, in DPX
    linear    linear light in whole numbers
    half      linear light in the bits of a half float (IEEE 754), in EXR

The bits of positive half floats rise with their value, so they serve as code values of 16 bits.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from ...models import cielab

DISPLAY, LOG, LINEAR, HALF = "display", "log", "linear", "half"

FILM_BITS = 10
"""Bits of the luma of a film that is made of scans in printing density or linear light."""

BLACK, WHITE = 95, 685
"""Code values of 10 bits for 1 % black and for 90 % white (Kodak, "Conversion of 10-bit Log Film Data To 8-bit Linear
or Video Data", 1995). SMPTE ST 268 names them the reference low and high data codes of printing density."""

DENSITY = 0.002
"""Density per code value of 10 bits (Kodak, as above)."""

GAMMA = 0.6
"""Gamma of the negative: density per decade of light (Kodak, as above)."""

INFINITE = 0x7C00
"""Bits of the half float infinity. All finite positive halves have smaller bits."""

_FLOOR = 10 ** ((BLACK - WHITE) * DENSITY / GAMMA)
"""Light at `BLACK`, where light at `WHITE` is 1."""


def _encoded(light: np.ndarray) -> np.ndarray:
    """Linear light 0..1 → R'G'B' 0..1 of sRGB (IEC 61966-2-1)."""
    bent = 1.055 * np.maximum(light, 1e-8) ** (1 / 2.4) - 0.055
    return np.where(light > cielab.LINEAR_THRESHOLD, bent, light * 12.92)


def linear_of(shown: np.ndarray) -> np.ndarray:
    """R'G'B' 0..1 of sRGB → linear light 0..1."""
    return np.where(shown > cielab.SRGB_THRESHOLD, ((shown + 0.055) / 1.055) ** 2.4, shown / 12.92)


@lru_cache(maxsize=16)
def display_curve(coding: str, bits: int) -> np.ndarray:
    """Luma on a display for each code value.

    Args:
        coding: ``display``, ``log``, ``linear`` or ``half``.
        bits: bits of a code value.

    Returns:
        (2^bits,) float32, 0..1, never falling. Code values beyond black and white are shown as black and white.
    """
    codes = np.arange(1 << bits, dtype=np.float64)
    if coding == DISPLAY:
        return (codes / codes[-1]).astype(np.float32)
    if coding == HALF:
        light = np.arange(1 << 16, dtype=np.uint16)
        light = np.where(light < INFINITE, light, INFINITE - 1).astype(np.uint16).view(np.float16).astype(np.float64)
    elif coding == LINEAR:
        light = codes / codes[-1]
    else:
        ten = codes * (1023 / codes[-1])
        light = (10 ** ((ten - WHITE) * DENSITY / GAMMA) - _FLOOR) / (1 - _FLOOR)
    return _encoded(np.clip(light, 0, 1)).astype(np.float32)


@lru_cache(maxsize=16)
def _code_curve(coding: str, bits: int) -> np.ndarray:
    """(65536,) float32: the code value, not rounded, for lumas on a display from 0 to 1."""
    light = linear_of(np.linspace(0, 1, 1 << 16))
    top = (1 << bits) - 1
    if coding == LINEAR:
        return (light * top).astype(np.float32)
    ten = WHITE + np.log10(light * (1 - _FLOOR) + _FLOOR) * (GAMMA / DENSITY)
    return (ten * (top / 1023)).astype(np.float32)


@lru_cache(maxsize=2)
def _light_curve() -> np.ndarray:
    """(65536,) float32: linear light for lumas on a display from 0 to 1."""
    return linear_of(np.linspace(0, 1, 1 << 16)).astype(np.float32)


def codes_of(shown: np.ndarray, coding: str, bits: int) -> np.ndarray:
    """Code values, not rounded, of R', G' or B' on a display, 0..1 of any shape; float32."""
    return np.take(_code_curve(coding, bits), _at(shown))


def light_of(shown: np.ndarray) -> np.ndarray:
    """Linear light, 0..1, of R', G' or B' on a display, 0..1 of any shape; float32."""
    return np.take(_light_curve(), _at(shown))


def _at(shown: np.ndarray) -> np.ndarray:
    """0..1 of any shape, clipped, as indices of a table of 65536; uint16."""
    at = np.clip(shown, 0, 1)
    at *= np.float32(65535)
    at += np.float32(0.5)
    return at.astype(np.uint16)


def viewed(codes: np.ndarray, coding: str, bits: int, shown_bits: int) -> np.ndarray:
    """Code values as full-range luma of a display, rounded to `shown_bits` bits: uint8, or uint16 above 8 bits."""
    table = np.rint(display_curve(coding, bits) * ((1 << shown_bits) - 1))
    table = table.astype(np.uint8 if shown_bits == 8 else np.uint16)
    if codes.dtype == np.uint8 and table.dtype == np.uint8:
        return cv2.LUT(codes, table)
    return np.take(table, codes)
