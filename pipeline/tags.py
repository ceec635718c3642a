"""What a decoded frame states: its matrix, its rotation, the order of its fields, and where its luma is."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import Enum
from fractions import Fraction
from typing import Any

import av
import av.filter
from av.sidedata.sidedata import Type as SideDataType

from ..errors import InputError

KEPT_MATRICES = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}
"""Matrix coefficients (ITU-T H.273, table 4) that the output keeps."""

BOTTOM_FIRST = (3, 4)
"""Values of FFmpeg's AVFieldOrder that show the bottom field first: BB and TB. TT (2) and BT (5) show the top first."""


def filtering(width: int, height: int, pix_fmt: str, time_base: Fraction, name: str, arguments: str) -> Any:
    """A graph of FFmpeg with one filter, for frames of one size and format: push a frame, and pull the result.

    Args:
        width: columns of a frame.
        height: rows of a frame.
        pix_fmt: FFmpeg's name of the pixel format.
        time_base: seconds per unit of the frames' time stamps.
        name: name of the filter.
        arguments: its arguments, as FFmpeg writes them.
    """
    graph = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format=pix_fmt, time_base=time_base)
    chosen, sink = graph.add(name, arguments), graph.add("buffersink")
    source.link_to(chosen)
    chosen.link_to(sink)
    graph.configure()
    return graph


def bottom_first(frame: Any) -> bool:
    """Whether a frame shows its bottom field first. PyAV does not tell, but FFmpeg's filter select does."""
    shape = frame.width, frame.height, frame.format.name
    graph = filtering(*shape, Fraction(1, 25), "select", "eq(interlace_type\\,BOTTOMFIRST)")
    graph.push(frame)
    try:
        return graph.pull() is not None
    except (av.error.BlockingIOError, av.error.EOFError):
        return False


def matrix_tag(frame: Any) -> int:
    """The matrix tag of a frame, one of `KEPT_MATRICES`. Without a usable tag, the height decides, as in players.

    Grey has the same luma under every matrix, so an unusual tag can be replaced. Constant luminance (10) becomes 9.
    """
    tag = 9 if int(frame.colorspace) == 10 else int(frame.colorspace)
    return tag if tag in KEPT_MATRICES else 1 if frame.height >= 720 else 6


def display_matrix(frame: Any) -> tuple[int, ...]:
    """FFmpeg's nine numbers for rotation and mirroring of a frame at display; () for none."""
    for side in side_data(frame):
        if side.type.name == "DISPLAYMATRIX" and side.buffer_size == 36:
            return struct.unpack("=9i", bytes(side))
    return ()


def side_data(frame: Any) -> Iterator[Any]:
    """The side data of a frame, as PyAV gives them. Types that PyAV does not know are among them."""
    SideDataType._missing_ = classmethod(_unknown_side_data)  # type: ignore[assignment]
    yield from frame.side_data


def _unknown_side_data(kind: type[Enum], value: object) -> Enum:
    """A type of side data that FFmpeg has and PyAV lacks, such as EXIF. PyAV would read none of a frame's side data."""
    member = object.__new__(kind)
    member._name_, member._value_ = f"UNKNOWN_{value}", value
    return member


def planar(sampling: str, depth: int) -> str:
    """FFmpeg's name of the planar format with a subsampling, for instance 420, and a depth in bits."""
    return f"yuv{sampling}p" if depth == 8 else f"yuv{sampling}p{depth}le"


def luma_format(path: str, fmt: Any) -> tuple[str, int, bool]:
    """The format from which luma is read, for a source's pixel format.

    Formats with a separate Y plane are used unchanged. Packed 4:2:2 is only unpacked. RGB, palette and 1-bit pictures
    have no luma: they are converted once to full range 4:4:4, where grey keeps its values. Grey formats without a tag
    are full range, as in FFmpeg.

    Args:
        path: path of the film, for messages.
        fmt: the source's pixel format (`av.VideoFormat`).

    Returns:
        (planar pixel format, bits of a luma sample, whether luma is full range unless tagged otherwise).

    Raises:
        InputError: if the format is not supported.
    """
    name, bits = fmt.name, fmt.components[0].bits
    if name.startswith(("yuyv", "uyvy", "yvyu")):
        return "yuv422p", 8, False
    if fmt.is_rgb or fmt.has_palette or name.startswith("mono"):
        bits = max(8, max(c.bits for c in fmt.components))
        depth = next((b for b in (8, 10, 12, 16) if b >= bits), None)
        if depth and "f" not in name:
            return planar("444", depth), depth, True
    elif 8 <= bits <= 16 and (name == "gray" or name.startswith(("yuv", "gray", "nv")) and "f" not in name[4:]):
        return name, bits, name.startswith(("yuvj", "gray"))
    raise InputError(f"{path} has the pixel format {name}, which is not supported; convert it to yuv420p first.")
