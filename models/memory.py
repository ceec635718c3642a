"""What a shot has shown, remembered, so that a quantity known in one frame is told for another by what it looks like.

The networks' encoder describes each place of a picture by a vector, its features. The memory holds a linear map from
features to the quantity (whether a pixel is in a region, its chroma, …), found by ridge regression. Only the sums that
the regression needs are kept, so memory and time do not grow with the shot. The sums of the frame in which the quantity
was given are kept for good. Those of later frames are added with a weight that halves about every 23 frames, so the
memory learns how things turn, and forgets by rule. (Bhat et al., "Learning What to Learn for Video Object
Segmentation", ECCV 2020, and Robinson et al., CVPR 2020, learn such a target model by gradient descent; in closed form
it takes a few milliseconds.)

The map is found twice: coarse, from features at 1/8 and 1/16 of the picture, which know what a thing is; and fine, from
those at 1/4, which know how its surface looks.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .sight import Sight

RIDGE = np.float32(1e-3)
"""The regression's penalty on the map's squared coefficients; features have the length 1."""

KEPT_COARSE, KEPT_FINE = 0.97, 0.9
"""Share of the later frames' sums that is kept from frame to frame. How a surface looks changes faster than what a
thing is."""

LATER_SHARE = 0.5
"""Weight of the later frames' sums against those of the frame in which the quantity was given."""

BALANCE = 5.0
"""Cells that are added to the count of either side, so that a tiny region does not weigh as much as all the rest."""

GAIN, LIMIT = 8.0, 8.0
"""What the memory tells, -1 outside to 1 inside, becomes log odds by this factor, and at most this much."""

PLANE_SCALE = 4.0
"""Log odds are divided by this for RegionNet."""

CONTRAST = 8.0
"""Added to a picture's contrast, in levels, before its luma is divided by it for RegionNet."""


class Cells(NamedTuple):
    """The features of a picture's cells at one scale."""

    vectors: np.ndarray
    """(h * w, C + 1) float32. The last column is 1, so that the map has a constant."""
    shape: tuple[int, int]
    """(h, w)."""


def cells_of(features: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple[Cells, Cells]:
    """The coarse and the fine cells of a picture, from `Sight.features`."""
    fine, middle, top = features
    height, width = middle.shape[1:]
    raised = np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in top])
    coarse = np.concatenate([_unit(middle), _unit(raised)]) * np.float32(0.5**0.5)
    return _cells(coarse), _cells(_unit(fine))


