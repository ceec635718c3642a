"""OpenEXR pictures: half or single floats of linear light. The package OpenEXR reads and writes them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from .curves import HALF, INFINITE
from .head import Head, aspect_of
from .needed import needed

LOSSLESS = ("NO_COMPRESSION", "RLE_COMPRESSION", "ZIPS_COMPRESSION", "ZIP_COMPRESSION", "PIZ_COMPRESSION")
"""Compressions that are kept; pictures of others are written with ZIP."""

COLORS = ("R", "G", "B")


def _open(path: Path, header_only: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """(attributes, channels) of a picture. Raises InputError."""
    library = needed("OpenEXR", path)
    try:
        file = library.File(str(path), separate_channels=True, header_only=header_only)
    except Exception as error:  # OpenEXR raises exceptions of its own
        raise InputError(f"{path} is not an EXR picture that can be read ({error}).") from error
    if len(file.parts) != 1:
        raise InputError(f"{path} has {len(file.parts)} parts; save one picture in each file.")
    return file.header(), file.channels()


def head(path: Path) -> Head:
    """The properties of a picture. Raises InputError if it cannot be used."""
    header, _ = _open(path, header_only=True)
    names = [channel.name for channel in header["channels"]]
    colors = _colors(path, names)
    if any(c.xSampling != 1 or c.ySampling != 1 for c in header["channels"] if c.name in colors):
        raise InputError(f"{path}: its channels have fewer samples than pixels; save it as RGB.")
    (left, top), (right, bottom) = header["dataWindow"]
    rate = header.get("framesPerSecond")
    return Head(
        width=int(right - left) + 1,
        height=int(bottom - top) + 1,
        bits=16,
        channels=len(colors),
        floats=True,
        coding=HALF,
        rate=Fraction(rate) if rate else None,
        aspect=aspect_of(header.get("pixelAspectRatio", 1.0), 1.0),
    )


def _colors(path: Path, names: list[str]) -> tuple[str, ...]:
    """The channels of the picture: ``R``, ``G``, ``B``, or ``Y``. Raises InputError."""
    if all(name in names for name in COLORS):
        return COLORS
    if "Y" in names and "RY" not in names:
        return ("Y",)
    raise InputError(f"{path} has the channels {', '.join(names)}; R, G, B or Y are needed.")


def read(path: Path) -> np.ndarray:
    """The samples of a picture, (H, W) or (H, W, 3), float32: linear light."""
    header, channels = _open(path)
    colors = _colors(path, list(channels))
    picture = np.stack([channels[name].pixels for name in colors], -1).astype(np.float32)
    return picture[..., 0] if len(colors) == 1 else picture


def half_bits(light: np.ndarray) -> np.ndarray:
    """Linear light of any shape as the bits of half floats, uint16. Negative light is 0, too much is the greatest."""
    greatest = np.uint16(INFINITE - 1).view(np.float16).astype(np.float32)
    return np.clip(np.nan_to_num(light, nan=0.0), 0, greatest).astype(np.float16).view(np.uint16)


def write(samples: np.ndarray, source: Path, path: Path) -> None:
    """Write a picture with all attributes and further channels of its source.

    Args:
        samples: (H, W, 3) float32: R, G, B of linear light.
        source: picture whose attributes and further channels are kept.
        path: the file to write.
    """
    library = needed("OpenEXR", source)
    header, channels = _open(source)
    colors = _colors(source, list(channels))
    dtype = channels[colors[0]].pixels.dtype
    kept = {name: channel.pixels for name, channel in channels.items() if name not in colors}
    kept |= {name: np.ascontiguousarray(samples[..., n]).astype(dtype) for n, name in enumerate(COLORS)}
    header = {name: value for name, value in header.items() if name != "channels"}
    if header["compression"].name not in LOSSLESS:
        header["compression"] = library.ZIP_COMPRESSION
    library.File(header, kept).write(str(path))
