"""What a shot's memory needs of the networks: the features of a picture, and RegionNet. See `flow.memory`.

Both run on a CPU, in one thread, by OpenVINO. Regions are followed frame by frame, so a GPU would mostly wait.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from . import pick_precision
from .backends.openvino_cpu import graph_of, options
from .format import REGION, UNDERSTAND, WEIGHTS, openvino, tensor_ranges, usable
from .painter import with_graphs

LEVELS = (1, 2, 3)
"""Which of the encoder's five feature maps are used: those at 1/4, 1/8 and 1/16 of the picture."""

FIRST_FEATURES = 2
"""Number of the first feature map among the outputs of the graph `UNDERSTAND`."""

STRIDE = 8
"""RegionNet's planes have sides that are multiples of this, since `regionnet` halves them three times."""


class Sight:
    """The encoder and RegionNet. Each of them serves one thread at a time."""

    def __init__(self, weights: Path | None = None, precision: str | None = None) -> None:
        """Load the networks.

        Args:
            weights: a weights file, by default the one that ships.
            precision: `bfloat16` or `float32`, by default what the hardware does best.

        Raises:
            WeightsError: the file cannot be used.
        """
        ov, path = openvino(), weights or WEIGHTS
        self._core, self._options = ov.Core(), options(precision or pick_precision("cpu"))
        with usable(path):
            self._data = with_graphs(path)  # the tensor below does not copy it
            constants, ranges = ov.Tensor(np.frombuffer(self._data, np.uint8)), tensor_ranges(self._data)
            whole, self._outliner = (
                self._core.read_model(graph_of(self._data, ranges, name), constants) for name in (UNDERSTAND, REGION)
            )
            features = [whole.outputs[FIRST_FEATURES + level].node.input_value(0) for level in LEVELS]
            self._encoder = ov.Model(features, whole.get_parameters(), "encoder")
            self._sizes: dict[str, tuple[int, ...]] = {}
            self._requests: dict[str, Any] = {}
            self.features(np.zeros((32, 32), np.uint8))

    def features(self, thumb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The encoder's feature maps of a picture.

        Args:
            thumb: (h, w) uint8, full-range luma; h and w are multiples of 32.

        Returns:
            (24, h/4, w/4), (40, h/8, w/8) and (112, h/16, w/16) float32.
        """
        request = self._request("encoder", self._encoder, (1, 1, *thumb.shape))
        request.set_input_tensor(0, openvino().Tensor(np.ascontiguousarray(thumb[None, None])))
        request.infer()
        fine, middle, coarse = (np.array(request.get_output_tensor(n).data[0]) for n in range(len(LEVELS)))
        return fine, middle, coarse

    def outline(self, planes: np.ndarray) -> np.ndarray:
        """Where a region is.

        Args:
            planes: (5, h, w) float32, from `flow.memory`, of any size.

        Returns:
            (h, w) float32, the log odds that a pixel is in the region.
        """
        height, width = planes.shape[1:]
        padded = np.pad(planes, ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE)), mode="edge")[None]
        request = self._request("outliner", self._outliner, padded.shape)
        request.set_input_tensor(0, openvino().Tensor(np.ascontiguousarray(padded, np.float32)))
        request.infer()
        return np.array(request.get_output_tensor(0).data[0, 0, :height, :width])

    def _request(self, name: str, model: Any, shape: tuple[int, ...]) -> Any:
        """A network compiled for an input of this shape."""
        if self._sizes.get(name) != shape:
            model.reshape(list(shape))
            self._requests[name] = self._core.compile_model(model, "CPU", self._options).create_infer_request()
            self._sizes[name] = shape
        return self._requests[name]
