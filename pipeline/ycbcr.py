"""Colours as luma and chroma: how samples are coded, and which chroma has a colour at a given luma.

A film keeps its luma, so a colour of CIE Lab becomes the Cb and Cr that show it at the luma of its pixel, and chroma is
scaled until R'G'B' is within the gamut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from ..models import cielab
from .film import Film
from .sequences.color import MATRICES, weights
from .sequences.curves import DISPLAY, display_curve, linear_of

STRIP = 1 << 16
"""Number of pixels of a strip; see `strips`."""

LUMAS, TURNS = 256, 720
"""Numbers of lumas, and of directions from neutral, at which `reachable` samples the edge of the gamut."""

HUE = 2.0
"""Weight of a hue difference against a chroma difference in `reachable`: about as in CIE94 for a vivid colour."""

SMOOTH = 4.0
"""Standard deviation of the smoothing along luma in `reachable`, in steps of luma (`LUMAS` from black to white)."""

_RGB_FROM_XYZ = np.linalg.inv(cielab.XYZ_FROM_RGB)
_WHITE = np.array(cielab.WHITE)
"""XYZ of the white point D65."""

_GRAY = np.linspace(0, 1, 4096)
_LINEAR = linear_of(_GRAY)
_F_OF_GRAY = np.where(
    _LINEAR > cielab.F_THRESHOLD, np.cbrt(_LINEAR), _LINEAR * cielab.F_SLOPE + cielab.F_OFFSET
).astype(np.float32)
"""f(Y/Yn) of CIE Lab for 4096 greys R' = G' = B' from 0 to 1."""


@dataclass(frozen=True)
class PlaneFormat:
    """How the samples of Y'CbCr planes are coded."""

    matrix: str
    """Matrix between R'G'B' and Y'CbCr: `bt601`, `bt709` or `bt2020`."""
    bits: int
    """Bits of a sample."""
    full_range: bool
    """Whether luma uses the full range (0..255 at 8 bits) instead of the limited one (16..235)."""
    coding: str = DISPLAY
    """Meaning of the luma samples; see `sequences.curves`. Chroma is always that of a display."""

    @classmethod
    def of(cls, film: Film) -> PlaneFormat:
        """The coding of a film's samples, which the colour film shares."""
        return cls(film.matrix, film.bits, film.full_range, film.coding)

    def luma(self, samples: np.ndarray) -> np.ndarray:
        """Y samples of any shape → Y' as float32: 0 = black, 1 = white. Under- and overshoots are outside of 0..1."""
        if self.coding != DISPLAY:
            return np.take(display_curve(self.coding, self.bits), samples)
        low, span = self._luma_span()
        return (samples.astype(np.float32) - low) * np.float32(1 / span)

    def chroma(self, planes: np.ndarray) -> np.ndarray:
        """Cb and Cr, (2, rows, columns), −0.5..0.5 → samples, uint8, or uint16 above 8 bits."""
        top, span = (1 << self.bits) - 1, (1 << self.bits) - 1 if self.full_range else 224 << (self.bits - 8)
        result = np.empty(planes.shape, np.uint8 if self.bits == 8 else np.uint16)
        for rows in strips(*planes.shape[1:]):
            samples = planes[:, rows] * np.float32(span)
            samples += np.float32(1 << (self.bits - 1))
            np.rint(samples, out=samples)
            result[:, rows] = np.clip(samples, 0, top, out=samples)
        return result

    def values(self, samples: np.ndarray) -> np.ndarray:
        """Samples of Cb or Cr of any shape → float32, −0.5..0.5. The inverse of `chroma`."""
        span = (1 << self.bits) - 1 if self.full_range else 224 << (self.bits - 8)
        return (samples.astype(np.float32) - np.float32(1 << (self.bits - 1))) / np.float32(span)

    def _luma_span(self) -> tuple[int, int]:
        """(sample of black, difference between the samples of white and black)."""
        return (0, (1 << self.bits) - 1) if self.full_range else (16 << (self.bits - 8), 219 << (self.bits - 8))


