"""How samples are coded by a codec that has another depth or range than the film.

A codec with more bits gets samples that are shifted to the left. A codec that has only the limited range, such as
ProRes (SMPTE RDD 36), gets samples of the full range scaled into it: luma 0..2^n-1 becomes 16..235, and chroma
becomes 16..240, each times 2^(m-8) for m bits (ITU-R BT.601 and BT.709). With m > n + 0.22 no two values become the
same one, so each can be got back exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, Literal

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange

LUMA_SPAN, CHROMA_SPAN, BLACK = 219, 224, 16
"""Limited range with 8 bits: steps from black to white, steps of chroma, and the value of black."""

LEAST_BITS = 10
"""Least bits of a codec into whose limited range the full range is scaled. With 8 bits, 256 values become 220."""

PROBE = 352, 288
"""Size in pixels of the picture that tells a codec's range: one that all codecs have."""


@dataclass(frozen=True)
class Scaling:
    """From the film's samples to those of a codec, and back."""

    given: int
    """Bits of the film's samples."""
    coded: int
    """Bits of the codec's samples."""
    narrowed: bool = False
    """Whether samples of the full range become samples of the limited one."""

    @property
    def kind(self) -> Literal["none", "shifted", "scaled", "rounded"]:
        """What becomes of luma: nothing, a shift, a scale that can be undone exactly, or one that loses values."""
        if not self.narrowed:
            return "shifted" if self.shift else "none"
        return "scaled" if self._luma[1] >= (1 << self.given) - 1 else "rounded"

    @property
    def shift(self) -> int:
        """Bits by which samples are shifted to the left."""
        return 0 if self.narrowed else self.coded - self.given

    @property
    def rounding(self) -> float:
        """Greatest error of luma that comes back from the codec's samples, in steps of the film's depth."""
        return 0.0 if self.kind != "rounded" else ((1 << self.given) - 1) / self._luma[1] / 2

    @property
    def _luma(self) -> tuple[int, int]:
        """(sample of black, steps from black to white) of the codec's luma."""
        return BLACK << (self.coded - 8), LUMA_SPAN << (self.coded - 8)

    def luma(self, samples: np.ndarray) -> np.ndarray:
        """Luma of the film, of any shape, as the codec gets it: uint8, or uint16 above 8 bits."""
        return samples if self.kind == "none" else _look_up(samples, _tables(self)[0])

    def chroma(self, samples: np.ndarray) -> np.ndarray:
        """Cb or Cr of the film, of any shape, as the codec gets it: uint8, or uint16 above 8 bits."""
        return samples if self.kind == "none" else _look_up(samples, _tables(self)[1])

    def luma_back(self, samples: np.ndarray) -> tuple[np.ndarray, bool]:
        """The film's luma, got back from the codec's.

        Args:
            samples: luma of the codec, of any shape.

        Returns:
            (samples of the film's depth and range, whether `luma` makes the codec's samples of them again).
        """
        if self.kind == "none":
            return samples, True
        if self.narrowed:
            low, span = self._luma
            values = np.arange(1 << self.coded)
            top = (1 << self.given) - 1
            table = np.clip(np.rint((values - low) * (top / span)), 0, top).astype(_dtype(self.given))
            back = np.take(table, samples)
        else:
            back = (samples >> self.shift).astype(_dtype(self.given), copy=False)
        return back, np.array_equal(self.luma(back), samples)


def _dtype(bits: int) -> type:
    return np.uint8 if bits == 8 else np.uint16


def _look_up(samples: np.ndarray, table: np.ndarray) -> np.ndarray:
    if samples.dtype == np.uint8 and samples.ndim == 2:
        return cv2.LUT(samples, table)
    return np.take(table, samples)


@lru_cache(maxsize=4)
def _tables(scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """The codec's luma and chroma for each value of the film's samples: (2^given,) each."""
    values = np.arange(1 << scaling.given)
    if scaling.narrowed:
        low, span = scaling._luma
        top, middle = (1 << scaling.given) - 1, 1 << (scaling.given - 1)
        wide = CHROMA_SPAN << (scaling.coded - 8)
        luma = low + np.rint(values * (span / top))
        chroma = (1 << (scaling.coded - 1)) + np.rint((values - middle) * (wide / top))
    else:
        luma = chroma = values << scaling.shift
    return luma.astype(_dtype(scaling.coded)), chroma.astype(_dtype(scaling.coded))


def loses_range(codec: str, pix_fmt: str, options: dict[str, str]) -> bool:
    """Whether a codec says that luma of the full range is of the limited one: it has only that.

    Args:
        codec: FFmpeg's name of the encoder.
        pix_fmt: one of its pixel formats.
        options: the options that it needs to open.
    """
    return _loses_range(codec, pix_fmt, tuple(sorted(options.items())))


@cache
def _loses_range(codec: str, pix_fmt: str, options: tuple[tuple[str, str], ...]) -> bool:
    try:
        encoder: Any = av.CodecContext.create(codec, "w")
        encoder.width, encoder.height = PROBE
        encoder.pix_fmt, encoder.time_base, encoder.framerate = pix_fmt, Fraction(1, 25), Fraction(25)
        encoder.color_range, encoder.options, encoder.thread_count = ColorRange.JPEG, dict(options), 1
        frame = av.VideoFrame(*PROBE, pix_fmt)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.color_range = 0, ColorRange.JPEG
        packets = [*encoder.encode(frame), *encoder.encode(None)]
        decoder: Any = av.CodecContext.create(encoder.codec.canonical_name, "r")
        decoder.extradata = encoder.extradata
        frames = [f for packet in [*packets, None] for f in decoder.decode(packet)]
        return bool(frames) and frames[0].color_range == ColorRange.MPEG
    except (av.error.FFmpegError, ValueError, NotImplementedError):
        return False  # it opens for no such picture, or only a container tells its range
