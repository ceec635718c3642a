"""Enlarge chroma to full size: a, b at network size and the film's own luma → the Cb and Cr planes to encode.

The luma plane is never changed. A guided filter enlarges chroma (He, Sun, Tang, "Guided Image Filtering", 2013; fast
form of He & Sun, 2015). It fits a local line chroma ≈ α·luma + β at network size and enlarges α and β, so the full-size
luma draws the edges. Last, chroma is scaled into the R'G'B' gamut at the luma of its pixel.

Layers of palette and edits are painted over this chroma at full size. The same filter enlarges the masks of the layers.
The chroma of a layer's colour at each luma is calculated beforehand, so inside a region every pixel is as near to the
colour as its luma allows.
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

RADIUS = 2
"""Radius of the guided filter for chroma, in pixels of the ab map."""

EPSILON = 2e-3
"""Luma variance (0..1 squared) below which the guided filter ignores an edge. So grain does not reach chroma."""

BORDER = 1
"""Radius of the guided filter for masks, in pixels of the ab map. Smaller, since a region's border is more certain than
the network's colours."""

SHARP = 2.0
"""Factor by which the slope of a region's border is increased after the filter."""

LEAST = 1 / 256
"""Share of a layer's colour below which a pixel is skipped. The share of a label is hardly ever exactly 0."""

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


@dataclass(frozen=True)
class Layer:
    """A colour painted over the chroma of a frame."""

    within: np.ndarray
    """(h/2, w/2) float32: share of the colour in each pixel, 0..1."""
    ab: tuple[float, float] | np.ndarray
    """CIE Lab: a and b of one colour, or (2, h/2, w/2) as the network painted the frame."""
    bordered: bool = True
    """True for a drawn region, whose border is sharp; False for the share of a label, a soft probability."""
    strength: float = 1.0
    """Share of the colour inside the region, 0..1."""

    def shown(self, within: np.ndarray) -> np.ndarray:
        """The painted share, 0..1, for `within` or an enlarged `within`; the border of a region is sharpened."""
        share = np.clip(SHARP * within + np.float32(0.5 - 0.5 * SHARP) if self.bordered else within, 0, 1)
        return share * np.float32(self.strength)


@dataclass(frozen=True)
class Layered:
    """A frame's chroma, and the layers over it."""

    ab: np.ndarray
    """(2, h/2, w/2) CIE Lab."""
    layers: tuple[Layer, ...]
    """The layers, each painted over the earlier ones."""

    def flat(self) -> np.ndarray:
        """Chroma with all layers painted at network size: (2, h/2, w/2) float32, CIE Lab."""
        result = self.ab.astype(np.float32)
        for layer in self.layers:
            wanted = layer.ab if isinstance(layer.ab, np.ndarray) else np.array(layer.ab)[:, None, None]
            result = result + (wanted.astype(np.float32) - result) * layer.shown(layer.within)
        return result


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


def chroma_planes(
    ab: np.ndarray | Layered,
    thumb: np.ndarray,
    luma: np.ndarray,
    size: tuple[int, int],
    fmt: PlaneFormat,
    own: np.ndarray | None = None,
) -> np.ndarray:
    """The chroma planes of one frame.

    A frame that keeps its own chroma gets only the layers of drawn regions. The labels that the networks read do not
    change it.

    Args:
        ab: (2, h/2, w/2) a and b of CIE Lab; or the same with layers over it.
        thumb: (h, w) uint8, full range 0..255: the luma that the network saw.
        luma: (H, W) the film's own samples, uint8, or uint16 above 8 bits.
        size: (rows, columns) of a chroma plane.
        fmt: how the samples are coded.
        own: (2, ch, cw) samples of the frame's own Cb and Cr, if it keeps them.

    Returns:
        (2, rows, columns): Cb and Cr, of luma's type.
    """
    below, layers = (ab.ab, ab.layers) if isinstance(ab, Layered) else (ab, ())
    if own is not None:
        own = resized(own, size)
        layers = tuple(layer for layer in layers if layer.bordered)
        if not layers:
            return own
    h, w = below.shape[1:]
    guide = cv2.resize(thumb, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    samples = luma if luma.shape == size else cv2.resize(luma, size[::-1], interpolation=cv2.INTER_AREA)
    full = fmt.luma(samples)
    planes = _chroma(below, guide, full, fmt.matrix) if own is None else fmt.values(own)
    kept = planes if own is None else planes.copy()
    for layer in layers:
        within = layer.shown(_raised(layer.within[None], guide, full, BORDER)[0])
        x, y, width, height = cv2.boundingRect((within > LEAST).astype(np.uint8))
        box = slice(y, y + height), slice(x, x + width)
        if isinstance(layer.ab, np.ndarray):
            wanted = (_chroma(layer.ab, guide, full, fmt.matrix) if own is None else kept)[:, *box]
        else:
            wanted = np.stack([np.take(table, samples[box], mode="clip") for table in reachable(layer.ab, fmt)])
        planes[:, *box] += (wanted - planes[:, *box]) * within[box]
    return fmt.chroma(planes)


def resized(planes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Planes (C, h, w) at the size (rows, columns); unchanged if they have it already."""
    if planes.shape[1:] == size:
        return planes
    shrinks = size[0] * size[1] <= planes.shape[1] * planes.shape[2]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([cv2.resize(plane, size[::-1], interpolation=way) for plane in planes])


def _chroma(ab: np.ndarray, guide: np.ndarray, full: np.ndarray, matrix: str) -> np.ndarray:
    """a, b at network size → Cb, Cr (2, rows, columns) in the gamut at the luma `full`."""
    # Chroma is fitted into the gamut only after enlarging: otherwise dark pixels, which carry less chroma, would also
    # take it from the lighter pixels beside them.
    planes = _raised(chroma_at_luma(ab, guide, matrix), guide, full, RADIUS)
    for rows in strips(*full.shape):
        fit_gamut(planes[:, rows], full[rows], matrix)
    return planes


def strips(rows: int, columns: int) -> Iterator[slice]:
    """The rows of a plane, in strips so small that what is calculated from one stays in the CPU's cache."""
    step = max(1, STRIP // columns)
    for first in range(0, rows, step):
        yield slice(first, min(first + step, rows))


def _raised(small: np.ndarray, guide: np.ndarray, full: np.ndarray, radius: int) -> np.ndarray:
    """Enlarge planes by the guided filter.

    Args:
        small: (C, h/2, w/2) float32.
        guide: (h/2, w/2) float32: luma at the size of `small`, 0..1.
        full: (rows, columns) float32: luma at the size of the result, 0..1.
        radius: radius of the filter, in pixels of `small`.

    Returns:
        (C, rows, columns) float32.
    """

    def mean(plane: np.ndarray) -> np.ndarray:
        return cv2.blur(plane, (2 * radius + 1, 2 * radius + 1))

    def enlarged(plane: np.ndarray) -> np.ndarray:
        return cv2.resize(plane, full.shape[::-1], interpolation=cv2.INTER_LINEAR)

    mean_guide = mean(guide)
    variance = mean(guide * guide) - mean_guide * mean_guide
    variance += np.float32(EPSILON)
    planes = np.empty((len(small), *full.shape), np.float32)
    for plane, result in zip(small, planes, strict=True):
        mean_plane = mean(plane)
        slope = mean(plane * guide) - mean_plane * mean_guide
        slope /= variance
        np.multiply(enlarged(mean(slope)), full, out=result)  # α · luma + β
        result += enlarged(mean(mean_plane - slope * mean_guide))
    return planes