def describe(sight: Sight, thumb: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """What the coarse cells of a thumb (h, w) uint8 look like: (n, C) float32 of length 1, and (rows, columns)."""
    coarse = cells_of(sight.features(thumb))[0]
    return coarse.vectors[:, :-1], coarse.shape


def _cells(features: np.ndarray) -> Cells:
    vectors = features.reshape(len(features), -1).T
    return Cells(np.concatenate([vectors, np.ones((len(vectors), 1), np.float32)], 1), features.shape[1:])


def _unit(features: np.ndarray) -> np.ndarray:
    """(C, h, w) float32, each place's vector at length 1."""
    length = np.sqrt(np.square(features).sum(0, keepdims=True))
    return features / np.maximum(length, np.float32(1e-6))


class Regression:
    """A quantity of a shot, remembered at one scale of cells."""

    def __init__(self, kept: float) -> None:
        """Remember nothing yet; `kept` is the share of the later frames' sums kept from frame to frame."""
        self._kept = np.float32(kept)
        self._given: tuple[np.ndarray, np.ndarray] | None = None
        self._later: tuple[np.ndarray, np.ndarray] | None = None

    def give(self, cells: Cells, values: np.ndarray, weights: np.ndarray) -> None:
        """Remember a frame in which the quantity is given, for good.

        Args:
            cells: the frame's.
            values: (h * w, K) float32, the quantity in each cell.
            weights: (h * w,) float32, how much each cell counts; 0 where nothing is known.
        """
        sums = _sums(cells, values, weights)
        self._given = sums if self._given is None else (self._given[0] + sums[0], self._given[1] + sums[1])

    def learn(self, cells: Cells, values: np.ndarray, weights: np.ndarray) -> None:
        """Remember a frame in which the quantity was told; see `give`."""
        sums = _sums(cells, values, weights)
        if self._later is None:
            self._later = np.zeros_like(sums[0]), np.zeros_like(sums[1])
        new = 1 - self._kept
        self._later = tuple(self._kept * old + new * more for old, more in zip(self._later, sums, strict=True))  # type: ignore[assignment]

    def tell(self, cells: Cells) -> np.ndarray:
        """The quantity (h * w, K) float32 in each cell of a frame."""
        assert self._given is not None
        square, product = self._given
        if self._later is not None:
            square = square + np.float32(LATER_SHARE) * self._later[0]
            product = product + np.float32(LATER_SHARE) * self._later[1]
        return cells.vectors @ np.linalg.solve(square + RIDGE * np.eye(len(square), dtype=np.float32), product)


def _sums(cells: Cells, values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sums that the regression needs: (C, C) of features with features, (C, K) of features with values."""
    weighted = cells.vectors * weights[:, None]
    return weighted.T @ cells.vectors, weighted.T @ values


def region_sides(mask: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A region as values and weights for a `Regression`.

    Args:
        mask: (H, W) float32, 0 outside, 1 inside.
        shape: (h, w) of the cells.

    Returns:
        Values (h * w, 1), 1 inside and -1 outside; and weights (h * w,), with which inside and outside weigh about the
        same, and cells across the border little.
    """
    share = cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_AREA).reshape(-1)
    value = 2 * share - 1
    clear = np.abs(value)
    inside, outside = (clear * share).sum() + BALANCE, (clear * (1 - share)).sum() + BALANCE
    return value[:, None], clear * (share * np.float32(0.5 / inside) + (1 - share) * np.float32(0.5 / outside))


def told_region(regression: Regression, cells: Cells, size: tuple[int, int]) -> np.ndarray:
    """The log odds that a pixel is in the region, as it is remembered: a plane of `size` (rows, columns), float32."""
    log_odds = np.clip(regression.tell(cells)[:, 0] * np.float32(GAIN), -LIMIT, LIMIT)
    return cv2.resize(log_odds.reshape(cells.shape), size[::-1], interpolation=cv2.INTER_CUBIC)


def planes_of(
    picture: np.ndarray, coarse: np.ndarray, fine: np.ndarray, before: np.ndarray, sure: np.ndarray
) -> np.ndarray:
    """What RegionNet sees.

    Args:
        picture: (h, w) uint8 luma.
        coarse: (h, w) float32 log odds of the region, told from coarse cells.
        fine: (h, w) float32, the same from fine cells.
        before: (h, w) float32, 0 to 1, the region of the frame before, moved along.
        sure: (h, w) float32, 0 to 1, how sure that motion is.

    Returns:
        (5, h, w) float32.
    """
    luma = picture.astype(np.float32)
    luma = (luma - luma.mean()) / (luma.std() + np.float32(CONTRAST))
    scale = np.float32(1 / PLANE_SCALE)
    return np.stack([luma, coarse * scale, fine * scale, 2 * before - 1, 2 * sure - 1])


class Seen(NamedTuple):
    """What a region's memory sees of a picture."""

    half: np.ndarray
    """(h/2, w/2) uint8 luma."""
    features: tuple[np.ndarray, np.ndarray, np.ndarray]
    """As `Sight.features` gives them."""


class RegionMemory:
    """The memory of one region. Pictures are (h, w) uint8 luma; masks (h/2, w/2) float32, 0 outside, 1 inside."""

    def __init__(self, sight: Sight) -> None:
        """Remember nothing yet; `sight` has the networks."""
        self._sight = sight
        self._scales = Regression(KEPT_COARSE), Regression(KEPT_FINE)

    def give(self, thumb: np.ndarray, mask: np.ndarray) -> None:
        """Remember a frame in which the region is given, for good."""
        for regression, cells in zip(self._scales, cells_of(self._sight.features(thumb)), strict=True):
            regression.give(cells, *region_sides(mask, cells.shape))

    def see(self, thumb: np.ndarray) -> Seen:
        """What `tell` takes of a picture. It may run in another thread than the rest."""
        half = cv2.resize(thumb, (thumb.shape[1] // 2, thumb.shape[0] // 2), interpolation=cv2.INTER_AREA)
        return Seen(half, self._sight.features(thumb))

    def tell(self, seen: Seen) -> np.ndarray:
        """Where the region is in a picture: log odds (h/2, w/2) float32, from coarse cells. `outline` refines it."""
        self._picture, self._cells = seen.half, cells_of(seen.features)
        self._coarse = told_region(self._scales[0], self._cells[0], self._picture.shape)
        return self._coarse

    def outline(self, before: np.ndarray, sure: np.ndarray) -> np.ndarray:
        """The region's mask in the picture of the last `tell`.

        Args:
            before: the region's mask in the frame before, moved along.
            sure: (h/2, w/2) float32, 0 to 1, how sure that motion is.
        """
        fine = told_region(self._scales[1], self._cells[1], self._picture.shape)
        log_odds = self._sight.outline(planes_of(self._picture, self._coarse, fine, before, sure))
        return 1 / (1 + np.exp(-np.clip(log_odds, -15, 15)))

    def learn(self, mask: np.ndarray) -> None:
        """Remember where the region is in the picture of the last `tell`."""
        for regression, cells in zip(self._scales, self._cells, strict=True):
            regression.learn(cells, *region_sides(mask, cells.shape))
