"""Films of H.264 and HEVC whose frames have a timecode beside them (supplemental enhancement information)."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

SIZE = 96, 64
"""Width and height in pixels."""


def make_timed(path: Path, codec: str, timecode: str, rate: Fraction = Fraction(25), frames: int = 6) -> Path:
    """Encode grey frames into MPEG-TS; each states a timecode, counted from `timecode` on. Returns `path`.

    Args:
        path: the file to write.
        codec: ``libx264`` or ``libx265``.
        timecode: that of the first frame; a semicolon marks drop-frame counting.
        rate: frames per second.
        frames: number of frames.
    """
    params = {"libx264": {"x264-params": "pic-struct=1:bframes=0"}, "libx265": {"x265-params": "bframes=0:log-level=1"}}
    hours, minutes, seconds, first = (int(part) for part in re.split("[:;]", timecode))
    with av.open(str(path), "w", format="mpegts") as out:
        stream: Any = out.add_stream(codec, rate=rate, options=params[codec])
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        packets = []
        for n in range(frames):
            frame = av.VideoFrame(*SIZE, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([100 + n]) * plane.buffer_size)
            frame.pts = n
            packets += stream.encode(frame)
        for n, packet in enumerate([*packets, *stream.encode(None)]):
            clock = hours, minutes, seconds, first + n, ";" in timecode
            timed = av.Packet(_timed(bytes(packet), codec, clock))
            timed.stream, timed.pts, timed.dts, timed.time_base = stream, packet.pts, packet.dts, packet.time_base
            timed.is_keyframe = packet.is_keyframe
            out.mux(timed)
    return path


def _timed(unit: bytes, codec: str, clock: tuple[int, int, int, int, bool]) -> bytes:
    """An access unit (Annex B) with a timecode in place of its other messages."""
    hours, minutes, seconds, frames, dropping = clock
    counting = 4 if dropping else 0  # 4: the numbers 0 and 1 are dropped
    found, told = [nal for nal in re.split(b"\0\0\0?\1", unit) if nal], False
    result = []
    for nal in found:
        kind = nal[0] & 31 if codec == "libx264" else nal[0] >> 1 & 63
        if kind == 6 and codec == "libx264":
            continue
        if not told and (kind in (1, 5) if codec == "libx264" else kind < 32):
            told = True
            if codec == "libx264":  # pic_timing (ISO/IEC 14496-10, D.1.3), without delays
                bits = f"{0:04b}1{1:02b}0{counting:05b}1{0:01b}{int(dropping):01b}{frames:08b}"
                bits += f"{seconds:06b}{minutes:06b}{hours:05b}{0:024b}"
                result.append(_message(b"\x06", 1, bits))
            else:  # time_code (ISO/IEC 23008-2, D.2.27)
                bits = f"{1:02b}10{counting:05b}1{0:01b}{int(dropping):01b}{frames:09b}"
                bits += f"{seconds:06b}{minutes:06b}{hours:05b}{0:05b}"
                result.append(_message(b"\x4e\x01", 136, bits))
        result.append(nal)
    return b"".join(b"\0\0\0\1" + nal for nal in result)


def _message(header: bytes, kind: int, bits: str) -> bytes:
    """A unit with one message. `bits`: its payload as a text of 0 and 1."""
    bits += "1" if len(bits) % 8 else ""
    bits += "0" * (-len(bits) % 8)
    payload = int(bits, 2).to_bytes(len(bits) // 8, "big")
    content = bytes([kind, len(payload)]) + payload + b"\x80"
    return header + re.sub(rb"\0\0(?=[\0\1\2\3])", b"\0\0\3", content)
