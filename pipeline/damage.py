"""Damage in a film's packets that FFmpeg's decoders conceal without a word.

Decoders of H.264, MPEG-4, MPEG-2 and ProRes mark the frames in which they conceal damage. What others keep to
themselves is found here, packet by packet:

    any codec   the container marks a packet as damaged, as MPEG-TS does where packets are missing
    FFV1        each slice ends with its CRC-32 (RFC 9043, 4.9), unless the film was coded without
    MJPEG       a strict decoder fails, and a lenient one then gives the frame
    HEVC        a picture states its own hash (ISO/IEC 23008-2, D.2.19), and has another

VP9, AV1, HEVC without hashes and FFV1 without CRC hold nothing by which damage inside a packet could be told.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import Any

import av

COPY_OPAQUE = 1 << 7
"""FFmpeg's AV_CODEC_FLAG_COPY_OPAQUE: a frame has the mark of its packet, however late it comes."""

DAMAGED = "damaged"
"""Mark of a packet, and of its frame."""

HASH = b"\x50\x01\x84"
"""Header of HEVC's suffix message and the number of the message with a picture's hash (132)."""

SIZES, FOOTER = 3, 8
"""Bytes of the size of a slice of FFV1, and of the footer in which it stands before a byte and the CRC."""

SEED = 0x7A8C4079
"""CRC of a whole slice in version 4 of FFV1, with which it also begins; in version 3 both are 0."""

MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the opposite order."""


class Watch:
    """Finds damaged packets of one stream that is being decoded. All its packets come in order, from any one on."""

    def __init__(self, stream: Any) -> None:
        """`stream`: a video stream whose decoder has not been opened yet."""
        self._context = stream.codec_context
        self._codec = self._context.codec.canonical_name
        self._context.flags |= COPY_OPAQUE
        if self._codec == "mjpeg":
            self._context.options = {"err_detect": "explode"}
        self._late = stream.container.format.name == "mpegts"
        self._begun, self._hashed, self._marked = False, False, False
        self._failed: set[int | None] = set()
        self._lenient: Any = None

    def look(self, packet: Any) -> None:
        """Look at a packet before it is decoded."""
        if not packet.size:
            return
        if not self._begun and self._codec == "hevc" and HASH in bytes(packet):
            # A failure must come with its own packet, so only slices are decoded at the same time.
            self._hashed, self._context.thread_type = True, "SLICE"
            self._context.options = {"err_detect": "crccheck+explode"}
        self._begun = True
        # FFmpeg cuts the packets of MPEG-TS into frames, and marks the frame before the damaged one.
        marked, self._marked = self._marked if self._late else packet.is_corrupt, packet.is_corrupt
        if marked or (self._codec == "ffv1" and not whole_slices(bytes(packet))):
            packet.opaque = DAMAGED

    def again(self, packet: Any) -> list[Any]:
        """The frames of a packet whose decoding failed, from a decoder that fails for less."""
        if self._hashed:
            self._failed.add(packet.pts)  # the frame comes all the same, in its place
        if self._codec != "mjpeg" or not packet.size:
            return []
        packet.opaque = DAMAGED
        if self._lenient is None:
            self._lenient = av.CodecContext.create(self._context.name, "r")
            self._lenient.extradata = self._context.extradata
            self._lenient.flags |= COPY_OPAQUE
        with suppress(av.error.FFmpegError):
            return self._lenient.decode(packet)
        return []

    def damaged(self, frame: Any) -> bool:
        """Whether a frame of the stream is damaged, as far as can be told."""
        return bool(frame.is_corrupt) or frame.opaque == DAMAGED or (frame.pts in self._failed)


def whole_slices(packet: bytes) -> bool:
    """Whether the slices of a frame of FFV1 have their CRC. True as well if they state none."""
    slices, end = [], len(packet)
    while end > FOOTER:
        begin = end - FOOTER - int.from_bytes(packet[end - FOOTER : end - FOOTER + SIZES], "big")
        slices.append((begin, end))
        end = begin
    if end:  # the sizes do not lead to the beginning of the frame, so these are no footers with a CRC
        return True
    return all(_crc(packet[a:b], 0) == 0 or _crc(packet[a:b], SEED) == SEED for a, b in slices)


def _crc(data: bytes, seed: int) -> int:
    """CRC-32 of IEEE 802.3 with the highest bit first, as FFV1 computes it, from a state on."""
    return _mirrored(zlib.crc32(data.translate(MIRRORED), _mirrored(seed) ^ 0xFFFFFFFF) ^ 0xFFFFFFFF)


def _mirrored(word: int) -> int:
    """32 bits in the opposite order."""
    return int.from_bytes(word.to_bytes(4, "little").translate(MIRRORED), "big")
