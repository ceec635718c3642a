"""What is in a file: its pictures, its streams with the digests of their packets, its chapters and its metadata."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from av.stream import Disposition

from ..files import file_sha256
from ..film import Film
from ..opening import open_container
from ..sequences.scans import Scans
from ..smpte import Beginning, beginning, is_timecode_track, stated_timecode
from ..storage import digest, is_url, size_of
from ..streams import is_chapter_track
from ..tags import BOTTOM_FIRST
from .records import Chapter, Media, Picture, Stream

PRIMARIES = {1: "BT.709", 4: "BT.470 M", 5: "BT.470 BG", 6: "SMPTE 170M", 7: "SMPTE 240M", 8: "film", 9: "BT.2020"}
PRIMARIES |= {10: "SMPTE 428", 11: "SMPTE 431", 12: "SMPTE 432", 22: "EBU 3213"}
TRANSFERS = {1: "BT.709", 4: "gamma 2.2", 5: "gamma 2.8", 6: "SMPTE 170M", 7: "SMPTE 240M", 8: "linear", 9: "log 100:1"}
TRANSFERS |= {10: "log 316:1", 11: "IEC 61966-2-4", 12: "BT.1361", 13: "sRGB", 14: "BT.2020 10 bit"}
TRANSFERS |= {15: "BT.2020 12 bit", 16: "PQ", 17: "SMPTE 428", 18: "HLG"}
MATRICES = {0: "RGB", 1: "BT.709", 4: "FCC", 5: "BT.470 BG", 6: "SMPTE 170M", 7: "SMPTE 240M", 8: "YCgCo"}
MATRICES |= {9: "BT.2020", 10: "BT.2020 constant luminance"}
"""Names of the colour tags of ITU-T H.273, tables 2, 3 and 4. Other values are not stated, or reserved."""

UNSTATED = "not stated"
"""Name of a colour tag that is missing."""


def describe(film: Film, file: str | Path, name: str | os.PathLike[str], sha256: str = "") -> Media:
    """What is in a film's file. The file is opened once, all packets are read, and only the first frame is decoded.

    Args:
        film: the film in the file, from `open_film`.
        file: path or URL of the file.
        name: name to be shown, perhaps with a folder, which is left out.
        sha256: SHA-256 of the file if it is known already.
    """
    if film.scans:
        return _sequence(film, film.scans, name, sha256)
    place = os.fspath(file)
    packets, sizes = Counter[int](), Counter[int]()
    digests: dict[int, Any] = {}
    begins = Beginning()
    with open_container(file) as container:
        for packet in container.demux():
            if packet.stream_index == film.stream and begins.frame is None:
                found = beginning([packet])
                begins = Beginning(begins.packet or found.packet, found.frame)
            if packet.size:
                index = packet.stream_index
                packets[index] += 1
                sizes[index] += packet.size
                digests.setdefault(index, hashlib.sha256()).update(packet)
        streams = []
        for stream in container.streams:
            index = stream.index
            content = digests.get(index, hashlib.sha256())
            if stream.type == "attachment":
                data = bytes(getattr(stream, "data", None) or b"")
                sizes[index], content = len(data), hashlib.sha256(data)
            streams.append(_stream(container, stream, packets[index], sizes[index], content.hexdigest()))
        chapters = [_chapter(chapter) for chapter in container.chapters()]
        metadata = dict(sorted(container.metadata.items()))
        stated = stated_timecode(container, film.stream, begins)
    return Media(
        name=plain_name(name),
        bytes=size_of(place),
        sha256=sha256 or (digest(place) if is_url(place) else file_sha256(Path(place))),
        container=film.container,
        picture=_picture(film, begins.frame),
        streams=streams,
        chapters=chapters,
        timecode=stated.text if stated else "",
        metadata=metadata,
    )


def digest_of(film: Film) -> dict[str, Any]:
    """Bytes and SHA-256 of a film's file; for a sequence, of all its pictures."""
    if film.scans:
        paths = [film.scans.path(frame) for frame in range(film.frames)]
        digest_ = file_sha256(Path(film.scans.pattern.folder), [path.name for path in paths])
        return {"bytes": sum(path.stat().st_size for path in paths), "sha256": digest_}
    sha256 = digest(film.path) if is_url(film.path) else file_sha256(Path(film.path))
    return {"bytes": size_of(film.path), "sha256": sha256}


def _sequence(film: Film, scans: Scans, name: str | os.PathLike[str], sha256: str) -> Media:
    """What is in a sequence of pictures. Its digest is that of the names and digests of its files."""
    paths = [scans.path(frame) for frame in range(film.frames)]
    return Media(
        name=plain_name(name),
        bytes=sum(path.stat().st_size for path in paths),
        sha256=sha256 or file_sha256(Path(scans.pattern.folder), [path.name for path in paths]),
        container=f"sequence of {scans.pattern.kind}",
        picture=_picture(film, None),
        streams=[],
        chapters=[],
        timecode=scans.addresses(film.rate or Fraction(25))[0],
        metadata={},
    )


