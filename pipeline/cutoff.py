"""Whether a file ends earlier than its container says. FFmpeg reads such files to their end without an error.

| container | compared with the size of the file | source |
| --- | --- | --- |
| Matroska, WebM | the size of the Segment | RFC 8794, 9559 |
| MP4, MOV | the sizes of the boxes | ISO/IEC 14496-12, 4.2 |
| AVI | the sizes of the RIFF chunks | |
| FLV | the last tag, whose size also follows it | Adobe FLV 10.1, E.3 |
| ASF | the File Size of the File Properties Object | ASF 1.20, 3.2 |
| MXF | the place of the footer partition | SMPTE ST 377-1, 7.1 |
| MPEG-TS | whole packets of 188 bytes (192 with Blu-ray's time codes, 204 with Reed-Solomon bytes) | ISO/IEC 13818-1 |
| MPEG-PS | the length of the last PES packet | ISO/IEC 13818-1, 2.5 |
| IVF, Y4M | the size of the last frame | |
| GIF | its last byte, the trailer | GIF89a, 27 |

A file that is cut off exactly between two packets cannot be told from a whole one, unless its header states a size.
"""

from __future__ import annotations

import os
import struct
from typing import IO, Any

from .storage import open_file, size_of

TAIL = 1 << 18
"""Bytes at a file's end in which its last packets are looked for."""

TS_PACKETS = (188, 192, 204)
"""Sizes of a packet of MPEG-TS."""

PACK = b"\x00\x00\x01"
"""How each packet of MPEG-PS begins."""

MXF_PARTITION = bytes.fromhex("060e2b34020501010d010201")
"""How the key of a partition of MXF begins."""

ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""GUID of ASF's File Properties Object."""


def cut_off(path: str, container: str) -> bool:
    """Whether a file has fewer bytes than its container says. `container`: FFmpeg's name of it."""
    total = size_of(path)
    check = next((check for names, check in CHECKS.items() if container.split(",")[0] in names), None)
    if not check or not total:
        return False
    with open_file(path) as file:
        return check(file, total)


def _matroska(file: IO[bytes], total: int) -> bool:
    file.seek(4)
    file.seek(_vint(file) or 0, os.SEEK_CUR)
    size = _vint(file) if file.read(4) == b"\x18\x53\x80\x67" else None
    return size is not None and file.tell() + size > total


def _riff(file: IO[bytes], total: int) -> bool:
    at = 0
    while at + 8 <= total:
        file.seek(at)
        size = struct.unpack("<4xI", file.read(8))[0]
        if size in (0, 0xFFFFFFFF):  # the file was never finished, or is a live stream
            return False
        at += 8 + size + size % 2
    return at > total + 1


def _boxes(file: IO[bytes], total: int) -> bool:
    at = 0
    while at + 8 <= total:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        if at == 0 and kind not in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
            return False
        if size == 1 and at + 16 <= total:
            size = struct.unpack(">Q", file.read(8))[0]
        if size < 8:  # 0: the box reaches to the file's end
            return False
        at += size
    return at > total


def _flv(file: IO[bytes], total: int) -> bool:
    at = 9 + 4
    tail = _tail(file, total)
    size = int.from_bytes(tail[-4:], "big")  # of the last tag, with its header of 11 bytes
    if not 11 <= size <= len(tail) - 4:
        return total > at
    return int.from_bytes(tail[-4 - size + 1 : -4 - size + 4], "big") != size - 11


def _asf(file: IO[bytes], total: int) -> bool:
    head = file.read(1 << 16)
    at = head.find(ASF_FILE)
    if at < 0 or at + 104 > len(head):
        return False
    size, flags = struct.unpack("<Q", head[at + 40 : at + 48])[0], head[at + 88]
    return not flags & 1 and size > total  # bit 0: a live stream, whose size was not known


