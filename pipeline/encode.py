"""The encoding of a film's pictures, and the encoder of one part.

The encoder keeps the source's bit depth, range, colour tags, pixel shape, interlacing and time stamps. Chroma is new,
so it is 4:2:0 whatever the source's sampling; it is 4:4:4 if width or height is odd (x264 and x265 refuse odd 4:2:0).
The number of threads is fixed: the bytes of x264, x265 and ffv1 depend on it, and they must not depend on the machine.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import IO, Any

import av
import av.filter
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from ..errors import OutputError, WorkError
from .chunk import Chunk
from .containers import WITHOUT_PTS
from .defaults import CODEC, CRF, PRESET, KeepColour
from .film import BOTTOM_FIRST, Film

THREADS = 4
"""Threads of an encoder."""

"""Preset of x264 and x265 if no other is asked for, and always that of the label overlay."""

AVX_512F = 13
"""OpenCV's CV_CPU_AVX_512F, which has no name in Python."""

STEADY_X264 = "asm=AVX2,FMA3,BMI2"
"""CPU features that x264 may use on a machine with AVX-512. With AVX-512, x264's macroblock tree reads beyond the
picture unless its width is a multiple of 128, so each run writes other bytes. Without AVX-512, the bytes are those of
all machines with SSSE3 or better, at the same speed."""

INTERLACED_DCT, INTERLACED_ME, GLOBAL_HEADER = 1 << 18, 1 << 29, 1 << 22
"""FFmpeg's AV_CODEC_FLAG_INTERLACED_DCT, …_INTERLACED_ME and …_GLOBAL_HEADER."""

PART_OPTIONS = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
"""Options of a part's muxer: the same bytes every time, and time stamps that are not moved."""

OWN_OPTIONS = {
    "libx265": {"x265-params": "log-level=error:frame-threads=2:pools=4"},
    # The profile of archives: every frame is an intra frame, with checksums.
    "ffv1": {"level": "3", "g": "1", "slices": "4", "slicecrc": "1"},
}
"""Codec → the options that it always gets."""

DNXHR = {8: {"profile": "dnxhr_hq"}, 10: {"profile": "dnxhr_hqx"}, 12: {"profile": "dnxhr_hqx"}}
"""Bits of a sample → options of dnxhd. These profiles take any size of picture; DNxHD itself takes a few sizes."""

X265_WIDTH = 64
"""Least width of a picture for x265, in pixels. With less, it writes beyond its memory (x265 in PyAV 18.1)."""

DEPTHS = (8, 9, 10, 12, 14, 16)
"""Bits of a sample in the pixel formats of FFmpeg's encoders."""


@dataclass(frozen=True)
class PictureFormat:
    """How frames are written as pictures."""

    kind: str
    """``dpx``, ``tiff``, ``exr``, ``png`` or ``jpeg``."""
    bits: int
    """Bits of a sample."""
    name: str
    """Pattern of the names: ``scan_%06d.dpx``."""
    keeps: bool
    """Whether each picture has the header and the code values of its source, a picture of the same kind."""


@dataclass(frozen=True)
class Encoding:
    """A codec, its options, and the properties of the pictures; see `choose_encoding`."""

    codec: str
    """FFmpeg's name of the encoder."""
    pix_fmt: str
    """FFmpeg's name of the pixel format."""
    width: int
    height: int
    """Size of a frame in pixels."""
    options: tuple[tuple[str, str], ...]
    """Options of the codec: (FFmpeg's name, value)."""
    time_base: Fraction
    """Seconds per unit of the time stamps."""
    rate: Fraction
    """Frames per second: a hint for the encoder's rate control, never used for timing."""
    sample_aspect: Fraction = Fraction(1)
    """Width of a pixel divided by its height."""
    field_order: int = 1
    """FFmpeg's AVFieldOrder: 1 progressive, 2..5 interlaced."""
    primaries: int = 2
    trc: int = 2
    colorspace: int = 6
    """Colour tags (ITU-T H.273): primaries, transfer characteristics, matrix; 2 for unknown."""
    full_range: bool = False
    """Whether luma uses the full range (0..255 at 8 bits) instead of the limited one (16..235)."""
    shift: int = field(default=0, repr=False)
    """Bits by which luma and chroma are shifted to the left, for a codec that has only more bits than the film.

    It follows from the film and the codec, so it is no part of the digest of a job's settings.
    """
    pictures: PictureFormat | None = None
    """The pictures, if the film becomes a sequence of pictures. `codec` is their kind."""

    @property
    def bits(self) -> int:
        """Bits of a sample in the coded film."""
        return av.VideoFormat(self.pix_fmt).components[0].bits

    @property
    def part_format(self) -> str:
        """FFmpeg's name of the container in which the parts of a film are kept; ``pictures`` for a folder of them."""
        if self.pictures:
            return "pictures"
        return _part_format(self.codec)

    @property
    def tags(self) -> dict[str, int]:
        """Colour tags (ITU-T H.273), named like PyAV's attributes of frames and codec contexts."""
        return {
            "color_primaries": self.primaries,
            "color_trc": self.trc,
            "colorspace": self.colorspace,
            "color_range": int(ColorRange.JPEG if self.full_range else ColorRange.MPEG),
        }


