"""The cells of the fidelity matrix: small films of every container, codec and property, and what became of them.

A cell is colorized without networks: the film's own luma with a fixed chroma goes through the reader, the parts and
the muxer, as in the commands. `probes` then compares source and output, with FFmpeg's own commands where they are
installed.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from semcolor.errors import SemcolorError, UserError
from semcolor.pipeline.containers import output_format
from semcolor.pipeline.encode import choose_encoding, chroma_size
from semcolor.pipeline.film import Film, open_film
from semcolor.pipeline.mux import assemble
from semcolor.pipeline.outputs import check_output
from semcolor.pipeline.reader import read_chunks
from semcolor.pipeline.writer import PartWriter

from . import probes
from .films import make_film, shot

SIZE = (64, 96)
"""Height and width of the films."""

FRAMES = 8

CONTAINERS = ("mp4", "mov", "mkv", "avi", "ts", "mpg", "webm", "nut", "mxf", "flv")
"""Suffixes."""

CODECS: dict[str, dict[str, Any]] = {
    "H.264": {"codec": "libx264"},
    "H.264 4:2:2 10 bit": {"codec": "libx264", "pix_fmt": "yuv422p10le"},
    "H.265 10 bit": {"codec": "libx265", "pix_fmt": "yuv420p10le", "options": {"x265-params": "log-level=none"}},
    "MPEG-2": {"codec": "mpeg2video"},
    "MPEG-4": {"codec": "mpeg4"},
    "ProRes 422": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "ProRes 4444": {"codec": "prores_ks", "pix_fmt": "yuv444p10le"},
    "DNxHR": {"codec": "dnxhd", "pix_fmt": "yuv422p", "options": {"profile": "dnxhr_hq"}, "size": (128, 256)},
    "FFV1": {"codec": "ffv1"},
    "FFV1 4:4:4 12 bit": {"codec": "ffv1", "pix_fmt": "yuv444p12le"},
    "FFV1 grey 16 bit": {"codec": "ffv1", "pix_fmt": "gray16le"},
    "FFV1 RGB": {"codec": "ffv1", "pix_fmt": "bgr0"},
    "VP9": {"codec": "libvpx-vp9"},
    "AV1 10 bit": {"codec": "libsvtav1", "pix_fmt": "yuv420p10le"},
    "MJPEG": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "full_range": True},
    "v210": {"codec": "v210", "pix_fmt": "yuv422p10le"},
    "uncompressed": {"codec": "rawvideo", "pix_fmt": "uyvy422"},
    "DV": {"codec": "dvvideo", "size": (576, 720)},
}
"""Name → settings of `make_film`."""

UNEVEN = [0, 1, 3, 4, 9, 10, 12, 13]

PROPERTIES: dict[str, dict[str, Any]] = {
    "varying rate": {"pts": UNEVEN},
    "late start": {"pts": [n + 10 for n in range(FRAMES)]},
    "30000/1001": {"rate": Fraction(30000, 1001)},
    "rotation": {"rotation": 90},
    "pixels of 16:15": {"sample_aspect": Fraction(16, 15)},
    "interlaced": {"interlaced": "tff"},
    "bottom field first": {"interlaced": "bff"},
    "BT.601": {"tags": {"color_primaries": 6, "color_trc": 6, "colorspace": 6}},
    "BT.709": {"tags": {"color_primaries": 1, "color_trc": 1, "colorspace": 1}},
    "BT.2020": {"tags": {"color_primaries": 9, "color_trc": 14, "colorspace": 9}},
    "full range": {"full_range": True},
    "AAC": {"audio": "aac"},
    "PCM": {"audio": "pcm_s16le"},
    "MP2": {"audio": "mp2"},
    "two sounds, languages, dispositions": {"two": True},
    "subtitles": {"subtitles": True},
    "attachment": {"attachment": True},
    "chapters, title": {"chapters": True, "metadata": {"title": "A reel"}},
}
"""Name → settings of `make_film`, besides those of H.264 (VP9 in WebM, MPEG-2 in MPG)."""


@dataclass(frozen=True)
class Cell:
    """A source."""

    suffix: str
    row: str
    """Codec or property."""
    made: dict[str, Any] = field(hash=False)
    """Settings of `make_film`."""


@dataclass(frozen=True)
class Outcome:
    """What became of a cell."""

    cell: Cell
    output: str
    """What was asked for: ``same`` container, or ``lossless``."""
    state: str
    """``kept``, ``refused`` before the work, ``fault``, or ``unwritable`` if FFmpeg cannot make the source."""
    detail: str = ""
    """The sentence of the refusal, or what differs."""


def all_cells() -> list[Cell]:
    """Every codec and every property in every container."""
    own = {"webm": CODECS["VP9"], "mpg": CODECS["MPEG-2"]}
    codecs = [Cell(suffix, row, made) for (row, made), suffix in itertools.product(CODECS.items(), CONTAINERS)]
    properties = [
        Cell(suffix, row, own.get(suffix, CODECS["H.264"]) | made)
        for (row, made), suffix in itertools.product(PROPERTIES.items(), CONTAINERS)
    ]
    return codecs + properties


FEW = {
    "H.264": "avi",
    "H.264 4:2:2 10 bit": "ts",
    "H.265 10 bit": "mp4",
    "MPEG-2": "mpg",
    "MPEG-4": "avi",
    "ProRes 422": "mov",
    "ProRes 4444": "mxf",
    "DNxHR": "mov",
    "FFV1": "nut",
    "FFV1 4:4:4 12 bit": "mkv",
    "FFV1 grey 16 bit": "mkv",
    "FFV1 RGB": "mkv",
    "VP9": "webm",
    "AV1 10 bit": "mp4",
    "MJPEG": "mov",
    "v210": "mov",
    "uncompressed": "avi",
    "DV": "avi",
    "varying rate": "mp4",
    "late start": "mkv",
    "30000/1001": "ts",
    "rotation": "mov",
    "pixels of 16:15": "mkv",
    "interlaced": "mov",
    "bottom field first": "nut",
    "BT.601": "flv",
    "BT.709": "ts",
    "BT.2020": "webm",
    "full range": "mp4",
    "AAC": "ts",
    "PCM": "avi",
    "MP2": "mpg",
    "two sounds, languages, dispositions": "mp4",
    "subtitles": "mkv",
    "attachment": "mkv",
    "chapters, title": "nut",
}
"""Row → container, for a quick look: each row once, and each container a few times."""


def few_cells() -> list[Cell]:
    """The cells of `FEW`."""
    return [cell for cell in all_cells() if FEW[cell.row] == cell.suffix]


def outcomes(cells: Iterable[Cell]) -> Iterable[Outcome]:
    """Make, colorize and compare each cell."""
    for cell in cells:
        with tempfile.TemporaryDirectory(prefix="fidelity-") as folder:
            yield from _of(cell, Path(folder))


def _of(cell: Cell, folder: Path) -> Iterable[Outcome]:
    source = folder / f"film.{cell.suffix}"
    try:
        make(source, cell.made)
        with av.open(str(source)) as container:  # some containers take any codec, but do not say which it is
            next(container.decode(container.streams.video[0]))
    except (av.error.FFmpegError, ValueError, IndexError, StopIteration, AttributeError) as error:
        yield Outcome(cell, "same", "unwritable", str(error))
        return
    for output in ("same", "lossless") if cell.row in CODECS else ("same",):
        yield Outcome(cell, output, *_tried(source, folder, output))


def make(path: Path, made: dict[str, Any]) -> Path:
    """Make the film of a cell. Raises an error of FFmpeg if the container cannot hold it."""
    made = dict(made)
    size, two = made.pop("size", SIZE), made.pop("two", False)
    pictures = np.repeat(shot("coffee", 1, size), FRAMES, 0)
    pictures = np.stack([np.roll(picture, 2 * n, 1) for n, picture in enumerate(pictures)])
    if two:
        made |= {"audio": "mp2" if path.suffix in (".mpg", ".avi", ".mxf") else "aac"}
        if path.suffix == ".webm":
            made |= {"audio": "libopus"}
    if made.get("interlaced") == "bff" and made["codec"] == "libx264":
        made |= {"options": {"x264-params": "bff=1"}}  # x264 does not read the order from the frames
    made = {"rate": 25} | made
    film = make_film(path if not two else path.with_name(f"one{path.suffix}"), pictures, **made)
    return two_sounds(film, path) if two else film


def two_sounds(film: Path, path: Path) -> Path:
    """Write the film with its sound twice. The sounds have languages, and the second is a comment. Returns `path`."""
    with av.open(str(film)) as source, av.open(str(path), "w") as out:
        picture, sound = source.streams.video[0], source.streams.audio[0]
        copies: list[Any] = [out.add_stream_from_template(s, opaque=True) for s in (picture, sound, sound)]
        for stream, language in zip(copies[1:], ("deu", "fra"), strict=True):
            stream.metadata["language"] = language
        copies[1].disposition, copies[2].disposition = 1, 8  # default; comment
        packets = [p for p in source.demux(picture, sound) if p.size]
        for packet in packets:
            first = copies[0] if packet.stream is picture else copies[1]
            data, times = bytes(packet), (packet.pts, packet.dts, packet.duration, packet.time_base)
            for stream in [first] if packet.stream is picture else copies[1:]:
                copy = av.Packet(data)
                copy.pts, copy.dts, copy.duration, copy.time_base = times  # pyright: ignore[reportAttributeAccessIssue]
                copy.is_keyframe, copy.stream = packet.is_keyframe, stream
                out.mux(copy)
    return path


def _tried(source: Path, folder: Path, output: str) -> tuple[str, str]:
    """State and detail of one output."""
    target = folder / (f"same.color{source.suffix}" if output == "same" else "lossless.mkv")
    work = folder / f"work-{output}"
    try:
        film = open_film(source)
        codec, crf = _codec(film, target, output)
        encoding = choose_encoding(film, codec, crf, "ultrafast", output_format(target))
        check_output(film, target, encoding)
    except UserError as error:
        sentence = str(error).replace(str(folder) + "/", "")
        return ("refused" if sentence.endswith(".") and "\n" not in sentence else "fault"), sentence
    try:
        written = colored(film, work, target, encoding)
    except SemcolorError as error:
        return "fault", f"after the work: {error}".replace(str(folder) + "/", "")
    how = {"bits": encoding.bits, "narrowed": film.full_range and not encoding.full_range}
    lost = probes.differences(source, written, film, lossless=output == "lossless", **how)
    return ("fault", "; ".join(lost)) if lost else ("kept", "")


def _codec(film: Film, target: Path, output: str) -> tuple[str, float]:
    """Codec and crf that a user would choose for the output."""
    if output == "lossless":
        return ("ffv1", 16) if film.sample_aspect == 1 and not film.interlaced else ("libx264", 0)
    if film.bits not in (8, 10):
        return "ffv1", 8
    return {".webm": "libvpx-vp9", ".mxf": "prores_ks"}.get(target.suffix, "libx264"), 8


def colored(film: Film, work: Path, target: Path, encoding: Any) -> Path:
    """The film with a fixed chroma, written in parts, joined with the other streams and verified."""
    writer, size = PartWriter(work, film, encoding), chroma_size(film.width, film.height, encoding.pix_fmt)
    for frames in read_chunks(film, 16, 64):
        chroma = np.full((len(frames.chunk), 2, *size), 100 << (film.bits - 8), frames.luma.dtype)
        writer.write(frames.chunk, frames.luma, chroma, b"state")
    return assemble(film, work, writer.parts, target, encoding)
