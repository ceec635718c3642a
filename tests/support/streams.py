"""Makes small films with streams of all kinds, and writes them as the commands do, with grey pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from semcolor.pipeline.chunk import Chunk
from semcolor.pipeline.containers import output_format
from semcolor.pipeline.encode import choose_encoding, chroma_size
from semcolor.pipeline.film import Film
from semcolor.pipeline.mux import assemble
from semcolor.pipeline.outputs import check_output
from semcolor.pipeline.parts import committed
from semcolor.pipeline.writer import PartWriter

COVER = cv2.imencode(".jpg", np.full((16, 16, 3), 90, np.uint8))[1].tobytes()
"""A small JPEG."""


@dataclass(frozen=True)
class Sound:
    """A stream of silence."""

    codec: str = "aac"
    seconds: float = 1.0
    start: float = 0.0
    """Seconds."""
    gap: float = 0.0
    """Seconds of a pause in its middle."""


@dataclass(frozen=True)
class Recipe:
    """What a film is made of."""

    codec: str = "libx264"
    size: tuple[int, int] = (64, 96)
    """Height and width."""
    frames: int = 25
    rate: Fraction = Fraction(25)
    timecode: str = ""
    """Put into the metadata of the pictures' stream, or of the file (AVI and others)."""
    sounds: Sequence[Sound] = ()
    cover: bool = False
    """A cover as an attachment (Matroska) or as an attached picture."""
    chapters: bool = False
    """Two chapters."""
    note: bool = False
    """A text as an attachment."""
    options: dict[str, str] = field(default_factory=dict)
    """Options of the encoder."""


def brew(path: Path, recipe: Recipe, container: str | None = None) -> Path:
    """Encode a film of flat grey frames. Returns `path`."""
    height, width = recipe.size
    with av.open(str(path), "w", format=container) as out:
        stream: Any = out.add_stream(recipe.codec, rate=recipe.rate, options=dict(recipe.options))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 400_000
        stream.time_base = stream.codec_context.time_base = 1 / recipe.rate
        sounds: list[Any] = [out.add_stream(s.codec, rate=48000, layout="mono") for s in recipe.sounds]
        for its in sounds:
            its.bit_rate = 64_000
        if recipe.timecode:
            inside = out.format.name in ("avi", "mxf", "gxf", "asf", "dv")
            (out if inside else stream).metadata["timecode"] = recipe.timecode
        cover: Any = None
        if recipe.cover and out.format.name == "matroska":
            out.add_attachment("cover.jpg", "image/jpeg", COVER)
        elif recipe.cover:
            cover = out.add_stream("mjpeg")
            cover.width, cover.height, cover.pix_fmt, cover.disposition = 16, 16, "yuvj420p", 1 << 10
        if recipe.chapters:
            base = Fraction(1, 1000)
            out.set_chapters(
                [
                    {"id": n, "start": 500 * n, "end": 500 * n + 500, "time_base": base, "metadata": {"title": str(n)}}
                    for n in range(2)
                ]
            )
        if recipe.note:
            out.add_attachment("note.txt", "text/plain", b"found in the can")
        packets: list[Any] = []
        for n in range(recipe.frames):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane, value in zip(frame.planes, (40 + 5 * n % 150, 128, 128), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.pts, frame.time_base = n, 1 / recipe.rate
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for sound, its in zip(recipe.sounds, sounds, strict=True):
            packets += _silence(sound, its)
        if cover:
            packet = av.Packet(COVER)
            packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, Fraction(1, 1000)
            out.mux(packet)
        for packet in sorted(packets, key=lambda p: (p.dts or 0) * p.time_base):
            out.mux(packet)
    return path


def _silence(sound: Sound, stream: Any) -> list[Any]:
    made: list[Any] = []
    step = stream.codec_context.frame_size or 1024
    total = round(sound.seconds * 48000)
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=48000)
    for at in range(0, total, step):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, min(step, total - at)), np.int16), format="s16", layout="mono")
        later = sound.start + (sound.gap if at >= total // 2 else 0)
        frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
        for piece in resampler.resample(frame):
            piece.pts = at + round(later * 48000)
            made += stream.encode(piece)
    return made + stream.encode(None)


def written(film: Film, output: Path, codec: str = "libx264") -> tuple[Path, tuple[str, ...]]:
    """Write a film with grey pictures, checked before and after. Returns the file, and what people are told."""
    container = output_format(output)
    encoding = choose_encoding(film, codec, 30, "ultrafast", container)
    words = check_output(film, output, encoding)
    folder = output.with_name(f"{output.name}.{codec}.work")
    writer = PartWriter(folder, film, encoding)
    chunk = Chunk(0, 0, 0, True, tuple(film.pts.tolist()), film.durations(0, film.frames), (False,) * film.frames)
    size = chroma_size(film.width, film.height, encoding.pix_fmt)
    luma = np.full((film.frames, film.height, film.width), 90, np.uint8)
    writer.write(chunk, luma, np.full((film.frames, 2, *size), 128, np.uint8), b"")
    return assemble(film, folder, committed(folder), output, encoding), words


def checked(film: Film, output: Path, codec: str = "libx264") -> tuple[str, ...]:
    """Check whether a film can be written. Returns what people are told."""
    return check_output(film, output, choose_encoding(film, codec, container=output_format(output)))
