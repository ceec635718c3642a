"""The time stamp of each frame, read from the film's container without decoding where possible."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from ..errors import InputError
from .findings import Finding
from .opening import RAW, open_container
from .storage import open_file, size_of

MOST_FRAMES = 10_000_000
"""Greatest number of frames of a film: more than four days at 25 frames per second."""

TOO_LONG = f"at most {MOST_FRAMES} frames can be colorized at once; cut the film into pieces."
"""End of the sentence that refuses a longer film."""


@dataclass(frozen=True)
class Table:
    """When each frame of a film is shown."""

    pts: np.ndarray
    """(frames,) int64: time stamps in display order, in units of `time_base`."""
    last: int
    """Duration of the last frame, or 0 where it is unknown."""
    time_base: Fraction
    """Seconds per unit."""
    counted: bool = False
    """The decoder's time stamps do not count: its n-th frame has the n-th time stamp of the table."""
    findings: tuple[Finding, ...] = ()
    """What was wrong, and what was done about it."""


def counted_table(path: str, index: int, fps: Fraction) -> Table:
    """The table of a film whose frames follow each other at a constant rate. The whole film is decoded to count them.

    Args:
        path: path or URL of the film.
        index: index of the stream that holds its pictures.
        fps: frames per second.

    Raises:
        InputError: if the film is too long or holds no frames.
    """
    frames = 0
    with open_container(path) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        stream.codec_context.thread_type = "AUTO"
        for _ in decoded(container, stream, [""]):
            frames += 1
            if frames > MOST_FRAMES:
                raise InputError(f"{path}: {TOO_LONG}")
    if not frames:
        raise InputError(f"{path} holds no frames.")
    return Table(np.arange(frames, dtype=np.int64), 1, 1 / fps, counted=True)


def frame_table(path: str, index: int) -> Table:
    """The table of time stamps of a film.

    Args:
        path: path or URL of the film.
        index: index of the stream that holds its pictures.

    Raises:
        InputError: if the file is damaged or cut off, or holds no frames.
    """
    found: list[tuple[int | None, int]] = []
    end = 0.0  # in seconds, the latest end of a packet in any stream
    with open_container(path) as container:
        stream = container.streams[index]
        base = Fraction(stream.time_base)
        promised = stream.frames if container.format.name.startswith("mov") else 0
        length = (container.duration or 0) / av.time_base if container.format.name.startswith("matroska") else 0.0
        start = (container.start_time or 0) / av.time_base
        packets = 0
        trouble = ""
        try:
            for packet in container.demux():
                if packet.size == 0:
                    continue
                if packet.pts is not None and packet.time_base:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream_index == index:
                    packets += 1
                    if packets > MOST_FRAMES:
                        raise InputError(f"{path}: {TOO_LONG}")
                    if not packet.is_discard:
                        found.append((packet.pts, packet.duration or 0))
        except av.error.FFmpegError as error:
            trouble = f" ({error.strerror})"
    short = packets < promised or end - min(start, 0) < length - 0.5 or _cut_off(path)
    if trouble or short:
        raise InputError(
            f"{path} is damaged or cut off: only its first {len(found)} frames can be read{trouble}; "
            f"get a whole copy, or copy what is left into a new file "
            f"(ffmpeg -i {os.path.basename(path)} -map 0 -c copy whole.mkv) and colorize that."
        )
    if not found:
        raise InputError(f"{path} holds no frames.")
    stamps = sorted(p for p, _ in found if p is not None)
    if len(stamps) < len(found) or len(set(stamps)) < len(stamps):
        # Some packets are not whole frames or have no time stamp (MPEG program streams), so the film must be decoded.
        return _decoded_table(path, index)
    last = max(found, key=lambda item: item[0] or 0)[1]
    return Table(np.array(stamps, np.int64), last, base)


def _decoded_table(path: str, index: int) -> Table:
    """Like `frame_table`, but decodes the whole film."""
    stamps: list[int] = []
    duration = 0
    with open_container(path) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        stream.codec_context.thread_type = "AUTO"
        base, raw = Fraction(stream.time_base), container.format.name in RAW
        for frame, pts in stamped(container.decode(stream)):
            if pts is None and raw:
                break
            if pts is None or (stamps and pts <= stamps[-1]):
                raise InputError(
                    f"{path}: the time stamp of frame {len(stamps)} is missing or not after the one before; copy the "
                    f"film into a container that keeps time first (for instance ffmpeg -fflags +genpts "
                    f"-i {os.path.basename(path)} -c copy film.mkv)."
                )
            stamps.append(pts)
            duration = frame.duration or duration
        rate = stream.codec_context.framerate  # as the pictures state it; FFmpeg's 25 is not among them
    if raw and not stamps:
        if rate:
            return counted_table(path, index, Fraction(rate))
        raise InputError(f"{path} states no frame rate; give it with --fps (for instance --fps 24).")
    if not stamps:
        raise InputError(f"{path} holds no frames.")
    return Table(np.array(stamps, np.int64), duration, base)


def decoded(container: Any, stream: Any, trouble: list[str]) -> Iterator[Any]:
    """Yield decoded frames. A packet that fails is noted in `trouble`; the frame table tells if a frame is lost."""
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            trouble[0] = f" ({error.strerror})"
            continue
        yield from frames


def stamped(frames: Iterable[Any]) -> Iterator[tuple[Any, int | None]]:
    """Yield each frame with its pts.

    MPEG program streams stamp only some frames. An unstamped frame begins where the coded duration of the previous
    frame ends; its pts is None if the previous frame has no known pts or no duration.
    """
    following: int | None = None
    for frame in frames:
        pts = frame.pts if frame.pts is not None else following
        following = pts + frame.duration if pts is not None and frame.duration else None
        yield frame, pts


def _cut_off(path: str) -> bool:
    """Whether a Matroska, MP4/MOV or AVI file states more bytes than it has; FFmpeg reads such files without an error.

    The sizes compared with the file's: in Matroska that of the Segment (RFC 8794, 9559), in MP4 those of the boxes
    (ISO/IEC 14496-12, 4.2), in AVI those of the RIFF chunks.
    """
    total = size_of(path)
    with open_file(path) as file:
        head = file.read(12)
        if head[:4] == b"\x1a\x45\xdf\xa3":
            file.seek(4)
            file.seek(_vint(file) or 0, os.SEEK_CUR)
            size = _vint(file) if file.read(4) == b"\x18\x53\x80\x67" else None
            return size is not None and file.tell() + size > total
        at = 0
        if head[:4] == b"RIFF":
            while at + 8 <= total:
                file.seek(at)
                size = struct.unpack("<4xI", file.read(8))[0]
                if size in (0, 0xFFFFFFFF):  # the file was never finished, or is a live stream
                    return False
                at += 8 + size + size % 2
            return at > total + 1
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
            while at + 8 <= total:
                file.seek(at)
                size, _ = struct.unpack(">I4s", file.read(8))
                if size == 1 and at + 16 <= total:
                    size = struct.unpack(">Q", file.read(8))[0]
                if size < 8:  # 0: the box reaches to the file's end
                    return False
                at += size
            return at > total
    return False


def _vint(file: Any) -> int | None:
    """Read an EBML size; None for "unknown" (all ones) and at the file's end."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0xFF >> length)]) + file.read(length - 1), "big")
    return None if value == (1 << 7 * length) - 1 else value
