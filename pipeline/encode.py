"""How a film's pictures are encoded, and one part's encoder.

The encoder keeps what the source is: bit depth, range, colour tags, pixel shape, interlacing, time stamps. Colour
is ours, so chroma is 4:2:0 whatever the source has; 4:4:4 where width or height is odd (x264 and x265 refuse odd
4:2:0). The number of threads is fixed: x264's, x265's and ffv1's bytes depend on it, and must not depend on the
machine.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction
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
from .film import BOTTOM_FIRST, Film

THREADS = 4
PRESET = "veryfast"
AVX_512F = 13  # OpenCV's CV_CPU_AVX_512F, which has no name in Python
STEADY_X264 = "asm=AVX2,FMA3,BMI2"
"""With AVX-512, x264's macroblock tree reads what is no part of the picture unless its width is a multiple of 128:
each run gives other bytes. Without, they are those of all machines with SSSE3 or better, at the same speed."""

INTERLACED_DCT, INTERLACED_ME, GLOBAL_HEADER = 1 << 18, 1 << 29, 1 << 22  # AV_CODEC_FLAG_…

NUT_OPTIONS = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}

OWN_OPTIONS = {
    "libx265": {"x265-params": "log-level=error:frame-threads=2:pools=4"},
    # The archive's profile: every frame on its own, with checksums.
    "ffv1": {"level": "3", "g": "1", "slices": "4", "slicecrc": "1"},
}


@dataclass(frozen=True)
class Encoding:
    """A codec and all that it must be told about the pictures; see `choose_encoding`."""

    codec: str
    pix_fmt: str
    width: int
    height: int
    options: tuple[tuple[str, str], ...]
    """FFmpeg's options of the codec."""
    time_base: Fraction
    rate: Fraction
    """Frames per second: a hint for the encoder's rate control, not used for timing."""
    sample_aspect: Fraction = Fraction(1)
    field_order: int = 1
    """FFmpeg's AVFieldOrder; 1 progressive."""
    primaries: int = 2
    trc: int = 2
    colorspace: int = 6
    full_range: bool = False

    @property
    def tags(self) -> dict[str, int]:
        """Colour tags (ITU-T H.273) by the names of PyAV's attributes of frames and codec contexts."""
        return {
            "color_primaries": self.primaries,
            "color_trc": self.trc,
            "colorspace": self.colorspace,
            "color_range": int(ColorRange.JPEG if self.full_range else ColorRange.MPEG),
        }


def chroma_size(width: int, height: int, pix_fmt: str) -> tuple[int, int]:
    """(ch, cw) of a chroma plane."""
    fmt = av.VideoFormat(pix_fmt, width, height)
    return fmt.chroma_height(height), fmt.chroma_width(width)


def check_codec(codec: str) -> Any:
    """FFmpeg's encoder of that name; `OutputError` if there is none, or if it does not encode pictures."""
    try:
        encoder = av.Codec(codec, "w")
    except ValueError as error:
        raise OutputError(f"--codec {codec}: there is no such encoder; try libx264, libx265 or ffv1.") from error
    if encoder.type != "video":
        raise OutputError(f"--codec {codec} does not encode pictures; try libx264, libx265 or ffv1.")
    return encoder


def choose_encoding(
    film: Film, codec: str = "libx264", crf: float = 16, preset: str = PRESET, container: str = ""
) -> Encoding:
    """The encoding of the colour film; raises `OutputError` if the codec cannot hold the film's luma as it is.

    `crf` and `preset` are used where the codec has such options. `container`: FFmpeg's name of the output's; in
    AVI and ASF, which keep no presentation time stamps, frames must be coded in the order in which they are shown.
    """
    encoder = check_codec(codec)
    known = {f.name for f in encoder.video_formats or ()}
    depth = "" if film.bits == 8 else f"{film.bits}le"
    sampling = ("444",) if film.width % 2 or film.height % 2 else ("420", "422", "444")
    pix_fmt = next((f for s in sampling if (f := f"yuv{s}p{depth}") in known), None)
    if pix_fmt is None:
        able = "libx264, libx265 or ffv1" if film.bits in (8, 10) else "ffv1"
        raise OutputError(
            f"--codec {codec} cannot keep {film.bits}-bit luma of {film.width}x{film.height} pixels; use {able}."
        )
    options = dict(OWN_OPTIONS.get(codec, {}))
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
    """The encoding of the label overlay with the film's timing: plain H.264 that every player shows; even sizes."""
    if width % 2 or height % 2:
        raise ValueError(f"labels' pictures must have an even size, not {width}x{height}")
    options = (("crf", "18"), ("preset", PRESET))
    return Encoding("libx264", "yuv420p", width, height, options, film.time_base, film.rate or Fraction(25))


