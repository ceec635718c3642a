"""Which side a pixel is on, region or surroundings, where its match with the anchor is not sure; see `track`.

Around the pixel, region and surroundings each have a model: their mean motion, their mean luma and its variance. What
the pixel was before, or what is around it, is the prior; motion and luma are the evidence.
"""

from __future__ import annotations

import cv2
import numpy as np

from .planes import local_mean

PAST_SHARE = 0.85
"""Weight of what a pixel was taken for in the frame before, against that of its surroundings now."""

NEAR_WINDOW = 9
"""Side of the window for a pixel's surroundings, in pixels of the chroma grid."""

FAR_WINDOW, FAR_SHARE = 4 * NEAR_WINDOW + 1, 0.01
"""Side of a wider window for them, and its weight: it tells only where the near one knows nothing."""

PRIOR_RANGE = 0.01, 0.99
"""Bounds of the probability to be in the region, before motion and luma count as evidence."""

MODEL_WINDOW = 41
"""Side of the window from which the motion and the luma of region and surroundings are learned; chroma grid."""

MOTION_SCALE = 0.3
"""Difference in motion, pixels a frame, that tells the region from its surroundings."""

GRAIN_VARIANCE = 36.0
"""Variance of luma (levels squared) that film grain has, so that it says nothing."""

MODEL_GAIN = 50
"""One over the share of the window that must be known, of region and of surroundings, for the evidence to count in
full."""

LUMA_SHARE = 0.5
"""Weight of the evidence of luma, against 1 for motion."""

MAX_EVIDENCE, MAX_LOG_ODDS = 2, 4
"""Bounds of the log odds that each of motion and luma may add, and of their sum with the prior."""

TINY = np.float32(1e-6)
MODEL_TINY = np.float32(1e-4)
"""Added to weights that may be zero, or put in their place, so that quotients stay finite."""


def guess(
    matched: np.ndarray, sure: np.ndarray, flow: np.ndarray, luma: np.ndarray, before: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """The region where the match with the anchor is not sure.

    Args:
        matched: (h, w), the anchor's region as seen from the present frame.
        sure: (h, w), how sure each pixel's match in the anchor is.
        flow: (h, w, 2), from the present frame to the frame before.
        luma: (h, w) float32, the present frame.
        before: (h, w), the mask of the frame before as seen from the present frame.
        seen: (h, w), how sure each pixel is visible in the frame before.

    Returns:
        (h, w) float32, the probability to be in the region.
    """
    within, without = sure * matched, sure * (1 - matched)
    known = _around(sure) + TINY
    around = _around(within) / known
    prior = np.clip(around + (before - around) * (seen * np.float32(PAST_SHARE)), *PRIOR_RANGE)

    # Region and surroundings each have a model here: their mean motion, their mean luma and its variance.
    features = np.dstack([flow, luma, luma * luma])
    unlike = []
    for weight in (within, without):
        known = local_mean(weight, MODEL_WINDOW)[..., None] + MODEL_TINY
        x, y, mean, square = cv2.split(local_mean(features * weight[..., None], MODEL_WINDOW) / known)
        variance = square - mean * mean + np.float32(GRAIN_VARIANCE)
        motion = np.square(flow[..., 0] - x) + np.square(flow[..., 1] - y)
        unlike.append((motion * np.float32(1 / MOTION_SCALE**2), np.square(luma - mean) / variance + np.log(variance)))
    least = np.minimum(local_mean(within, MODEL_WINDOW), local_mean(without, MODEL_WINDOW))
    enough = np.clip(MODEL_GAIN * least, 0, 1)
    moves, looks = (
        np.clip((out - in_) * enough, -MAX_EVIDENCE, MAX_EVIDENCE) for in_, out in zip(*unlike, strict=True)
    )
    evidence = moves + np.float32(LUMA_SHARE) * looks
    log_odds = np.log(prior / (1 - prior)) + evidence
    return 1 / (1 + np.exp(-np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS)))


def _around(weight: np.ndarray) -> np.ndarray:
    """(h, w) float32: the mean of each pixel's surroundings; the wider window counts little."""
    return local_mean(weight, NEAR_WINDOW) + np.float32(FAR_SHARE) * local_mean(weight, FAR_WINDOW)
