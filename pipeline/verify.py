"""Read a written film back and compare it with its source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
from av.video.reformatter import ColorRange

from ..errors import AssembleError, StampError
from .containers import WITHOUT_PTS
from .encode import Encoding
from .film import Film
from .opening import open_container
from .smpte import Timecode, is_timecode_track, stated_timecode
from .streams import is_chapter_track
from .tags import KEPT_MATRICES, display_matrix, matrix_tag

File = Path | IO[bytes]
"""A path, or an open file in memory."""

SOUND_STEP = Fraction(1, 20)
"""Seconds by which the sound may begin earlier or later than in the source. AVI begins at 0, so it drops the 21 ms by
which AAC begins before 0. Viewers notice about 45 ms (ITU-R BT.1359)."""


@dataclass
class Copied:
    """Statistics of packets, by the index of their stream."""

    packets: Counter[int] = field(default_factory=Counter)
    """Number of packets."""
    bytes: Counter[int] = field(default_factory=Counter)
    """Number of bytes."""
    starts: dict[int, Fraction] = field(default_factory=dict)
    """The first presentation time stamp of each stream of sound, in seconds."""
    ends: dict[int, Fraction] = field(default_factory=dict)
    """The end of the last packet of each stream of sound, in seconds."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Number of streams of each kind."""

    def note(self, index: int, kind: str, size: int) -> None:
        """Count a stream that consists of one packet."""
        self.kinds[kind] += 1
        self.packets[index] += 1
        self.bytes[index] += size

    def add(self, packet: Any) -> None:
        """Count a packet."""
        index = packet.stream.index
        self.packets[index] += 1
        self.bytes[index] += packet.size
        if packet.stream.type == "audio" and packet.pts is not None:
            self.starts.setdefault(index, packet.pts * packet.time_base)
            self.ends[index] = (packet.pts + (packet.duration or 0)) * packet.time_base

    def shifted(self, other: Copied) -> tuple[str, Fraction, Fraction] | None:
        """The first start or end of sound that differs by more than `SOUND_STEP`: ("begins" or "ends", own time,
        the other's). None if all agree."""
        for what, own, others in (("begins", self.starts, other.starts), ("ends", self.ends, other.ends)):
            for one, two in zip(sorted(own.values()), sorted(others.values()), strict=False):
                if abs(one - two) > SOUND_STEP:
                    return what, one, two
        return None


@dataclass(frozen=True)
class Written:
    """What `join_parts` wrote."""

    pts: np.ndarray
    """(frames,) int64: the time stamps of the pictures, in units of `unit`, in display order."""
    unit: Fraction
    """Seconds per unit in which the muxer counts the pictures' time stamps."""
    copied: Copied
    """The copied packets, by stream of the output."""
    timecode: Timecode | None = None
    """The timecode that the output states."""
    place: int = 0
    """Number of copied video streams of the same size in front of the pictures."""


def verify(film: Film, written: Written, file: File, container: str, encoding: Encoding) -> None:
    """Read the output back and compare it with the source.

    Args:
        film: the source.
        written: what was written to the output.
        file: the output.
        container: FFmpeg's name of its container.
        encoding: the expected encoding.

    Raises:
        AssembleError: names the first difference.
    """
    stamps: list[int | None] = []
    found = Copied()
    with _reopen(file, container) as result:
        sizes = encoding.width, encoding.height
        # Copied tracks may have the same size.
        same = [s for s in result.streams.video if s.codec_context and (s.width, s.height) == sizes]
        stream = same[min(written.place, len(same) - 1)] if same else None
        if stream is None:
            raise AssembleError("its pictures cannot be read back")
        base, index = Fraction(stream.time_base), stream.index
        ours = {
            s.index for s in result.streams if is_timecode_track(result.format.name, s) or is_chapter_track(result, s)
        }
        found.kinds.update(s.type for s in result.streams if s.index != index and s.index not in ours)
        for packet in result.demux():
            if packet.size == 0 or packet.stream_index in ours:
                continue
            if packet.stream_index == index:
                stamps.append(packet.pts)
            else:
                found.add(packet)
        sides = Fraction(stream.sample_aspect_ratio or 1), encoding.sample_aspect
    with _reopen(file, container) as result:
        timecode = stated_timecode(result, index) if written.timecode else None
    if written.timecode and (timecode is None or not timecode.agrees(written.timecode)):
        raise AssembleError(f"the timecode {written.timecode.text} is lost")
    with _reopen(file, container) as result:
        frame = next(iter(result.decode(result.streams[index])), None)
        if frame is None:
            raise AssembleError("its pictures cannot be read back")
        tags = {name: int(getattr(frame, name)) for name in encoding.tags}
        # A missing tag is fine if the value that players assume without it is right.
        if KEPT_MATRICES[matrix_tag(frame)] == KEPT_MATRICES[encoding.colorspace]:
            tags["colorspace"] = encoding.colorspace
        tags["color_range"] = tags["color_range"] or int(ColorRange.MPEG)
        turned = display_matrix(frame)
        fields = bool(frame.interlaced_frame), encoding.field_order > 1
    read = np.array(sorted(s for s in stamps if s is not None), np.int64)
    wanted = written.pts
    if not len(read) == len(stamps) == len(wanted):
        raise StampError(f"it holds {len(read)} frames with time stamps instead of {len(wanted)}")
    if container in WITHOUT_PTS:
        read, wanted = read - read[0], wanted - wanted[0]
    # The units differ only by a factor, so nothing is rounded here.
    times, by = (written.unit / base).as_integer_ratio()
    wrong = np.flatnonzero(read * by != wanted * times)
    if len(wrong):
        raise StampError(f"{film.when(int(wrong[0]))} has another time stamp than in the source")
    if fields[0] != fields[1]:
        raise AssembleError("the order of interlaced fields is lost")
    if sides[0] != sides[1]:
        raise AssembleError(f"the aspect ratio of its pixels is {sides[0]} instead of {sides[1]}")
    if turned != film.display_matrix:
        raise AssembleError("the rotation at display is lost")
    # 2 is "unknown" for all tags but the range, where it is the full one.
    lost = [n for n, value in encoding.tags.items() if (value != 2 or n == "color_range") and tags[n] != value]
    if lost:
        raise AssembleError(f"{' and '.join(lost).replace('_', ' ')} cannot be kept")
    copied = written.copied
    late = copied.shifted(found)
    if late:
        raise StampError(f"its sound {late[0]} at {float(late[2]):.3f} s instead of {float(late[1]):.3f} s")
    missing = [kind for kind, number in copied.kinds.items() if found.kinds[kind] < number]
    if missing:
        raise AssembleError(f"its {missing[0]} would come back as another kind of stream, or not at all")
    # Some containers cut PCM into other packets, others drop a header from each packet of AAC. So either the numbers of
    # packets or the numbers of bytes must agree.
    as_many = sorted(found.packets.values()) == sorted(copied.packets.values())
    as_large = sorted(found.bytes.values()) == sorted(copied.bytes.values())
    if not as_many and not as_large:
        raise AssembleError("packets of the sound or another copied stream are missing")


def _reopen(file: File, container: str) -> Any:
    """Open the output for reading."""
    # FFmpeg does not recognise a transport stream of only two frames.
    known = "mpegts" if container == "mpegts" else None
    return open_container(file, known)