def maps_encoding(film: Film, width: int, height: int) -> Encoding:
    """The encoding of the label maps with the film's timing: FFV1, one byte a pixel, kept as it is."""
    options = tuple(sorted(OWN_OPTIONS["ffv1"].items()))
    return Encoding("ffv1", "gray", width, height, options, film.time_base, film.rate or Fraction(25), full_range=True)


def _open(encoding: Encoding, context: Any) -> None:
    """Tell a codec context what the encoding says, and open it."""
    context.width, context.height, context.pix_fmt = encoding.width, encoding.height, encoding.pix_fmt
    context.time_base, context.framerate = encoding.time_base, encoding.rate
    context.sample_aspect_ratio = encoding.sample_aspect
    context.thread_count = THREADS
    context.options = dict(encoding.options)
    context.flags |= GLOBAL_HEADER  # parameter sets once, in the container: parts can be joined
    for name, value in encoding.tags.items():
        setattr(context, name, value)
    x264 = [STEADY_X264] if cv2.checkHardwareSupport(AVX_512F) else []
    if encoding.field_order > 1:
        context.field_order = encoding.field_order
        if encoding.field_order in BOTTOM_FIRST:
            x264.append("bff=1")  # it takes no other order from the frames
        context.flags |= INTERLACED_DCT | INTERLACED_ME
    if encoding.codec == "libx264" and x264:
        context.options |= {"x264-params": ":".join(x264)}
    context.open()


class PartEncoder:
    """Encodes the frames of one part into a NUT file. `close` or `abort` it.

    NUT knows no negative time stamps: in the file they count from `origin`, the film's first one.
    """

    def __init__(self, target: Path | IO[bytes], encoding: Encoding, origin: int) -> None:
        self.encoding = encoding
        self.origin = origin
        self.target = target
        file = str(target) if isinstance(target, Path) else target
        self._container = av.open(file, "w", format="nut", container_options=NUT_OPTIONS)
        try:
            self._stream: Any = self._container.add_stream(encoding.codec, rate=encoding.rate)
            self._stream.time_base = encoding.time_base
            _open(encoding, self._stream.codec_context)
        except BaseException:
            self.abort()
            raise
        self._fields = _FieldMarker(encoding) if encoding.field_order > 1 else None

    def write(self, chunk: Chunk, luma: np.ndarray, chroma: np.ndarray | None = None) -> None:
        """luma (N, H, W), chroma (N, 2, ch, cw), uint8 for 8-bit formats, else uint16; no chroma for `gray`."""
        e = self.encoding
        ch, cw = chroma_size(e.width, e.height, e.pix_fmt)
        dtype = np.uint8 if av.VideoFormat(e.pix_fmt).components[0].bits == 8 else np.uint16
        _expect("luma", luma, (len(chunk), e.height, e.width), dtype)
        if e.pix_fmt != "gray":
            _expect("chroma", chroma, (len(chunk), 2, ch, cw), dtype)
        for n, pts in enumerate(chunk.pts):
            frame = av.VideoFrame(e.width, e.height, e.pix_fmt)
            for plane, samples in zip(frame.planes, (luma[n], *(() if chroma is None else chroma[n])), strict=True):
                rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // samples.itemsize)
                rows[: samples.shape[0], : samples.shape[1]] = samples
            self._encode(frame, pts, chunk.interlaced[n])

    def write_rgb(self, chunk: Chunk, pictures: np.ndarray) -> None:
        """pictures (N, h, w, 3) uint8 R'G'B'."""
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
    if array is None or array.shape != shape or array.dtype != dtype:
        came = "nothing" if array is None else f"{array.dtype} {array.shape}"
        raise WorkError(f"{name}: {came} came where {np.dtype(dtype)} {shape} is due")


class _FieldMarker:
    """Marks frames as interlaced: PyAV cannot set the flag, FFmpeg's filter setfield can."""

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
        self._graph.push(frame)
        return self._graph.pull()
