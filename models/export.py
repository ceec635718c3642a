"""Export the networks from torch as OpenVINO graphs, which a weights file carries for `backends.openvino_cpu`.

A graph is XML. OpenVINO names each constant by its place in a second file; here a constant that is a weight is named
by its tensor instead, so a weights file holds each number once. The few other constants (shapes, and the kernels that
`encoder.SameConv` pads) get a tensor of their own.
"""

import tempfile
import warnings
from pathlib import Path
from xml.etree import ElementTree

import torch
from torch import Tensor, nn

from .colorizer import Colorizer
from .format import COLOR, CONSTANTS, REGION, UNDERSTAND, openvino
from .regionnet import PLANES

ALIGNMENT = 64
"""Bytes. OpenVINO aligns its own constants so."""


class _Understand(nn.Module):
    """Thumbs (1, 1, h, w) uint8 → label probabilities, the same × 255 as uint8, and the encoder's five feature maps."""

    def __init__(self, model: Colorizer) -> None:
        super().__init__()
        self.encoder, self.semantic = model.encoder, model.semantic

    def forward(self, thumbs: Tensor) -> tuple[Tensor, ...]:
        features = self.encoder(thumbs.float() / 255)
        labels = self.semantic(features).softmax(1)
        return labels, (labels * 255).round().byte(), *features


class _Color(nn.Module):
    """Label probabilities and the encoder's feature maps → a, b."""

    def __init__(self, model: Colorizer) -> None:
        super().__init__()
        self.color = model.color

    def forward(self, labels: Tensor, *features: Tensor) -> Tensor:
        return self.color(list(features), labels)


@torch.no_grad()
def export_graphs(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The graphs of a `Colorizer` and their own constants, as tensors of bytes by the names in `format`.

    Args:
        tensors: the state dict of the networks, in half precision.
    """
    model = Colorizer().eval().requires_grad_(False)
    model.load_state_dict({name: t.float() for name, t in tensors.items()})
    names = {t.numpy().tobytes(): name for name, t in tensors.items()}
    thumbs = torch.randint(0, 256, (1, 1, 64, 96), dtype=torch.uint8)
    understand = _Understand(model)
    labels, _, *features = understand(thumbs)
    rest, graphs = bytearray(), {}
    for name, module, inputs in (
        (UNDERSTAND, understand, (thumbs,)),
        (COLOR, _Color(model), (labels, *features)),
        (REGION, model.region, (torch.rand(1, len(PLANES), 32, 48),)),
    ):
        graph, constants = _convert(module, inputs)
        for constant in graph.iterfind(".//data[@offset]"):
            start, size = int(constant.attrib["offset"]), int(constant.attrib["size"])
            value = constants[start : start + size]
            if value in names:
                constant.set("offset", names[value])
            else:
                rest.extend(bytes(-len(rest) % ALIGNMENT) + value)
                constant.set("offset", f"{CONSTANTS}+{len(rest) - size}")
        graphs[name] = ElementTree.tostring(graph)
    graphs[CONSTANTS] = bytes(rest)
    return {name: torch.frombuffer(bytearray(data), dtype=torch.uint8) for name, data in graphs.items()}


def _convert(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[ElementTree.Element, bytes]:
    """OpenVINO's XML for any height and width, and its constants, in half precision as the weights are."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # OpenVINO traces the module. Tracing leaves out the checks of sizes, of which torch warns; that is wanted.
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.xml"
        openvino().save_model(openvino().convert_model(module, example_input=inputs), path, compress_to_fp16=True)
        return ElementTree.parse(path).getroot(), path.with_suffix(".bin").read_bytes()
