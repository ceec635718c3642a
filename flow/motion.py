"""Motion between neighbouring frames of a shot, and which pixels of each frame its neighbour shows too.

Flow is measured on luma thumbs in both directions, by DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse
Search", ECCV 2016, in OpenCV) or by another `Estimator`, such as `raft.Raft`. `visibility` then settles the flow and
judges it, in the same way for every estimator.

Old film flickers, so the second frame of each pair first gets the brightness and the contrast of the first one.

The motion of a pair depends on its two frames only, so it does not depend on how the film was cut into chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import cv2
import numpy as np
from threadpoolctl import ThreadpoolController

from .planes import halve
from .visibility import relate, without_specks

MAX_GAIN = 2
"""Most that `equalize` changes contrast by, up or down; beyond it, at a fade's black end, nothing can be compared."""


@dataclass(frozen=True)
class Motion:
    """Motion of N frames of one shot, on the chroma grid (half of network size in each direction).

    Entry i relates frame i - 1 and frame i. Entry 0 relates the frame before the run and the run's first one; if there
    is no frame before, it has zero flow and zero visibility.
    """

    backward: np.ndarray
    """(N, h/2, w/2, 2) float32: from each pixel of frame i to its place in frame i - 1, as x and y offsets in pixels of
    this grid. (Half precision would cost more time to convert than its memory is worth.)"""
    forward: np.ndarray
    """(N, h/2, w/2, 2) float32: from each pixel of frame i - 1 to its place in frame i."""
    backward_visible: np.ndarray
    """(N, h/2, w/2) uint8: how surely each pixel of frame i is visible in frame i - 1; 128 and above counts as
    visible."""
    forward_visible: np.ndarray
    """(N, h/2, w/2) uint8: how surely each pixel of frame i - 1 is visible in frame i."""

    def __post_init__(self) -> None:
        shape = self.backward_visible.shape
        if len(shape) != 3 or self.forward_visible.shape != shape:
            raise ValueError(f"visibility has shape (N, h, w): {shape} and {self.forward_visible.shape}")
        for flow in (self.backward, self.forward):
            if flow.shape != (*shape, 2) or flow.dtype != np.float32:
                raise ValueError(f"flow is {flow.dtype} of shape {flow.shape}, its visibility has {shape}")

    def __len__(self) -> int:
        return len(self.backward_visible)

    def __getitem__(self, wanted: slice) -> Motion:
        return Motion(*(array[wanted] for array in vars(self).values()))

    def __repr__(self) -> str:
        return f"Motion(frames={len(self)}, grid={self.backward_visible.shape[1:]})"


