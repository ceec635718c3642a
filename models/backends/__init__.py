"""The networks at run time: `openvino_cpu` on a CPU, `torch_gpu` on a GPU, each with a class of the form `Backend`."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

__all__ = ["Amend", "Backend"]

Amend = Callable[[int, np.ndarray], np.ndarray]
"""Called with a frame's number and its label probabilities (62, h/4, w/4) float32; returns those to colour by."""


class Backend(Protocol):
    """Both networks, loaded."""

    group: int
    """Frames that go through the networks at once, a divisor of every chunk size."""

    def paint(self, thumbs: np.ndarray, amend: Amend | None) -> tuple[np.ndarray, np.ndarray]:
        """Chroma and labels of `group` thumbs.

        Args:
            thumbs: (group, h, w) uint8, full-range luma.
            amend: as for `Painter.paint`.

        Returns:
            a and b of CIE Lab (group, 2, h/2, w/2) float32, and label probabilities × 255 (group, 62, h/4, w/4) uint8;
            both until the next call.
        """
        ...
