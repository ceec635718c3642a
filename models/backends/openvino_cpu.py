"""The networks on a CPU, run by OpenVINO: half the time that torch takes there, and none of the seconds that torch
takes to load. They are read from the graphs in the weights file (`export`)."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import WeightsError

UNDERSTAND, COLOR, CONSTANTS = "openvino.understand", "openvino.color", "openvino.constants"
"""Tensors of a weights file, bytes: the two graphs, and the constants in them that are no weights."""

Amend = Callable[[int, np.ndarray], np.ndarray]


def openvino() -> Any:
    """The package, which is not to report to its makers that it is used, as it does where this one can be imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


class Networks:
    """Both networks, one thread."""

    group = 1
    """Frames at once; more are no faster."""

    def __init__(self, path: Path, precision: str) -> None:
        """precision: `bfloat16` or `float32`. Raises WeightsError."""
        ov = openvino()
        self._core = ov.Core()
        self._how = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
            "ENABLE_CPU_PINNING": False,  # several painters would all choose the first core
        }
        try:
            self._data = _with_graphs(path)
            starts = _starts(self._data)
            self._graphs = [_graph(self._data, starts, name) for name in (UNDERSTAND, COLOR)]
            self._constants = ov.Tensor(np.frombuffer(self._data, np.uint8))
            self._open(32, 32)
        except WeightsError:
            raise
        except Exception as error:  # OSError, and whatever parsers raise
            raise WeightsError(f"the weights {path} cannot be used: {str(error).splitlines()[0]}") from error

    def _open(self, height: int, width: int) -> None:
        """Make ready for thumbs of this size."""
        read, color = (self._core.read_model(graph, self._constants) for graph in self._graphs)
        read.reshape([1, 1, height, width])
        first = self._core.compile_model(read, "CPU", self._how)
        labels, small, *features = (output.shape for output in first.outputs)
        color.reshape(dict(zip(color.inputs, map(list, (labels, *features)), strict=True)))
        self._reading = first.create_infer_request()
        self._coloring = self._core.compile_model(color, "CPU", self._how).create_infer_request()
        for n in range(len(features)):  # what one has found the other reads where it is
            self._coloring.set_input_tensor(n + 1, self._reading.get_output_tensor(n + 2))
        self._size = height, width

    def paint(self, thumbs: np.ndarray, amend: Amend | None) -> tuple[np.ndarray, np.ndarray]:
        """thumbs (1, h, w) uint8 → ab (1, 2, h/2, w/2) float32, and labels (1, 62, h/4, w/4) uint8.

        amend: as for `Painter.paint`.
        """
        if thumbs.shape[1:] != self._size:
            self._open(*thumbs.shape[1:])
        ov = openvino()
        self._reading.set_input_tensor(0, ov.Tensor(np.array(thumbs[:, None])))
        self._reading.infer()
        read = self._reading.get_output_tensor(0)
        labels = self._reading.get_output_tensor(1).data
        own = read.data[0]  # once: each access makes another array
        if amend and (given := amend(0, own)) is not own:
            read = ov.Tensor(np.ascontiguousarray(given[None], np.float32))
            labels = np.rint(read.data * 255).astype(np.uint8)
        self._coloring.set_input_tensor(0, read)
        self._coloring.infer()
        return self._coloring.get_output_tensor(0).data, labels.copy()


def _with_graphs(path: Path) -> bytes:
    """A weights file. One that was written where there was no OpenVINO gets its graphs here, which takes seconds."""
    data = path.read_bytes()
    if UNDERSTAND in _starts(data):
        return data
    from ..checkpoint import load, packed

    return packed(load(path))


def _starts(data: bytes) -> dict[str, tuple[int, int]]:
    """Name → where in a safetensors file a tensor lies."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    return {name: tuple(8 + length + n for n in its["data_offsets"]) for name, its in header.items()}


def _graph(data: bytes, starts: dict[str, tuple[int, int]], name: str) -> bytes:
    """A graph with places in the file instead of the names of tensors."""

    def place(found: re.Match) -> str:
        return f'offset="{starts[found["name"]][0] + int(found["more"] or 0)}"'

    first, stop = starts[name]
    return re.sub(r'offset="(?P<name>[\w.]+)(\+(?P<more>\d+))?"', place, data[first:stop].decode()).encode()
