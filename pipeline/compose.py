"""Chroma to the full size: ab at network size and the film's own luma → the Cb and Cr planes to encode.

The luma plane is never touched. Chroma is raised by a guided filter (He, Sun, Tang, "Guided Image Filtering",
2013; fast form of He & Sun, 2015): at network size a local line chroma ≈ α·luma + β is fitted, α and β are enlarged,
and the full-size luma draws the edges. Last, chroma is scaled into the R'G'B' gamut at the luma it will meet.

Colours that people ask for are painted over it at full size: where they hold is raised in the same way, and what they
are at each luma is known beforehand, so that inside a region every pixel is as near to the colour as its luma allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from ..models import cielab

RADIUS = 2  # of the guided filter, in pixels of the ab map
EPSILON = 2e-3  # luma variance (0..1 squared) below which an edge is not trusted: grain stays out of chroma
BORDER = 1  # radius for a region's border, which is known better than the network's colours
SHARP = 2.0  # how much steeper a border is drawn than it comes out of the filter
LEAST = 1 / 256  # of a colour, that is seen: a label's share is hardly ever nought
LUMAS, TURNS = 256, 720  # of `reachable`: lumas, and directions from neutral in which the gamut's edge is tried
HUE = 2.0  # what a difference in hue counts there, against one in chroma: about as in CIE94 for a vivid colour
SMOOTH = 4.0  # standard deviation, in lumas, of the smoothing along luma

# Kr, Kb of Y' = Kr·R' + Kg·G' + Kb·B'
_MATRICES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
_RGB_FROM_XYZ = np.linalg.inv(cielab.XYZ_FROM_RGB)
_WHITE = np.array(cielab.WHITE)
_GREY = np.linspace(0, 1, 4096)
_LINEAR = np.where(_GREY > cielab.SRGB_THRESHOLD, ((_GREY + 0.055) / 1.055) ** 2.4, _GREY / 12.92)
_F_OF_GREY = np.where(_LINEAR > cielab.F_THRESHOLD, np.cbrt(_LINEAR), _LINEAR * cielab.F_SLOPE + cielab.F_OFFSET)


@dataclass(frozen=True)
class PlaneFormat:
    """How samples are coded: matrix `bt601`, `bt709` or `bt2020`; bits a sample; full (0..255) or limited range."""

    matrix: str
    bits: int
    full_range: bool

    def luma(self, samples: np.ndarray) -> np.ndarray:
        """Y samples, any shape → Y' as float32, 0 = black, 1 = white (beyond for under- and overshoots)."""
        low, span = self._luma_span()
        return (samples.astype(np.float32) - low) * np.float32(1 / span)

    def chroma(self, values: np.ndarray) -> np.ndarray:
        """Cb, Cr as −0.5..0.5, any shape → samples, uint8 or uint16."""
        top, span = (1 << self.bits) - 1, (1 << self.bits) - 1 if self.full_range else 224 << (self.bits - 8)
        samples = np.rint(values * np.float32(span) + np.float32(1 << (self.bits - 1)))
        return np.clip(samples, 0, top, out=samples).astype(np.uint8 if self.bits == 8 else np.uint16)

    def _luma_span(self) -> tuple[int, int]:
        return (0, (1 << self.bits) - 1) if self.full_range else (16 << (self.bits - 8), 219 << (self.bits - 8))


@dataclass(frozen=True)
class Layer:
    """A colour that is asked for."""

    within: np.ndarray
    """(h/2, w/2) float32: how much of it each pixel gets, 0..1."""
    ab: tuple[float, float] | np.ndarray
    """CIE Lab: one colour, or (2, h/2, w/2) as the network painted it."""
    bordered: bool = True
    """Whether `within` is a region, which has a border, or a label's share, which may be in between anywhere."""

    def shown(self, within: np.ndarray) -> np.ndarray:
        """What comes of `within` or a part of it at any size."""
        return np.clip(SHARP * within + np.float32(0.5 - 0.5 * SHARP) if self.bordered else within, 0, 1)


