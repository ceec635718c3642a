"""Whether two shots show the same place, and how a frame of one lies to a frame of the other.

A shot is remembered by a few of its frames. A frame of another shot is compared with those that are most like it as a
whole: the features of their cells (1/16 of network size) are matched, and pairs that are each other's best match vote
for one similarity transform (RANSAC; Fischler and Bolles, 1981). Where a camera looks at the same place again, a third
to a half of all cells agree on one transform; between different places hardly any do. Features hardly depend on
brightness.

`revisit` takes the colours of one such shot to the other.

Similarities are sums of products of whole numbers below 2^24, which float32 holds exactly. So they do not depend on the
order in which a library adds them up, and the result is the same on any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from .motion import estimate, one_thread
from .warp import remap

CELL = 16
"""Side of a cell, in pixels of network size."""

STEPS = 2048
"""Features of length 1 are multiplied by this and rounded."""

REACH = 1.0
"""Greatest distance, in cells, at which a pair of matched cells agrees with a transform."""

LEAST_SHARE, LEAST_RATIO = 0.15, 0.5
"""Two frames may show the same place if this share of all cells agrees on one transform, and this share of the cells
that have a mutual best match."""

LEAST_AREA, LEAST_SEEN = 0.15, 0.3
"""They do show the same place if this share of the picture is alike and visible in both, and this share of what is
alike."""

PORTRAIT_AREA, PORTRAIT_SEEN = 0.4, 0.6
"""The same for faces that fill the picture: those of two people are alike, but little is visible in both."""

LEAST_CELLS = 24
"""At least this many cells must agree. So pictures of fewer than some hundred cells are hardly ever linked."""

LEAST_SCALE = 0.5
"""Least scale of a transform; the greatest is its inverse."""

FADE = 0.5
"""Below this part of what is asked for, a frame takes no colours; see `revisit`."""

PAIRS = 4
"""Number of pairs of frames that are compared cell by cell, of two shots: those that are most alike as a whole."""

ALIKE, SAME = 0.4, 0.6
"""Similarity (cosine) of two cells from which on a place may take colours, and from which on in full."""

SURE = 2.0
"""A place takes the colours in full if its visibility (0..1) is at least the inverse of this."""


class Seen(NamedTuple):
    """A frame, and what its cells look like."""

    thumb: np.ndarray
    """(h, w) uint8 luma; h and w are multiples of 32."""
    vectors: np.ndarray
    """(n, C) float32: features of length about `STEPS`, in whole numbers."""
    shape: tuple[int, int]
    """(rows, columns) of the cells; n is their product."""
    gist: np.ndarray
    """(C,) float64 of length 1: the mean of the vectors."""


Describe = Callable[[np.ndarray], np.ndarray]
"""Features of a thumb's cells: (C, h/16, w/16) float32."""


def see(thumb: np.ndarray, describe: Describe) -> Seen:
    """A frame with its features. `thumb`: (h, w) uint8 luma; h and w are multiples of 32."""
    features = describe(thumb)
    vectors = features.reshape(len(features), -1).T
    length = np.sqrt(np.square(vectors).sum(1, keepdims=True))
    rounded = np.rint(vectors * (STEPS / np.maximum(length, np.float32(1e-6))))
    mean = rounded.sum(0, dtype=np.float64)
    gist = mean / max(float(np.sqrt(np.square(mean).sum())), 1.0)
    return Seen(thumb, np.ascontiguousarray(rounded, np.float32), (features.shape[1], features.shape[2]), gist)


@dataclass(frozen=True)
class Fit:
    """How a frame and a remembered frame fit."""

    way: np.ndarray
    """(2, 3) float64: similarity transform from the frame's cells (x, y) to those of the remembered frame."""
    share: float
    """Share of the frame's cells that agree with it."""
    ratio: float
    """Share of the cells with a mutual best match that agree with it."""
    alike: np.ndarray
    """(n, m) float32: similarity (cosine) of each cell of the frame and each of the remembered frame."""

    @property
    def likely(self) -> bool:
        """Whether both frames may show the same place."""
        cells = len(self.alike)
        return self.share >= LEAST_SHARE and self.ratio >= LEAST_RATIO and self.share * cells >= LEAST_CELLS


def fit(frame: Seen, remembered: Seen) -> Fit | None:
    """Match the cells of two frames; None if they have no transform in common."""
    alike = frame.vectors @ remembered.vectors.T
    best, back = alike.argmax(1), alike.argmax(0)
    ours = np.flatnonzero(back[best] == np.arange(len(best)))
    if len(ours) < LEAST_CELLS * FADE:
        return None
    pair = (_places(ours, frame.shape), _places(best[ours], remembered.shape))
    way, agree = cv2.estimateAffinePartial2D(*pair, method=cv2.RANSAC, ransacReprojThreshold=REACH, maxIters=500)
    if way is None or not LEAST_SCALE <= np.hypot(way[0, 0], way[1, 0]) <= 1 / LEAST_SCALE:
        return None
    count = int(agree.sum())
    return Fit(way, count / len(best), count / len(ours), alike * np.float32(1 / STEPS**2))


