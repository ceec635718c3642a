"""PNG pictures of 8 and 16 bits (W3C, Portable Network Graphics). OpenCV codes the samples; chunks are copied."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ...errors import InputError
from .head import Head, aspect_of, is_rgb_profile

SIGNATURE = b"\x89PNG\r\n\x1a\n"

OWN = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"bKGD", b"hIST", b"sBIT", b"sPLT", b"acTL", b"fcTL", b"fdAT")
"""Chunks that describe how the source's samples are stored. All others are copied."""

COLOR_TYPES = {0: (1, False), 2: (3, False), 3: (3, False), 4: (3, True), 6: (3, True)}
"""Colour type → (channels as OpenCV reads them, whether alpha follows)."""

LEVEL = 1
"""Level of compression."""


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of each chunk."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size


def head(path: Path) -> Head:
    """The properties of a picture. Raises InputError if it cannot be used."""
    with open(path, "rb") as file:
        data = file.read(1 << 20)
    if not data.startswith(SIGNATURE) or len(data) < 33:
        raise InputError(f"{path} is not a PNG picture.")
    width, height, bits, color = struct.unpack_from(">IIBB", data, 16)
    channels, alpha = COLOR_TYPES.get(color, (3, False))
    aspect, profile = Fraction(1), b""
    for kind, content in _chunks(data):
        alpha = alpha or kind == b"tRNS"
        profile = content if kind == b"iCCP" else profile
        if kind == b"pHYs" and len(content) == 9:
            across, along = struct.unpack(">II", content[:8])
            aspect = aspect_of(along, across)  # more pixels per metre are narrower
    if alpha:
        channels = 3
    grey = bool(profile) and not _is_rgb(profile)
    return Head(width, height, 16 if bits == 16 else 8, channels, alpha, aspect=aspect, grey_profile=grey)


def read(path: Path) -> np.ndarray:
    """The samples of a picture, (H, W) or (H, W, channels) in the order R, G, B, alpha, uint8 or uint16."""
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise InputError(f"{path} cannot be decoded.")
    if picture.ndim == 3:
        return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    return picture


def write(samples: np.ndarray, source: Path | None, aspect: Fraction) -> bytes:
    """A PNG file with the chunks of its source.

    Args:
        samples: (H, W, 3) R, G, B, or (H, W, 4) with alpha; uint8 or uint16.
        source: picture whose text, profile, resolution and other chunks are kept; None if there is none.
        aspect: width of a pixel divided by its height, for a picture without a source.
    """
    order = cv2.COLOR_RGBA2BGRA if samples.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, coded = cv2.imencode(".png", cv2.cvtColor(samples, order), [cv2.IMWRITE_PNG_COMPRESSION, LEVEL])
    data = coded.tobytes()
    kept = [(k, c) for k, c in _chunks(source.read_bytes()) if k not in OWN] if source else []
    kept = [(kind, content) for kind, content in kept if kind != b"iCCP" or _is_rgb(content)]
    if source is None and aspect != 1:
        kept = [(b"pHYs", struct.pack(">IIB", aspect.denominator, aspect.numerator, 0))]
    return data[:33] + b"".join(map(_chunk, kept)) + data[33:]


def _chunk(entry: tuple[bytes, bytes]) -> bytes:
    """A chunk as it is stored: size, type, content, checksum."""
    kind, content = entry
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _is_rgb(content: bytes) -> bool:
    """Whether the ICC profile in a chunk is one of R, G, B."""
    try:
        return is_rgb_profile(zlib.decompress(content[content.index(b"\0") + 2 :]))
    except (ValueError, zlib.error):
        return False
