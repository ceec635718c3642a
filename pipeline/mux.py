"""Join the parts and the source's other streams into the output file.

Sound, subtitles, data, attachments and other pictures are copied packet for packet; chapters, metadata and dispositions
are copied, too. Nothing is dropped: if a container cannot carry a stream, `check_output` raises an `OutputError` before
any work is done.

Every frame keeps its time stamp: exactly in MP4, MOV, NUT and AVI. Matroska, WebM, FLV and ASF count in milliseconds,
MPEG-TS in 1/90000 s; there the time stamp is the nearest unit, and halves are rounded up. `verify` compares with the
rounded value exactly. `containers` holds the rules. AVI and ASF keep no presentation time stamps, and FFmpeg reads
H.264 from them a constant frame or two late. So in these containers only the distances between time stamps are
compared, and if the source is one of them, too, the output begins at 0. Copied packets keep their time stamps, too,
rounded in the same way.

The output appears whole or not at all: it is written under a temporary name beside its final path, read back and
compared with the source, synced, and only then renamed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import AssembleError, StampError, reason_of
from .containers import (
    WITHOUT_NEGATIVE_DTS,
    WITHOUT_NEGATIVE_PTS,
    WITHOUT_PTS,
    asked_base,
    check_stamps,
    muxer_options,
    output_format,
    stored,
)
from .encode import Encoding
from .film import Film
from .matroska import add_chapters
from .nesting import needs_nesting, open_muxer
from .opening import open_container
from .parts import Part
from .pictures import gather
from .provenance import add_statement, stating
from .smpte import IN_A_TRACK, IN_THE_FILE, Timecode
from .sound import IN_EDIT_UNITS, check_sound, first_packets, first_units
from .streams import NO_STREAMS, attached_picture, plan_streams
from .verify import Copied, File, Written, verify

CONTAINER_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
"""Metadata of a container that describe the source's file, not the film. Not copied: the muxer writes its own."""

STATISTICS = ("BPS", "NUMBER_OF_", "_STATISTICS", "DURATION", "ENCODER")
"""The same for metadata of streams: how their names begin."""

ATTACHMENT = ("filename", "mimetype")
"""Metadata of an attachment that the muxer writes itself."""


@dataclass(frozen=True)
class Trial:
    """The extent of a film that is written as a trial."""

    frames: int
    """Number of frames."""
    packets: int
    """Greatest number of packets that are copied from each of the source's other streams."""


def assemble(
    film: Film,
    folder: str | os.PathLike[str],
    parts: Sequence[Part],
    output: str | os.PathLike[str],
    encoding: Encoding,
    kind: str = "film",
    copy_streams: bool = True,
    metadata: dict[str, str] | None = None,
    colored: bool = False,
) -> Path:
    """Join the parts' pictures with the source's other streams, and check the result.

    Args:
        film: the source.
        folder: the work folder with the files of the parts.
        parts: all parts of the film, in order.
        output: path of the output; its suffix selects the container. The result is not moved there.
        encoding: encoding of the pictures.
        kind: kind of the pictures; see `extras.Kind`.
        copy_streams: whether the source's other streams, chapters and metadata are copied.
        metadata: metadata of the whole file besides the source's.
        colored: whether the file states that a network made its colours; see `provenance`.

    Returns:
        Path of the finished film inside `folder`; `files.move_into_place` can move it to `output`.

    Raises:
        AssembleError: if the parts are not the whole film, or the written film fails its check.
    """
    held = sum(part.frames for part in parts)
    if held != film.frames:
        raise AssembleError(
            f"{folder} holds {held} of {film.frames} frames; put source and output on storage that all workers see."
        )
    if encoding.pictures:
        return gather(film, Path(folder), parts, encoding, kind)
    files = [Path(folder) / part.files[kind] for part in parts]
    result = Path(folder) / f"{kind}{Path(output).suffix}"
    try:
        container = output_format(output)
        written = join_parts(film, files, result, container, copy_streams, encoding, metadata, colored=colored)
        verify(film, written, result, container, encoding)
    except av.error.FFmpegError as error:
        raise AssembleError(f"{output} could not be assembled: {reason_of(error)}.") from error
    return result


