"""Chapters put into a Matroska file that FFmpeg wrote without them (RFC 8794 for EBML, RFC 9559 for Matroska).

FFmpeg's muxer of segments, through which some sound is written (`nesting`), hands on no chapters. Here FFmpeg's own
muxer writes them into a small file, and its element is appended to the large one. An entry in the list of the file's
elements (SeekHead), which FFmpeg follows by some room, tells readers where it is.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import IO, Any

import av

from ..errors import AssembleError
from .containers import EXACT

SEGMENT, SEEK_HEAD, VOID, CHAPTERS = 0x18538067, 0x114D9B74, 0xEC, 0x1043A770
"""IDs of elements."""

LEAST_VOID = 9
"""Bytes of an element without meaning that is empty."""

SEEK, SEEK_ID, SEEK_POSITION = b"\x4d\xbb", b"\x53\xab", b"\x53\xac"
"""IDs of an entry of SeekHead and of its two elements."""


def add_chapters(file: IO[bytes], chapters: Sequence[Any]) -> None:
    """Put chapters into a finished Matroska file.

    Args:
        file: the file, open for reading and writing.
        chapters: the chapters, as PyAV gives and takes them.

    Raises:
        AssembleError: if the file is not as FFmpeg writes it.
    """
    element = _written(chapters)
    segment = next((found for found in _elements(file, 0) if found[0] == SEGMENT), None)
    if segment is None:
        raise AssembleError("chapters cannot be written beside this sound")
    _, size_at, content, size = segment
    inside = _elements(file, content)
    seek, room = next(inside, None), next(inside, None)
    end = file.seek(0, io.SEEK_END)
    position = end - content
    entry_id, entry_position = CHAPTERS.to_bytes(4, "big"), position.to_bytes(8, "big")
    entry = _element(SEEK, _element(SEEK_ID, entry_id) + _element(SEEK_POSITION, entry_position))
    whole = content + size == end and content - size_at == 8  # the segment ends with the file, and its size has 8 bytes
    if not (whole and seek and room and seek[0] == SEEK_HEAD and room[0] == VOID):
        raise AssembleError("chapters cannot be written beside this sound")
    file.seek(seek[2])
    head = _element(SEEK_HEAD.to_bytes(4, "big"), file.read(seek[3]) + entry)
    left = room[2] + room[3] - content - len(head)
    if left < LEAST_VOID:
        raise AssembleError("chapters cannot be written beside this sound")
    file.seek(content)
    file.write(head + _void(left))
    file.seek(0, io.SEEK_END)
    file.write(element)
    file.seek(size_at)
    file.write(_sized(size + len(element), 8))


def _written(chapters: Sequence[Any]) -> bytes:
    """The element of the chapters, as FFmpeg writes it."""
    small = io.BytesIO()
    with av.open(small, "w", format="matroska", container_options=dict(EXACT)) as out:
        stream: Any = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "gray"
        out.set_chapters(list(chapters))
        out.start_encoding()
    segment = next(found for found in _elements(small, 0) if found[0] == SEGMENT)
    for name, _, content, size in _elements(small, segment[2]):
        if name == CHAPTERS:
            return _element(CHAPTERS.to_bytes(4, "big"), small.getvalue()[content : content + size])
    raise AssembleError("chapters cannot be written beside this sound")


def _elements(file: IO[bytes], at: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (ID, position of the size, position of the content, its size) of the elements from a position on."""
    while True:
        file.seek(at)
        start = file.read(1)
        if not start or not start[0]:
            return
        length = 9 - start[0].bit_length()
        name = int.from_bytes(start + file.read(length - 1), "big")
        first = file.read(1)
        if not first or not first[0]:
            return
        width = 9 - first[0].bit_length()
        size = int.from_bytes(first + file.read(width - 1), "big") & ((1 << 7 * width) - 1)
        content = at + length + width
        yield name, at + length, content, size
        at = content + size


def _element(name: bytes, content: bytes) -> bytes:
    return name + _sized(len(content), 1 if len(content) < 127 else 8) + content


def _sized(size: int, width: int) -> bytes:
    """A size in so many bytes."""
    return (size | 1 << 7 * width).to_bytes(width, "big")


def _void(size: int) -> bytes:
    """An element without meaning, of so many bytes altogether; at least `LEAST_VOID`."""
    return VOID.to_bytes(1, "big") + _sized(size - LEAST_VOID, 8) + bytes(size - LEAST_VOID)
