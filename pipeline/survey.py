"""One pass over the packets of a film, without decoding: the time stamps of each video track, and whether the file is
whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import av
from av.stream import Disposition

from ..errors import InputError
from .cutoff import cut_off
from .findings import Finding
from .opening import open_container

PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
"""Dispositions of video streams that hold cover art or thumbnails instead of a film."""

MOST_FRAMES = 10_000_000
"""Greatest number of frames of a film: more than four days at 25 frames per second."""

TOO_LONG = f"at most {MOST_FRAMES} frames can be colorized at once; cut the film into pieces."
"""End of the sentence that refuses a longer film."""


@dataclass
class Track:
    """The packets of a video stream, in the order of the file."""

    stamps: list[int | None] = field(default_factory=list)
    """Their presentation time stamps, in units of the stream's time base; None: it has none."""
    begins: bool = False
    """Whether the first packet is a key frame."""
    durations: list[int] = field(default_factory=list)
    """Their durations; 0: unknown."""

    @property
    def length(self) -> int:
        """From the first time stamp to the end of the last frame, in units of the time base."""
        known = [stamp for stamp in self.stamps if stamp is not None]
        return max(known) - min(known) + self.durations[-1] if known else sum(self.durations)


@dataclass(frozen=True)
class Survey:
    """What the packets of a film tell."""

    tracks: dict[int, Track]
    """The video tracks, by the index of the stream."""
    cut: bool
    """Whether the file is damaged at the level of its container: it ends early, or cannot be read to its end."""
    promised: int
    """Number of frames that the container states for its first video track; 0: it states none."""
    marked: dict[int, int] = field(default_factory=dict)
    """Number of packets that the container marks as damaged, by the index of the stream."""


def survey(path: str) -> Survey:
    """Read all packets of a film.

    Raises:
        InputError: if the film is too long.
        av.error.FFmpegError: if the machine or the network fails.
    """
    tracks: dict[int, Track] = {}
    end = 0.0  # in seconds, the latest end of a packet in any stream
    cut = False
    marked = Counter[int]()
    with open_container(path) as container:
        names = container.format.name
        stated = {s.index: s.frames if names.startswith("mov") else 0 for s in container.streams.video}
        tracks = {index: Track() for index in stated}
        length = (container.duration or 0) / av.time_base if names.startswith("matroska") else 0.0
        start = (container.start_time or 0) / av.time_base
        packets = dict.fromkeys(stated, 0)
        try:
            for packet in container.demux():
                if packet.size == 0:
                    continue
                if packet.pts is not None and packet.time_base:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                marked[packet.stream_index] += packet.is_corrupt
                if packet.stream_index not in tracks:
                    continue
                packets[packet.stream_index] += 1
                if packets[packet.stream_index] > MOST_FRAMES:
                    raise InputError(f"{path}: {TOO_LONG}")
                if not packet.is_discard:
                    track = tracks[packet.stream_index]
                    track.begins = track.begins or (not track.stamps and packet.is_keyframe)
                    track.stamps.append(packet.pts)
                    track.durations.append(packet.duration or 0)
        except (av.error.InvalidDataError, av.error.EOFError):
            cut = True
    cut = cut or end - min(start, 0) < length - 0.5 or cut_off(path, names)
    cut = cut or any(packets[n] < stated[n] for n in stated)
    return Survey(tracks, cut, next(iter(stated.values()), 0), {n: count for n, count in marked.items() if count})


def marked_elsewhere(container: Any, film: int, found: Survey) -> Iterator[Finding]:
    """What is wrong with the streams besides the film's pictures: packets that the container marks as damaged.

    Args:
        container: the open film (`av.container.InputContainer`).
        film: index of the stream that is the film.
        found: its survey.
    """
    numbers = Counter[str]()
    for stream in container.streams:
        name = f"{stream.type}:{numbers[stream.type]}"
        numbers[stream.type] += 1
        if stream.index != film and (count := found.marked.get(stream.index)):
            few = count == 1
            what = f"has {count} damaged packet{'s' * (not few)} of {name}"
            yield Finding(None, f"{what}; {'it is' if few else 'they are'} copied as {'it is' if few else 'they are'}")


def candidates(path: str, container: Any, track: int | None) -> list[Any]:
    """The streams that may hold the film's pictures; at least one. Raises InputError if there are none.

    Args:
        path: path of the film, for messages.
        container: the open film (`av.container.InputContainer`).
        track: number of the video track that the user chose; None: none.
    """
    streams = container.streams.video
    if track is not None and not 0 <= track < len(streams):
        there = ", ".join(f"{n} ({s.name if s.codec_context else 'unknown'})" for n, s in enumerate(streams))
        raise InputError(f"{path}: there is no video track {track}; its video tracks are {there or 'none'}.")
    found = [s for s in streams if not s.disposition & PICTURES] if track is None else [streams[track]]
    if not found and not container.streams.audio:
        raise InputError(f"{path} is not a video.")
    if not found:
        raise InputError(f"{path} has sound but no pictures; give a film.")
    known = [s for s in found if s.codec_context]
    if not known:
        raise InputError(f"{path}: there is no decoder for its pictures; convert it to another codec first.")
    return known


def choose(streams: list[Any], found: Survey) -> Any:
    """The stream that is the film. Covers and other short streams are not, whatever their place.

    Args:
        streams: video streams that can be decoded; at least one.
        found: the survey of the film.
    """

    def seconds(stream: Any) -> float:
        return float(found.tracks[stream.index].length * stream.time_base)

    most = max(len(found.tracks[s.index].stamps) for s in streams)
    moving = [s for s in streams if most < 2 or len(found.tracks[s.index].stamps) > 1]
    longest = max(map(seconds, moving))
    long = [s for s in moving if seconds(s) >= longest / 2]
    return next((s for s in long if s.disposition & Disposition.default), long[0])
