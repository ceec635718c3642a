"""The networks at run time: thumbs in, chroma and label probabilities out.

A thumb's result does not depend on the thumbs around it, to the byte. Convolutions may round differently at another
batch size or thread count. So frames go through the networks in groups of a fixed size, the last one padded, and on a
CPU each painter uses one thread: more cores means more painters.
"""

import threading
from pathlib import Path

import numpy as np

from . import pick_precision
from .backends import Amend, Backend, openvino_cpu
from .format import UNDERSTAND, WEIGHTS, tensor_ranges, usable

KEPT = 2
"""Greatest number of networks that closed painters leave to the next film of this process."""

_lock = threading.Lock()
_idle: list[tuple[tuple, Backend]] = []
"""Networks without a painter, by what they were loaded from."""


class Painter:
    """Colours frames one by one, without memory of the frames before."""

    def __init__(
        self,
        device: str = "cpu",
        *,
        weights: Path | None = None,
        vivid: float = 1.0,
        precision: str | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Load the networks, or take them over from a painter of this process that was closed.

        Args:
            device: `cpu` or `cuda`.
            weights: a weights file, by default the one that ships.
            vivid: factor of the chroma.
            precision: `bfloat16` or `float32`, by default what the hardware does best.
            size: (h, w) of the thumbs that will come first, if it is known.

        Raises:
            WeightsError: the file cannot be used.
        """
        self.vivid = np.float32(vivid)
        path = weights or WEIGHTS
        with usable(path):
            stat = path.stat()
        self._key = device, path, stat.st_mtime_ns, stat.st_size, precision or pick_precision(device)
        with _lock:
            idle = next((n for n, (key, _) in enumerate(_idle) if key == self._key), None)
            found = None if idle is None else _idle.pop(idle)[1]
        self._networks = found or _networks(device, path, self._key[-1], size)

    def close(self) -> None:
        """Leave the networks to the next painter of this process. This painter must not paint any more."""
        with _lock:
            _idle.append((self._key, self._networks))
            del _idle[:-KEPT]

    def paint(self, thumbs: np.ndarray, amend: Amend | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Chroma and labels of frames.

        Args:
            thumbs: (N, h, w) uint8, full-range luma; h and w are multiples of 32.
            amend: called before colouring with each thumb's number and its label probabilities (62, h/4, w/4) float32;
                returns those to colour by, which sum to 1 over the first dimension.

        Returns:
            a and b of CIE Lab (N, 2, h/2, w/2) float16, and label probabilities × 255 (N, 62, h/4, w/4) uint8.
        """
        group, (count, h, w) = self._networks.group, thumbs.shape
        ab, labels = np.empty((count, 2, h // 2, w // 2), np.float16), np.empty((count, 62, h // 4, w // 4), np.uint8)
        for first in range(0, count, group):
            if first and group == 1 and not amend and np.array_equal(thumbs[first], thumbs[first - 1]):
                ab[first], labels[first] = ab[first - 1], labels[first - 1]  # a frame that is shown twice
                continue
            part = thumbs[first : first + group]
            if len(part) < group:
                part = np.concatenate([part, np.repeat(part[-1:], group - len(part), 0)])

            def change(n: int, read: np.ndarray, first: int = first) -> np.ndarray:
                return amend(first + n, read) if amend and first + n < count else read

            chroma, chance = self._networks.paint(part, change if amend else None)
            there = slice(first, min(first + group, count))
            ab[there] = (self.vivid * chroma).clip(-127, 127)[: count - first]
            labels[there] = chance[: count - first]
        return ab, labels


def _networks(device: str, weights: Path, precision: str, size: tuple[int, int] | None) -> Backend:
    """The networks for `device`. `size`: (h, w) of the first thumbs. Raises WeightsError."""
    if device != "cpu":
        from .backends import torch_gpu

        return torch_gpu.Networks(weights, precision)
    with usable(weights):
        return openvino_cpu.Networks(with_graphs(weights), precision, *([size] if size else []))


def with_graphs(weights: Path) -> bytes:
    """The content of a weights file, with graphs. Raises WeightsError."""
    with usable(weights):
        data = weights.read_bytes()
        if UNDERSTAND in tensor_ranges(data):
            return data
        # The file was written where OpenVINO was not installed. Making the graphs takes seconds.
        from .checkpoint import load, packed

        return packed(load(weights))
