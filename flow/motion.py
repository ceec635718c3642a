"""Motion between neighbouring frames of a shot, and what of each frame its neighbour shows.

Flow is measured on luma thumbs by DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016, in
OpenCV) in both directions. A pixel counts as visible in the neighbour where

- going there and back ends where it began: |w + b|^2 <= 0.01 (|w|^2 + |b|^2) + 0.5 in pixels of network size
  (Sundaram, Brox and Keutzer, "Dense point trajectories by GPU-accelerated large displacement optical flow", ECCV
  2010), and
- it looks the same there, once the frames' difference in exposure is taken out.

Old film flickers, so the second frame's brightness and contrast are first brought to the first one's, and what smooth
difference of brightness remains is not held against a pixel either.

All depends on the two frames of a pair alone, so a film's motion does not change with how it was cut into chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import log
from typing import Protocol

import cv2
import numpy as np

from .warp import remap, sources

__all__ = ["Dis", "Estimator", "Motion", "estimate", "one_thread"]

FLAT = 3.0
"""Slope of luma, in levels a pixel of the chroma grid, below which flow counts as a guess."""

WIDE = 41
"""Side of the window, in pixels of the chroma grid, from which flat places take their flow."""


@dataclass(frozen=True)
class Motion:
    """Motion of N frames of one shot, on the chroma grid (half of network size in each direction).

    Entry i relates frame i - 1 and frame i; entry 0 the frame before the run and the run's first. Where there is no
    frame before, entry 0 has zero flow and zero visibility.
    """

    backward: np.ndarray
    """(N, h/2, w/2, 2) float16: where each pixel of frame i was in frame i - 1; x, y offset in pixels of this
    grid."""
    forward: np.ndarray
    """(N, h/2, w/2, 2) float16: where each pixel of frame i - 1 goes in frame i."""
    backward_visible: np.ndarray
    """(N, h/2, w/2) uint8: how surely each pixel of frame i is seen in frame i - 1; 128 and above counts as
    visible."""
    forward_visible: np.ndarray
    """(N, h/2, w/2) uint8: how surely each pixel of frame i - 1 is seen in frame i."""

    def __post_init__(self) -> None:
        shape = self.backward_visible.shape
        if len(shape) != 3 or self.forward_visible.shape != shape:
            raise ValueError(f"visibility has shape (N, h, w): {shape} and {self.forward_visible.shape}")
        for flow in (self.backward, self.forward):
            if flow.shape != (*shape, 2):
                raise ValueError(f"flow has shape {flow.shape}, its visibility {shape}")

    def __len__(self) -> int:
        return len(self.backward_visible)

    def __repr__(self) -> str:
        return f"Motion(frames={len(self)}, grid={self.backward_visible.shape[1:]})"


class Estimator(Protocol):
    """What measures flow. The result of a pair must depend on that pair only."""

    batch: int
    """Pairs that are wanted in one call."""

    def __call__(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flow both ways between pairs of thumbs.

        Args:
            first, second: (B, h, w) uint8, B <= `batch`, equal in exposure.

        Returns:
            Two (B, h/2, w/2, 2) float32: where each pixel of `first` is in `second`, and each of `second` in
            `first`; in pixels of that grid.
        """
        ...