def same_place(frames: Sequence[Seen], remembered: Sequence[Seen], portrait: bool = False) -> float:
    """How surely two shots show the same place.

    Args:
        frames: some frames of one shot.
        remembered: some frames of the other.
        portrait: whether a face fills the picture.

    Returns:
        The share of the picture that both show; 0 if none of their frames show the same place.
    """
    pairs = [(one, other) for one in frames for other in remembered]
    pairs.sort(key=lambda pair: -float((pair[0].gist * pair[1].gist).sum()))
    return max((_area(one, other, portrait) for one, other in pairs[:PAIRS]), default=0.0)


def _area(frame: Seen, remembered: Seen, portrait: bool) -> float:
    """The share of the picture that two frames both show; 0 if they do not show the same place."""
    found = fit(frame, remembered)
    if found is None or not found.likely:
        return 0.0
    grid = frame.thumb.shape[0] // 2, frame.thumb.shape[1] // 2
    with one_thread():
        trust = likeness(found, frame, remembered)
        visible = moved(remembered.thumb, np.empty((0, *grid), np.float32), frame.thumb, found.way)[1]
    area = float((visible * trust).mean())
    least, seen = (PORTRAIT_AREA, PORTRAIT_SEEN) if portrait else (LEAST_AREA, LEAST_SEEN)
    return area if area >= least and area >= seen * float(trust.mean()) else 0.0


def _places(cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Numbers of cells → (n, 2) float32, their x and y."""
    return np.stack([cells % shape[1], cells // shape[1]], 1).astype(np.float32)


def likeness(found: Fit, frame: Seen, remembered: Seen) -> np.ndarray:
    """How far each place of a frame is like its place in the remembered frame, (h/2, w/2) float32, 0 to 1.

    Args:
        found: how the frames fit.
        frame: the frame.
        remembered: the remembered frame.
    """
    shape, other, size = frame.shape, remembered.shape, (frame.thumb.shape[1] // 2, frame.thumb.shape[0] // 2)
    cells = np.arange(shape[0] * shape[1])
    x, y = found.way[:, :2] @ _places(cells, shape).T.astype(np.float64) + found.way[:, 2:]
    within = (x > -0.5) & (y > -0.5) & (x < other[1] - 0.5) & (y < other[0] - 0.5)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    alike = np.zeros(len(cells), np.float32)
    for dx in (0, 1):  # the place lies between four cells
        for dy in (0, 1):
            at = (row + dy).clip(0, other[0] - 1) * other[1] + (column + dx).clip(0, other[1] - 1)
            alike = np.maximum(alike, found.alike[cells, at])
    share = np.clip((alike - np.float32(ALIKE)) / np.float32(SAME - ALIKE), 0, 1) * within
    return cv2.resize(share.reshape(shape), size, interpolation=cv2.INTER_LINEAR)


def moved(thumb: np.ndarray, planes: np.ndarray, present: np.ndarray, way: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Planes of one frame at their places in another.

    Args:
        thumb: (h, w) uint8, the frame that they belong to.
        planes: (n, h/2, w/2) float32.
        present: (h, w) uint8, the other frame.
        way: (2, 3), from the other frame's cells to those of the first; see `scenes.Fit`.

    Returns:
        The planes (n, h/2, w/2) float32, and how surely each place is visible in both frames, (h/2, w/2) 0 to 1.
    """
    turn, height, width = way[:, :2], *thumb.shape
    near = cv2.warpAffine(
        thumb,
        np.column_stack([turn, _shift(way, CELL)]),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    motion = estimate(np.stack([near, present]), None)
    flow, rows, columns = motion.backward[1], height // 2, width // 2
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    x, y = x + flow[..., 0], y + flow[..., 1]
    shift = _shift(way, CELL / 2)
    where = np.dstack([turn[n, 0] * x + turn[n, 1] * y + shift[n] for n in (0, 1)]).astype(np.float32)
    within = cv2.inRange(where, (-0.5, -0.5), (columns - 0.5, rows - 0.5))
    visible = np.minimum(motion.backward_visible[1], within).astype(np.float32) / 255
    there = [remap(plane, where) for plane in planes]
    return np.stack(there) if there else planes, np.minimum(visible * np.float32(SURE), 1)


def _shift(way: np.ndarray, cell: float) -> np.ndarray:
    """(2,) float64: the shift of a transform, in pixels, if a cell has `cell` pixels. Cells and pixels are places of
    their middles."""
    middle = np.full(2, (cell - 1) / 2)
    return cell * way[:, 2] + middle - way[:, :2] @ middle
