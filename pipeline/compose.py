"""Enlarge chroma to full size: a, b at network size and the film's own luma → the Cb and Cr planes to encode.

The luma plane is never changed. A guided filter enlarges chroma (He, Sun, Tang, "Guided Image Filtering", 2013; fast
form of He & Sun, 2015). It fits a local line chroma ≈ α·luma + β at network size and enlarges α and β, so the full-size
luma draws the edges. Last, chroma is scaled into the R'G'B' gamut at the luma of its pixel.

Layers of palette and edits are painted over this chroma at full size. The same filter enlarges the masks of the layers.
The chroma of a layer's colour at each luma is calculated beforehand, so inside a region every pixel is as near to the
colour as its luma allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .ycbcr import PlaneFormat, chroma_at_luma, fit_gamut, reachable, strips

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
    for number, plane in enumerate(small):
        mean_plane = mean(plane)
        slope = mean(plane * guide) - mean_plane * mean_guide
        slope /= variance
        result = np.multiply(enlarged(mean(slope)), full, out=planes[number])  # α · luma + β
        result += enlarged(mean(mean_plane - slope * mean_guide))
    return planes