def join_parts(
    film: Film,
    files: Sequence[File],
    target: File,
    container: str,
    copy_streams: bool,
    encoding: Encoding,
    metadata: dict[str, str] | None = None,
    trial: Trial | None = None,
    colored: bool = False,
) -> Written:
    """Write the output.

    Args:
        film: the source.
        files: the files of all parts, in order.
        target: the file to write.
        container: FFmpeg's name of the container.
        copy_streams: whether the source's other streams, chapters and metadata are copied.
        encoding: encoding of the pictures.
        metadata: metadata of the whole file besides the source's.
        trial: the extent of a trial; None: the whole film is written.
        colored: whether the file states that a network made its colours.

    Raises:
        StampError: if the container cannot store the time stamps of the film or of a copied stream.
    """
    plan = plan_streams(film, container) if copy_streams else NO_STREAMS
    chapters: list[Any] = []
    with contextlib.ExitStack() as stack:
        # A sequence of pictures has no container, and nothing besides pictures; nor has a part.
        source = stack.enter_context(open_container(files[0] if film.scans else film.path))
        first = stack.enter_context(open_container(files[0]))
        options = muxer_options(container, source, film.time_base)
        nested = [i for i in plan.copied if needs_nesting(container, source.streams[i], film.container)]
        out: Any = stack.enter_context(open_muxer(target, container, options, bool(nested)))
        picture: Any = None
        streams: dict[int, Any] = {}
        copied = Copied()
        # Without presentation time stamps, a film begins at 0.
        shift = int(film.pts[0]) if container in WITHOUT_PTS and film.container in WITHOUT_PTS else 0
        pts = film.pts - shift
        for stream in source.streams:
            if stream.index == film.stream:
                picture = _add_picture(out, first.streams.video[0], stream, film, encoding)
                picture.time_base = asked_base(container, film.time_base, pts)
                _state_timecode(picture.metadata, container in IN_A_TRACK, plan.timecode)
            elif stream.index in plan.attached:
                name, media = plan.attached[stream.index]
                content = attached_picture(film, stream.index)
                attachment = out.add_attachment(name, media, content)
                attachment.metadata.update({k: v for k, v in stream.metadata.items() if k.lower() not in ATTACHMENT})
                copied.note(attachment.index, "video", len(content))
            elif stream.index in plan.copied:
                streams[stream.index] = _add_copy(out, stream)
                copied.kinds[stream.type] += 1
        front = [source.streams[n] for n in streams if n < film.stream]
        size = encoding.width, encoding.height
        place = sum(s.type == "video" and (s.width, s.height) == size for s in front)
        if copy_streams:
            out.metadata.update({k: v for k, v in source.metadata.items() if k.lower() not in CONTAINER_TAGS})
            _state_timecode(out.metadata, container in IN_A_TRACK, plan.timecode if container in IN_THE_FILE else None)
        if plan.chapters:
            chapters = source.chapters()
            if nested and container != "matroska":  # FFmpeg's muxer of segments hands on no chapters
                raise AssembleError("chapters cannot be written beside this sound")
            if not nested:
                out.set_chapters(chapters)
        if plan.keycode:
            out.metadata["keycode"] = plan.keycode
        out.metadata.update(metadata or {})
        out.metadata.update(stating(container, out.metadata) if colored else {})
        others = (p for p in source.demux() if p.size and p.stream_index in streams) if streams else iter(())
        out.start_encoding()
        unit = Fraction(picture.time_base)
        check_stamps(container, pts, film.time_base, unit)
        check_sound(film, container, [i for i in streams if source.streams[i].type == "audio"])
        pts = pts[: trial.frames] if trial else pts
        if trial and container in IN_EDIT_UNITS:
            others = first_units(others, streams, float(len(pts) / encoding.rate))
        elif trial:
            others = first_packets(others, streams, trial.packets)
        pictures = _picture_packets(film, files, picture, pts, container in WITHOUT_NEGATIVE_DTS, trial is not None)
        for packet in _by_time(pictures, others):
            if packet.stream is not picture:
                packet.stream = streams[packet.stream_index]
                copied.add(packet)
            if container in WITHOUT_NEGATIVE_PTS and packet.pts is not None and packet.pts < 0:
                raise StampError(
                    f"its {packet.stream.type} begins at {float(packet.pts * packet.time_base):.3f} s, "
                    f"and time stamps before 0 s cannot be stored"
                )
            out.mux_one(packet)
    if chapters and nested:
        with target.open("r+b") if isinstance(target, Path) else contextlib.nullcontext(target) as file:
            add_chapters(file, chapters)
    if colored:
        add_statement(container, target)
    return Written(stored(pts, film.time_base, unit), unit, copied, plan.timecode, place)


def _state_timecode(metadata: dict[str, str], in_track: bool, timecode: Timecode | None) -> None:
    """Put the timecode of the output into metadata in place of the source's.

    From metadata in any place, the muxers of MOV and MP4 make a track, so there no other timecode may stay.
    """
    for name in list(metadata):
        if name.lower() in ("timecode", "reel_name") and (in_track or timecode):
            del metadata[name]
    if timecode:
        metadata["timecode"] = timecode.text
        if timecode.reel:
            metadata["reel_name"] = timecode.reel