def _mxf(file: IO[bytes], total: int) -> bool:
    head = file.read(1 << 16)
    at = head.find(MXF_PARTITION)
    if at < 0 or at + 60 > len(head):
        return False
    length = head[at + 16]
    body = at + 17 + (length & 0x7F if length & 0x80 else 0)
    footer = struct.unpack(">Q", head[body + 24 : body + 32])[0]
    return footer > total - at - 16


def _transport_stream(file: IO[bytes], total: int) -> bool:
    head = file.read(8 * max(TS_PACKETS))
    for size in TS_PACKETS:
        start = head.find(b"\x47", 0, size)
        if start >= 0 and all(head[n] == 0x47 for n in range(start, len(head), size)):
            return (total - start + (4 if size == 192 else 0)) % size > 0
    return False


def _program_stream(file: IO[bytes], total: int) -> bool:
    tail = _tail(file, total)
    at = tail.rfind(PACK + b"\xba")  # the last pack
    while 0 <= at < len(tail):
        rest = tail[at:]
        if not rest.strip(b"\x00"):  # padding
            return False
        if len(rest) < 14:
            return rest[:4] != PACK + b"\xb9"
        if rest[:3] != PACK:
            return False  # not a packet: the file is damaged otherwise
        if rest[3] == 0xB9:
            return False
        if rest[3] == 0xBA:  # MPEG-2 has 14 bytes and stuffing, MPEG-1 has 12
            at += 14 + (rest[13] & 7) if rest[4] >> 6 == 1 else 12
        else:
            at += 6 + int.from_bytes(rest[4:6], "big")
    return at > len(tail)


def _ivf(file: IO[bytes], total: int) -> bool:
    head = file.read(32)
    at = struct.unpack("<H", head[6:8])[0] if len(head) == 32 else total
    while at + 12 <= total:
        file.seek(at)
        at += 12 + struct.unpack("<I", file.read(4))[0]
    return at != total


def _y4m(file: IO[bytes], total: int) -> bool:
    head = file.readline(1 << 12)
    first = file.readline(1 << 12)
    words = {word[:1]: word[1:] for word in head.split()[1:]}
    try:
        width, height = int(words[b"W"]), int(words[b"H"])
    except (KeyError, ValueError):
        return False
    form = words.get(b"C", b"420").decode(errors="replace")
    ch, cw = {"420": (2, 2), "422": (1, 2), "411": (1, 4), "444": (1, 1)}.get(form[:3], (0, 0))
    if not form.startswith("mono") and not ch:
        return False
    depth = 2 if form.partition("p")[2].isdigit() or form.startswith("mono1") else 1
    chroma = 2 * -(-height // ch) * -(-width // cw) if ch else 0
    alpha = width * height if "alpha" in form else 0
    size = (width * height + chroma + alpha) * depth + len(first)
    return (total - len(head)) % size > 0


def _gif(file: IO[bytes], total: int) -> bool:
    return not _tail(file, total).rstrip(b"\x00").endswith(b"\x3b")


def _tail(file: IO[bytes], total: int) -> bytes:
    """The last bytes of a file, at most `TAIL`."""
    file.seek(max(0, total - TAIL))
    return file.read()


def _vint(file: Any) -> int | None:
    """Read an EBML size; None for "unknown" (all ones) and at the file's end."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0xFF >> length)]) + file.read(length - 1), "big")
    return None if value == (1 << 7 * length) - 1 else value


CHECKS = {
    ("matroska", "webm"): _matroska,
    ("mov",): _boxes,
    ("avi",): _riff,
    ("flv", "live_flv", "kux"): _flv,
    ("asf",): _asf,
    ("mxf",): _mxf,
    ("mpegts",): _transport_stream,
    ("mpeg",): _program_stream,
    ("ivf",): _ivf,
    ("yuv4mpegpipe",): _y4m,
    ("gif",): _gif,
}
"""FFmpeg's names of a container → its check of an open file and its size in bytes."""