@cache
def _part_format(codec: str) -> str:
    """``nut`` where NUT can hold the codec, else ``mov``."""
    with contextlib.suppress(ValueError):
        av.open(io.BytesIO(), "w", format="nut").add_stream(codec)
        return "nut"
    return "mov"


def chroma_size(width: int, height: int, pix_fmt: str) -> tuple[int, int]:
    """(rows, columns) of a chroma plane, for a frame of width × height pixels."""
    fmt = av.VideoFormat(pix_fmt, width, height)
    return fmt.chroma_height(height), fmt.chroma_width(width)


def subsampling(pix_fmt: str) -> str:
    """The subsampling of chroma in a pixel format: ``420``, ``422`` or ``444``; "" for others and for grey."""
    fmt = av.VideoFormat(pix_fmt, 8, 8)
    sizes = {(4, 4): "420", (4, 8): "422", (8, 8): "444"}
    return "" if len(fmt.components) < 3 else sizes.get((fmt.chroma_width(8), fmt.chroma_height(8)), "")


def check_codec(codec: str) -> Any:
    """FFmpeg's encoder of the given name. Raises OutputError if there is none, or if it does not encode pictures."""
    try:
        encoder = av.Codec(codec, "w")
    except ValueError as error:
        raise OutputError(f"--codec {codec}: there is no such encoder; try libx264, libx265 or ffv1.") from error
    if encoder.type != "video":
        raise OutputError(f"--codec {codec} does not encode pictures; try libx264, libx265 or ffv1.")
    return encoder