@dataclass(frozen=True)
class Painted:
    """A frame's chroma, and what lies over it."""

    ab: np.ndarray
    """(2, h/2, w/2) CIE Lab."""
    layers: tuple[Layer, ...]
    """The later over the earlier."""

    def flat(self) -> np.ndarray:
        """Everything at network size, (2, h/2, w/2) float32."""
        result = self.ab.astype(np.float32)
        for layer in self.layers:
            wanted = layer.ab if isinstance(layer.ab, np.ndarray) else np.array(layer.ab)[:, None, None]
            result = result + (wanted.astype(np.float32) - result) * layer.shown(layer.within)
        return result


def _rgb_from_lab_at(f_y: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """f(Y/Yn) (h, w) and a, b (2, h, w) → R'G'B' (3, h, w), not clipped (CIE 15; IEC 61966-2-1)."""
    f = np.stack([f_y + ab[0] / 500, f_y, f_y - ab[1] / 200])
    line = (f - cielab.F_OFFSET) * cielab.F_INVERSE_SLOPE
    xyz = np.where(f > cielab.F_INVERSE_THRESHOLD, f**3, line) * _WHITE[:, None, None].astype(f.dtype)
    linear = np.tensordot(_RGB_FROM_XYZ.astype(f.dtype), xyz, 1)
    bent = 1.055 * np.maximum(linear, 1e-8) ** np.float32(1 / 2.4) - 0.055
    return np.where(linear > cielab.LINEAR_THRESHOLD, bent, linear * 12.92)


def chroma_at_luma(ab: np.ndarray, luma: np.ndarray, matrix: str, steps: int = 1) -> np.ndarray:
    """a, b (2, h, w) at luma Y' (h, w) 0..1 → Cb, Cr (2, h, w), not yet fitted into the gamut.

    Lab wants a lightness, the film has a luma: the neutral grey that leads to this luma is found by fixed-point
    iteration, of which one step leaves about 0.01 of luma in saturated blues and less elsewhere.
    """
    kr, kb = _MATRICES[matrix]
    weights = np.array([kr, 1 - kr - kb, kb], np.float32)
    ab = ab.astype(np.float32)
    grey = luma
    for _ in range(1 + steps):
        f_y = _F_OF_GREY[np.clip(grey * 4095, 0, 4095).astype(np.int32)].astype(np.float32)
        rgb = _rgb_from_lab_at(f_y, ab)
        own = np.tensordot(weights, rgb, 1)
        grey = grey + luma - own
    return np.stack([(rgb[2] - own) / (2 - 2 * kb), (rgb[0] - own) / (2 - 2 * kr)])


def fit_gamut(chroma: np.ndarray, luma: np.ndarray, matrix: str) -> np.ndarray:
    """Scale Cb, Cr (2, h, w) towards neutral just so far that R'G'B' at `luma` (h, w) lies in 0..1. In place."""
    kr, kb = _MATRICES[matrix]
    kg = 1 - kr - kb
    cb, cr = chroma
    red, blue = (2 - 2 * kr) * cr, (2 - 2 * kb) * cb
    green = -(kr * red + kb * blue) / kg
    room_up, room_down = np.clip(1 - luma, 0, 1), np.clip(luma, 0, 1)
    rise = np.maximum(np.maximum(red, green), np.maximum(blue, 1e-6))
    fall = np.maximum(np.maximum(-red, -green), np.maximum(-blue, 1e-6))
    chroma *= np.minimum(np.minimum(room_up / rise, room_down / fall), 1)
    return chroma


def picture(luma: np.ndarray, chroma: np.ndarray, fmt: PlaneFormat) -> np.ndarray:
    """Samples of a frame, luma (H, W) and Cb, Cr (2, H, W), as R'G'B' (H, W, 3) uint8."""
    span = (1 << fmt.bits) - 1 if fmt.full_range else 224 << (fmt.bits - 8)
    chroma = (chroma.astype(np.float32) - (1 << (fmt.bits - 1))) / span
    return np.rint(_rgb(fmt.luma(luma), chroma, fmt.matrix) * 255).astype(np.uint8)


def _rgb(luma: np.ndarray, chroma: np.ndarray, matrix: str) -> np.ndarray:
    """Y' (h, w) and Cb, Cr (2, h, w) → R'G'B' (h, w, 3), clipped to 0..1."""
    kr, kb = _MATRICES[matrix]
    red, blue = luma + (2 - 2 * kr) * chroma[1], luma + (2 - 2 * kb) * chroma[0]
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.dstack([red, green, blue]), 0, 1)


