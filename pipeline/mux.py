"""Join the parts and the source's other streams into the output file.

Sound, subtitles, data, attachments and other pictures are copied packet for packet; chapters, metadata and dispositions
are copied, too. Nothing is dropped: if a container cannot carry a stream, `check_output` raises an `OutputError` before
any work is done.

Every frame keeps its time stamp. Matroska counts in milliseconds, so there it is the nearest millisecond. AVI and ASF
keep no presentation time stamps, and FFmpeg reads H.264 from them a constant frame or two late. So in these containers
only the distances between time stamps are compared, and if the source is one of them, too, the output begins at 0.

The output appears whole or not at all: it is written under a temporary name beside its final path, read back and
compared with the source, synced, and only then renamed.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
from av.video.reformatter import ColorRange

from ..errors import AssembleError
from .containers import WITHOUT_PTS, muxer_options, output_format
from .encode import Encoding
from .film import KEPT_MATRICES, Film, display_matrix, matrix_tag
from .opening import open_container
from .parts import Part

CONTAINER_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
"""Metadata of a container that describe the source's file, not the film. Not copied: the muxer writes its own."""

STATISTICS = ("BPS", "NUMBER_OF_", "_STATISTICS", "DURATION", "ENCODER")
"""The same for metadata of streams: how their names begin."""

File = Path | IO[bytes]
"""A path, or an open file in memory."""

Copied = dict[int, list[int]]
"""Index of a stream → [number of packets, number of bytes]."""


def assemble(
    film: Film,
    folder: str | os.PathLike[str],
    parts: Sequence[Part],
    output: str | os.PathLike[str],
    encoding: Encoding,
    kind: str = "film",
    copy_streams: bool = True,
    metadata: dict[str, str] | None = None,
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
    files = [Path(folder) / part.files[kind] for part in parts]
    result = Path(folder) / f"{kind}{Path(output).suffix}"
    try:
        container = output_format(output)
        copied = join_parts(film, files, result, container, copy_streams, encoding, metadata)
        verify(film, film.pts, result, container, encoding, copied)
    except av.error.FFmpegError as error:
        raise AssembleError(f"{output} could not be assembled: {error}.") from error
    return result


def join_parts(
    film: Film,
    files: Sequence[File],
    target: File,
    container: str,
    copy_streams: bool,
    encoding: Encoding,
    metadata: dict[str, str] | None = None,
    limit: int | None = None,
) -> Copied:
    """Write the output.

    Args:
        film: the source.
        files: the files of all parts, in order.
        target: the file to write.
        container: FFmpeg's name of the container.
        copy_streams: whether the source's other streams, chapters and metadata are copied.
        encoding: encoding of the pictures.
        metadata: metadata of the whole file besides the source's.
        limit: greatest number of packets copied from the source's other streams, for a trial; None: all.

    Returns:
        The packets copied, by stream of the output.
    """
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_container(film.path))
        first = stack.enter_context(open_container(files[0]))
        out: Any = av.open(
            str(target) if isinstance(target, Path) else target,
            "w",
            format=container,
            container_options=muxer_options(container, source),
        )
        stack.enter_context(out)
        picture: Any = None
        streams: dict[int, Any] = {}
        for stream in source.streams:
            if stream.index == film.stream:
                picture = _add_picture(out, first.streams.video[0], stream, film, encoding)
            elif copy_streams and not _is_chapter_track(source, stream):
                streams[stream.index] = _add_copy(out, stream)
        if copy_streams:
            out.metadata.update({k: v for k, v in source.metadata.items() if k.lower() not in CONTAINER_TAGS})
            out.set_chapters(source.chapters())
        else:
            streams = {}
        out.metadata.update(metadata or {})
        copied = _count()
        others = (p for p in source.demux() if p.size and p.stream_index in streams) if streams else iter(())
        out.start_encoding()
        shift = -int(film.pts[0]) if container in WITHOUT_PTS and film.container in WITHOUT_PTS else 0
        for packet in _by_time(_picture_packets(film, files, picture, shift), islice(others, limit)):
            if packet.stream is not picture:
                packet.stream = streams[packet.stream_index]
                _add(copied, packet.stream.index, packet.size)
            out.mux_one(packet)
    return dict(copied)


def _count() -> Copied:
    return defaultdict(lambda: [0, 0])


def _add(counted: Copied, stream: int, size: int) -> None:
    counted[stream][0] += 1
    counted[stream][1] += size


def _add_picture(out: Any, template: Any, source: Any, film: Film, encoding: Encoding) -> Any:
    """Add the stream of the film's pictures to the output, coded as in the part's stream `template`."""
    stream = out.add_stream_from_template(template, opaque=True)
    stream.time_base = film.time_base
    for name, value in encoding.tags.items():
        setattr(stream.codec_context, name, value)
    if encoding.part_format == "mov":  # the tag of ProRes names its profile
        stream.codec_context.codec_tag = template.codec_context.codec_tag
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


def _is_chapter_track(source: Any, stream: Any) -> bool:
    """Whether a stream is the text track in which MP4 keeps chapters. From the chapters, the muxer writes its own."""
    return stream.type == "data" and bool(source.chapters()) and source.format.name.startswith("mov")