class Dis:
    """Flow by OpenCV's DIS on the CPU.

    Measured at 256x448, milliseconds a direction and mean error of luma after warping: preset `fast` 3.8 and 3.21,
    the same on thumbs of half the size with `finest scale` 1 (both end at a quarter of network size) 3.0 and 3.21,
    with two rounds of variational refinement instead of five 2.0 and 3.20, preset `medium` 17.5 and 2.80. The
    cheapest is taken: true chroma, being smoother than luma, is warped to within 0.64 by it and to within 0.60 by
    `medium`.
    """

    batch = 1

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._dis.setFinestScale(1)
        self._dis.setVariationalRefinementIterations(2)

    def __call__(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        forward, backward = [], []
        for one, two in zip(first, second, strict=True):
            one, two = halve(one), halve(two)
            forward.append(self._dis.calc(one, two, None))  # type: ignore[arg-type]  # None: no flow to start from
            backward.append(self._dis.calc(two, one, None))  # type: ignore[arg-type]
        return np.stack(forward), np.stack(backward)


def estimate(thumbs: np.ndarray, before: np.ndarray | None, estimator: Estimator | None = None) -> Motion:
    """Motion between the neighbours of a run of frames.

    Args:
        thumbs: (N, h, w) uint8 luma, full range; h and w even.
        before: (h, w) uint8, the frame before the run in the same shot, or None if the run begins the shot.
        estimator: what measures flow; DIS if not given.

    Returns:
        Motion with N entries.
    """
    if thumbs.ndim != 3 or thumbs.dtype != np.uint8 or any(side % 2 for side in thumbs.shape[1:]):
        raise ValueError(f"thumbs are (N, h, w) uint8 with even h and w, not {thumbs.shape} {thumbs.dtype}")
    if before is not None and before.shape != thumbs.shape[1:]:
        raise ValueError(f"the frame before is {before.shape}, the thumbs {thumbs.shape[1:]}")
    count, height, width = len(thumbs), thumbs.shape[1] // 2, thumbs.shape[2] // 2
    motion = Motion(
        backward=np.zeros((count, height, width, 2), np.float16),
        forward=np.zeros((count, height, width, 2), np.float16),
        backward_visible=np.zeros((count, height, width), np.uint8),
        forward_visible=np.zeros((count, height, width), np.uint8),
    )
    estimator = estimator or Dis()
    first = 1 if before is None else 0  # the first entry that has a frame before it
    frames = thumbs if before is None else np.concatenate([before[None], thumbs])
    with one_thread():
        for start in range(0, len(frames) - 1, estimator.batch):
            olds = frames[start : start + estimator.batch]
            news = frames[start + 1 : start + 1 + estimator.batch]
            olds = olds[: len(news)]
            news = np.stack([equalise(new, old) for new, old in zip(news, olds, strict=True)])
            forward, backward = estimator(olds, news)
            for k in range(len(news)):
                i = first + start + k
                old, new = halve(olds[k]), halve(news[k])
                motion.backward[i] = settle(backward[k], new, old)
                motion.forward[i] = settle(forward[k], old, new)
                # The flow that is judged is the one that is kept: rounded to 16 bits.
                back, forth = motion.backward[i].astype(np.float32), motion.forward[i].astype(np.float32)
                motion.backward_visible[i] = visibility(new, old, back, forth)
                motion.forward_visible[i] = visibility(old, new, forth, back)
    return motion


def settle(flow: np.ndarray, present: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Flow without the arbitrary motion that an estimator finds where there is nothing to see.

    Where the picture is flat (sky, walls, road), the flow of the textured surroundings takes over. Where it hardly
    moves and holding still explains it as well, it holds still: grain does not make a wall creep.

    Args:
        flow: (H, W, 2) float32 from `present` to `other`.
        present, other: (H, W) uint8 luma on the same grid.

    Returns:
        (H, W, 2) float32.
    """
    power = np.square(cv2.blur(slope(present), (9, 9)))
    texture = power / (power + np.float32(FLAT**2)) + np.float32(1e-3)  # 0 flat .. 1
    height, width = texture.shape
    known = _surroundings(texture) + np.float32(0.01)
    planes = []
    for plane in cv2.split(flow):
        mean = cv2.resize(_surroundings(plane * texture) / known, (width, height))
        planes.append(mean + (plane - mean) * texture)
    flow = cv2.merge(planes)

    now = present.astype(np.float32)
    still = cv2.blur(cv2.absdiff(now, other.astype(np.float32)), (5, 5))
    moved = cv2.blur(cv2.absdiff(now, remap(other, sources(flow)).astype(np.float32)), (5, 5))
    # Not what moves by more than a third of a pixel, lest going there and back fail where rest and motion meet; but the
    # flatter the picture, the less a large flow means.
    slow = np.clip(2 - cv2.magnitude(*planes) * np.square(texture) / np.float32(0.35), 0, 1)
    moves = 1 - slow * np.clip(1.5 - (still - moved), 0, 1)
    return cv2.merge([plane * moves for plane in planes])


def _surroundings(picture: np.ndarray) -> np.ndarray:
    """(H, W) float32 -> (H/2, W/2): means over a window of WIDE pixels."""
    small = cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return cv2.blur(small, (WIDE // 2 | 1, WIDE // 2 | 1))


def visibility(present: np.ndarray, other: np.ndarray, flow: np.ndarray, back: np.ndarray) -> np.ndarray:
    """How surely each pixel of the present frame is seen in the other.

    Args:
        present, other: (H, W) uint8 luma on the chroma grid.
        flow: (H, W, 2) float32, where each pixel of `present` lies in `other`, in pixels of this grid.
        back: (H, W, 2) float32, the same from `other` to `present`.

    Returns:
        (H, W) uint8, 255 sure; 128 and above where both checks hold; 0 where the pixel leaves the frame.
    """
    height, width = present.shape
    where = sources(flow)
    there, here = cv2.split(flow), cv2.split(remap(back, where))
    gap = _square(there[0] + here[0], there[1] + here[1])
    # 0.5 square pixels of network size are 0.125 of this grid's. Where the picture is flat, flow is loose (up to 5
    # pixels): that it does not come back is no sign of an occlusion there.
    steep = slope(present)
    loose = 1 / np.square(np.maximum(cv2.blur(steep, (9, 9)) / np.float32(FLAT), 0.2))
    allowed = 0.01 * (_square(*there) + _square(*here)) + 0.125 + np.maximum(loose - 0.1, 0)
    doubt = gap / allowed  # 1: on the threshold

    now = present.astype(np.float32)
    change = now - remap(other, where).astype(np.float32)
    # A smooth difference is exposure, not motion. Its share is bounded, lest a large uncovered patch explain itself
    # away.
    smooth = cv2.blur(change, (height // 4 | 1, height // 4 | 1), borderType=cv2.BORDER_REFLECT)
    change = cv2.blur(np.abs(change - np.clip(smooth, -10, 10)), (3, 3))
    # Beside edges a small error of the flow makes a large difference.
    doubt = np.maximum(doubt, change / (6 + np.float32(0.7) * cv2.blur(steep, (3, 3))))

    seen = cv2.exp(np.float32(-log(2)) * doubt * doubt) * 255
    x, y = cv2.split(where)
    outside = (x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)
    seen[outside] = 0
    return np.rint(seen).astype(np.uint8)


def slope(picture: np.ndarray) -> np.ndarray:
    """(H, W) uint8 -> (H, W) float32 length of the gradient, levels a pixel."""
    return cv2.magnitude(
        cv2.Sobel(picture, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(picture, cv2.CV_32F, 0, 1, scale=1 / 8)
    )


def equalise(picture: np.ndarray, model: np.ndarray) -> np.ndarray:
    """`picture` with the mean and the contrast (standard deviation) of `model`; both (h, w) uint8.

    Contrast is changed by at most a factor 2: beyond that (a fade's black end) there is nothing left to compare.
    """
    (mean,), (deviation,) = cv2.meanStdDev(picture)
    (model_mean,), (model_deviation,) = cv2.meanStdDev(model)
    gain = float(np.clip((model_deviation[0] + 1) / (deviation[0] + 1), 0.5, 2))
    curve = gain * (np.arange(256) - float(mean[0])) + float(model_mean[0])
    return cv2.LUT(picture, np.clip(np.rint(curve), 0, 255).astype(np.uint8))


def halve(picture: np.ndarray) -> np.ndarray:
    """(H, W) uint8 at half the size in each direction, averaged."""
    height, width = picture.shape
    return cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV on one thread: DIS divides its work by threads, and with it its result."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x * x + y * y
