"""What two films have in common, told by FFmpeg's own commands, or by PyAV where they are not installed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from semcolor.pipeline.film import Film

WITHOUT_PTS = (".avi",)
"""Containers whose first time stamp means nothing."""

LOSSY = 4.0
"""Greatest mean difference of luma after a lossy encoder, in steps of 8 bits."""


def has_ffmpeg() -> bool:
    """Whether FFmpeg's commands are installed."""
    return bool(shutil.which("ffmpeg") and shutil.which("ffprobe"))


@dataclass(frozen=True)
class Pictures:
    """The pictures of a film, as another program reads them."""

    luma: np.ndarray
    """(N, H, W): Y as the decoder gives it."""
    stamps: list[Fraction | None]
    """Presentation time of each frame in seconds; None where the container has none."""
    tags: dict[str, Any]
    """What ffprobe says about the stream; {} without it."""


@lru_cache(maxsize=2)
def pictures(path: Path, stream: int | None) -> Pictures:
    """The pictures of a stream; None: of the first one."""
    try:
        if has_ffmpeg():
            return _told_by_ffmpeg(path, stream)
    except (subprocess.CalledProcessError, IndexError):
        pass  # an old version of FFmpeg does not know every codec: it fails, or shows no frame
    with av.open(str(path)) as container:
        which: Any = container.streams.video[0] if stream is None else container.streams[stream]
        frames = [(_plane(f), f.pts if f.pts is None else f.pts * which.time_base) for f in container.decode(which)]
    return Pictures(np.stack([luma for luma, _ in frames]), [stamp for _, stamp in frames], {})


def _told_by_ffmpeg(path: Path, stream: int | None) -> Pictures:
    which = ["-select_streams", "v:0" if stream is None else str(stream)]
    asked = ["ffprobe", "-v", "error", "-of", "json", *which, "-show_streams", "-show_frames", str(path)]
    answer = json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)
    shown = answer["frames"][0]
    order = "top field first" if shown["top_field_first"] else "bottom field first"
    tags = answer["streams"][0] | {"fields": order if shown["interlaced_frame"] else "none"}
    stamps = [frame.get("best_effort_timestamp") for frame in answer["frames"]]
    base = Fraction(tags["time_base"])
    command = ["ffmpeg", "-v", "error", "-noautorotate", "-i", str(path), "-map", f"0:{tags['index']}", "-vsync", "0"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    fmt = av.VideoFormat(tags["pix_fmt"], tags["width"], tags["height"])
    size = _bytes(fmt)
    luma = np.stack([_first(raw[at : at + size], fmt) for at in range(0, len(raw), size)])
    return Pictures(luma, [None if s is None else int(s) * base for s in stamps], tags)


def differences(
    source: Path, output: Path, film: Film, *, lossless: bool, bits: int, narrowed: bool = False
) -> list[str]:
    """All that was not kept, as phrases.

    Args:
        source: the source.
        output: the colour film.
        film: the source as the package sees it; only for its stream's number, and for the time stamps of a film whose
            container keeps those of the coded order.
        lossless: whether luma must be the same, sample for sample.
        bits: bits of the output's luma.
        narrowed: whether luma of the full range became luma of the limited one.
    """
    found = []
    given, made = pictures(source, film.stream), pictures(output, None)
    if len(given.luma) != len(made.luma):
        return [f"{len(made.luma)} frames instead of {len(given.luma)}"]
    if not film.pix_fmt.startswith(("bgr", "gbr", "rgb")):  # R'G'B' has no luma of its own
        wanted = given.luma.astype(np.int64) << (bits - film.bits)
        if narrowed:
            wanted = (16 << (bits - 8)) + np.rint(given.luma * ((219 << (bits - 8)) / ((1 << film.bits) - 1)))
        off = np.abs(wanted - made.luma)
        if lossless and off.any():
            found.append(f"luma differs by up to {off.max()}")
        if off.mean() > LOSSY * 2 ** (bits - 8):
            found.append(f"luma differs by {off.mean():.1f} on average")
    shown = [stamp * film.time_base for stamp in film.pts.tolist()] if film.counted else given.stamps
    apart = stamps_apart(shown, made.stamps, {source.suffix, output.suffix}, output.suffix)
    told = given.tags | {"color_range": "tv"} if narrowed else given.tags
    tags = _tags(told, made.tags) if given.tags and made.tags else []
    return found + ([apart] if apart else []) + tags + _others(source, output, film)


def _bytes(fmt: Any) -> int:
    """Bytes of a frame without padding."""
    each = 2 if fmt.components[0].bits > 8 else 1
    if fmt.is_rgb or not fmt.is_planar:
        return fmt.width * fmt.height * fmt.padded_bits_per_pixel // 8
    chroma = 2 * fmt.chroma_width(fmt.width) * fmt.chroma_height(fmt.height) if len(fmt.components) > 1 else 0
    return each * (fmt.width * fmt.height + chroma)


def _first(raw: bytes, fmt: Any) -> np.ndarray:
    """Y of a frame."""
    samples = np.frombuffer(raw, np.uint8 if fmt.components[0].bits == 8 else "<u2")
    if fmt.name == "uyvy422":
        return samples[1::2].reshape(fmt.height, fmt.width)
    return samples[: fmt.width * fmt.height].reshape(fmt.height, fmt.width)


def _plane(frame: Any) -> np.ndarray:
    """Y of a frame of PyAV."""
    plane, dtype = frame.planes[0], np.dtype(np.uint8 if frame.format.components[0].bits == 8 else "<u2")
    rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)[: frame.height]
    return (rows[:, 1 : 2 * frame.width : 2] if frame.format.name == "uyvy422" else rows[:, : frame.width]).copy()