def _picture_packets(film: Film, files: Sequence[File], stream: Any, shift: int) -> Iterator[Any]:
    """Yield the parts' packets in coded order, with the decoding time stamps (dts) of one continuous stream.

    `delay` is the greatest number of places by which a packet's index in coded order exceeds its rank among the sorted
    time stamps. The i-th packet gets the (i - delay)-th time stamp as its dts. Before the first time stamp, the dts
    continue backwards in steps of the first frame's duration.

    Args:
        film: the source.
        files: the files of all parts, in order.
        stream: the output's stream of pictures.
        shift: added to all time stamps, in units of `Film.time_base`.
    """
    origin = int(film.pts[0])
    coded: list[int] = []
    extradata: set[bytes] = set()
    for file in files:
        with open_container(file) as part:
            extradata.add(bytes(part.streams.video[0].codec_context.extradata or b""))
            coded += [origin + round(p.pts * p.time_base / film.time_base) for p in part.demux() if p.size]
    if len(extradata) > 1:
        raise AssembleError("the parts were not encoded with the same settings; start over.")
    shown = sorted(coded)
    rank = {pts: n for n, pts in enumerate(shown)}
    delay = max((n - rank[pts] for n, pts in enumerate(coded)), default=0)
    pace = shown[1] - shown[0] if len(shown) > 1 else 1
    lasts = {pts: d for pts, d in zip(shown, film.durations(0, len(shown)), strict=True)}
    n = 0
    for file in files:
        with open_container(file) as part:
            for packet in part.demux():
                if not packet.size:
                    continue
                packet.stream, packet.time_base = stream, film.time_base
                packet.pts = shift + coded[n]
                packet.dts = shift + (shown[n - delay] if n >= delay else shown[0] - (delay - n) * pace)
                packet.duration = lasts[coded[n]]
                n += 1
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


def verify(film: Film, pts: np.ndarray, file: File, container: str, encoding: Encoding, copied: Copied) -> None:
    """Read the output back and compare it with the source.

    Args:
        film: the source.
        pts: (frames,) int64: the expected time stamps, in units of `Film.time_base`.
        file: the output.
        container: FFmpeg's name of its container.
        encoding: the expected encoding.
        copied: the packets that were copied.

    Raises:
        AssembleError: names the first difference.
    """
    stamps: list[int | None] = []
    found = _count()
    with _reopen(file, container) as result:
        sizes = encoding.width, encoding.height
        stream = next((s for s in result.streams.video if (s.width, s.height) == sizes), None)
        if stream is None:
            raise AssembleError("its pictures cannot be read back")
        base, index = Fraction(stream.time_base), stream.index
        for packet in result.demux():
            if packet.size == 0:
                continue
            if packet.stream_index == index:
                stamps.append(packet.pts)
            else:
                _add(found, packet.stream_index, packet.size)
        sides = Fraction(stream.sample_aspect_ratio or 1), encoding.sample_aspect
    with _reopen(file, container) as result:
        frame = next(result.decode(result.streams[index]))
        tags = {name: int(getattr(frame, name)) for name in encoding.tags}
        # A missing tag is fine if the value that players assume without it is right.
        if KEPT_MATRICES[matrix_tag(frame)] == KEPT_MATRICES[encoding.colorspace]:
            tags["colorspace"] = encoding.colorspace
        tags["color_range"] = tags["color_range"] or int(ColorRange.MPEG)
        turned = display_matrix(frame)
        fields = bool(frame.interlaced_frame), encoding.field_order > 1
    read = np.array(sorted(s for s in stamps if s is not None), np.int64)
    if not len(read) == len(stamps) == len(pts):
        raise AssembleError(f"it holds {len(read)} frames with time stamps instead of {len(pts)}")
    wanted = np.array([round(int(p) * film.time_base / base) for p in pts], np.int64)
    if container in WITHOUT_PTS:
        read, wanted = read - read[0], wanted - wanted[0]
    wrong = np.flatnonzero(read != wanted)
    if len(wrong):
        raise AssembleError(f"{film.when(int(wrong[0]))} has another time stamp than in the source")
    if fields[0] != fields[1]:
        raise AssembleError("the order of interlaced fields is lost")
    if sides[0] != sides[1]:
        raise AssembleError(f"the aspect ratio of its pixels is {sides[0]} instead of {sides[1]}")
    if turned != film.display_matrix:
        raise AssembleError("the rotation at display is lost")
    lost = [name for name, value in encoding.tags.items() if value != 2 and tags[name] != value]
    if lost:
        raise AssembleError(f"{' and '.join(lost).replace('_', ' ')} cannot be kept")
    # Some containers cut PCM into other packets, others drop a header from each packet of AAC. So either the numbers of
    # packets or the numbers of bytes must agree.
    if not any(sorted(n[i] for n in found.values()) == sorted(n[i] for n in copied.values()) for i in (0, 1)):
        raise AssembleError("packets of the sound or another copied stream are missing")


def _reopen(file: File, container: str) -> Any:
    """Open the output for reading."""
    # FFmpeg does not recognise a transport stream of only two frames.
    known = "mpegts" if container == "mpegts" else None
    return open_container(file, known)
