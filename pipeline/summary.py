"""Statistics of each shot: for each label its share of the pixels, its colour and its confidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from .. import __version__
from ..models.labels import NAMES
from .chunk import Chunk
from .compose import Layered
from .film import Film
from .overlay import unsure
from .owncolors import OwnColor, ShotColor
from .timecode import timecode

LEGEND = {
    "SEMCOLOR_VERSION": __version__,
    "SEMCOLOR_LABELS": json.dumps(dict(enumerate(NAMES)), separators=(",", ":")),
}
"""Metadata of the film of label maps: the version of semcolor that made it, and the label of each value."""

LEAST = 0.0005
"""Least share of a shot's pixels at which a label is listed."""


def count(chunk: Chunk, thumbs: np.ndarray, ab: np.ndarray | list[Layered], labels: np.ndarray) -> dict[str, Any]:
    """The sums of one chunk, for the summary.

    Args:
        chunk: N frames.
        thumbs: (N, h, w) uint8, full range 0..255: luma at network size.
        ab: (N, 2, h/2, w/2) a and b of CIE Lab; or N frames with layers, from `ResolvedEdits.finish`.
        labels: (N, 62, h/4, w/4) uint8: label probabilities × 255.

    Returns:
        A record that JSON can hold. Its `sums` has five rows: for each label the sum over its pixels of 1, probability,
        luma (0..255), a and b. Its `unsure` is the number of pixels of which the network is unsure.
    """
    size = labels.shape[:1:-1]
    sums = np.zeros((5, len(NAMES)))  # rows: pixels, probability, luma, a, b
    for thumb, chroma, chance in zip(thumbs, ab, labels, strict=True):
        chroma = chroma.flat() if isinstance(chroma, Layered) else chroma.astype(np.float32)
        label, surest = chance.argmax(0).ravel(), chance.max(0).ravel() / 255
        planes = [cv2.resize(p, size, interpolation=cv2.INTER_AREA).ravel() for p in (thumb, *chroma)]
        for row, values in zip(sums, (None, surest, *planes), strict=True):
            row += np.bincount(label, values, len(NAMES))
    vague = int(unsure(labels.max(1)).sum())
    return {"shot": chunk.shot, "start": chunk.start, "frames": len(chunk), "unsure": vague, "sums": sums.tolist()}


def summarize(film: Film, counts: list[dict[str, Any]], own: Sequence[ShotColor] = ()) -> list[dict[str, Any]]:
    """The records of all shots, for JSON.

    Args:
        film: the source.
        counts: the results of `count` for all chunks.
        own: the colours that each shot of the source has already.

    Returns:
        A record for each shot, in order: its number, its first frame, the time of that frame, its number of frames, the
        colours that it has in the source (`own_colour`: ``grey``, ``tinted`` or ``colour``), the share of pixels whose
        label is `unsure`, and its labels in order of falling share. A label has its share (0..1), its mean a and b (CIE
        Lab), the colour of these at the label's mean luma (`#rrggbb`), and its mean probability (`confidence`).
    """
    shots: list[dict[str, Any]] = []
    kinds = {shot.first: shot.kind.word for shot in own}
    for shot in sorted({c["shot"] for c in counts}):
        its = [c for c in counts if c["shot"] == shot]
        sums = np.sum([c["sums"] for c in its], 0)
        share = sums[0] / sums[0].sum()
        first = min(c["start"] for c in its)
        labels = {}
        for label in np.argsort(-share, kind="stable"):
            if share[label] < LEAST:
                break
            confidence, luma, a, b = sums[1:, label] / sums[0, label]
            labels[NAMES[label]] = {
                "share": round(float(share[label]), 4),
                "ab": [round(float(a), 2), round(float(b), 2)],
                "colour": color_at(luma, a, b),
                "confidence": round(float(confidence), 3),
            }
        time = timecode(film.time(first))
        frames = sum(c["frames"] for c in its)
        vague = sum(c["unsure"] for c in its) / float(sums[0].sum())
        record = {"shot": shot, "first_frame": first, "time": time, "frames": frames}
        record |= {"own_colour": kinds.get(first, OwnColor.GREY.word), "unsure": round(vague, 4)}
        shots.append(record | {"labels": labels})
    return shots


def color_at(luma: float, a: float, b: float) -> str:
    """#rrggbb of a, b at the lightness of the neutral grey `luma` (0..255)."""
    gray = np.full((1, 1, 3), luma / 255, np.float32)
    lightness = cv2.cvtColor(gray, cv2.COLOR_RGB2Lab)[0, 0, 0]
    rgb = cv2.cvtColor(np.array([[[lightness, a, b]]], np.float32), cv2.COLOR_Lab2RGB)[0, 0]
    return "#" + "".join(f"{round(float(x) * 255):02x}" for x in np.clip(rgb, 0, 1))
