"""The networks on a CPU, run by OpenVINO from the graphs in the weights file (`export` writes them).

OpenVINO takes half the time that torch takes on a CPU, and loads without the seconds that importing torch takes.
"""

from typing import Any
from xml.etree import ElementTree

import numpy as np

from ..format import COLOR, UNDERSTAND, openvino, tensor_ranges
from . import Amend


class Networks:
    """Both networks, in one thread."""

    group = 1
    """Frames at once. More are no faster."""

    def __init__(self, data: bytes, precision: str) -> None:
        """Load the networks.

        Args:
            data: content of a weights file with graphs.
            precision: `bfloat16` or `float32`.

        Raises:
            Exception: of several kinds where the graphs or tensors are damaged; `format.usable` turns them into one.
        """
        ov = openvino()
        self._core = ov.Core()
        self._options = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
            "ENABLE_CPU_PINNING": False,  # several painters would all choose the first core
        }
        self._data = data  # the tensor below does not copy it
        ranges = tensor_ranges(data)
        self._graphs = [_graph(data, ranges, name) for name in (UNDERSTAND, COLOR)]
        self._constants = ov.Tensor(np.frombuffer(data, np.uint8))
        try:
            self._open(32, 32)
        except (RuntimeError, ValueError) as error:  # OpenVINO's messages are lines about its own source
            raise ValueError("OpenVINO cannot read its graphs") from error

    def _open(self, height: int, width: int) -> None:
        """Compile the graphs for thumbs of this size."""
        read, color = (self._core.read_model(graph, self._constants) for graph in self._graphs)
        read.reshape([1, 1, height, width])
        first = self._core.compile_model(read, "CPU", self._options)
        labels, _, *features = (output.shape for output in first.outputs)
        color.reshape(dict(zip(color.inputs, map(list, (labels, *features)), strict=True)))
        self._reading = first.create_infer_request()
        self._coloring = self._core.compile_model(color, "CPU", self._options).create_infer_request()
        for n in range(len(features)):  # the second graph reads the first one's feature maps without a copy
            self._coloring.set_input_tensor(n + 1, self._reading.get_output_tensor(n + 2))
        self._size = height, width

    def read(self, thumbs: np.ndarray) -> None:
        """Run the encoder and SemanticNet on one thumb (1, h, w) uint8."""
        if thumbs.shape[1:] != self._size:
            self._open(*thumbs.shape[1:])
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
        """Chroma and labels of one thumb; see `Backend`."""
        self.read(thumbs)
        read = self._reading.get_output_tensor(0)
        labels = self._reading.get_output_tensor(1).data
        own = self.labels()[0]  # once: each access makes another array
        if amend and (given := amend(0, own)) is not own:
            read = openvino().Tensor(np.ascontiguousarray(given[None], np.float32))
            labels = np.rint(read.data * 255).astype(np.uint8)
        return self.color(read), labels.copy()


def _graph(data: bytes, ranges: dict[str, tuple[int, int]], name: str) -> bytes:
    """One graph, its constants named by their places in the weights file instead of by tensors.

    Raises ValueError where the file lacks a tensor or has it in another size.
    """
    if name not in ranges:
        raise ValueError(f"it lacks the tensor {name}")
    first, stop = ranges[name]
    try:
        graph = ElementTree.fromstring(data[first:stop])
    except ElementTree.ParseError as error:
        raise ValueError(f"its graph {name} is damaged: {error}") from error
    for constant in graph.iterfind(".//data[@offset]"):
        tensor, _, more = constant.attrib["offset"].partition("+")
        if tensor not in ranges:
            raise ValueError(f"it lacks the tensor {tensor}")
        start, end = ranges[tensor]
        size = int(constant.attrib["size"])
        # A weight is a whole tensor; the other constants share one.
        if int(more or 0) + size > end - start or (not more and size != end - start):
            raise ValueError(f"tensor {tensor} has {end - start} bytes and not {size}")
        constant.set("offset", str(start + int(more or 0)))
    return ElementTree.tostring(graph)