@lru_cache(maxsize=64)
def reachable(ab: tuple[float, float], fmt: PlaneFormat) -> np.ndarray:
    """Cb, Cr (2, 2^bits) float32 for each sample of luma: of the gamut at that luma, what is most like a, b.

    In shadows and lights that is seldom straight towards neutral. From one luma to the next it may lie elsewhere
    altogether, so the result is smoothed along luma: R'G'B' is a cube, in which means of colours at neighbouring lumas
    are colours at the luma between them.
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
    # Turned round beyond black and white, where chroma ends, so that it still ends there.
    chroma = np.hstack([-chroma[:, :0:-1], chroma, -chroma[:, -2::-1]])
    chroma = cv2.GaussianBlur(chroma, (0, 0), SMOOTH, sigmaY=1e-3)[:, LUMAS - 1 : 2 * LUMAS - 1]
    chroma = fit_gamut(np.ascontiguousarray(chroma[..., None]), luma, fmt.matrix)[..., 0]
    samples = fmt.luma(np.arange(1 << fmt.bits))
    return np.stack([np.interp(samples, luma[:, 0], plane) for plane in chroma]).astype(np.float32)


def chroma_planes(
    ab: np.ndarray | Painted, thumb: np.ndarray, luma: np.ndarray, size: tuple[int, int], fmt: PlaneFormat
) -> np.ndarray:
    """One frame's chroma planes.

    ab (2, h/2, w/2) CIE Lab, or with layers over it; thumb (h, w) uint8, the luma the network saw; luma (H, W), the
    film's own samples; size = (rows, columns) of a chroma plane. Returns (2, rows, columns), Cb and Cr, of luma's type.
    """
    below, layers = (ab.ab, ab.layers) if isinstance(ab, Painted) else (ab, ())
    h, w = below.shape[1:]
    guide = cv2.resize(thumb, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    samples = luma if luma.shape == size else cv2.resize(luma, size[::-1], interpolation=cv2.INTER_AREA)
    full = fmt.luma(samples)
    planes = _chroma(below, guide, full, fmt.matrix)
    for layer in layers:
        within = layer.shown(_raised(layer.within[..., None], guide, full, BORDER)[..., 0])
        x, y, width, height = cv2.boundingRect((within > LEAST).astype(np.uint8))
        box = slice(y, y + height), slice(x, x + width)
        if isinstance(layer.ab, np.ndarray):
            wanted = _chroma(layer.ab, guide, full, fmt.matrix)[:, *box]
        else:
            wanted = np.stack([np.take(table, samples[box], mode="clip") for table in reachable(layer.ab, fmt)])
        planes[:, *box] += (wanted - planes[:, *box]) * within[box]
    return fmt.chroma(planes)


def _chroma(ab: np.ndarray, guide: np.ndarray, full: np.ndarray, matrix: str) -> np.ndarray:
    """Cb, Cr (2, rows, columns) in the gamut, of a, b at network size."""
    # Not yet in the gamut: of a colour that dark pixels cannot carry, lighter ones beside them would get less as well.
    small = np.ascontiguousarray(chroma_at_luma(ab, guide, matrix).transpose(1, 2, 0))
    planes = np.ascontiguousarray(_raised(small, guide, full, RADIUS).transpose(2, 0, 1))
    return fit_gamut(planes, full, matrix)


def _raised(small: np.ndarray, guide: np.ndarray, full: np.ndarray, radius: int) -> np.ndarray:
    """(h/2, w/2, C) float32 → (rows, columns, C); luma, 0..1, is `guide` (h/2, w/2) there and `full` here."""
    window = (2 * radius + 1, 2 * radius + 1)
    guide = guide[..., None]
    mean_i = cv2.blur(guide, window)[..., None]
    variance = cv2.blur(guide * guide, window)[..., None] - mean_i * mean_i
    mean_p = cv2.blur(small, window).reshape(small.shape)
    slope = cv2.blur(small * guide, window).reshape(small.shape) - mean_p * mean_i
    slope /= variance + np.float32(EPSILON)
    line = np.concatenate([slope, mean_p - slope * mean_i], 2)  # α, β
    line = cv2.resize(cv2.blur(line, window), full.shape[::-1], interpolation=cv2.INTER_LINEAR)
    channels = small.shape[2]
    return line[..., :channels] * full[..., None] + line[..., channels:]
