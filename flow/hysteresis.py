"""Labels with hysteresis: a pixel's label changes only when another label is clearly more probable.

Label probabilities are kept as (H, W, L) float32, times 255, so that one `remap` moves all labels.
"""

from __future__ import annotations

import cv2
import numpy as np

MARGIN = 0.1
"""How much more probable another label must be before it takes over a pixel."""


def labels_last(labels: np.ndarray) -> np.ndarray:
    """(L, H, W) uint8 -> (H, W, L) float32."""
    return cv2.transpose(labels.reshape(len(labels), -1)).astype(np.float32).reshape(*labels.shape[1:], -1)


def labels_first(labels: np.ndarray) -> np.ndarray:
    """(H, W, L) float32, 0..255 -> (L, H, W) uint8, rounded."""
    return cv2.transpose(cv2.convertScaleAbs(labels.reshape(-1, labels.shape[2]))).reshape(-1, *labels.shape[:2])


def label_sum(labels: np.ndarray) -> np.ndarray:
    """(H, W, L) float32 -> (H, W): the sum over all labels."""
    return cv2.reduce(labels.reshape(-1, labels.shape[2]), 1, cv2.REDUCE_SUM).reshape(labels.shape[:2])


def hold(labels: np.ndarray, held: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hold each pixel's label until another label is more probable by MARGIN.

    Where the held label is not the most probable one, the two exchange their probabilities, so that all labels still
    sum to the same.

    Args:
        labels: (H, W, L) float32, probabilities * 255.
        held: (H, W) uint8, the label shown before.
        known: (H, W) bool, where a label was shown before.

    Returns:
        (L, H, W) uint8, probabilities * 255 whose most probable label is the one to show; and that label, (H, W) uint8.
    """
    flat = labels_first(labels).reshape(labels.shape[2], -1)
    shown, every = held.ravel(), np.arange(held.size)
    best, top = _most_probable(flat)
    own = flat[shown, every]
    keep = known.ravel() & (top - own <= round(255 * MARGIN))
    swap = np.flatnonzero(keep & (best != shown))
    # In a tie the held label gets one more: its place in the list must not decide.
    flat[shown[swap], swap] = (top + (top == own))[swap]
    flat[best[swap], swap] = own[swap]
    return flat.reshape(-1, *held.shape), np.where(keep, shown, best).reshape(held.shape)


def _most_probable(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable label of each pixel, and its probability.

    These are `argmax` and `max` along axis 0, in a third of the time.

    Args:
        labels: (L, n) uint8, probabilities * 255 of n pixels.

    Returns:
        Two (n,) uint8: the label, which is the first one among equals, and its probability * 255.
    """
    rank = labels.astype(np.uint16) << 8
    rank |= np.arange(255, 255 - len(labels), -1, dtype=np.uint16)[:, None]
    best = rank.max(0)
    return (255 - (best & 255)).astype(np.uint8), (best >> 8).astype(np.uint8)
