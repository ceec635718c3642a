"""Luma of R, G, B pictures, and R, G, B with the luma of the source.

Luma is Kr·R + Kg·G + Kb·B of the picture's own code values: of R'G'B' as displayed, of printing densities, or of
linear light. The picture that is written has the luma of the source: in whole numbers, R and B are rounded first and
then G is chosen, so that the luma of the three is at most half of Kg from the source's.
"""

from __future__ import annotations

import numpy as np

from .curves import DISPLAY, HALF, codes_of, light_of

MATRICES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""Kr and Kb in Y' = Kr·R' + Kg·G' + Kb·B'."""


def weights(matrix: str) -> np.ndarray:
    """Kr, Kg, Kb as float32."""
    kr, kb = MATRICES[matrix]
    return np.array([kr, 1 - kr - kb, kb], np.float32)


def luma_of(samples: np.ndarray, channels: int, matrix: str) -> np.ndarray:
    """Luma of a picture.

    Args:
        samples: (H, W) or (H, W, channels and alpha): code values.
        channels: 1 or 3.
        matrix: matrix of the R, G, B channels.

    Returns:
        (H, W) of the same type: rounded for whole numbers.
    """
    if channels == 1:
        return samples if samples.ndim == 2 else np.ascontiguousarray(samples[..., 0])
    luma = np.zeros(samples.shape[:2], np.float32)
    for n, weight in enumerate(weights(matrix)):
        luma += samples[..., n] * weight
    return luma if samples.dtype == np.float32 else np.rint(luma).astype(samples.dtype)


def chroma_of(shown: np.ndarray, matrix: str, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Cb and Cr of R'G'B' as displayed.

    Args:
        shown: (H, W, 3) float32 R'G'B', 0..1.
        matrix: matrix of luma and chroma.
        bits: bits of a sample.

    Returns:
        Cb and Cr: (H, W) uint8, or uint16 above 8 bits, samples of full range.
    """
    k = weights(matrix)
    luma = shown @ k
    top, dtype = (1 << bits) - 1, np.uint8 if bits == 8 else np.uint16

    def plane(channel: int) -> np.ndarray:
        values = (shown[..., channel] - luma) * (top / (2 - 2 * k[channel])) + (1 << (bits - 1))
        return np.clip(np.rint(values), 0, top).astype(dtype)

    return plane(2), plane(0)


def colored(
    luma: np.ndarray, shown: np.ndarray, chroma: np.ndarray, *, coding: str, bits: int, matrix: str
) -> np.ndarray:
    """R, G, B with the luma of the source.

    Args:
        luma: (H, W) luma of the source in code values, whole or not; for ``half`` float32, linear light.
        shown: (H, W) float32: the same as displayed, 0..1.
        chroma: (2, H, W) float32: Cb and Cr of the display, −0.5..0.5, in the gamut at `shown`.
        coding: meaning of the code values; see `curves`.
        bits: bits of a code value of the result.
        matrix: matrix of luma and chroma.

    Returns:
        (H, W, 3): code values, uint8, or uint16 above 8 bits; float32 for ``half``. Where no such R, G, B is within
        the code values, the pixel is grey.
    """
    k = weights(matrix)
    red = shown + (2 - 2 * k[0]) * chroma[1]
    blue = shown + (2 - 2 * k[2]) * chroma[0]
    green = _rest(shown, red, blue, k)
    if coding == HALF:
        return _in_light(luma, (red, green, blue), k)
    top = (1 << bits) - 1
    if coding == DISPLAY:
        red *= np.float32(top)
        blue *= np.float32(top)
    else:
        red, green, blue = (codes_of(plane, coding, bits) for plane in (red, green, blue))
        # The same step in all three is a change of exposure. It gives the luma of the source back.
        step = luma - (k[0] * red + k[1] * green + k[2] * blue)
        red += step
        blue += step
    np.rint(red, out=red)
    np.rint(blue, out=blue)
    green = _rest(luma, red, blue, k)
    np.rint(green, out=green)
    outside = np.minimum(np.minimum(red, green), blue) < 0
    outside |= np.maximum(np.maximum(red, green), blue) > top
    grey = np.clip(np.rint(luma[outside]), 0, top)
    result = np.empty((*luma.shape, 3), np.uint8 if bits == 8 else np.uint16)
    for n, plane in enumerate((red, green, blue)):
        plane[outside] = grey
        result[..., n] = plane
    return result


def _rest(luma: np.ndarray, red: np.ndarray, blue: np.ndarray, k: np.ndarray) -> np.ndarray:
    """The green that has a luma together with red and blue; (H, W) float32. `k`: Kr, Kg, Kb."""
    green = luma - k[0] * red
    green -= k[2] * blue
    green /= k[1]
    return green


def _in_light(luma: np.ndarray, planes: tuple[np.ndarray, np.ndarray, np.ndarray], k: np.ndarray) -> np.ndarray:
    """`colored` for linear light: R, G, B as displayed are scaled to the luma. `k`: Kr, Kg, Kb."""
    result = np.stack([light_of(plane) for plane in planes], -1)
    own = result @ k
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = luma / own
    fits = np.isfinite(factor) & (luma > 0) & (own > 1e-5)
    result *= np.where(fits, factor, 0)[..., None]
    result[~fits] = luma[~fits, None]
    return result