class Estimator(Protocol):
    """A measure of optical flow. The result of a pair must depend on that pair only."""

    batch: int
    """Number of pairs in one call. It must divide the chunk size if pairs of one call influence each other at all."""

    def __call__(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flow between pairs of thumbs, in both directions.

        Args:
            first, second: (B, h, w) uint8, B <= `batch`, equal in exposure.

        Returns:
            Two (B, h/2, w/2, 2) float32, in pixels of that grid: the flow from `first` to `second`, and the flow from
            `second` to `first`.
        """
        ...


class Dis:
    """Flow by OpenCV's DIS on the CPU.

    Measured at 256x448:

        ===================================================================  ============  ====================
        setting                                                              ms/direction  luma error, warped
        ===================================================================  ============  ====================
        preset `fast`                                                        3.8           3.21
        the same on thumbs of half the size with `finest scale` 1            3.0           3.21
        the same with two rounds of variational refinement instead of five   2.0           3.20
        preset `medium`                                                      17.5          2.80
        ===================================================================  ============  ====================

    (The first two both end at a quarter of network size.) True chroma is smoother than luma: the third setting warps it
    to within 0.64, and `medium` to within 0.60. The setting in use is the third with one round of refinement, and with
    12 rounds of descent instead of 16: it saves another seventh of the time at the same errors.
    """

    batch = 1

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._dis.setFinestScale(1)
        self._dis.setGradientDescentIterations(12)
        self._dis.setVariationalRefinementIterations(1)

    def __call__(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        forward, backward = [], []
        for one, two in zip(first, second, strict=True):
            one, two = without_specks(halve(one)), without_specks(halve(two))
            forward.append(self._dis.calc(one, two, None))  # type: ignore[arg-type]  # None is allowed: no start
            backward.append(self._dis.calc(two, one, None))  # type: ignore[arg-type]
        return np.stack(forward), np.stack(backward)


def estimate(thumbs: np.ndarray, before: np.ndarray | None, estimator: Estimator | None = None) -> Motion:
    """Motion between the neighbours of a run of frames.

    Args:
        thumbs: (N, h, w) uint8 luma, full range; h and w even.
        before: (h, w) uint8, the frame before the run in the same shot, or None if the run begins the shot.
        estimator: measures the flow; DIS if it is not given.

    Returns:
        Motion with N entries.

    Raises:
        ValueError: the thumbs have another type or shape, or `before` another size.
    """
    if thumbs.ndim != 3 or thumbs.dtype != np.uint8 or any(side % 2 for side in thumbs.shape[1:]):
        raise ValueError(f"thumbs are (N, h, w) uint8 with even h and w, not {thumbs.shape} {thumbs.dtype}")
    if before is not None and before.shape != thumbs.shape[1:]:
        raise ValueError(f"the frame before is {before.shape}, the thumbs {thumbs.shape[1:]}")
    count, height, width = len(thumbs), thumbs.shape[1] // 2, thumbs.shape[2] // 2
    motion = Motion(
        backward=np.zeros((count, height, width, 2), np.float32),
        forward=np.zeros((count, height, width, 2), np.float32),
        backward_visible=np.zeros((count, height, width), np.uint8),
        forward_visible=np.zeros((count, height, width), np.uint8),
    )
    estimator = estimator or Dis()
    first, batch = (1 if before is None else 0), estimator.batch  # `first`: the first entry with a frame before it
    frames = np.concatenate([thumbs[:1] if before is None else before[None], thumbs])
    with one_thread():
        # Batches are counted from the run's start, even if its first entry has no frame before it. So, if chunks are
        # multiples of batches, a pair always comes into a batch with the same other pairs.
        for start in range(first - first % batch, count, batch):
            news = frames[start + 1 : start + 1 + batch]
            olds = frames[start : start + len(news)]
            news = np.stack([equalize(new, old) for new, old in zip(news, olds, strict=True)])
            forward, backward = estimator(olds, news)
            for i in range(max(start, first), start + len(news)):
                k = i - start
                related = relate(halve(olds[k]), halve(news[k]), forward[k], backward[k])
                motion.backward[i], motion.forward[i], motion.backward_visible[i], motion.forward_visible[i] = related
    return motion


def equalize(picture: np.ndarray, model: np.ndarray) -> np.ndarray:
    """`picture` with the mean and the contrast (standard deviation) of `model`, both (h, w) uint8; see MAX_GAIN."""
    (mean,), (deviation,) = cv2.meanStdDev(picture)
    (model_mean,), (model_deviation,) = cv2.meanStdDev(model)
    gain = float(np.clip((model_deviation[0] + 1) / (deviation[0] + 1), 1 / MAX_GAIN, MAX_GAIN))
    curve = gain * (np.arange(256) - float(mean[0])) + float(model_mean[0])
    return cv2.LUT(picture, np.clip(np.rint(curve), 0, 255).astype(np.uint8))


@cache
def _blas() -> ThreadpoolController:
    """The libraries of linear algebra in this process."""
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV and linear algebra on one thread.

    The result of DIS depends on how its work is divided among threads. Matrices are small here, and more threads would
    mostly wait for each other.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with _blas().limit(limits=1):
            yield
    finally:
        cv2.setNumThreads(threads)
