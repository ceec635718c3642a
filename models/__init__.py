"""The networks: first understand a grey picture (labels), then colour it (chroma).

Importing this package imports no torch.
"""

import ctypes
import sys
from pathlib import Path

from ..errors import InputError
from .format import WEIGHTS, WeightsError, is_weights

__all__ = ["WEIGHTS", "WeightsError", "has_cuda", "is_weights", "network_size", "pick_device", "pick_precision"]


def has_cuda() -> bool:
    """Whether torch can use a GPU of this machine.

    Importing torch takes seconds, so the function imports it only where a GPU driver is installed.
    """
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        if not Path("/dev/kfd").exists():  # AMD's driver; torch calls its GPUs "cuda" as well
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

    Does not import torch, which takes seconds: every film asks.

    Args:
        device: `cuda` or `cpu`.
    """
    if device == "cuda":
        return "bfloat16"
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return "float32"
    return "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags) else "float32"


WIDEST = 3.0
"""Greatest ratio of a picture's sides up to which the networks see its short side at the size that was asked for. The
widest films (2.76:1) are below."""


def network_size(aspect: float, short: int) -> tuple[int, int]:
    """The size (h, w) at which the networks see a picture.

    Args:
        aspect: the picture's width / height.
        short: length of the short side in pixels, a multiple of 32. The long side follows the aspect and is rounded
            to a multiple of 32. A picture longer than `WIDEST` gets about as many pixels as one of that shape.
    """
    long = max(aspect, 1 / aspect)
    if long > WIDEST:
        short = max(32, 32 * round(short * (WIDEST / long) ** 0.5 / 32))
    along = max(32, 32 * round(short * long / 32))
    return (short, along) if aspect >= 1 else (along, short)
