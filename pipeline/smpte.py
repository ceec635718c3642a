"""The timecode of a film (SMPTE ST 12-1): where it is stated, and which containers store it.

A timecode is the address of a film's first frame, ``HH:MM:SS:FF``; a semicolon before the frames marks drop-frame
counting. QuickTime and MP4 keep it in a track, other containers as metadata, MPEG in the header of a group of pictures,
and H.264 and HEVC beside each frame.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.error import FFmpegError

from .tags import side_data

IN_A_TRACK = ("mov", "mp4")
"""Containers (FFmpeg's names) whose muxer makes a timecode track from the metadata of the pictures' stream."""

IN_THE_STREAM = ("matroska", "webm", "nut")
"""Containers that keep the metadata of the pictures' stream."""

IN_THE_FILE = ("avi", "asf", "flv", "mxf", "gxf", "nut")
"""Containers that keep the metadata ``timecode`` of the whole file."""

FORM = re.compile(r"\d\d:\d\d:\d\d[:;.]\d\d")
"""The form of a timecode."""

NONE_STATED = "00:00:00:00"
"""The timecode that a GXF file states if it is given none."""


@dataclass(frozen=True)
class Timecode:
    """The timecode of a film's first frame."""

    text: str
    """For instance ``10:20:30:05``."""
    reel: str = ""
    """Name of the reel or tape."""

    @property
    def dropping(self) -> bool:
        """Whether frame numbers are dropped to keep pace with the clock."""
        return self.text[8] != ":"

    def agrees(self, other: Timecode) -> bool:
        """Whether both are the same address in the same counting. Containers write ``;`` and ``.`` alike."""
        same = self.text[:8] == other.text[:8] and self.text[9:] == other.text[9:]
        return same and self.dropping == other.dropping

    def stored_by(self, container: str, rate: Fraction) -> bool:
        """Whether a container can store it.

        Args:
            container: FFmpeg's name of the container.
            rate: frames per second. A track counts drop-frame only at multiples of 30000/1001.
        """
        counted = rate >= 1 and (not self.dropping or (rate / Fraction(30000, 1001)).denominator == 1)
        return container in IN_THE_STREAM + IN_THE_FILE or (container in IN_A_TRACK and counted)


def is_timecode_track(container: str, stream: Any) -> bool:
    """Whether a stream holds nothing but timecode: a QuickTime track ``tmcd``, or the data track of GXF.

    Args:
        container: FFmpeg's name of the source's container.
        stream: one of its streams, opened by PyAV.
    """
    if stream.type != "data" or stream.name:
        return False
    return container == "gxf" or (container.startswith("mov") and "timecode" in stream.metadata)


@dataclass(frozen=True)
class Beginning:
    """The beginning of a film's pictures."""

    packet: bytes = b""
    """The first packet."""
    frame: Any = None
    """The first frame that is shown, as PyAV gives it; None if there is none."""


def beginning(packets: Iterable[Any]) -> Beginning:
    """The beginning of a film's pictures. No more packets are taken than that needs. `packets`: those of the pictures,
    as PyAV's containers give them."""
    first = b""
    for packet in packets:
        first = first or bytes(packet)
        with suppress(FFmpegError):
            for frame in packet.decode():
                return Beginning(first, frame)
    return Beginning(first)


def stated_timecode(source: Any, index: int, begins: Beginning | None = None) -> Timecode | None:
    """The timecode that a film states in its tracks, in its metadata, in its first group of pictures (MPEG) or beside
    its first frame (H.264, HEVC).

    Args:
        source: the film, opened by PyAV. It may be read from; a caller that wants all packets opens it again.
        index: index of the stream that holds the pictures.
        begins: the beginning of the pictures, if it is known; then nothing is read.
    """
    pictures = source.streams[index]
    tracks = [s for s in source.streams if is_timecode_track(source.format.name, s)]
    places = [_lower(s.metadata) for s in (pictures, *tracks, source)]
    text = next((p["timecode"] for p in places if FORM.fullmatch(p.get("timecode", ""))), "")
    name = pictures.codec_context.name if pictures.codec_context else ""
    if not text and name.startswith(("mpeg", "h264", "hevc")):
        begins = begins or beginning(source.demux(pictures))
        rate = Fraction(pictures.average_rate or pictures.guessed_rate or 25)
        text = _group_timecode(begins.packet) if name.startswith("mpeg") else _frame_timecode(begins.frame, rate)
    if not text or (text == NONE_STATED and source.format.name == "gxf"):
        return None
    return Timecode(text, next((p["reel_name"] for p in places if p.get("reel_name")), ""))


def _lower(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata with the names in lower case. Matroska's are in upper case."""
    return {name.lower(): value for name, value in metadata.items()}


def _frame_timecode(frame: Any, rate: Fraction) -> str:
    """The timecode that H.264 and HEVC state beside a frame, in supplemental enhancement information (ISO/IEC 14496-10,
    D.1.3, and 23008-2, D.2.27); "" if none is stated.

    FFmpeg gives it as a binary group of SMPTE ST 12-1. A timecode within the first second is the encoder's own count.
    """
    sides = [] if frame is None else [s for s in side_data(frame) if s.type.name == "S12M_TIMECODE"]
    if not sides or len(data := bytes(sides[0])) < 8:
        return ""
    count, word = struct.unpack_from("=II", data)
    if not count:
        return ""
    hours, minutes, seconds, frames = (
        10 * (byte >> 4) + (byte & 15) for byte in (word & 0x3F, word >> 8 & 0x7F, word >> 16 & 0x7F, word >> 24 & 0x3F)
    )
    if rate > 30:  # pairs of frames are counted, and a bit tells which of the two it is
        frames = 2 * frames + (word >> (7 if rate == 50 else 23) & 1)
    text = f"{hours:02}:{minutes:02}:{seconds:02}{';' if word >> 30 & 1 else ':'}{frames:02}"
    return text if hours or minutes or seconds else ""


def _group_timecode(first: bytes) -> str:
    """The timecode of the first group of pictures (ISO/IEC 13818-2, 6.3.8); "" if none is stated.

    A timecode within the first second is the encoder's own count of frames. The header is read from the packet, because
    FFmpeg's decoder gives a frame the timecode of the next one, if each frame is a group. `first`: the first packet.
    """
    _, found, header = first.partition(b"\0\0\1\xb8")
    if not found or len(header) < 4:
        return ""
    # 1 bit drop-frame, 5 bits hours, 6 minutes, 1 marker, 6 seconds, 6 frames.
    bits = int.from_bytes(header[:4], "big") >> 7
    hours, minutes, seconds = bits >> 19 & 31, bits >> 13 & 63, bits >> 6 & 63
    text = f"{hours:02}:{minutes:02}:{seconds:02}{';' if bits >> 24 & 1 else ':'}{bits & 63:02}"
    return text if hours or minutes or seconds else ""