def choose_encoding(
    film: Film,
    codec: str = CODEC,
    crf: float = CRF,
    preset: str = PRESET,
    container: str = "",
    *,
    keep_colour: KeepColour = "never",
) -> Encoding:
    """The encoding of the colour film.

    Args:
        film: the source.
        codec: FFmpeg's name of the encoder.
        crf: constant rate factor, for codecs that have this option.
        preset: preset, for x264 and x265.
        container: FFmpeg's name of the output's container. AVI and ASF keep no presentation time stamps, so there the
            frames are coded in display order (without B-frames).
        keep_colour: see `Look.keep_colour`. If shots may keep their own chroma, the output has the source's chroma
            subsampling where the codec can have it.

    Raises:
        OutputError: if the codec cannot keep the film's luma unchanged, or does not open with these options.
    """
    encoder = check_codec(codec)
    if codec == "libx265" and film.width < X265_WIDTH:
        raise OutputError(f"--codec libx265 needs pictures at least {X265_WIDTH} pixels wide; use libx264 or ffv1.")
    known = {f.name for f in encoder.video_formats or ()}
    sampling = ("444",) if film.width % 2 or film.height % 2 else ("420", "422", "444")
    if keep_colour != "never":
        sampling = tuple(sorted(sampling, key=lambda s: s != subsampling(film.luma_fmt)))  # stable
    formats = [(d, f"yuv{s}p" if d == 8 else f"yuv{s}p{d}le") for d in DEPTHS if d >= film.bits for s in sampling]
    depth, pix_fmt = next((entry for entry in formats if entry[1] in known), (0, ""))
    if not pix_fmt:
        able = "libx264, libx265 or ffv1" if film.bits in (8, 10) else "ffv1"
        raise OutputError(
            f"--codec {codec} cannot keep {film.bits}-bit luma of {film.width}x{film.height} pixels; use {able}."
        )
    options = dict(DNXHR.get(depth, {}) if codec == "dnxhd" else OWN_OPTIONS.get(codec, {}))
    names = {option.name for option in av.CodecContext.create(codec, "w").supported_options.private}
    if "crf" in names:
        options["crf"] = f"{crf:g}"
    if "preset" in names and codec.startswith("libx"):
        options["preset"] = preset
    if container in WITHOUT_PTS:
        options["bf"] = "0"
    encoding = Encoding(
        codec=codec,
        pix_fmt=pix_fmt,
        width=film.width,
        height=film.height,
        options=tuple(sorted(options.items())),
        time_base=film.time_base,
        rate=film.rate or Fraction(25),
        sample_aspect=film.sample_aspect,
        field_order=(film.field_order if film.field_order > 1 else 2) if film.interlaced else 1,
        primaries=film.primaries,
        trc=film.trc,
        colorspace=film.colorspace,
        full_range=film.full_range,
        shift=depth - film.bits,
    )
    try:
        _open(encoding, av.CodecContext.create(codec, "w"))
    except (av.error.FFmpegError, ValueError) as error:
        raise OutputError(
            f"--codec {codec} does not open for {film.width}x{film.height} {pix_fmt} with crf {crf:g} and preset "
            f"{preset} ({getattr(error, 'strerror', None) or error}); try another preset, or libx264, libx265 or ffv1."
        ) from error
    return encoding


def labels_encoding(film: Film, width: int, height: int) -> Encoding:
    """The encoding of the label overlay: plain H.264, which every player shows, with the film's timing.

    Raises ValueError if width or height is odd.
    """
    if width % 2 or height % 2:
        raise ValueError(f"the label overlay must have an even width and height, not {width}x{height}")
    options = (("crf", "18"), ("preset", PRESET))
    return Encoding("libx264", "yuv420p", width, height, options, film.time_base, film.rate or Fraction(25))


def maps_encoding(film: Film, width: int, height: int) -> Encoding:
    """The encoding of the label maps: FFV1, one byte for each pixel, lossless, with the film's timing."""
    options = tuple(sorted(OWN_OPTIONS["ffv1"].items()))
    return Encoding("ffv1", "gray", width, height, options, film.time_base, film.rate or Fraction(25), full_range=True)


def _open(encoding: Encoding, context: Any) -> None:
    """Set up a codec context for an encoding, and open it."""
    context.width, context.height, context.pix_fmt = encoding.width, encoding.height, encoding.pix_fmt
    context.time_base, context.framerate = encoding.time_base, encoding.rate
    context.sample_aspect_ratio = encoding.sample_aspect
    context.thread_count = THREADS
    context.options = dict(encoding.options)
    context.flags |= GLOBAL_HEADER  # parameter sets only in the container's header, so parts can be joined
    for name, value in encoding.tags.items():
        setattr(context, name, value)
    x264 = [STEADY_X264] if cv2.checkHardwareSupport(AVX_512F) else []
    if encoding.field_order > 1:
        context.field_order = encoding.field_order
        if encoding.field_order in BOTTOM_FIRST:
            x264.append("bff=1")  # x264 does not read this field order from the frames
        context.flags |= INTERLACED_DCT | INTERLACED_ME
    if encoding.codec == "libx264" and x264:
        context.options |= {"x264-params": ":".join(x264)}
    context.open()


