"""DPX pictures (SMPTE ST 268): FFmpeg decodes the samples; the header is read and kept byte for byte.

A picture that is written has the header of its source, including the user's data. Only the fields that describe how
samples are stored change: R, G, B in one element, 10 and 12 bits in filled words (method A).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ...errors import InputError
from .curves import DISPLAY, LOG
from .head import Head, aspect_of, rate_of

GENERIC, HEADER = 1664, 2048
"""Bytes of the generic header, and of it with the one for film and television, which FFmpeg leaves out."""

CHANNELS = {6: (1, False), 50: (3, False), 51: (3, True)}
"""Descriptor of an element → (channels, whether alpha follows)."""

LOGARITHMIC = (1, 3)
"""Transfer characteristics of printing density and of other logarithms.

The value 2, linear, is written by FFmpeg and others for pictures of a display. So it counts as display, and linear
light must be asked for."""

BT709, UNDEFINED = 6, 0xFF
"""Transfer characteristic and colorimetry of ITU-R BT.709; byte of an undefined field."""


@dataclass(frozen=True)
class _Fields:
    """The fields of a header that decide how samples are stored."""

    order: str
    """Byte order, as in `struct`."""
    offset: int
    """Position of the samples in the file."""
    elements: int
    descriptor: int
    transfer: int
    bits: int
    width: int
    height: int


def _fields(path: Path, header: bytes) -> _Fields:
    order = {b"SDPX": ">", b"XPDS": "<"}.get(header[:4])
    if order is None or len(header) < GENERIC:
        raise InputError(f"{path} is not a DPX picture.")
    elements, width, height = struct.unpack_from(order + "HII", header, 770)
    (offset,) = struct.unpack_from(order + "I", header, 4)
    descriptor, transfer, _, bits = header[800:804]
    return _Fields(order, offset, elements, descriptor, transfer, bits, width, height)


def head(path: Path) -> Head:
    """The properties of a picture. Raises InputError if it cannot be used."""
    with open(path, "rb") as file:
        header = file.read(HEADER)
    found = _fields(path, header)
    if found.elements != 1 or found.descriptor not in CHANNELS or found.bits not in (8, 10, 12, 16):
        raise InputError(
            f"{path}: DPX of {found.elements} image element(s), descriptor {found.descriptor} and {found.bits} bits is "
            f"not read; save it as grey, RGB or RGBA of 8, 10, 12 or 16 bits."
        )
    channels, alpha = CHANNELS[found.descriptor]
    a_line = found.width * (channels + alpha)
    (packing,) = struct.unpack_from(found.order + "H", header, 804)
    packed, filled = -(-a_line * found.bits // 8), {10: -(-a_line // 3) * 4, 12: a_line * 2}
    if path.stat().st_size < found.offset + found.height * (filled.get(found.bits, packed) if packing else packed):
        raise InputError(f"{path} is cut off; get a whole copy.")
    header = header[: found.offset].ljust(HEADER, bytes([UNDEFINED]))
    film, television, across, along = (
        struct.unpack_from(found.order + kind, header, at)[0]
        for kind, at in (("f", 1724), ("f", 1940), ("I", 1628), ("I", 1632))
    )
    return Head(
        width=found.width,
        height=found.height,
        bits=found.bits,
        channels=channels,
        alpha=alpha,
        coding=LOG if found.transfer in LOGARITHMIC else DISPLAY,
        rate=rate_of(film) or rate_of(television),
        aspect=aspect_of(across, along),
    )


def addresses(path: Path, rate: Fraction) -> tuple[str, str]:
    """The timecode and the keycode that a header states (SMPTE ST 268, 8.1 and 8.2); "" for one that it does not.

    Args:
        path: path of the picture.
        rate: frames per second. Above 30, the bit for drop-frame counting is a digit of the frames.

    Returns:
        For instance ``10:20:30:05``, and ``02 03 561234 0027+04``: the film's maker, its type, prefix, count, and the
        offset in perforations. A timecode of zeros counts as not stated.
    """
    with open(path, "rb") as file:
        header = file.read(HEADER)
    found = _fields(path, header)
    header = header[: found.offset].ljust(HEADER, bytes([UNDEFINED]))
    (word,) = struct.unpack_from(found.order + "I", header, 1920)
    dropping = rate <= 30 and bool(word >> 6 & 1)
    digits = f"{word & ~0x40 if dropping else word:08x}"
    hours, minutes, seconds, frames = (digits[at : at + 2] for at in range(0, 8, 2))
    stated = word and digits.isdecimal() and hours < "24" and minutes < "60" and seconds < "60"
    timecode = f"{hours}:{minutes}:{seconds}{';' if dropping else ':'}{frames}" if stated else ""
    maker, kind, offset, prefix, count = (
        header[a:b].strip(b"\0 ").decode("ascii", "replace")
        for a, b in ((1664, 1666), (1666, 1668), (1668, 1670), (1670, 1676), (1676, 1680))
    )
    keyed = all(part.isascii() and part.isdecimal() for part in (maker, kind, offset, prefix, count))
    return timecode, f"{maker} {kind} {prefix} {count}+{offset}" if keyed else ""


def read(path: Path) -> np.ndarray:
    """The samples of a picture, (H, W) or (H, W, channels), uint8, or uint16 above 8 bits."""
    decoder: Any = av.CodecContext.create("dpx", "r")
    try:
        frames = decoder.decode(av.Packet(path.read_bytes())) or decoder.decode(None)
    except av.error.FFmpegError as error:
        raise InputError(f"{path} cannot be decoded ({error.strerror}).") from error
    if not frames:
        raise InputError(f"{path} cannot be decoded.")
    return _samples(frames[0])


def _samples(frame: Any) -> np.ndarray:
    """The samples of a decoded frame, channels last."""
    name = frame.format.name
    dtype = np.dtype(np.uint8) if frame.format.components[0].bits == 8 else np.dtype(">u2" if "be" in name else "<u2")
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, dtype).reshape(plane.height, plane.line_size // dtype.itemsize)
        planes.append(rows)
    if name.startswith("gbr"):  # planes in the order G, B, R, A
        picture = np.stack([planes[n][:, : frame.width] for n in (2, 0, 1, 3)[: len(planes)]], -1)
    elif name.startswith("gray"):
        picture = planes[0][:, : frame.width]
    else:
        channels = len(frame.format.components)
        picture = planes[0][:, : frame.width * channels].reshape(frame.height, frame.width, channels)
        if name.startswith("abgr"):
            picture = picture[..., ::-1]
    return picture.astype(dtype.newbyteorder("="))


def write(samples: np.ndarray, bits: int, header: bytes, name: str) -> bytes:
    """A DPX file.

    Args:
        samples: (H, W, 3) R, G, B, or (H, W, 4) with alpha; uint8, or uint16 above 8 bits.
        bits: 8, 10, 12 or 16.
        header: header with the user's data, of the source (`header_of`) or a new one (`new_header`).
        name: name of the file, for the header.
    """
    result = bytearray(header)
    order = {b"SDPX": ">", b"XPDS": "<"}[header[:4]]
    data = _packed(samples, bits, order)
    struct.pack_into(order + "I", result, 4, len(header))
    struct.pack_into(order + "I", result, 16, len(header) + len(data))
    result[36:136] = name.encode("utf-8", "surrogateescape")[:99].ljust(100, b"\0")
    struct.pack_into(order + "HII", result, 770, 1, samples.shape[1], samples.shape[0])
    struct.pack_into(order + "I", result, 780, 0)  # unsigned
    result[800], result[803] = 51 if samples.shape[2] == 4 else 50, bits
    struct.pack_into(order + "HHIII", result, 804, int(bits in (10, 12)), 0, len(header), 0, 0)
    return bytes(result) + data


def _packed(samples: np.ndarray, bits: int, order: str) -> bytes:
    """Samples as DPX stores them: each line begins at a multiple of 32 bits."""
    lines = samples.reshape(len(samples), -1)
    if bits == 10:
        lines = np.pad(lines, ((0, 0), (0, -lines.shape[1] % 3))).astype(np.uint32).reshape(len(lines), -1, 3)
        words = lines[..., 0] << 22 | lines[..., 1] << 12 | lines[..., 2] << 2
        return words.astype(order + "u4").tobytes()
    lines = np.pad(lines, ((0, 0), (0, -lines.shape[1] % (4 if bits == 8 else 2))))
    return (lines << 4 if bits == 12 else lines).astype(np.uint8 if bits == 8 else order + "u2").tobytes()


def header_of(path: Path) -> bytes:
    """The header of a source with the user's data."""
    with open(path, "rb") as file:
        header = file.read(HEADER)
        offset = _fields(path, header).offset
        return (header + file.read(max(0, offset - HEADER)))[:offset]


def new_header(rate: Fraction, aspect: Fraction, number: int, frames: int) -> bytes:
    """The header of a picture whose source has none: display luma, ITU-R BT.709.

    Args:
        rate: frames per second.
        aspect: width of a pixel divided by its height.
        number: number of the frame in the film.
        frames: number of the film's frames.
    """
    header = bytearray([UNDEFINED]) * HEADER
    struct.pack_into(">4sI8s5I", header, 0, b"SDPX", HEADER, b"V1.0", 0, 1, 1664, 384, 0)
    header[36:660] = bytes(624)  # texts: the file's name and others
    header[160:168] = b"semcolor"
    struct.pack_into(">H", header, 768, 0)  # from left to right, from top to bottom
    header[801] = header[802] = BT709
    header[820:852] = bytes(32)
    header[1432:1556] = bytes(124)  # the source's name, date and devices
    struct.pack_into(">II", header, 1628, aspect.numerator, aspect.denominator)
    header[1664:1712] = bytes(48)
    struct.pack_into(">IIIf", header, 1712, number, frames, 0xFFFFFFFF, float(rate))
    header[1732:1920] = bytes(188)
    struct.pack_into(">f", header, 1940, float(rate))
    return bytes(header)
