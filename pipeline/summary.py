"""What was understood of each shot, in numbers: how much of it each label takes, in what colour, how surely."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np

from .. import __version__
from ..models.labels import NAMES
from .chunk import Chunk
from .compose import Layered
from .film import Film
from .timecode import timecode

LEGEND = {
    "SEMCOLOR_VERSION": __version__,
    "SEMCOLOR_LABELS": json.dumps(dict(enumerate(NAMES)), separators=(",", ":")),
}
"""Metadata of the label maps: what made them, and what each value means."""

LEAST = 0.0005
"""Share of a shot below which a label is not listed."""


def count(chunk: Chunk, thumbs: np.ndarray, ab: np.ndarray | list[Layered], labels: np.ndarray) -> dict[str, Any]:
    """One chunk's sums, for JSON.

    thumbs (N, h, w) uint8; ab (N, 2, h/2, w/2) or as `Control.finish` gives it; labels (N, 62, h/4, w/4) uint8
    probabilities.
    """
    size = labels.shape[:1:-1]
    sums = np.zeros((5, len(NAMES)))  # pixels, probability, luma, a, b
    for thumb, chroma, chance in zip(thumbs, ab, labels, strict=True):
        chroma = chroma.flat() if isinstance(chroma, Layered) else chroma.astype(np.float32)
        label, surest = chance.argmax(0).ravel(), chance.max(0).ravel() / 255
        planes = [cv2.resize(p, size, interpolation=cv2.INTER_AREA).ravel() for p in (thumb, *chroma)]
        for row, values in zip(sums, (None, surest, *planes), strict=True):
            row += np.bincount(label, values, len(NAMES))
    return {"shot": chunk.shot, "start": chunk.start, "frames": len(chunk), "sums": sums.tolist()}


def summarise(film: Film, counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The shots, in order, from the `count`s of all chunks.

    Of each: number, first frame, its time, number of frames, and by falling share its labels: share 0..1, mean a and
    b (CIE Lab) and the colour that these are at the label's mean luma, mean probability (confidence).
    """
    shots = []
    for shot in sorted({c["shot"] for c in counts}):
        own = [c for c in counts if c["shot"] == shot]
        sums = np.sum([c["sums"] for c in own], 0)
        share = sums[0] / sums[0].sum()
        first = min(c["start"] for c in own)
        labels = {}
        for label in np.argsort(-share, kind="stable"):
            if share[label] < LEAST:
                break
            confidence, luma, a, b = sums[1:, label] / sums[0, label]
            labels[NAMES[label]] = {
                "share": round(float(share[label]), 4),
                "ab": [round(float(a), 2), round(float(b), 2)],
                "colour": _colour(luma, a, b),
                "confidence": round(float(confidence), 3),
            }
        time = timecode(int(film.pts[first] - film.pts[0]) * film.time_base)
        frames = sum(c["frames"] for c in own)
        shots.append({"shot": shot, "first_frame": first, "time": time, "frames": frames, "labels": labels})
    return shots


def _colour(luma: float, a: float, b: float) -> str:
    """#rrggbb of a, b at the lightness of the neutral grey `luma` (0..255)."""
    grey = np.full((1, 1, 3), luma / 255, np.float32)
    lightness = cv2.cvtColor(grey, cv2.COLOR_RGB2Lab)[0, 0, 0]
    rgb = cv2.cvtColor(np.array([[[lightness, a, b]]], np.float32), cv2.COLOR_Lab2RGB)[0, 0]
    return "#" + "".join(f"{round(float(x) * 255):02x}" for x in np.clip(rgb, 0, 1))
