"""The networks compiled for a CPU, in the form of a `Colorizer`: figures are measured of what the program runs.

OpenVINO takes a tenth of the time that torch takes on a CPU.
"""

from collections.abc import Iterator
from copy import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import pick_precision
from ..backends.openvino_cpu import Networks
from ..format import openvino


class Compiled:
    """Encoder, SemanticNet and ColorNet of a weights file with graphs, for one grey picture at a time.

    The networks keep the features of the picture that the encoder saw last; `color` uses these. Grey is rounded to
    bytes, as in the program.
    """

    def __init__(self, path: Path, precision: str | None = None) -> None:
        """precision: `bfloat16` or `float32`, by default what the hardware does best, as in the program."""
        self._networks = Networks(path.read_bytes(), precision or pick_precision("cpu"))
        self._sizes: dict[tuple[int, ...], Networks] = {}  # photos have a dozen sizes, each of which takes a second

    def parameters(self) -> Iterator[Tensor]:
        """One tensor, which tells the device."""
        return iter([torch.zeros(1)])

    def encoder(self, gray: Tensor) -> list[Tensor]:
        """(1, 1, h, w) 0..1 → a stand-in for the features, which stay in the networks."""
        thumb = (255 * gray).round().byte().numpy()[0]
        self._networks = self._sizes.setdefault(thumb.shape, copy(self._networks))
        self._networks.read(thumb)
        return [gray]

    def semantic(self, features: list[Tensor]) -> Tensor:
        """Logits (1, 62, h/4, w/4) of the picture that `encoder` saw last."""
        return torch.from_numpy(self._networks.labels().copy()).clamp(min=1e-12).log()

    def color(self, features: list[Tensor], labels: Tensor) -> Tensor:
        """a, b (1, 2, h/2, w/2) of the picture that `encoder` saw last."""
        given = openvino().Tensor(np.ascontiguousarray(labels.float().numpy()))
        return torch.from_numpy(self._networks.color(given).copy())
