"""How surely each place of a film has its colour from people: from key frames, edits, and followed regions."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .apply import ResolvedEdits, label_shares
from .archive import key_name, key_planes, mask_name

COVERED = 0.95
"""Share of a frame from which on nothing needs to be painted in it."""


class Weakest(NamedTuple):
    """The frame of a shot with key frames that they and the edits cover least."""

    first: int
    stop: int
    """The shot has the frames `first` .. `stop` - 1."""
    frame: int
    share: float
    """Share of the frame that is covered, 0 to 1: the mean of `coverage` without edits of labels."""


def coverage(edits: ResolvedEdits | None, start: int, labels: np.ndarray) -> np.ndarray:
    """How surely the places of N frames have their colours from people.

    An edit counts with its strength; a followed region also with the confidence of its place. Of several the surest
    counts. An edit that changes labels alone gives no colours, so it does not count.

    Args:
        edits: the edits; None: there are none.
        start: number of the first frame.
        labels: (N, 62, h/4, w/4) uint8: steady label probabilities × 255.

    Returns:
        (N, h/2, w/2) uint8, 0: the networks chose all of the colour, 255: people did.
    """
    rows, columns = 2 * labels.shape[2], 2 * labels.shape[3]
    found = np.zeros((len(labels), rows, columns), np.float32)
    for n, read in enumerate(labels if edits else ()):
        assert edits
        cover = _regions(edits, start + n, rows * columns).reshape(rows, columns)
        for order in edits.orders:
            if order.label is not None and order.relabel is None and order.holds(start + n):
                share = label_shares(read)[order.label] * np.float32(255 * order.strength)
                cover = np.maximum(cover, cv2.resize(share, (columns, rows), interpolation=cv2.INTER_LINEAR))
        found[n] = cover
    return np.rint(found).astype(np.uint8)


def weakest(edits: ResolvedEdits | None) -> tuple[Weakest, ...]:
    """Of each shot with key frames, the frame that is covered least: the one to paint next."""
    found = []
    for first, stop in edits.keyed if edits else ():
        assert edits
        count = len(key_planes(edits.entry(key_name(first)))[1])
        shares = [float(_regions(edits, frame, count).mean()) / 255 for frame in range(first, stop)]
        least = int(np.argmin(shares))
        found.append(Weakest(first, stop, first + least, round(shares[least], 4)))
    return tuple(found)


def _regions(edits: ResolvedEdits, frame: int, count: int) -> np.ndarray:
    """What key frames and edits of regions cover in a frame: (count,) float32, 0 to 255; `count` pixels."""
    cover = np.zeros(count, np.float32)
    if carried := edits.entry(key_name(frame)):
        cover += key_planes(carried)[1]
    for number, order in enumerate(edits.orders):
        painted = order.label is None and order.relabel is None and order.holds(frame)
        if painted and (mask := edits.entry(mask_name(number, frame))):
            share = np.float32(edits.confidence(number, frame) * order.strength)
            cover = np.maximum(cover, np.frombuffer(mask, np.uint8) * share)
    return cover