def _add_picture(out: Any, template: Any, source: Any, film: Film, encoding: Encoding) -> Any:
    """Add the stream of the film's pictures to the output, coded as in the part's stream `template`."""
    stream = out.add_stream_from_template(template, opaque=True)
    for name, value in encoding.tags.items():
        setattr(stream.codec_context, name, value)
    if encoding.part_format == "mov":  # the tag of ProRes names its profile
        stream.codec_context.codec_tag = template.codec_context.codec_tag
    elif template.codec_context.name == "hevc" and out.format.name in ("mp4", "mov"):
        stream.codec_context.codec_tag = "hvc1"  # Apple's players know no other; parameter sets are in the header only
    stream.codec_context.field_order = encoding.field_order
    stream.codec_context.sample_aspect_ratio = encoding.sample_aspect
    stream.codec_context.framerate = encoding.rate
    stream.metadata.update(_tags(source))
    stream.disposition = int(source.disposition)
    if film.display_matrix:
        stream.set_display_matrix(film.display_matrix)
    return stream


def _add_copy(out: Any, template: Any) -> Any:
    """Add a stream to the output that is copied from the source's stream `template`."""
    stream = out.add_stream_from_template(template, opaque=True)
    stream.metadata.update(_tags(template))
    stream.disposition = int(template.disposition)
    return stream


def _tags(stream: Any) -> dict[str, str]:
    """The metadata of a stream that describe the film."""
    return {k: v for k, v in stream.metadata.items() if not k.upper().startswith(STATISTICS)}


def _picture_packets(
    film: Film, files: Sequence[File], stream: Any, pts: np.ndarray, clamped: bool, repeat: bool
) -> Iterator[Any]:
    """Yield the parts' packets in coded order, with the decoding time stamps (dts) of one continuous stream.

    `delay` is the greatest number of places by which a packet's index in coded order exceeds its rank among the sorted
    time stamps. The i-th packet gets the (i - delay)-th time stamp as its dts. Before the first time stamp, the dts
    continue backwards in steps of the first frame's duration.

    Args:
        film: the source.
        files: the files of all parts, in order.
        stream: the output's stream of pictures.
        pts: (frames,) int64: the time stamps to write, in units of `Film.time_base`, in display order.
        clamped: whether negative dts become 0.
        repeat: whether the smallest packet is repeated until there is one for each of `pts`.
    """
    numbers: list[int] = []
    extradata: set[bytes] = set()
    origin = int(film.pts[0])
    places = {stamp - origin: n for n, stamp in enumerate(film.pts.tolist())}
    for file in files:
        with open_container(file) as part:
            extradata.add(bytes(part.streams.video[0].codec_context.extradata or b""))
            numbers += [places.get(p.pts * p.time_base / film.time_base, -1) for p in part.demux() if p.size]
    if len(extradata) > 1:
        raise AssembleError("the parts were not encoded with the same settings; start over.")
    if repeat:
        numbers += range(len(numbers), len(pts))
    if sorted(numbers) != list(range(len(pts))):
        raise AssembleError("the parts do not hold the film's frames; start over.")
    delay = max(n - number for n, number in enumerate(numbers))
    shown = pts.tolist()
    pace = shown[1] - shown[0] if len(shown) > 1 else 1
    lasts = film.durations(0, len(shown))
    for n, packet in enumerate(_coded_packets(files, len(pts))):
        packet.stream, packet.time_base = stream, film.time_base
        packet.pts = shown[numbers[n]]
        dts = shown[n - delay] if n >= delay else shown[0] - (delay - n) * pace
        packet.dts = max(dts, 0) if clamped else dts
        packet.duration = lasts[numbers[n]]
        yield packet


def _coded_packets(files: Sequence[File], count: int) -> Iterator[Any]:
    """Yield the packets of the parts, and then their smallest one again, until there are `count` packets."""
    smallest: Any = None
    done = 0
    for file in files:
        with open_container(file) as part:
            for packet in part.demux():
                if packet.size:
                    if smallest is None or packet.size < smallest[0]:
                        smallest = packet.size, bytes(packet), packet.is_keyframe
                    done += 1
                    yield packet
    for _ in range(done, count):
        packet = av.Packet(smallest[1])
        packet.is_keyframe = smallest[2]
        yield packet


def _by_time(pictures: Iterator[Any], others: Iterable[Any]) -> Iterator[Any]:
    """Merge two series of packets by decoding time, each in its own order."""
    picture = next(pictures, None)
    for packet in others:
        stamp = packet.dts if packet.dts is not None else packet.pts
        while picture is not None and stamp is not None and picture.dts * picture.time_base <= stamp * packet.time_base:
            yield picture
            picture = next(pictures, None)
        yield packet
    if picture is not None:
        yield picture
        yield from pictures
