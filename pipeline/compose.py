"""Chroma to the full size: ab at network size and the film's own luma → the Cb and Cr planes to encode.

The luma plane is never touched. Chroma is raised by a guided filter (He, Sun, Tang, "Guided Image Filtering",
2013; fast form of He & Sun, 2015): at network size a local line chroma ≈ α·luma + β is fitted, α and β are enlarged,
and the full-size luma draws the edges. Last, chroma is scaled into the R'G'B' gamut at the luma it will meet.
"""

from dataclasses import dataclass

import cv2
import numpy as np

RADIUS = 2  # of the guided filter, in pixels of the ab map
EPSILON = 2e-3  # luma variance (0..1 squared) below which an edge is not trusted: grain stays out of chroma

# Kr, Kb of Y' = Kr·R' + Kg·G' + Kb·B'
_MATRICES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
_RGB_FROM_XYZ = np.linalg.inv(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
_GREY = np.linspace(0, 1, 4096)
_LINEAR = np.where(_GREY > 0.04045, ((_GREY + 0.055) / 1.055) ** 2.4, _GREY / 12.92)
_F_OF_GREY = np.where(_LINEAR > 216 / 24389, np.cbrt(_LINEAR), _LINEAR * (24389 / 27 / 116) + 16 / 116)


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


def _rgb_from_lab_at(f_y: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """f(Y/Yn) (h, w) and a, b (2, h, w) → R'G'B' (3, h, w), not clipped (CIE 15; IEC 61966-2-1)."""
    f = np.stack([f_y + ab[0] / 500, f_y, f_y - ab[1] / 200])
    xyz = np.where(f > 6 / 29, f**3, (f - 16 / 116) * (116 * 27 / 24389)) * _WHITE[:, None, None].astype(f.dtype)
    linear = np.tensordot(_RGB_FROM_XYZ.astype(f.dtype), xyz, 1)
    bent = 1.055 * np.maximum(linear, 1e-8) ** np.float32(1 / 2.4) - 0.055
    return np.where(linear > 0.0031308, bent, linear * 12.92)


def chroma_at_luma(ab: np.ndarray, luma: np.ndarray, matrix: str) -> np.ndarray:
    """a, b (2, h, w) at luma Y' (h, w) 0..1 → Cb, Cr (2, h, w), not yet fitted into the gamut.

    Lab wants a lightness, the film has a luma: the neutral grey that leads to this luma is found by one step of
    fixed-point iteration, which leaves about 0.01 of luma in saturated blues and less elsewhere.
    """
    kr, kb = _MATRICES[matrix]
    weights = np.array([kr, 1 - kr - kb, kb], np.float32)
    ab = ab.astype(np.float32)
    grey = luma
    for _ in range(2):
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
    kr, kb = _MATRICES[fmt.matrix]
    span = (1 << fmt.bits) - 1 if fmt.full_range else 224 << (fmt.bits - 8)
    cb, cr = (chroma.astype(np.float32) - (1 << (fmt.bits - 1))) / span
    own = fmt.luma(luma)
    red, blue = own + (2 - 2 * kr) * cr, own + (2 - 2 * kb) * cb
    green = (own - kr * red - kb * blue) / (1 - kr - kb)
    return np.rint(np.clip(np.dstack([red, green, blue]), 0, 1) * 255).astype(np.uint8)


def chroma_planes(
    ab: np.ndarray, thumb: np.ndarray, luma: np.ndarray, size: tuple[int, int], fmt: PlaneFormat
) -> np.ndarray:
    """One frame's chroma planes.

    ab (2, h/2, w/2) CIE Lab; thumb (h, w) uint8, the luma the network saw; luma (H, W), the film's own samples;
    size = (rows, columns) of a chroma plane. Returns (2, rows, columns), Cb and Cr, of luma's type.
    """
    h, w = ab.shape[1:]
    guide = cv2.resize(thumb, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    # Not yet in the gamut: of a colour that dark pixels cannot carry, lighter ones beside them would get less as well.
    small = np.ascontiguousarray(chroma_at_luma(ab, guide, fmt.matrix).transpose(1, 2, 0))  # (h, w, 2)

    window = (2 * RADIUS + 1, 2 * RADIUS + 1)
    mean_i = cv2.blur(guide, window)
    variance = cv2.blur(guide * guide, window) - mean_i * mean_i
    mean_p = cv2.blur(small, window)
    slope = cv2.blur(small * guide[..., None], window) - mean_p * mean_i[..., None]
    slope /= (variance + EPSILON)[..., None]
    line = np.concatenate([slope, mean_p - slope * mean_i[..., None]], 2)  # α, β of Cb and Cr

    rows, columns = size
    line = cv2.resize(cv2.blur(line, window), (columns, rows), interpolation=cv2.INTER_LINEAR)
    full = luma if luma.shape == size else cv2.resize(luma, (columns, rows), interpolation=cv2.INTER_AREA)
    full = fmt.luma(full)
    planes = np.ascontiguousarray((line[..., :2] * full[..., None] + line[..., 2:]).transpose(2, 0, 1))
    return fmt.chroma(fit_gamut(planes, full, fmt.matrix))
