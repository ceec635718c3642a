"""Weights files: safetensors only, loaded strictly, their card in their metadata."""

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialise

from . import CARD, WEIGHTS, WeightsError
from .backends.openvino_cpu import COLOR, CONSTANTS, UNDERSTAND
from .colorizer import Colorizer


def packed(model: Colorizer, metadata: dict[str, str] | None = None) -> bytes:
    """A weights file: the tensors in half precision, and the graphs for CPUs unless OpenVINO is not installed here."""
    tensors = {name: t.detach().to("cpu", torch.float16).contiguous() for name, t in model.state_dict().items()}
    if find_spec("openvino"):
        from .export import draw

        tensors |= draw(tensors)
    return serialise(tensors, metadata)


def save(model: Colorizer, path: Path, card: dict[str, Any]) -> None:
    """Write `model` with `card` (recipe, figures) in the metadata, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(packed(model, {CARD: json.dumps(card)}))  # safetensors' own would hide it from other users
    partial.replace(path)


def load(path: Path = WEIGHTS) -> Colorizer:
    """The network with the weights at `path`, float32, in evaluation mode. Raises WeightsError."""
    model = Colorizer()
    try:
        tensors = load_file(path)
        for name in (UNDERSTAND, COLOR, CONSTANTS):
            tensors.pop(name, None)
        model.load_state_dict({name: t.float() for name, t in tensors.items()}, strict=True)
    except Exception as error:  # safetensors raises its own and OS errors, torch a RuntimeError
        reason = str(error).splitlines()[0]
        raise WeightsError(f"the weights {path} cannot be used: {reason}") from error
    return model.eval()


def card(path: Path = WEIGHTS) -> dict[str, Any]:
    """Recipe and figures from the file's metadata. Raises WeightsError."""
    try:
        with safe_open(path, "pt") as file:
            return json.loads((file.metadata() or {})[CARD])
    except Exception as error:
        raise WeightsError(f"the weights {path} carry no card: {error}") from error


def digest(path: Path = WEIGHTS) -> str:
    """sha256 of the file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
