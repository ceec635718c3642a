"""The networks: understand a grey picture (labels), then colour it (chroma). Importing this imports no torch."""

import ctypes
import sys
from pathlib import Path

from ..errors import InputError

WEIGHTS = Path(__file__).with_name("weights") / "semcolor.safetensors"
"""The weights that ship with the package."""

CARD = "semcolor"
"""Key of the model card in a weights file's metadata."""


class WeightsError(Exception):
    """The weights file is missing, damaged, or of another network. The message says which file."""


def is_weights(path: Path) -> bool:
    """Whether `path` is a safetensors file with semcolor's card. Reads only its head, without torch."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return CARD in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def has_cuda() -> bool:
    """Whether torch can use a GPU of this machine. Its import takes seconds and is spared where there is no driver."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        if not Path("/dev/kfd").exists():  # AMD's, which torch knows by the same name
            return False
    import torch

    return torch.cuda.is_available()


def pick_device(wanted: str) -> str:
    """The device of this machine on which the networks run, ``cpu`` or ``cuda``.

    Args:
        wanted: ``cpu``, ``cuda``, or ``auto`` for a GPU if torch can use one.

    Raises:
        InputError: if a GPU is wanted and there is none.
    """
    if wanted == "cpu" or not has_cuda():
        if wanted == "cuda":
            raise InputError("--device cuda: no usable GPU here; use --device cpu.")
        return "cpu"
    return "cuda"


def pick_precision(device: str) -> str:
    """`bfloat16` where the hardware multiplies it (a GPU, a CPU with AVX-512 BF16 or AMX), else `float32`.

    `device`: `cuda` or `cpu`. Found without torch, whose import takes seconds, and every film asks.
    """
    if device == "cuda":
        return "bfloat16"
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return "float32"
    return "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags) else "float32"


def network_size(aspect: float, short: int = 256) -> tuple[int, int]:
    """(h, w) at which the networks see a picture of width / height `aspect`.

    The short side is `short`, a multiple of 32; the long one is true to the aspect, to 32 pixels.
    """
    along = max(32, 32 * round(short * max(aspect, 1 / aspect) / 32))
    return (short, along) if aspect >= 1 else (along, short)
