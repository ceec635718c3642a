"""The archive of what edits need of each frame: the names of its entries, and their layout.

It is a zip file with the masks of regions, and the colours that key frames give. `ResolvedEdits.masks` is its path.
"""

from __future__ import annotations

import numpy as np


def mask_name(order: int, frame: int) -> str:
    """Name of a mask in the archive."""
    return f"{order}/{frame}"


def sure_name(order: int) -> str:
    """Name of how sure the place of an order's region is, in the archive: JSON, number of a frame → 0 to 1."""
    return f"{order}/sure"


def key_name(frame: int) -> str:
    """Name of a frame's colours from key frames in the archive."""
    return f"key/{frame}"


def key_bytes(ab: np.ndarray, known: np.ndarray) -> bytes:
    """Such an entry: a and b (2, h/2, w/2) as float16, and how surely they hold (h/2, w/2), 0..1, as uint8."""
    return ab.astype(np.float16).tobytes() + np.rint(known * 255).astype(np.uint8).tobytes()


def key_planes(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """What `key_bytes` wrote of n pixels: a and b (2 n,) float16, and how surely they hold (n,) uint8."""
    count = len(data) // 5  # two bytes each of a and b, and one
    return np.frombuffer(data, np.float16, 2 * count), np.frombuffer(data, np.uint8, offset=4 * count)
