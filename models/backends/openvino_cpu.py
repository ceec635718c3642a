"""The networks on a CPU, run by OpenVINO from the graphs in the weights file (`export` writes them).

OpenVINO takes half the time that torch takes on a CPU, and loads without the seconds that importing torch takes.
"""

import re
from typing import Any
from xml.parsers import expat

import numpy as np

from ..format import COLOR, UNDERSTAND, openvino, tensor_ranges
from . import Amend

SIZES = 2
"""Number of sizes of thumbs for which the graphs are kept compiled: that of a film, and that of `pipeline.negative`."""


class Networks:
    """Both networks, in one thread."""

    group = 1
    """Frames at once. More are no faster."""

    def __init__(self, data: bytes, precision: str, size: tuple[int, int] = (32, 32)) -> None:
        """Load the networks.

        Args:
            data: content of a weights file with graphs.
            precision: `bfloat16` or `float32`.
            size: (h, w) of the first thumbs, if they are known. The graphs are compiled for one size of thumbs, which
                takes a third of a second.

        Raises:
            Exception: of several kinds where the graphs or tensors are damaged; `format.usable` turns them into one.
        """
        ov = openvino()
        self._core = ov.Core()
        self._options = options(precision)
        self._data = data  # the tensor below does not copy it
        ranges = tensor_ranges(data)
        self._graphs = [graph_of(data, ranges, name) for name in (UNDERSTAND, COLOR)]
        self._constants = ov.Tensor(np.frombuffer(data, np.uint8))
        self._compiled: dict[tuple[int, int], tuple[Any, Any]] = {}
        try:
            self._open(size)
        except (RuntimeError, ValueError) as error:  # OpenVINO's messages are lines about its own source
            raise ValueError("OpenVINO cannot read its graphs") from error

    def _open(self, size: tuple[int, int]) -> None:
        """Make the graphs ready for thumbs of the size (h, w)."""
        if size not in self._compiled:
            if len(self._compiled) == SIZES:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[size] = self._compile(*size)
        self._reading, self._coloring = self._compiled[size]
        self._size = size

    def _compile(self, height: int, width: int) -> tuple[Any, Any]:
        """Compile the graphs for thumbs of this size. Returns the requests that run them."""
        read, color = (self._core.read_model(graph, self._constants) for graph in self._graphs)
        read.reshape([1, 1, height, width])
        first = self._core.compile_model(read, "CPU", self._options)
        labels, _, *features = (output.shape for output in first.outputs)
        color.reshape(dict(zip(color.inputs, map(list, (labels, *features)), strict=True)))
        reading = first.create_infer_request()
        coloring = self._core.compile_model(color, "CPU", self._options).create_infer_request()
        for n in range(len(features)):  # the second graph reads the first one's feature maps without a copy
            coloring.set_input_tensor(n + 1, reading.get_output_tensor(n + 2))
        return reading, coloring

    def read(self, thumbs: np.ndarray) -> None:
        """Run the encoder and SemanticNet on one thumb (1, h, w) uint8."""
        if thumbs.shape[1:] != self._size:
            self._open((thumbs.shape[1], thumbs.shape[2]))
        self._reading.set_input_tensor(0, openvino().Tensor(np.array(thumbs[:, None])))
        self._reading.infer()

    def labels(self) -> np.ndarray:
        """Label probabilities (1, 62, h/4, w/4) float32 of the thumb read last, until the next is read."""
        return self._reading.get_output_tensor(0).data

    def color(self, labels: Any) -> np.ndarray:
        """a and b (1, 2, h/2, w/2) float32 of the thumb read last, until the next call; labels: OpenVINO's tensor."""
        self._coloring.set_input_tensor(0, labels)
        self._coloring.infer()
        return self._coloring.get_output_tensor(0).data

    def paint(self, thumbs: np.ndarray, amend: Amend | None) -> tuple[np.ndarray, np.ndarray]:
        """Chroma and labels of one thumb, until the next call; see `Backend`."""
        self.read(thumbs)
        read = self._reading.get_output_tensor(0)
        labels = self._reading.get_output_tensor(1).data
        own = self.labels()[0]  # once: each access makes another array
        if amend and (given := amend(0, own)) is not own:
            read = openvino().Tensor(np.ascontiguousarray(given[None], np.float32))
            labels = np.rint(read.data * 255).astype(np.uint8)
        return self.color(read), labels


def options(precision: str) -> dict[str, Any]:
    """OpenVINO's options for a network in one thread; `precision`: `bfloat16` or `float32`."""
    return {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "ENABLE_CPU_PINNING": False,  # several painters would all choose the first core
    }


def graph_of(data: bytes, ranges: dict[str, tuple[int, int]], name: str) -> bytes:
    """One graph, its constants named by their places in the weights file instead of by tensors.

    Raises ValueError where the file lacks a tensor or has it in another size.
    """
    if name not in ranges:
        raise ValueError(f"it lacks the tensor {name}")
    first, stop = ranges[name]
    graph = data[first:stop]
    try:
        expat.ParserCreate().Parse(graph, True)
    except expat.ExpatError as error:
        raise ValueError(f"its graph {name} is damaged: {error}") from error

    def placed(found: re.Match[bytes]) -> bytes:
        element = found[0]
        size = re.search(rb' size="(\d+)"', element)
        tensor, _, more = found[1].decode().partition("+")
        if tensor not in ranges:
            raise ValueError(f"it lacks the tensor {tensor}")
        start, end = ranges[tensor]
        length = int(size[1]) if size else 0
        # A weight is a whole tensor; the other constants share one.
        if int(more or 0) + length > end - start or (not more and length != end - start):
            raise ValueError(f"tensor {tensor} has {end - start} bytes and not {length}")
        return element.replace(b'"%b"' % found[1], b'"%d"' % (start + int(more or 0)), 1)

    return re.sub(rb'<data [^>]*?\boffset="([^"]+)"[^>]*>', placed, graph)
