"""Draw the labels of a frame over its luma: each region in its label's colour and with its name, and a legend.

The legend lists every label at a fixed place, so it does not move. A label is bright if the frame shows it, else dim.
Where the network is unsure, the picture is hatched, and the region gets no name.
"""

from functools import lru_cache

import cv2
import numpy as np

from ..models.labels import INDEX, NAMES, PALETTE

HEIGHT = 512
"""Short side of the overlay's picture, in pixels."""

COLUMN, ROW = 132, 16
"""Width of a column and height of a row of the legend, in pixels."""

PRESENT = 0.005
"""Least share of the frame at which a label counts as shown."""

FONT = cv2.FONT_HERSHEY_SIMPLEX, 0.42
"""OpenCV's font and scale of all names."""

ROOM = 20
"""Least distance from the middle of a name to the border of its region, in pixels."""

UNSURE = 0.4
"""Probability of the likeliest label below which a pixel counts as unsure. On photos set aside, where people drew the
labels, 9 % of the pixels are below; 25 % of these have the right label, and 86 % of the others."""

HATCH = 12, 4
"""Distance and width of the hatching's stripes, in pixels."""

_ENTRIES = (*NAMES, "unsure")
_COLORS = np.array(PALETTE, np.uint8)


def overlay_size(thumb: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the overlay for thumbs of (h, w)."""
    height, width = _picture_size(thumb)
    return width + _legend(height)[0].shape[1], height


def _picture_size(thumb: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) of the overlay without its legend, both even."""
    scale = HEIGHT / min(thumb)
    return 2 * round(thumb[0] * scale / 2), 2 * round(thumb[1] * scale / 2)


def overlay(thumb: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The overlay of one frame. Regions are drawn from enlarged probabilities, so their borders are smooth.

    Args:
        thumb: (h, w) uint8, full range 0..255: luma at network size.
        labels: (62, h/4, w/4) uint8: label probabilities × 255.

    Returns:
        (H, W, 3) uint8 R'G'B'; (W, H) = `overlay_size`, both even.
    """
    highest = labels.max(0)
    index = np.where(unsure(highest), len(NAMES), labels.argmax(0)).astype(np.uint8)
    share = np.bincount(index.ravel(), minlength=len(_ENTRIES)) / index.size

    height, width = _picture_size(thumb.shape)
    picture = cv2.resize(tinted(thumb, labels), (width, height), interpolation=cv2.INTER_LINEAR)
    picture[_hatch(height, width) & unsure(cv2.resize(highest, (width, height), interpolation=cv2.INTER_LINEAR))] //= 3
    _write_names(picture, index)
    return np.hstack([picture, np.where((share >= PRESENT)[_owner(height)][..., None], *_legend(height))])


def tinted(thumb: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """One frame with each region in its label's colour, without names and legend.

    Args:
        thumb: (h, w) uint8, full range 0..255: luma at network size.
        labels: (62, h/4, w/4) uint8: label probabilities × 255.

    Returns:
        (h, w, 3) uint8 R'G'B'.
    """
    winner = likeliest(labels, thumb.shape)
    return cv2.addWeighted(_COLORS[winner], 0.55, cv2.cvtColor(thumb, cv2.COLOR_GRAY2RGB), 0.45, 0)


def unsure(highest: np.ndarray) -> np.ndarray:
    """Whether the network is unsure: bool, of the shape of `highest`, the likeliest label's probability × 255."""
    return highest < round(255 * UNSURE)


def _write_names(picture: np.ndarray, index: np.ndarray) -> None:
    """Write each label's name where its region is widest, if it fits. In place.

    index: label map (h/4, w/4) uint8, with the number of labels where the network is unsure.
    """
    scale = picture.shape[0] / index.shape[0]
    for label in np.unique(index[index < len(NAMES)]):
        region = cv2.copyMakeBorder((index == label).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        room = cv2.distanceTransform(region, cv2.DIST_L2, 5)[1:-1, 1:-1]
        _, most, _, place = cv2.minMaxLoc(cv2.blur(room, (5, 5)))  # blurred, so names stay in place while borders move
        (width, height), _ = cv2.getTextSize(NAMES[label], *FONT, 1)
        if most * scale < ROOM:
            continue
        x, y = (int((n + 0.5) * scale) for n in place)
        origin = max(0, min(x - width // 2, picture.shape[1] - width)), y + height // 2
        for color, thick in ((0, 0, 0), 3), ((255, 255, 255), 1):
            cv2.putText(picture, NAMES[label], origin, *FONT, color, thick, cv2.LINE_AA)


def likeliest(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The likeliest label of each pixel, from smoothly enlarged probabilities.

    Args:
        labels: (62, h/4, w/4) uint8: label probabilities × 255.
        shape: (rows, columns) of the result.

    Returns:
        `shape` uint8: indices of `models.labels.NAMES`.
    """
    # Only a label that is likeliest at some pixel can be likeliest between pixels, so only those are enlarged.
    winner, highest = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for label in np.unique(labels.argmax(0)):
        plane = cv2.resize(labels[label], (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        winner[plane > highest] = label
        cv2.max(plane, highest, highest)
    return winner


@lru_cache(maxsize=4)
def _hatch(height: int, width: int) -> np.ndarray:
    """(height, width) bool: slanting stripes."""
    y, x = np.mgrid[:height, :width]
    return (x + y) % HATCH[0] < HATCH[1]


@lru_cache(maxsize=4)
def _owner(height: int) -> np.ndarray:
    """(height, width of the legend): for each pixel of the legend, the entry in whose row it is."""
    rows = min(len(_ENTRIES), height // ROW)
    columns = -(-len(_ENTRIES) // rows)
    y, x = np.mgrid[:height, : columns * COLUMN]
    return np.minimum(x // COLUMN * rows + np.minimum(y // ROW, rows - 1), len(_ENTRIES) - 1)


@lru_cache(maxsize=4)
def _legend(height: int) -> tuple[np.ndarray, np.ndarray]:
    """The legend with all names bright, and with all names dim; each (height, width, 3) uint8 R'G'B'."""
    rows = min(len(_ENTRIES), height // ROW)
    bright = np.zeros((*_owner(height).shape, 3), np.uint8)
    for i, name in enumerate(_ENTRIES):
        x, y = i // rows * COLUMN, i % rows * ROW
        if name in INDEX:
            cv2.rectangle(bright, (x + 6, y + 2), (x + 18, y + ROW - 3), PALETTE[i], cv2.FILLED)
        else:
            bright[y + 2 : y + ROW - 2, x + 6 : x + 19][_hatch(ROW - 4, 13)] = 160
        cv2.putText(bright, name, (x + 24, y + 12), *FONT, (255, 255, 255), 1, cv2.LINE_AA)
    return bright, bright // 4
