"""The networks exported from torch as OpenVINO graphs: what a weights file carries for `backends.openvino_cpu`.

A graph is XML that says where in a file its constants lie. Those that are weights are named instead, so that each
number stands in the file once; the few others (shapes, kernels that `encoder.SameConv` pads) get a tensor of their own.
"""

import re
import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from .backends.openvino_cpu import COLOR, CONSTANTS, UNDERSTAND, openvino
from .colorizer import Colorizer


class _Understand(nn.Module):
    """Thumbs (1, 1, h, w) uint8 → label probabilities, the same × 255 as uint8, and the encoder's five maps."""

    def __init__(self, model: Colorizer) -> None:
        super().__init__()
        self.encoder, self.semantic = model.encoder, model.semantic

    def forward(self, thumbs: Tensor) -> tuple[Tensor, ...]:
        features = self.encoder(thumbs.float() / 255)
        labels = self.semantic(features).softmax(1)
        return labels, (labels * 255).round().byte(), *features


class _Color(nn.Module):
    """Label probabilities and the encoder's maps → a, b."""

    def __init__(self, model: Colorizer) -> None:
        super().__init__()
        self.color = model.color

    def forward(self, labels: Tensor, *features: Tensor) -> Tensor:
        return self.color(list(features), labels)


@torch.no_grad()
def draw(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a `Colorizer` in half precision → the graphs and their own constants, as tensors of bytes."""
    model = Colorizer().eval().requires_grad_(False)
    model.load_state_dict({name: t.float() for name, t in tensors.items()})
    names = {t.numpy().tobytes(): name for name, t in tensors.items()}
    thumbs = torch.randint(0, 256, (1, 1, 64, 96), dtype=torch.uint8)
    understand = _Understand(model)
    labels, _, *features = understand(thumbs)
    rest, drawn = bytearray(), {}
    for name, module, inputs in (
        (UNDERSTAND, understand, (thumbs,)),
        (COLOR, _Color(model), (labels, *features)),
    ):
        xml, constants = _convert(module, inputs)

        def place(found: re.Match, constants: bytes = constants) -> str:
            start, size = int(found["start"]), int(found["size"])
            value = constants[start : start + size]
            if value in names:
                return f'offset="{names[value]}" size="{size}"'
            rest.extend(bytes(-len(rest) % 64) + value)  # aligned, as OpenVINO's own are
            return f'offset="{CONSTANTS}+{len(rest) - size}" size="{size}"'

        drawn[name] = re.sub(r'offset="(?P<start>\d+)" size="(?P<size>\d+)"', place, xml).encode()
    drawn[CONSTANTS] = bytes(rest)
    return {name: torch.frombuffer(bytearray(data), dtype=torch.uint8) for name, data in drawn.items()}


def _convert(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[str, bytes]:
    """OpenVINO's XML, for any height and width, and its constants, in half precision as the weights are."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # OpenVINO traces, which torch advises against; the checks of sizes that tracing leaves out are wanted out.
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.xml"
        openvino().save_model(openvino().convert_model(module, example_input=inputs), path, compress_to_fp16=True)
        return path.read_text(), path.with_suffix(".bin").read_bytes()
