"""Whether a container can keep the sound in step with the pictures to its end, and the sound of a trial."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import av

from ..errors import StampError
from .film import Film
from .opening import open_container
from .verify import SOUND_STEP

WITHOUT_SOUND_PTS = ("avi",)
"""Containers that keep no time stamps of sound: it plays from the beginning without a pause."""

WITHOUT_PCM_PTS = ("mov", "mp4", "ipod", "3gp", "3g2", "ismv", "f4v", "mxf", "gxf", "dv")
"""Containers that keep no time stamps of uncompressed sound, because all its samples have the same duration."""

IN_EDIT_UNITS = ("mxf", "gxf")
"""Containers that hold the sound of each frame beside the frame, so pictures and sound must be equally long."""

SKIPPED = 48
"""FFmpeg's AVDISCARD_ALL: the demuxer need not read the packets of a stream."""


def check_sound(film: Film, container: str, streams: Sequence[int]) -> None:
    """Check whether a container can keep the time stamps of copied sound to its end.

    Only a container without time stamps of its own can lose them, so only then the source's sound is read.

    Args:
        film: the source.
        container: FFmpeg's name of the output's container.
        streams: indices of the copied streams of sound.

    Raises:
        StampError: a stream has a pause that the container cannot keep.
    """
    if not streams:  # nor has a sequence of pictures a container
        return
    with open_container(film.path) as source:
        wanted = {i for i in streams if _blind(container, source.streams[i].name)}
        if not wanted:
            return
        for stream in source.streams:
            if stream.index not in wanted:
                stream.discard = SKIPPED
        ends: dict[int, Fraction] = {}
        samples: Counter[int] = Counter()
        lost: dict[int, Fraction] = {}  # the sum of the pauses, since each shifts all that follows
        for packet in source.demux():
            index, unit = packet.stream_index, packet.time_base
            if index in wanted and container in IN_EDIT_UNITS:
                samples[index] += packet.size // _sample_bytes(source.streams[index])
            if not packet.size or index not in wanted or packet.pts is None or not packet.duration:
                continue
            start = packet.pts * unit
            pause = start - ends.get(index, start)
            if abs(pause) > 2 * unit:  # less may come from rounding
                lost[index] = lost.get(index, Fraction(0)) + pause
                if abs(lost[index]) > SOUND_STEP:
                    raise StampError(
                        f"its sound has a gap at {float(ends[index]):.3f} s, and the sound after it would come "
                        f"{float(abs(lost[index])):.3f} s {'early' if lost[index] > 0 else 'late'}"
                    )
            ends[index] = start + packet.duration * unit
        for index, number in samples.items():
            _check_length(film, Fraction(number, source.streams[index].sample_rate))


def _check_length(film: Film, length: Fraction) -> None:
    """Raise StampError if sound of a length in seconds does not fill the edit units of all frames.

    FFmpeg's muxer of MXF (mxfenc.c) drops sound after the last frame, and frames after the last sound.
    """
    frame = 1 / (film.rate or Fraction(25))
    if not (film.frames - 1) * frame < length <= film.frames * frame + Fraction(1, 10000):
        raise StampError(
            f"its sound lasts {float(length):.3f} s and its pictures {float(film.frames * frame):.3f} s, "
            f"and what exceeds the other is lost"
        )


def _sample_bytes(stream: Any) -> int:
    """Bytes of one sample of uncompressed sound, for all channels."""
    bits = re.search(r"\d+", stream.name)
    return max(1, int(bits[0]) // 8 if bits else 1) * stream.layout.nb_channels


def first_packets(packets: Iterable[Any], streams: Mapping[int, Any], most: int) -> Iterator[Any]:
    """Yield the first packets of each stream, until each stream of sound has enough.

    A stream of sound may begin long after another one, so a common number for all streams could miss its beginning.

    Args:
        packets: packets of the source.
        streams: index of each copied stream of the source → its stream in the output.
        most: greatest number of packets of a stream.
    """
    counts: Counter[int] = Counter()
    sounds = {index for index, stream in streams.items() if stream.type == "audio"}
    for packet in packets:
        counts[packet.stream_index] += 1
        if counts[packet.stream_index] <= most:
            yield packet
        if all(counts[index] >= most for index in sounds or streams):
            return


def first_units(packets: Iterable[Any], streams: Mapping[int, Any], seconds: float) -> Iterator[Any]:
    """Yield the beginning of each stream of sound, exactly as long as some pictures; see `IN_EDIT_UNITS`.

    Args:
        packets: packets of the source.
        streams: index of each copied stream of the source → its stream in the output.
        seconds: length of the pictures.
    """
    left: dict[int, int] = {}
    for packet in packets:
        index, stream = packet.stream_index, packet.stream
        if stream.type != "audio":
            yield packet
            continue
        left.setdefault(index, round(seconds * stream.sample_rate) * _sample_bytes(stream))
        if packet.size > left[index] > 0:
            whole, packet = packet, av.Packet(bytes(packet)[: left[index]])
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, whole.time_base, whole.pts, whole.dts
        if left[index] > 0:
            left[index] -= packet.size
            yield packet
        if len(left) == len(streams) and not any(left.values()):
            return


def _blind(container: str, codec: str) -> bool:
    """Whether a container keeps no time stamps of sound of this codec (FFmpeg's name)."""
    return container in WITHOUT_SOUND_PTS or (container in WITHOUT_PCM_PTS and codec.startswith("pcm_"))
