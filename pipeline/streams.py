"""What becomes of each of a film's other streams in a container: copied, turned into something else, or left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from av.stream import Disposition

from .containers import PROGRAM_STREAMS
from .film import Film
from .opening import open_container
from .sequences.scans import Scans
from .smpte import IN_A_TRACK, Timecode, is_timecode_track, stated_timecode

COVERS = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}
"""Codec of an attached picture → name and media type of the attachment, if the source states none (Matroska)."""


WITH_ANY_TAG = ("matroska", "webm", "nut")
"""Containers that keep metadata of any name."""


@dataclass(frozen=True)
class StreamPlan:
    """What becomes of the streams and chapters of a film."""

    names: dict[int, str]
    """Index of each stream besides the pictures → its name, for instance ``data:0``."""
    codecs: dict[str, str]
    """Name of a stream → its codec, for messages."""
    copied: tuple[int, ...]
    """Indices of the streams that are copied packet for packet."""
    attached: dict[int, tuple[str, str]]
    """Index of a picture that becomes an attachment → (name of the file, media type)."""
    chapters: bool
    """Whether chapters are kept."""
    timecode: Timecode | None
    """The timecode that the output gets."""
    words: tuple[str, ...]
    """What people are told: sentences without a full stop."""
    keycode: str = ""
    """The keycode that the output gets."""

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the streams that reach the output as streams."""
        return tuple(name for index, name in self.names.items() if index in self.copied or index in self.attached)


NO_STREAMS = StreamPlan({}, {}, (), {}, False, None, ())
"""The plan of an output with nothing but pictures."""


def plan_streams(film: Film, container: str) -> StreamPlan:
    """Decide what becomes of a film's other streams.

    Args:
        film: the source, with the selection of its streams.
        container: FFmpeg's name of the output's container.

    Raises:
        UserError: if the selection names a stream that the film does not have.
    """
    if film.scans:
        film.selection.check(())
        return _planned_scans(film, film.scans, container)
    with open_container(film.path) as source:
        timecode = stated_timecode(source, film.stream)
    with open_container(film.path) as source:
        return _planned(film, source, container, timecode)


def _planned_scans(film: Film, scans: Scans, container: str) -> StreamPlan:
    """The plan for scans: they have no streams, but the first of them may state its timecode and keycode."""
    rate = film.rate or Fraction(25)
    text, keycode = scans.addresses(rate)
    words: list[str] = []
    timecode = Timecode(text) if text else None
    if timecode:
        stored = timecode.stored_by(container, rate)
        words.append(_about(timecode, container, stored))
        timecode = timecode if stored else None
    if keycode and container in WITH_ANY_TAG:
        words.append(f"the keycode {keycode} is kept as metadata")
    elif keycode:
        words.append(f"the keycode {keycode} is lost: this container states none, but .mkv does")
    kept = keycode if container in WITH_ANY_TAG else ""
    return replace(NO_STREAMS, timecode=timecode, words=tuple(words), keycode=kept)


def _planned(film: Film, source: Any, container: str, timecode: Timecode | None) -> StreamPlan:
    numbers: Counter[str] = Counter()
    names: dict[int, str] = {}
    codecs: dict[str, str] = {}
    copied: list[int] = []
    attached: dict[int, tuple[str, str]] = {}
    words: list[str] = []
    given = source.format.name
    chapters = film.selection.keeps("chapters") and bool(source.chapters())
    rate = film.rate or Fraction(25)
    for stream in source.streams:
        kind, number = stream.type, numbers[stream.type]
        numbers[kind] += 1
        if stream.index == film.stream:
            continue
        name = names[stream.index] = f"{kind}:{number}"
        codec = codecs[name] = getattr(stream, "name", None) or "unknown"
        if is_timecode_track(given, stream):
            codecs[name] = "timecode"
            if not film.selection.keeps(kind, number):
                timecode = None
            elif container == "mpegts" or (timecode and not timecode.stored_by(container, rate)):
                copied.append(stream.index)
        elif not film.selection.keeps(kind, number) or is_chapter_track(source, stream):
            continue
        elif codec == "dvd_nav_packet" and container != "mpegts" and container not in PROGRAM_STREAMS:
            words.append(f"{name} (dvd_nav_packet) is left out: only DVDs need it for their menus")
        elif container == "matroska" and kind == "video" and stream.disposition & Disposition.attached_pic:
            known = {k.lower(): v for k, v in stream.metadata.items()}
            file, media = COVERS.get(codec, ("", ""))
            file, media = known.get("filename", file), known.get("mimetype", media)
            if file and media:
                attached[stream.index] = file, media
            else:
                copied.append(stream.index)
        else:
            copied.append(stream.index)
    film.selection.check(names.values())
    if timecode:
        stored = timecode.stored_by(container, rate)
        words.append(_about(timecode, container, stored))
        timecode = timecode if stored else None
    return StreamPlan(names, codecs, tuple(copied), attached, chapters, timecode, tuple(words))


def _about(timecode: Timecode, container: str, stored: bool) -> str:
    """What people are told about the timecode."""
    if not stored:
        return f"the timecode {timecode.text} is lost: this container states none"
    where = "in a timecode track" if container in IN_A_TRACK else "as metadata"
    return f"the timecode {timecode.text} is kept {where}"


def is_chapter_track(source: Any, stream: Any) -> bool:
    """Whether a stream is the text track in which MP4 keeps chapters. From the chapters, the muxer writes its own."""
    if stream.type != "data" or not source.format.name.startswith("mov"):
        return False
    return stream.name == "bin_data" and stream.frames == len(source.chapters()) > 0


def attached_picture(film: Film, index: int) -> bytes:
    """The content of an attached picture."""
    with open_container(film.path) as source:
        return bytes(next(packet for packet in source.demux(source.streams[index]) if packet.size))
