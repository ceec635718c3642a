"""What the network understood, as a picture: each region in its label's colour and with its name over the grey film,
and a legend.

The legend lists every label at a fixed place, bright where the frame shows it, so that it holds still like the film.
"""

from functools import lru_cache

import cv2
import numpy as np

from ..models.labels import NAMES, PALETTE

HEIGHT = 512  # of the overlay's short side, pixels
COLUMN, ROW = 132, 16  # of the legend, pixels
PRESENT = 0.005  # share of the frame from which a label counts as shown

FONT = cv2.FONT_HERSHEY_SIMPLEX, 0.42
ROOM = 20  # pixels from a name's middle to the region's border, at least

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
    index = labels.argmax(0).astype(np.uint8)
    share = np.bincount(index.ravel(), minlength=len(NAMES)) / index.size

    winner = likeliest(labels, thumb.shape)
    height, width = _picture_size(thumb.shape)
    picture = cv2.addWeighted(_COLOURS[winner], 0.55, cv2.cvtColor(thumb, cv2.COLOR_GRAY2RGB), 0.45, 0)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    _write_names(picture, index)
    return np.hstack([picture, np.where((share >= PRESENT)[_owner(height)][..., None], *_legend(height))])


def _write_names(picture: np.ndarray, index: np.ndarray) -> None:
    """Each label's name where its regions are widest, if it fits in there; index (h/4, w/4) uint8. In place."""
    scale = picture.shape[0] / index.shape[0]
    for label in np.unique(index):
        region = cv2.copyMakeBorder((index == label).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        room = cv2.distanceTransform(region, cv2.DIST_L2, 5)[1:-1, 1:-1]
        _, most, _, place = cv2.minMaxLoc(cv2.blur(room, (5, 5)))  # blurred: names hold still while borders move
        (width, height), _ = cv2.getTextSize(NAMES[label], *FONT, 1)
        if most * scale < ROOM:
            continue
        x, y = (int((n + 0.5) * scale) for n in place)
        origin = max(0, min(x - width // 2, picture.shape[1] - width)), y + height // 2
        for colour, thick in ((0, 0, 0), 3), ((255, 255, 255), 1):
            cv2.putText(picture, NAMES[label], origin, *FONT, colour, thick, cv2.LINE_AA)


def likeliest(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The likeliest label of each pixel of a picture of `shape` (rows, columns), uint8.

    labels (62, h/4, w/4) uint8 probabilities, enlarged smoothly.
    """
    # Only labels that win somewhere can win between: enlarge those alone, and take the greatest as we go.
    winner, highest = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for label in np.unique(labels.argmax(0)):
        plane = cv2.resize(labels[label], (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        winner[plane > highest] = label
        cv2.max(plane, highest, highest)
    return winner


@lru_cache(maxsize=4)
def _owner(height: int) -> np.ndarray:
    """(height, legend width) which label's row of the legend each pixel belongs to."""
    rows = min(len(NAMES), height // ROW)
    columns = -(-len(NAMES) // rows)
    y, x = np.mgrid[:height, : columns * COLUMN]
    return np.minimum(x // COLUMN * rows + np.minimum(y // ROW, rows - 1), len(NAMES) - 1)


@lru_cache(maxsize=4)
def _legend(height: int) -> tuple[np.ndarray, np.ndarray]:
    """The legend, (height, width, 3) uint8: all names bright, all names dim."""
    rows = min(len(NAMES), height // ROW)
    bright = np.zeros((*_owner(height).shape, 3), np.uint8)
    for i, name in enumerate(NAMES):
        x, y = i // rows * COLUMN, i % rows * ROW
        cv2.rectangle(bright, (x + 6, y + 2), (x + 18, y + ROW - 3), PALETTE[i], cv2.FILLED)
        cv2.putText(bright, name, (x + 24, y + 12), *FONT, (255, 255, 255), 1, cv2.LINE_AA)
    return bright, bright // 4
