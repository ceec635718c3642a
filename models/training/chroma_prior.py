"""The usual chroma of each label: its mean over the training photos, by lightness."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch import Tensor

from ..labels import NAMES
from .dataset import DataFolder, Photo
from .lab import lab_from_rgb

BINS = 11
"""Lightness 0, 10, … 100."""

ENOUGH = 2000.0
"""Pixels, at a short side of 48, from which on a label's mean is used."""

LOOKED = 8000
"""Photos, evenly spread, that are looked at. More change no mean that is used, and cost minutes."""

PRIOR = 300.0
"""Weight, in pixels, of a label's mean over all lightness in each bin."""


def _sums(folder: DataFolder, photo: Photo) -> np.ndarray:
    rgb = photo.rgb()
    scale = 48 / min(rgb.shape[:2])
    h, w = (round(n * scale) for n in rgb.shape[:2])
    small = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA)
    allowed = folder.narrowed_by_color(photo, small)
    single = allowed.sum(-1) == 1
    lab = lab_from_rgb(torch.from_numpy(small).permute(2, 0, 1).float() / 255).numpy()
    cell = allowed.argmax(-1)[single] * BINS + np.rint(lab[0][single] / 10).astype(int)
    rows = [np.bincount(cell, x, len(NAMES) * BINS) for x in (np.ones(len(cell)), lab[1][single], lab[2][single])]
    return np.stack(rows, -1).reshape(len(NAMES), BINS, 3)


def chroma_by_label(folder: DataFolder, photos: list[Photo]) -> tuple[Tensor, Tensor]:
    """Mean chroma of each label at each lightness over the pixels of `photos` whose label is known for certain.

    Of more than LOOKED photos only every second, third and so on is looked at.

    Returns (62, 11, 2) float32 a, b at lightness 0, 10, … 100, and (62,) bool: which labels have enough pixels for
    it. In a bin with few pixels, the label's mean over all lightness counts more.
    """
    photos = photos[:: max(1, round(len(photos) / LOOKED))]
    with ThreadPoolExecutor(2) as pool:
        total = sum(pool.map(lambda photo: _sums(folder, photo), photos), np.zeros((len(NAMES), BINS, 3)))
    over_all = total.sum(1, keepdims=True)
    mean = over_all[..., 1:] / np.maximum(over_all[..., :1], 1)
    table = (total[..., 1:] + PRIOR * mean) / (total[..., :1] + PRIOR)
    return torch.from_numpy(table).float(), torch.from_numpy(over_all[:, 0, 0] >= ENOUGH)
