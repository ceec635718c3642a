"""Read and write weights files with torch. The format is described in `format`."""

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialize

from .colorizer import Colorizer
from .format import CARD, GRAPHS, WEIGHTS, usable


def packed(model: Colorizer, metadata: dict[str, str] | None = None) -> bytes:
    """The content of a weights file: tensors in half precision, and the graphs for CPUs.

    Where OpenVINO is not installed, the file has no graphs; `painter` makes them when it loads such a file.
    """
    tensors = {name: t.detach().to("cpu", torch.float16).contiguous() for name, t in model.state_dict().items()}
    if find_spec("openvino"):
        from .export import export_graphs

        tensors |= export_graphs(tensors)
    return serialize(tensors, metadata)


def save(model: Colorizer, path: Path, card: dict[str, Any]) -> None:
    """Write `model` to `path`, whole or not at all, with `card` (recipe and figures) in the metadata."""
    partial = path.with_suffix(".partial")
    # Not by safetensors' save_file, which makes files that only their owner may read.
    partial.write_bytes(packed(model, {CARD: json.dumps(card)}))
    partial.replace(path)


def load(path: Path = WEIGHTS) -> Colorizer:
    """The networks with the weights at `path`, in float32 and evaluation mode. Raises WeightsError."""
    model = Colorizer()
    with usable(path):
        tensors = load_file(path)
        for name in GRAPHS:
            tensors.pop(name, None)
        _check(model, tensors)
        model.load_state_dict({name: t.float() for name, t in tensors.items()}, strict=True)
    return model.eval()


def _check(model: Colorizer, tensors: dict[str, torch.Tensor]) -> None:
    """Raise ValueError where the tensors are not those of `model`; torch says it on many lines."""
    wanted = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in tensors.items()}
    if missing := sorted(wanted.keys() - found.keys()):
        raise ValueError(f"it lacks {len(missing)} of {len(wanted)} tensors, {missing[0]} for one")
    if strange := sorted(found.keys() - wanted.keys()):
        raise ValueError(f"it holds {len(strange)} tensors of other networks, {strange[0]} for one")
    if other := [name for name in wanted if found[name] != wanted[name]]:
        raise ValueError(f"tensor {other[0]} has the shape {found[other[0]]} and not {wanted[other[0]]}")


def card(path: Path = WEIGHTS) -> dict[str, Any]:
    """Recipe and figures from the metadata of the file. Raises WeightsError."""
    with usable(path), safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        if CARD not in metadata:
            raise ValueError("it carries no model card")
        return json.loads(metadata[CARD])


def digest(path: Path = WEIGHTS) -> str:
    """sha256 of the file, hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
