"""Films as other programs and accidents leave them: packed B-frames, covers, tracks, cuts."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

VOP = b"\x00\x00\x01\xb6"
"""Start code of a picture of MPEG-4 Visual (ISO/IEC 14496-2)."""

NOT_CODED = VOP + b"\x53\x7f"
"""A picture that is not coded: it stands for the B-frame that is packed with the frame before."""


def pack_b_frames(source: Path, target: Path) -> Path:
    """Copy an MPEG-4 film into an AVI as DivX 5 wrote it: a B-frame shares the packet of the frame that it follows in
    coded order, and a picture that is not coded takes its place. `source` has at most one B-frame in a row."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream, opaque=True)
        coded = [(bytes(packet), packet.is_keyframe) for packet in container.demux(stream) if packet.size]
        at = coded[0][0].find(VOP)
        coded[0] = coded[0][0][:at] + b"\x00\x00\x01\xb2DivX503b1393p\x00" + coded[0][0][at:], True
        packed: list[tuple[bytes, bool]] = []
        for data, key in coded:
            if data[data.find(VOP) + 4] >> 6 == 2:
                packed[-1] = packed[-1][0] + data, packed[-1][1]
                packed.append((NOT_CODED, False))
            else:
                packed.append((data, key))
        for number, (data, key) in enumerate(packed):
            out.mux(_packet(copy, data, number, key))
    return target


def join_tracks(target: Path, *films: Path, default: int | None = None, sound: Path | None = None) -> Path:
    """Copy the pictures of several films into one file, each as a track, and the sound of another film.

    `default`: number of the only track that is marked as default; None: all are.
    """
    with av.open(str(target), "w") as out:
        todo: list[tuple[float, Any]] = []
        opened = [(path, "video") for path in films] + ([(sound, "audio")] if sound else [])
        for number, (path, kind) in enumerate(opened):
            container: Any = av.open(str(path))
            stream = next(s for s in container.streams if s.type == kind)
            copy = out.add_stream_from_template(stream, opaque=True)
            if kind == "video":
                copy.disposition = int(default in (None, number))
            for packet in container.demux(stream):
                if packet.size:
                    packet.stream = copy
                    todo.append((float((packet.pts if packet.dts is None else packet.dts) * packet.time_base), packet))
        out.start_encoding()
        for _, packet in sorted(todo, key=lambda item: item[0]):
            out.mux_one(packet)
    return target


def with_stamps(source: Path, target: Path, stamps: Iterable[int]) -> Path:
    """Copy the pictures of a film without B-frames with other time stamps, in 1/1000 s."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream, opaque=True)
        packets = [packet for packet in container.demux(stream) if packet.size]
        for packet, stamp in zip(packets, stamps, strict=True):
            packet.stream, packet.time_base = copy, Fraction(1, 1000)
            packet.pts = packet.dts = stamp
            out.mux(packet)
    return target


def _packet(stream: Any, data: bytes, number: int, key: bool) -> Any:
    packet = av.Packet(data)
    packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 25), key
    packet.pts = packet.dts = number
    packet.duration = 1
    return packet
