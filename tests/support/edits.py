"""Edits whose masks are given and not tracked."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from semcolor.pipeline.edits.apply import Control, Order, Transfer, member


def make_control(
    folder: Path,
    orders: Sequence[Order],
    transfers: Sequence[Transfer] = (),
    masks: Mapping[tuple[int, int], np.ndarray] | None = None,
) -> Control:
    """`masks`: (number of the order, frame) → its region's mask, (h, w) uint8."""
    path = folder / "masks.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for (order, frame), mask in (masks or {}).items():
            archive.writestr(member(order, frame), mask.tobytes())
    return Control(tuple(orders), tuple(transfers), path)
