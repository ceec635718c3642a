"""A small film of some frames with the source's sound, for the page's player: H.264 and AAC in MP4.

The MP4 is fragmented, so that a player may begin while the rest is being written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..film import Film
from ..planes import rows_of
from .sound import RATE, has_sound, sound_of

HEIGHT = 480
"""Greatest height of a preview, in pixels."""

TICKS = 90000
"""Units of time per second."""

MATRIX_TAGS = {"bt601": 6, "bt709": 1, "bt2020": 9}
"""Matrix → its tag (ITU-T H.273), which players follow."""

Planes = tuple[np.ndarray, np.ndarray]
"""A picture: Y (h, w) and Cb, Cr (2, h/2, w/2) uint8, limited range; h and w are even."""


def write_preview(film: Film, pictures: Iterable[Planes], first: int, stop: int, path: Path) -> None:
    """Write frames as a film that starts at time 0.

    Args:
        film: the source.
        pictures: the frames `first` .. `stop` - 1, in order, in the film's matrix.
        first: number of the first frame.
        stop: number after the last one.
        path: the file; it grows by fragments of about a second.
    """
    begin = film.time(first)
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
    with av.open(str(path), "w", format="mp4", options=options) as out:
        sound = _Sound(out, sound_of(film, first, stop)) if has_sound(film) else None
        video: Any = None
        for frame, (luma, chroma) in enumerate(pictures, first):
            height, width = luma.shape
            if video is None:
                video = _video(out, film, width, height)
            at = film.time(frame) - begin
            if sound:  # a fragment ends with a picture, so sound goes in a little ahead
                sound.write(float(at) + 1)
            shown = av.VideoFrame(width, height, "yuv420p")
            for plane, samples in zip(shown.planes, (luma, *chroma), strict=True):
                rows_of(plane, np.dtype(np.uint8))[: samples.shape[0], : samples.shape[1]] = samples
            shown.pts, shown.time_base = round(at * TICKS), Fraction(1, TICKS)
            out.mux(video.encode(shown))
        if video is not None:
            out.mux(video.encode(None))
        if sound:
            sound.write(None)


def _video(out: Any, film: Film, width: int, height: int) -> Any:
    """The stream of a preview's pictures."""
    rate = film.rate or 25
    # Each frame leaves the encoder at once: the first fragments come soon, and times begin at 0.
    options = {"preset": "ultrafast", "crf": "16", "tune": "zerolatency", "g": str(max(1, round(rate)))}
    video = out.add_stream("libx264", rate=rate, options=options)
    video.height, video.width = height, width
    video.pix_fmt, video.time_base = "yuv420p", Fraction(1, TICKS)
    video.codec_context.time_base = Fraction(1, TICKS)
    tags = {"color_primaries": 1, "color_trc": 1, "colorspace": MATRIX_TAGS[film.matrix], "color_range": 1}
    for name, value in tags.items():
        setattr(video.codec_context, name, value)
    return video


class _Sound:
    """Writes the sound of a preview."""

    def __init__(self, out: Any, pieces: Iterator[tuple[int, np.ndarray]]) -> None:
        self._out, self._pieces = out, pieces
        self._stream: Any = out.add_stream("aac", rate=RATE, layout="stereo")
        self._next = next(pieces, None)

    def write(self, until: float | None) -> None:
        """Write what begins before a time in seconds; None: all of it."""
        while self._next and (until is None or self._next[0] / RATE < until):
            at, samples = self._next
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            self._out.mux(self._stream.encode(frame))
            self._next = next(self._pieces, None)
        if until is None:
            self._out.mux(self._stream.encode(None))
