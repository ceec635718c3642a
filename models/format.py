"""The format of a weights file. This module imports no torch.

A weights file is a safetensors file. It holds the tensors of the networks in half precision, the networks as OpenVINO
graphs for CPUs, and the model card as JSON in the metadata.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError

WEIGHTS = Path(__file__).with_name("weights") / "semcolor.safetensors"
"""The weights that ship with the package."""

CARD = "semcolor"
"""Key of the model card in the metadata."""

UNDERSTAND = "openvino.understand"
"""Name of the tensor of bytes that holds the graph of the encoder and SemanticNet (XML)."""

COLOR = "openvino.color"
"""Name of the tensor of bytes that holds the graph of ColorNet (XML)."""

REGION = "openvino.region"
"""Name of the tensor of bytes that holds the graph of RegionNet (XML)."""

CONSTANTS = "openvino.constants"
"""Name of the tensor of bytes that holds the graphs' constants that are not weights."""

GRAPHS = (UNDERSTAND, COLOR, REGION, CONSTANTS)


class WeightsError(InputError):
    """The weights file is missing, damaged, or made for other networks. The message names the file."""


def is_weights(path: Path) -> bool:
    """Whether `path` is a safetensors file with semcolor's model card. Reads only the head of the file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return CARD in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Turn any error in the body, which reads the weights at `path`, into a WeightsError of one sentence."""
    try:
        yield
    except (WeightsError, MemoryError):
        raise
    # OSError, and what safetensors, JSON, XML, OpenVINO and torch raise: they have no common base.
    except Exception as error:
        raise WeightsError(
            f"the weights {path} cannot be used: {_reason(error)}; give a file that semcolor-train has written."
        ) from error


def _reason(error: Exception) -> str:
    """The first line of an error's message, without the full stop."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(" .:;")


def tensor_ranges(data: bytes) -> dict[str, tuple[int, int]]:
    """Name of each tensor → its (first, stop) bytes in `data`, the content of a safetensors file.

    Raises ValueError where the file is cut off or its head is damaged.
    """
    length = int.from_bytes(data[:8], "little")
    if not 0 < length <= len(data) - 8:
        raise ValueError("it is cut off, or not a safetensors file")
    try:
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        ranges = {name: _range(8 + length, entry["data_offsets"]) for name, entry in header.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # not JSON, or not such JSON
        raise ValueError("its head is damaged") from error
    if max((stop for _, stop in ranges.values()), default=0) > len(data):
        raise ValueError("it is cut off")
    return ranges


def _range(start: int, offsets: list[int]) -> tuple[int, int]:
    first, stop = offsets
    return start + first, start + stop


def openvino() -> Any:
    """The package `openvino`, without its usage statistics, which it sends where `openvino_telemetry` is installed."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
