"""The colours of reference photos, measured label by label against the colours that the networks paint."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ...errors import InputError
from ...models import network_size
from ...models.labels import NAMES
from .apply import label_shares
from .orders import ColorChange

ENOUGH = 0.003
"""Least share of the pixels that a label needs, in the photo and in the film, for its colours to be transferred."""

STRETCH = (0.5, 2.0)
"""Least and greatest factor by which the differences of colours from their mean are stretched."""


class ColorSums:
    """Sums of a, b and their squares for each label, weighted by the label's share in each pixel."""

    def __init__(self) -> None:
        self._sums = np.zeros((len(NAMES), 5))  # columns: weight, a, b, a², b²

    def add(self, ab: np.ndarray, labels: np.ndarray) -> None:
        """Add a picture: ab (2, h/2, w/2) float32 of CIE Lab, labels (62, h/4, w/4) probabilities."""
        small = np.stack([cv2.resize(p, labels.shape[:0:-1], interpolation=cv2.INTER_AREA) for p in ab])
        rows = np.concatenate([np.ones((1, *small.shape[1:])), small, np.square(small)])
        self._sums += np.tensordot(label_shares(labels), rows, ((1, 2), (1, 2)))

    def share(self, label: int) -> float:
        """Share of a label in all pixels, 0..1."""
        return float(self._sums[label, 0] / max(self._sums[:, 0].sum(), 1e-9))

    def statistics(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of a and b of a label, (2,) each."""
        mean, square = (self._sums[label, 1:] / self._sums[label, 0]).reshape(2, 2)
        return mean, np.sqrt(np.maximum(square - mean * mean, 0))


def color_changes(wanted: ColorSums, found: ColorSums) -> dict[int, ColorChange]:
    """How each label's colours must change to become like those of the photos.

    Args:
        wanted: colours of the photos.
        found: colours that the networks paint in the film.

    Returns:
        Label → mean of the film, mean of the photos, stretch of the differences from the mean; only for labels with a
        share of at least `ENOUGH` in both.
    """
    changes: dict[int, ColorChange] = {}
    for label in range(len(NAMES)):
        if min(wanted.share(label), found.share(label)) >= ENOUGH:
            (mean, spread), (new, new_spread) = found.statistics(label), wanted.statistics(label)
            stretch = np.clip((new_spread + 1) / (spread + 1), *STRETCH)
            mean, new, stretch = ((float(a), float(b)) for a, b in (mean, new, stretch))
            changes[label] = mean, new, stretch
    return changes


def decoded(path: Path, flags: int, called: str) -> np.ndarray | None:
    """The samples of a picture, as OpenCV decodes them; None if the file is no picture.

    Args:
        path: the file.
        flags: OpenCV's IMREAD flags.
        called: the file in messages.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{called} cannot be read: {error.strerror}.") from error
    return cv2.imdecode(data, flags) if data.size else None


def read_photo(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Read a photo: luma (h, w) uint8 at network size, and a, b of CIE Lab (2, h/2, w/2) float32. Raises InputError."""
    picture = decoded(path, cv2.IMREAD_COLOR, f"--reference {path}")
    if picture is None:
        raise InputError(f"--reference {path} is not a photo (JPEG, PNG, …).")
    height, width = network_size(picture.shape[1] / picture.shape[0], size)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    half = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(half, cv2.COLOR_BGR2Lab)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.ascontiguousarray(lab[..., 1:].transpose(2, 0, 1))
