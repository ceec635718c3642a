"""The planes of a decoded frame as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from .film import Film


def planar(frame: Any, film: Film) -> Any:
    """A frame in the format from which luma is read."""
    if film.luma_fmt == film.pix_fmt:
        return frame
    matrix = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}[film.matrix]
    wide = ColorRange.JPEG if film.full_range else ColorRange.MPEG
    return frame.reformat(format=film.luma_fmt, dst_colorspace=matrix, dst_color_range=wide)


def rows_of(plane: Any, dtype: np.dtype) -> np.ndarray:
    """View of a plane's samples (rows, columns), with the padding at the end of each row."""
    return np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)


def _type_of(bits: int, name: str) -> np.dtype:
    """Type of the samples of a pixel format (FFmpeg's name), in its byte order."""
    return np.dtype(np.uint8 if bits == 8 else ">u2" if name.endswith("be") else "<u2")


def luma_of(frame: Any, film: Film) -> np.ndarray:
    """View of the Y plane of a frame, (H, W) uint8, or uint16 above 8 bits."""
    dtype = _type_of(film.bits, film.luma_fmt)
    luma = rows_of(frame.planes[0], dtype)[: film.height, : film.width]
    return luma if dtype.isnative else luma.astype(np.uint16)


def chroma_of(frame: Any, bits: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Views of a decoded frame's Cb and Cr planes.

    Args:
        frame: a frame in a format with a separate Y plane.
        bits: bits of a sample.

    Returns:
        Two arrays (ch, cw) uint8, or uint16 above 8 bits; None for a grey format.
    """
    name = frame.format.name
    if name.startswith("gray"):
        return None
    dtype = _type_of(bits, name)
    planes = [rows_of(plane, dtype)[: plane.height] for plane in frame.planes[1:3]]
    if name.startswith("nv"):  # Cb and Cr alternate; in NV21 and NV42, Cr comes first
        width = frame.format.chroma_width(frame.width)
        pair = planes[0][:, : 2 * width].reshape(len(planes[0]), width, 2)
        planes = [pair[..., 0], pair[..., 1]]
        if name in ("nv21", "nv42"):
            planes.reverse()
    else:
        planes = [p[:, : plane.width] for p, plane in zip(planes, frame.planes[1:3], strict=True)]
    cb, cr = (p if dtype.isnative else p.astype(np.uint16) for p in planes)
    return cb, cr