def stamps_apart(given: list[Any], made: list[Any], suffixes: set[str], suffix: str) -> str:
    """The first time stamp that is further away than the output's unit allows; "" if there is none.

    Args:
        given: time stamps of the source in seconds; None where it has none.
        made: time stamps of the output.
        suffixes: suffixes of both.
        suffix: suffix of the output.
    """
    if len(given) != len(made):
        return f"{len(made)} time stamps instead of {len(given)}"
    known = [n for n, stamp in enumerate(given) if stamp is not None]
    given, made = [given[n] for n in known], [made[n] for n in known]
    if suffixes & set(WITHOUT_PTS):
        given, made = ([t - times[0] for t in times] for times in (given, made))
    unit = Fraction(1, 2000) if suffix in (".mkv", ".webm", ".flv") else Fraction(1, 180000)
    far = [n for n, (a, b) in enumerate(zip(given, made, strict=True)) if abs(a - b) > unit]
    return f"frame {far[0]} is shown at {float(made[far[0]]):.5f} s, not {float(given[far[0]]):.5f} s" if far else ""


SAME = ("color_range", "color_space", "color_primaries", "color_transfer", "sample_aspect_ratio", "fields")
"""What ffprobe says about pictures."""


def _tags(given: dict[str, Any], made: dict[str, Any]) -> list[str]:
    """Tags of the pictures that differ. A tag that the source does not state may be stated in the output."""
    found = []
    for name in SAME:
        before, after = given.get(name, "unknown"), made.get(name, "unknown")
        if name == "color_space" and before in ("gbr", "reserved", "bt470bg", "fcc"):
            continue  # another matrix with the same luma
        if name == "color_range" and given["pix_fmt"].startswith(("bgr", "gbr", "rgb")):
            continue  # R'G'B' becomes luma of the full range
        if name == "color_range" and before == "unknown":
            before = "pc" if given["pix_fmt"].startswith(("gray", "bgr", "gbr", "rgb")) else "tv"
        if name == "color_range" and after == "unknown":
            after = "tv"
        if name == "sample_aspect_ratio":
            before, after = (value.replace("0:1", "1:1").replace("unknown", "1:1") for value in (before, after))
        if before != after and before != "unknown":
            found.append(f"{name} is {after}, not {before}")
    turned = [[s.get("rotation") for s in info.get("side_data_list", ()) if "rotation" in s] for info in (given, made)]
    if turned[0] != turned[1]:
        found.append(f"rotation is {turned[1]}, not {turned[0]}")
    return found


def _others(source: Path, output: Path, film: Film) -> list[str]:
    """What differs in the other streams, the chapters and the metadata."""
    found = []
    given, made = contents(source, film.stream), contents(output, None)
    for what, before in given.items():
        if before != made[what]:
            found.append(f"{what}: {made[what]} instead of {before}"[:160])
    return found


def contents(path: Path, stream: int | None) -> dict[str, Any]:
    """Packets of the other streams, their languages and dispositions, attachments, chapters, title."""
    with av.open(str(path)) as container:
        which: Any = container.streams.video[0] if stream is None else container.streams[stream]
        others = [s for s in container.streams if s is not which and not _is_chapters(container, s)]
        digests = {s.index: hashlib.sha256() for s in others}
        if others:
            for packet in container.demux([s for s in others if s.type in ("audio", "subtitle", "data")] or None):
                if packet.size and packet.stream_index in digests:
                    digests[packet.stream_index].update(bytes(packet))
        return {
            "streams": [s.type for s in others],
            "packets": [digests[s.index].hexdigest()[:12] for s in others],
            "dispositions": [int(s.disposition) for s in others if s.type == "audio"],
            "languages": [s.metadata.get("language") for s in others if s.type == "audio"],
            "chapters": [
                (round(float(c["start"] * c["time_base"]), 2), c["metadata"].get("title")) for c in container.chapters()
            ],
            "title": container.metadata.get("title"),
        }


def _is_chapters(container: Any, stream: Any) -> bool:
    """Whether a stream is the text track in which MP4 keeps chapters."""
    return stream.type == "data" and bool(container.chapters()) and container.format.name.startswith("mov")
