"""The networks at work: grey thumbs in, chroma and label probabilities out, the same bytes however they are cut.

Convolutions may round differently at another batch size or thread count, so frames go through in groups of a
fixed size, the last one padded, and on a CPU each painter uses one thread: more cores means more painters.
"""

from pathlib import Path

import numpy as np

from . import WEIGHTS, pick_precision
from .backends.openvino_cpu import Amend


class Painter:
    """Colours frames one by one, without memory of others."""

    def __init__(
        self, device: str = "cpu", path: Path | None = None, vivid: float = 1.0, precision: str | None = None
    ) -> None:
        """device: `cpu` or `cuda`; path: weights, those that ship by default; vivid: factor of the chroma;
        precision: `bfloat16` or `float32`, by default what the hardware does best.

        Raises WeightsError.
        """
        if device == "cpu":
            from .backends.openvino_cpu import Networks
        else:
            from .backends.torch_gpu import Networks
        self.vivid = np.float32(vivid)
        self._networks = Networks(path or WEIGHTS, precision or pick_precision(device))

    def paint(self, thumbs: np.ndarray, amend: Amend | None = None) -> tuple[np.ndarray, np.ndarray]:
        """thumbs (N, h, w) uint8 full-range luma, h and w multiples of 32 →

        ab (N, 2, h/2, w/2) float16 CIE Lab, and labels (N, 62, h/4, w/4) uint8 probabilities × 255.

        `amend`: called with each thumb's number and its labels (62, h/4, w/4) float32 before colouring, returns what
        is to be read instead; probabilities that sum to 1.
        """
        group, count = self._networks.group, len(thumbs)
        ab, labels = [], []
        for first in range(0, count, group):
            part = thumbs[first : first + group]
            if len(part) < group:
                part = np.concatenate([part, np.repeat(part[-1:], group - len(part), 0)])

            def change(n: int, read: np.ndarray, first: int = first) -> np.ndarray:
                return amend(first + n, read) if amend and first + n < count else read

            chroma, chance = self._networks.paint(part, change if amend else None)
            ab.append((self.vivid * chroma).clip(-127, 127).astype(np.float16))
            labels.append(chance)
        return np.concatenate(ab)[:count], np.concatenate(labels)[:count]