def plain_name(place: str | os.PathLike[str]) -> str:
    """The name of a file without its folder, as text. Bytes that are not UTF-8 become escapes."""
    name = os.fspath(place).rstrip("/").rpartition("/")[2]
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _stream(container: Any, stream: Any, packets: int, size: int, sha256: str) -> Stream:
    context, metadata = stream.codec_context, {k.lower(): v for k, v in stream.metadata.items()}
    attached = stream.type == "attachment"
    codec = metadata.get("mimetype", "") if attached else context.codec.canonical_name if context else ""
    flags = Disposition(int(stream.disposition))
    return Stream(
        index=stream.index,
        type=stream.type,
        codec=codec or "unknown",
        details=_details(stream, context),
        language=stream.language or "",
        title=metadata.get("filename", "") if attached else metadata.get("title", ""),
        flags=[flag.name.lower() for flag in Disposition if flag in flags and flag.name],
        purpose=_purpose(container, stream),
        packets=packets,
        bytes=size,
        sha256=sha256,
    )


def _purpose(container: Any, stream: Any) -> Literal["", "chapters", "timecode"]:
    """What a track is for that the muxer makes itself."""
    if is_chapter_track(container, stream):
        return "chapters"
    return "timecode" if is_timecode_track(container.format.name, stream) else ""


def _details(stream: Any, context: Any) -> str:
    """What a person wants to know about a stream besides its codec."""
    words: list[str] = []
    if context and stream.type == "audio":
        words = [f"{context.sample_rate} Hz", context.layout.name, context.format.name if context.format else ""]
    elif context and stream.type == "video":
        words = [f"{context.width}×{context.height}", context.pix_fmt or ""]
    profile = getattr(stream, "profile", None)
    return ", ".join(filter(None, [*words, f"profile {profile}" if profile else ""]))


def _chapter(chapter: Any) -> Chapter:
    base, metadata = Fraction(chapter["time_base"]), chapter.get("metadata") or {}
    start, end = (round(float(chapter[name] * base), 6) for name in ("start", "end"))
    return Chapter(start=start, end=end, title=metadata.get("title", ""))


def _picture(film: Film, frame: Any) -> Picture:
    """The pictures of a film. `frame`: the first one; None for a sequence, which has no colour tags."""
    tags = (0, 0, -1) if frame is None else (int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace))
    scan: Literal["progressive", "interlaced, top field first", "interlaced, bottom field first"] = "progressive"
    if film.interlaced:
        scan = "interlaced, bottom field first" if film.field_order in BOTTOM_FIRST else "interlaced, top field first"
    return Picture(
        codec=film.codec,
        width=film.width,
        height=film.height,
        sample_aspect=str(film.sample_aspect),
        rotation=turned(film.display_matrix),
        pix_fmt=film.pix_fmt,
        bits=film.scans.head.bits if film.scans else film.bits,
        range="full" if film.full_range else "limited",
        primaries=PRIMARIES.get(tags[0], UNSTATED),
        transfer=TRANSFERS.get(tags[1], UNSTATED),
        matrix=MATRICES.get(tags[2], UNSTATED),
        scan=scan,
        frames=film.frames,
        rate=_rate(film),
        time_base=str(film.time_base),
        start=round(float(int(film.pts[0]) * film.time_base), 6),
        seconds=round(film.seconds, 6),
    )


def turned(matrix: Sequence[int]) -> str:
    """What FFmpeg's nine numbers for display do to a picture, in words."""
    if not matrix:
        return ""
    a, b, _, c, d = matrix[:5]
    mirrored = a * d - b * c < 0
    angle = round(math.degrees(math.atan2(b, -a if mirrored else a))) % 360
    words = ["mirrored"] * mirrored + [f"turned by {angle}° clockwise"] * (angle != 0)
    return ", ".join(words)


def _rate(film: Film) -> str:
    """Frames per second from the time stamps themselves, and whether the frames last unequally."""
    if film.frames < 2:
        return "one frame"
    steps = np.diff(film.pts)
    mean = (film.frames - 1) / float((int(film.pts[-1]) - int(film.pts[0])) * film.time_base)
    # Containers that count in milliseconds round each time stamp, so steps of a constant rate differ by one unit.
    constant = int(steps.max()) - int(steps.min()) <= 1
    return f"{mean:.3f}".rstrip("0").rstrip(".") + ("" if constant else ", variable")
