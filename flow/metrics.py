"""Measures of how steady a film's colours and labels are: arrays in, numbers out.

Colorizing a film does not use this module; it is for tests and benchmarks. The measures compare neighbouring frames, or
the frames of a run. They do not depend on how the film was made, so they apply to the true colours, to the network's
own frames and to the steadied frames alike.
"""

from __future__ import annotations

import numpy as np

from .motion import Motion
from .planes import halve
from .warp import remap, sources

VISIBLE = 128
"""Visibility (uint8) from which on a pixel counts as visible."""


def chroma_warp_error(ab: np.ndarray, motion: Motion) -> float:
    """Mean chroma error between each frame and the frame before warped to it, over visible pixels.

    The error is (|a - a'| + |b - b'|) / 2: the warp error of Lai et al. ("Learning Blind Video Temporal Consistency",
    ECCV 2018) on chroma alone. Warping is bilinear. Natural colour video has 0.25 to 0.6, and a per-frame network has
    several times as much.

    Args:
        ab: (N, 2, h/2, w/2), CIE Lab a and b, N >= 2.
        motion: of the same frames. Entry 0 is not used.

    Returns:
        The mean over all visible pixels of all pairs, in ab units; NaN if nothing is visible.
    """
    total, count = 0.0, 0
    for i in range(1, len(ab)):
        before, now = (np.ascontiguousarray(ab[k].transpose(1, 2, 0), np.float32) for k in (i - 1, i))
        visible = motion.backward_visible[i] >= VISIBLE
        error = np.abs(now - remap(before, sources(motion.backward[i]))).mean(2)
        total += float(error[visible].sum(dtype=np.float64))
        count += int(visible.sum())
    return total / count if count else float("nan")


def label_churn(labels: np.ndarray, motion: Motion) -> float:
    """Share of visible pixels whose most probable label differs from their label in the frame before.

    Args:
        labels: (N, L, h/4, w/4) probabilities in any unit, or (N, h/4, w/4) label indices below 256.
        motion: of the same frames, on a grid twice as fine.

    Returns:
        0 (no label changes) to 1; NaN if nothing is visible. A pixel counts as visible if the mean visibility of its
        four pixels on the finer grid is high enough.
    """
    index = (labels.argmax(1) if labels.ndim == 4 else labels).astype(np.uint8)
    height, width = index.shape[1:]
    changed, count = 0, 0
    for i in range(1, len(index)):
        where = np.rint(sources(halve(motion.backward[i]) / 2)).astype(np.int64)
        x, y = np.clip(where[..., 0], 0, width - 1), np.clip(where[..., 1], 0, height - 1)
        visible = motion.backward_visible[i].reshape(height, 2, width, 2).mean((1, 3)) >= VISIBLE
        changed += int((visible & (index[i] != index[i - 1][y, x])).sum())
        count += int(visible.sum())
    return changed / count if count else float("nan")


def chroma_distribution_consistency(pictures: np.ndarray, distances: tuple[int, ...] = (1, 2, 4)) -> float:
    """CDC: how much the distributions of the colour channels change along a shot; lower is steadier.

    Liu et al., "Temporally Consistent Video Colorization with Deep Feature Propagation and Self-regularization
    Learning" (TCVC), 2021: mean Jensen-Shannon divergence (natural logarithm) of the 256-bin histograms of each
    channel of frames 1, 2 and 4 apart, averaged over channels, then pairs, then distances.

    Args:
        pictures: (N, C, H, W) uint8, of one shot: R'G'B' as in the paper, or any 8-bit coding of chroma.
        distances: between the frames that are compared. Distances of N or more are left out.

    Returns:
        0 (all frames have the same distribution) to ln 2. Natural video has about 0.001.

    Raises:
        ValueError: the pictures have another type or shape, or are too few.
    """
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or len(pictures) <= min(distances):
        wanted = f"(N, C, H, W) uint8 with N above {min(distances)}"
        raise ValueError(f"CDC takes {wanted}, not {pictures.shape} {pictures.dtype}")
    counts = [[np.bincount(channel.ravel(), minlength=256) for channel in picture] for picture in pictures]
    share = np.array(counts, np.float64) / pictures[0, 0].size  # (N, C, 256)
    means = [_divergence(share[:-d], share[d:]).mean() for d in distances if d < len(share)]
    return float(np.mean(means))


def _divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence of distributions along the last axis, with the natural logarithm."""
    middle = (p + q) / 2
    both = np.stack([p, q])
    ratio = np.divide(both, middle, out=np.ones_like(both), where=both > 0)
    return (both * np.log(ratio)).sum(-1).mean(0)