class PartEncoder:
    """Encodes the frames of one part into a NUT or MOV file. End with `close` or `abort`.

    NUT has no negative time stamps, so in the file they are counted from the film's first time stamp.
    """

    def __init__(self, target: Path | IO[bytes], encoding: Encoding, origin: int) -> None:
        """
        Args:
            target: path of the file, or an open file.
            encoding: encoding of the frames.
            origin: the film's first time stamp, in units of `Film.time_base`.
        """
        self.encoding = encoding
        self.origin = origin
        self.target = target
        file = str(target) if isinstance(target, Path) else target
        options = dict(PART_OPTIONS)
        if encoding.part_format == "mov":  # the delay of a late first frame is stored in the movie's own time scale
            options["movie_timescale"] = str(encoding.time_base.denominator)
        self._container = av.open(file, "w", format=encoding.part_format, container_options=options)
        try:
            self._stream: Any = self._container.add_stream(encoding.codec, rate=encoding.rate)
            self._stream.time_base = encoding.time_base
            _open(encoding, self._stream.codec_context)
        except BaseException:
            self.abort()
            raise
        self._fields = _FieldMarker(encoding) if encoding.field_order > 1 else None

    def write(self, chunk: Chunk, luma: np.ndarray, chroma: np.ndarray | None = None) -> None:
        """Encode a chunk of N frames.

        Args:
            chunk: the frames' time stamps and fields.
            luma: (N, H, W) uint8, or uint16 above 8 bits, with `Encoding.shift` bits fewer than the coded film has.
            chroma: (N, 2, ch, cw) of luma's type: Cb and Cr; None for the pixel format `gray`.

        Raises:
            WorkError: if an array has another type or shape.
        """
        e = self.encoding
        ch, cw = chroma_size(e.width, e.height, e.pix_fmt)
        given = np.uint8 if e.bits - e.shift == 8 else np.uint16
        dtype = np.uint8 if e.bits == 8 else np.uint16
        _expect("luma", luma, (len(chunk), e.height, e.width), given)
        if e.pix_fmt != "gray":
            _expect("chroma", chroma, (len(chunk), 2, ch, cw), given)
        for n, pts in enumerate(chunk.pts):
            frame = av.VideoFrame(e.width, e.height, e.pix_fmt)
            for plane, samples in zip(frame.planes, (luma[n], *(() if chroma is None else chroma[n])), strict=True):
                rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
                rows[: samples.shape[0], : samples.shape[1]] = samples
                if e.shift:
                    rows <<= e.shift
            self._encode(frame, pts, chunk.interlaced[n])

    def write_rgb(self, chunk: Chunk, pictures: np.ndarray) -> None:
        """Encode a chunk of N pictures, (N, h, w, 3) uint8 R'G'B'. Raises WorkError for another type or shape."""
        e = self.encoding
        _expect("pictures", pictures, (len(chunk), e.height, e.width, 3), np.uint8)
        for picture, pts in zip(pictures, chunk.pts, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame = frame.reformat(format=e.pix_fmt, dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG)
            self._encode(frame, pts, False)

    def _encode(self, frame: Any, pts: int, interlaced: bool) -> None:
        frame.pts, frame.time_base = pts - self.origin, self.encoding.time_base
        frame.pict_type = 0  # the encoder chooses
        for name, value in self.encoding.tags.items():
            setattr(frame, name, value)
        if interlaced and self._fields:
            frame = self._fields.mark(frame)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        """Flush the encoder and finish the file."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()

    def abort(self) -> None:
        """Let go of the encoder and remove the file."""
        with contextlib.suppress(av.error.FFmpegError, ValueError):
            self._container.close()
        if isinstance(self.target, Path):
            self.target.unlink(missing_ok=True)


def _expect(name: str, array: np.ndarray | None, shape: tuple[int, ...], dtype: type) -> None:
    """Raise WorkError if an array has another type or shape."""
    if array is None or array.shape != shape or array.dtype != dtype:
        got = "nothing" if array is None else f"{array.dtype} {array.shape}"
        raise WorkError(f"{name}: expected {np.dtype(dtype)} {shape}, got {got}")


class _FieldMarker:
    """Marks frames as interlaced. PyAV cannot set this flag, but FFmpeg's filter setfield can."""

    def __init__(self, encoding: Encoding) -> None:
        mode = "bff" if encoding.field_order in BOTTOM_FIRST else "tff"
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=encoding.width, height=encoding.height, format=encoding.pix_fmt, time_base=encoding.time_base
        )
        marker, sink = graph.add("setfield", mode), graph.add("buffersink")
        source.link_to(marker)
        marker.link_to(sink)
        graph.configure()
        self._graph = graph

    def mark(self, frame: Any) -> Any:
        """The frame with its flag set."""
        self._graph.push(frame)
        return self._graph.pull()