def strips(rows: int, columns: int) -> Iterator[slice]:
    """The rows of a plane, in strips so small that what is calculated from one stays in the CPU's cache."""
    step = max(1, STRIP // columns)
    for first in range(0, rows, step):
        yield slice(first, min(first + step, rows))


def _rgb_from_lab_at(f_y: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """f(Y/Yn) (h, w) and a, b (2, h, w) of CIE Lab → sRGB R'G'B' (3, h, w), not clipped (CIE 15; IEC 61966-2-1)."""
    f = np.stack([f_y + ab[0] / 500, f_y, f_y - ab[1] / 200])
    xyz, dark = f**3, f <= cielab.F_INVERSE_THRESHOLD
    f -= cielab.F_OFFSET
    f *= cielab.F_INVERSE_SLOPE
    np.copyto(xyz, f, where=dark)
    xyz *= _WHITE[:, None, None].astype(f.dtype)
    linear = np.tensordot(_RGB_FROM_XYZ.astype(f.dtype), xyz, 1)
    dark = linear <= cielab.LINEAR_THRESHOLD
    bent = np.maximum(linear, 1e-8, out=f)
    bent **= np.float32(1 / 2.4)
    bent *= 1.055
    bent -= 0.055
    linear *= 12.92
    np.copyto(bent, linear, where=dark)
    return bent


def chroma_at_luma(ab: np.ndarray, luma: np.ndarray, matrix: str, steps: int = 1) -> np.ndarray:
    """Cb and Cr of a colour at a given luma, not yet fitted into the gamut.

    Lab needs a lightness, but a film has a luma. A fixed-point iteration finds the neutral grey whose lightness leads
    to this luma. After one step, the error is about 0.01 of luma in saturated blues and smaller elsewhere.

    Args:
        ab: (2, h, w) a and b of CIE Lab.
        luma: (h, w) float32 Y', 0..1.
        matrix: `bt601`, `bt709` or `bt2020`.
        steps: steps of the iteration.

    Returns:
        (2, h, w) float32: Cb and Cr, −0.5..0.5 inside the gamut.
    """
    kr, kb = MATRICES[matrix]
    ab = ab.astype(np.float32)
    gray = luma
    for _ in range(1 + steps):
        f_y = np.take(_F_OF_GRAY, np.clip(gray * 4095, 0, 4095).astype(np.int32))
        rgb = _rgb_from_lab_at(f_y, ab)
        own = np.tensordot(weights(matrix), rgb, 1)
        gray = gray + luma - own
    return np.stack([(rgb[2] - own) / (2 - 2 * kb), (rgb[0] - own) / (2 - 2 * kr)])


def fit_gamut(chroma: np.ndarray, luma: np.ndarray, matrix: str) -> np.ndarray:
    """Scale chroma towards neutral, just far enough that R'G'B' is within 0..1. In place.

    Args:
        chroma: (2, h, w) float32 Cb and Cr, −0.5..0.5; changed in place.
        luma: (h, w) float32 Y', 0..1.
        matrix: `bt601`, `bt709` or `bt2020`.

    Returns:
        `chroma`.
    """
    kr, kb = MATRICES[matrix]
    kg = 1 - kr - kb
    cb, cr = chroma
    red, blue = (2 - 2 * kr) * cr, (2 - 2 * kb) * cb
    green = kr * red
    green += kb * blue
    np.negative(green, out=green)
    green /= kg
    rise = np.maximum(red, green)
    np.maximum(rise, np.maximum(blue, 1e-6), out=rise)
    fall = np.minimum(red, green, out=green)
    np.minimum(fall, np.minimum(blue, -1e-6, out=blue), out=fall)
    np.negative(fall, out=fall)
    share = np.clip(1 - luma, 0, 1)
    share /= rise
    room_down = np.clip(luma, 0, 1, out=red)
    room_down /= fall
    np.minimum(share, room_down, out=share)
    chroma *= np.minimum(share, 1, out=share)
    return chroma


def picture(luma: np.ndarray, chroma: np.ndarray, fmt: PlaneFormat) -> np.ndarray:
    """A frame as a picture.

    Args:
        luma: (H, W) samples of Y.
        chroma: (2, H, W) samples of Cb and Cr.
        fmt: how the samples are coded.

    Returns:
        (H, W, 3) uint8 R'G'B'.
    """
    return np.rint(_rgb(fmt.luma(luma), fmt.values(chroma), fmt.matrix) * 255).astype(np.uint8)


def _rgb(luma: np.ndarray, chroma: np.ndarray, matrix: str) -> np.ndarray:
    """Y' (h, w) and Cb, Cr (2, h, w) → R'G'B' (h, w, 3), clipped to 0..1."""
    kr, kb = MATRICES[matrix]
    red, blue = luma + (2 - 2 * kr) * chroma[1], luma + (2 - 2 * kb) * chroma[0]
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.dstack([red, green, blue]), 0, 1)


@lru_cache(maxsize=64)
def reachable(ab: tuple[float, float], fmt: PlaneFormat) -> np.ndarray:
    """The chroma in the gamut that is most like a colour, at each luma.

    In shadows and highlights, this chroma is seldom found by scaling towards neutral. It may also change abruptly from
    one luma to the next, so it is smoothed along luma. The smoothed chroma stays in the gamut: R'G'B' is a cube, so the
    mean of colours at neighbouring lumas is a colour at the luma between them.

    Args:
        ab: a and b of the colour, CIE Lab.
        fmt: how the samples are coded.

    Returns:
        (2, 2^bits) float32: Cb and Cr, −0.5..0.5, for each sample value of luma.
    """
    luma = np.linspace(0, 1, LUMAS, dtype=np.float32)[:, None]
    a, b = ab
    wanted = chroma_at_luma(np.tile(np.array([[[a]], [[b]]], np.float32), (1, LUMAS, 1)), luma, fmt.matrix, steps=8)
    turns = np.linspace(0, 2 * np.pi, TURNS, endpoint=False)
    edge = np.tile(np.array([[np.cos(turns)], [np.sin(turns)]], np.float32), (1, LUMAS, 1))
    everywhere = np.tile(luma, TURNS)
    edge = fit_gamut(edge, everywhere, fmt.matrix)
    _, edge_a, edge_b = cv2.split(cv2.cvtColor(_rgb(everywhere, edge, fmt.matrix), cv2.COLOR_RGB2Lab))
    square = (edge_a - a) ** 2 + (edge_b - b) ** 2
    square_of_chroma = (np.hypot(edge_a, edge_b) - np.hypot(a, b)) ** 2
    best = np.argmin(square_of_chroma + HUE**2 * (square - square_of_chroma), 1)
    within = (fit_gamut(wanted.copy(), luma, fmt.matrix) == wanted).all(0)
    chroma = np.where(within, wanted, np.take_along_axis(edge, best[None, :, None], 2))[..., 0]
    # Point reflection beyond black and white: chroma is 0 there, and the smoothing keeps it 0.
    chroma = np.hstack([-chroma[:, :0:-1], chroma, -chroma[:, -2::-1]])
    chroma = cv2.GaussianBlur(chroma, (0, 0), SMOOTH, sigmaY=1e-3)[:, LUMAS - 1 : 2 * LUMAS - 1]
    chroma = fit_gamut(np.ascontiguousarray(chroma[..., None]), luma, fmt.matrix)[..., 0]
    samples = fmt.luma(np.arange(1 << fmt.bits))
    return np.stack([np.interp(samples, luma[:, 0], plane) for plane in chroma]).astype(np.float32)
