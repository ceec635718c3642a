"""What the network understood, as a picture: each region in its label's colour over the grey film, and a legend.

The legend lists every label at a fixed place, bright where the frame shows it, so that it holds still like the film.
"""

from functools import lru_cache

import cv2
import numpy as np

from ..models.labels import NAMES, PALETTE

HEIGHT = 512  # of the overlay's short side, pixels
COLUMN, ROW = 132, 16  # of the legend, pixels
PRESENT = 0.005  # share of the frame from which a label counts as shown

_COLOURS = np.array(PALETTE, np.uint8)


def overlay_size(thumb: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the overlay for thumbs of (h, w)."""
    height, width = _picture_size(thumb)
    return width + _legend(height)[0].shape[1], height


def _picture_size(thumb: tuple[int, ...]) -> tuple[int, int]:
    scale = HEIGHT / min(thumb)
    return 2 * round(thumb[0] * scale / 2), 2 * round(thumb[1] * scale / 2)


def overlay(thumb: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """One frame: thumb (h, w) uint8 luma and labels (62, h/4, w/4) uint8 probabilities → (H, W, 3) uint8 R'G'B'.

    (W, H) = `overlay_size`, both even. Regions are drawn from the enlarged probabilities, so borders are smooth.
    """
    height, width = _picture_size(thumb.shape)
    index = labels.argmax(0).astype(np.uint8)
    present = np.bincount(index.ravel(), minlength=len(NAMES)) >= PRESENT * index.size

    # Only labels that win somewhere can win between: enlarge those alone.
    shown = np.unique(index)
    small = np.ascontiguousarray(labels[shown].transpose(1, 2, 0))
    planes = [cv2.resize(small[..., i], (width, height), interpolation=cv2.INTER_LINEAR) for i in range(len(shown))]
    index = shown[np.stack(planes).argmax(0)]

    grey = cv2.resize(thumb, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    picture = cv2.addWeighted(_COLOURS[index], 0.55, np.repeat(grey, 3, 2), 0.45, 0)
    names, swatches = _legend(height)
    names = np.where(present[np.maximum(swatches, 0)][..., None] & (swatches >= 0)[..., None], names, names // 4)
    return np.hstack([picture, names])


@lru_cache(maxsize=4)
def _legend(height: int) -> tuple[np.ndarray, np.ndarray]:
    """(height, legend width, 3) uint8 with all names bright, and which label's row each pixel belongs to (−1: none)."""
    rows = min(len(NAMES), height // ROW)
    columns = -(-len(NAMES) // rows)
    picture = np.zeros((height, columns * COLUMN, 3), np.uint8)
    owner = np.full(picture.shape[:2], -1, np.int64)
    for i, name in enumerate(NAMES):
        x, y = i // rows * COLUMN, i % rows * ROW
        owner[y : y + ROW, x : x + COLUMN] = i
        cv2.rectangle(picture, (x + 6, y + 2), (x + 18, y + ROW - 3), PALETTE[i], cv2.FILLED)
        cv2.putText(picture, name, (x + 24, y + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return picture, owner
