"""Encode the frames of a part."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from ..errors import WorkError
from .chunk import Chunk
from .containers import EXACT
from .encode import Encoding, chroma_size, open_encoder
from .planes import rows_of
from .tags import BOTTOM_FIRST, filtering


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
        options = dict(EXACT)
        if encoding.part_format == "mov":  # the delay of a late first frame is stored in the movie's own time scale
            options["movie_timescale"] = str(encoding.time_base.denominator)
        self._container = av.open(file, "w", format=encoding.part_format, container_options=options)
        try:
            self._stream: Any = self._container.add_stream(encoding.codec, rate=encoding.rate)
            self._stream.time_base = encoding.time_base
            open_encoder(encoding, self._stream.codec_context)
        except BaseException:
            self.abort()
            raise
        self._fields = _FieldMarker(encoding) if encoding.field_order > 1 else None

    def write(self, chunk: Chunk, luma: np.ndarray, chroma: np.ndarray | None = None) -> None:
        """Encode a chunk of N frames.

        Args:
            chunk: the frames' time stamps and fields.
            luma: (N, H, W) uint8, or uint16 above 8 bits: the film's own samples; see `Encoding.scaling`.
            chroma: (N, 2, ch, cw) of luma's type: Cb and Cr; None for the pixel format `gray`.

        Raises:
            WorkError: if an array has another type or shape.
        """
        e = self.encoding
        ch, cw = chroma_size(e.width, e.height, e.pix_fmt)
        scaling = e.samples
        given = np.uint8 if scaling.given == 8 else np.uint16
        dtype = np.dtype(np.uint8 if e.bits == 8 else np.uint16)
        _expect("luma", luma, (len(chunk), e.height, e.width), given)
        if e.pix_fmt != "gray":
            _expect("chroma", chroma, (len(chunk), 2, ch, cw), given)
        for n, pts in enumerate(chunk.pts):
            frame = av.VideoFrame(e.width, e.height, e.pix_fmt)
            colors = () if chroma is None else map(scaling.chroma, chroma[n])
            for plane, samples in zip(frame.planes, (scaling.luma(luma[n]), *colors), strict=True):
                rows_of(plane, dtype)[: samples.shape[0], : samples.shape[1]] = samples
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
        shape = encoding.width, encoding.height, encoding.pix_fmt
        self._graph = filtering(*shape, encoding.time_base, "setfield", mode)

    def mark(self, frame: Any) -> Any:
        """The frame with its flag set."""
        self._graph.push(frame)
        return self._graph.pull()
