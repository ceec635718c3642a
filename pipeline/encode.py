"""The encoding of a film's pictures, and the encoder of one part.

The encoder keeps the source's bit depth, range, colour tags, pixel shape, interlacing and time stamps. Chroma is new,
so it is 4:2:0 whatever the source's sampling; it is 4:4:4 if width or height is odd (x264 and x265 refuse odd 4:2:0).
The number of threads is fixed: the bytes of x264, x265 and ffv1 depend on it, and they must not depend on the machine.
"""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

import av
import av.filter
import cv2
from av.video.reformatter import ColorRange

from ..errors import OutputError
from .containers import WITHOUT_PTS
from .defaults import CODEC, CRF, PRESET, KeepColour
from .film import Film
from .scaling import LEAST_BITS, Scaling, loses_range
from .tags import BOTTOM_FIRST, planar

THREADS = 4
"""Threads of an encoder."""

AVX_512F = 13
"""OpenCV's CV_CPU_AVX_512F, which has no name in Python."""

STEADY_X264 = "asm=AVX2,FMA3,BMI2"
"""CPU features that x264 may use on a machine with AVX-512. With AVX-512, x264's macroblock tree reads beyond the
picture unless its width is a multiple of 128, so each run writes other bytes. Without AVX-512, the bytes are those of
all machines with SSSE3 or better, at the same speed."""

INTERLACED_DCT, INTERLACED_ME, GLOBAL_HEADER = 1 << 18, 1 << 29, 1 << 22
"""FFmpeg's AV_CODEC_FLAG_INTERLACED_DCT, …_INTERLACED_ME and …_GLOBAL_HEADER."""

OWN_OPTIONS = {
    "libx265": {"x265-params": "log-level=error:frame-threads=2:pools=4"},
    # The profile of archives: every frame is an intra frame, with checksums.
    "ffv1": {"level": "3", "g": "1", "slices": "4", "slicecrc": "1"},
}
"""Codec → the options that it always gets."""

DNXHR = {"yuv422p": "dnxhr_hq", "yuv422p10le": "dnxhr_hqx", "yuv444p10le": "dnxhr_444"}
"""Pixel format → profile of dnxhd. These profiles take any size of picture; DNxHD itself takes a few sizes."""

X265_WIDTH = 64
"""Least width of a picture for x265, in pixels. With less, it writes beyond its memory (x265 in PyAV 18.1)."""

DEPTHS = (8, 9, 10, 12, 14, 16)
"""Bits of a sample in the pixel formats of FFmpeg's encoders."""


PLANAR = re.compile(r"yuv(420|422|444)p(9|10|12|14|16)?(?:le)?")
"""Names of pixel formats that a user may ask for."""


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
    scaling: Scaling | None = field(default=None, repr=False)
    """How samples of the film become samples of the codec, if the codec has another depth or range.

    It follows from the film and the codec, so it is no part of the digest of a job's settings.
    """
    pictures: PictureFormat | None = None
    """The pictures, if the film becomes a sequence of pictures. `codec` is their kind."""

    @property
    def bits(self) -> int:
        """Bits of a sample in the coded film."""
        return av.VideoFormat(self.pix_fmt).components[0].bits

    @property
    def samples(self) -> Scaling:
        """How samples of the film become samples of the codec."""
        return self.scaling or Scaling(self.bits, self.bits)

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
    pix_fmt: str = "",
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
        pix_fmt: FFmpeg's name of the pixel format, for instance ``yuv422p10le``. "": the first that the codec has of
            4:2:0, 4:2:2 and 4:4:4 with at least the film's bits.
        keep_colour: see `Look.keep_colour`. If shots may keep their own chroma, the output has the source's chroma
            subsampling where the codec can have it.

    Raises:
        OutputError: if the codec cannot keep the film's luma unchanged, or does not open with these options.
    """
    if codec == "libx265" and film.width < X265_WIDTH:
        raise OutputError(f"--codec libx265 needs pictures at least {X265_WIDTH} pixels wide; use libx264 or ffv1.")
    pix_fmt, narrowed = _pixel_format(film, codec, pix_fmt, keep_colour)
    options = _own_options(codec, pix_fmt)
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
        full_range=film.full_range and not narrowed,
        scaling=Scaling(film.bits, av.VideoFormat(pix_fmt).components[0].bits, narrowed),
    )
    try:
        open_encoder(encoding, av.CodecContext.create(codec, "w"))
    except (av.error.FFmpegError, ValueError) as error:
        raise OutputError(
            f"--codec {codec} does not open for {film.width}x{film.height} {pix_fmt} with crf {crf:g} and preset "
            f"{preset} ({getattr(error, 'strerror', None) or error}); try another preset, or libx264, libx265 or ffv1."
        ) from error
    return encoding


def _own_options(codec: str, pix_fmt: str) -> dict[str, str]:
    """The options that a codec always gets."""
    return {"profile": DNXHR[pix_fmt]} if codec == "dnxhd" else dict(OWN_OPTIONS.get(codec, {}))


def narrows(film: Film, codec: str) -> bool:
    """Whether luma of the film must be scaled into the limited range, because the codec has no other one.

    Only codecs of 10 or more bits do so. Raises OutputError if there is no such codec.
    """
    known = {f.name for f in check_codec(codec).video_formats or ()}
    deep = [
        f for depth in DEPTHS for s in ("420", "422", "444") if (f := planar(s, depth)) in known and depth >= LEAST_BITS
    ]
    return film.full_range and bool(deep) and loses_range(codec, deep[0], _own_options(codec, deep[0]))


def _pixel_format(film: Film, codec: str, wanted: str, keep_colour: KeepColour) -> tuple[str, bool]:
    """The pixel format of the colour film, and whether the film `narrows`.

    For the arguments see `choose_encoding`. Raises OutputError.
    """
    known = {f.name for f in check_codec(codec).video_formats or ()}
    samplings = ("444",) if film.width % 2 or film.height % 2 else ("420", "422", "444")
    if keep_colour != "never":
        samplings = sorted(samplings, key=lambda s: s != subsampling(film.luma_fmt))  # stable
    narrowed = narrows(film, codec)
    depths = [d for d in DEPTHS if any(planar(s, d) in known for s in samplings)]
    if narrowed:
        exact = [d for d in depths if Scaling(film.bits, d, True).kind == "scaled" and d >= LEAST_BITS]
        depths = exact or depths[-1:]
    able = [
        f for depth in depths if depth >= film.bits or narrowed for s in samplings if (f := planar(s, depth)) in known
    ]
    if not able:
        others = "libx264, libx265 or ffv1" if film.bits in (8, 10) else "ffv1"
        raise OutputError(
            f"--codec {codec} cannot keep {film.bits}-bit luma of {film.width}x{film.height} pixels; use {others}."
        )
    if not wanted:
        return able[0], narrowed
    found = PLANAR.fullmatch(wanted)
    if not found:
        raise OutputError(f"--pix-fmt {wanted} is not a planar format of Y'CbCr; use {' or '.join(able)}.")
    name = planar(found[1], int(found[2] or 8))
    if name not in able:
        lacks = int(found[2] or 8) < film.bits
        reason = f"would lose some of the {film.bits} bits of the film's luma" if lacks else f"is not one of {codec}'s"
        raise OutputError(f"--pix-fmt {wanted} {reason}; use {' or '.join(able)}.")
    return name, narrowed


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


def open_encoder(encoding: Encoding, context: Any) -> None:
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
