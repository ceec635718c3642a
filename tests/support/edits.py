"""Edits whose masks are given and not tracked."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from semcolor.pipeline.edits.apply import ResolvedEdits
from semcolor.pipeline.edits.archive import mask_name
from semcolor.pipeline.edits.orders import ColorTransfer, ResolvedEdit


def make_resolved(
    folder: Path,
    orders: Sequence[ResolvedEdit],
    transfers: Sequence[ColorTransfer] = (),
    masks: Mapping[tuple[int, int], np.ndarray] | None = None,
) -> ResolvedEdits:
    """`masks`: (number of the order, frame) → its region's mask, (h, w) uint8."""
    path = folder / "masks.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for (order, frame), mask in (masks or {}).items():
            archive.writestr(mask_name(order, frame), mask.tobytes())
    return ResolvedEdits(tuple(orders), tuple(transfers), path)
