"""What is noted of each chunk for the report: chroma and labels over time, and small pictures of some frames."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np

from ...models.labels import NAMES
from ..chunk import Chunk
from ..film import Film
from ..frames import Frames
from ..overlay import tinted
from ..ycbcr import PlaneFormat, picture

BIN = 8
"""Frames per point of the series, counted from the shot's first frame. It divides every chunk size, so the series do
not depend on the chunk size."""

SHOWN = (0, 16, 48, 144, 432, 1296, 3888, 11664)
"""Frames of a shot of which a picture is kept, counted from the shot's first frame. The report shows the one that is
nearest to the middle of the shot, which is known only at the shot's end."""

BOX = (320, 180)
"""Greatest width and height of a small picture, in pixels."""

MEASURED = (64, 48)
"""Width and height of the pictures on which chroma is measured, in pixels."""

QUALITY = 85
"""JPEG quality of the small pictures in the notes. The page makes them smaller and codes them again."""


def shown_frames(chunk: Chunk) -> list[int]:
    """The places in a chunk of the frames of which a picture is kept."""
    return [n - chunk.shot_start for n in SHOWN if 0 <= n - chunk.shot_start < len(chunk)]


def observe(film: Film, frames: Frames, chroma: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """The notes of one chunk, as values that JSON has.

    Args:
        film: the source, with luma as a display shows it.
        frames: N frames of it.
        chroma: (N, 2, ch, cw): Cb and Cr.
        labels: (N, 62, h/4, w/4) uint8: label probabilities × 255.

    Returns:
        `bins`: for each `BIN` frames, their number, the sum of their mean chroma (C*ab of CIE Lab), and for each label
        that occurs, the sum of its shares (0..1). `pictures`: number of a frame → its picture (JPEG, base64): grey,
        labels and colour side by side.
    """
    bins: list[list[Any]] = []
    for n, chance in enumerate(labels):
        share = np.bincount(chance.argmax(0).ravel(), minlength=len(NAMES)) / chance[0].size
        if n % BIN == 0:
            bins.append([0, 0.0, np.zeros(len(NAMES))])
        last = bins[-1]
        last[0], last[1] = last[0] + 1, last[1] + _colorfulness(film, frames.luma[n], chroma[n])
        last[2] = last[2] + share
    pictures = {
        str(frames.chunk.start + n): base64.b64encode(
            _strip(film, frames.luma[n], frames.thumbs.pictures[n], labels[n], chroma[n])
        ).decode()
        for n in shown_frames(frames.chunk)
    }
    return {
        "bins": [
            [count, round(colorful, 4), {NAMES[i]: round(float(shares[i]), 5) for i in np.flatnonzero(shares)}]
            for count, colorful, shares in bins
        ],
        "pictures": pictures,
    }


def _small(film: Film, luma: np.ndarray, chroma: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A frame as a small picture, (h, w, 3) uint8 R'G'B'. `size`: (width, height).

    The planes are shrunk before they become R'G'B', which is much faster and looks the same.
    """
    planes = [cv2.resize(np.ascontiguousarray(p), size, interpolation=cv2.INTER_AREA) for p in (luma, *chroma)]
    return picture(planes[0], np.stack(planes[1:]), PlaneFormat.of(film))


def _colorfulness(film: Film, luma: np.ndarray, chroma: np.ndarray) -> float:
    """Mean C*ab (CIE Lab) of a frame, measured on `MEASURED` pixels."""
    lab = cv2.cvtColor(_small(film, luma, chroma, MEASURED).astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean(dtype=np.float64))


def _strip(film: Film, luma: np.ndarray, thumb: np.ndarray, labels: np.ndarray, chroma: np.ndarray) -> bytes:
    """Grey, labels and colour of one frame side by side, as a JPEG file."""
    scale = min(BOX[0] / thumb.shape[1], BOX[1] / thumb.shape[0])
    size = max(1, round(thumb.shape[1] * scale)), max(1, round(thumb.shape[0] * scale))
    colored = _small(film, luma, chroma, size)
    gray, drawn = (cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (thumb, tinted(thumb, labels)))
    strip = np.hstack([cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), drawn, colored])
    _, data = cv2.imencode(".jpg", strip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes()
