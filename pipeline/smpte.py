"""The timecode of a film (SMPTE ST 12-1): where it is stated, and which containers store it.

A timecode is the address of a film's first frame, ``HH:MM:SS:FF``; a semicolon before the frames marks drop-frame
counting. QuickTime and MP4 keep it in a track, other containers as metadata, and MPEG in the header of a group of
pictures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

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


def stated_timecode(source: Any, index: int) -> Timecode | None:
    """The timecode that a film states in its tracks, in its metadata, or in its first group of pictures.

    Args:
        source: the film, opened by PyAV. It may be read from; a caller that wants all packets opens it again.
        index: index of the stream that holds the pictures.
    """
    pictures = source.streams[index]
    tracks = [s for s in source.streams if is_timecode_track(source.format.name, s)]
    places = [_lower(s.metadata) for s in (pictures, *tracks, source)]
    text = next((p["timecode"] for p in places if FORM.fullmatch(p.get("timecode", ""))), "")
    if not text and pictures.codec_context and pictures.codec_context.name.startswith("mpeg"):
        text = _group_timecode(source, pictures)
    if not text or (text == NONE_STATED and source.format.name == "gxf"):
        return None
    return Timecode(text, next((p["reel_name"] for p in places if p.get("reel_name")), ""))


def _lower(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata with the names in lower case. Matroska's are in upper case."""
    return {name.lower(): value for name, value in metadata.items()}


def _group_timecode(source: Any, pictures: Any) -> str:
    """The timecode of the first group of pictures (ISO/IEC 13818-2, 6.3.8); "" if none is stated.

    A timecode within the first second is the encoder's own count of frames. The header is read from the packet, because
    FFmpeg's decoder gives a frame the timecode of the next one, if each frame is a group.
    """
    first = next((bytes(packet) for packet in source.demux(pictures) if packet.size), b"")
    _, found, header = first.partition(b"\0\0\1\xb8")
    if not found or len(header) < 4:
        return ""
    # 1 bit drop-frame, 5 bits hours, 6 minutes, 1 marker, 6 seconds, 6 frames.
    bits = int.from_bytes(header[:4], "big") >> 7
    hours, minutes, seconds = bits >> 19 & 31, bits >> 13 & 63, bits >> 6 & 63
    text = f"{hours:02}:{minutes:02}:{seconds:02}{';' if bits >> 24 & 1 else ':'}{bits & 63:02}"
    return text if hours or minutes or seconds else ""
