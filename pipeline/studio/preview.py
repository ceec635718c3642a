"""A small film of some frames with the source's sound, for the page's player: H.264 and AAC in MP4."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from ..film import Film
from ..opening import open_container

HEIGHT = 480
"""Greatest height of a preview, in pixels."""

RATE = 48000
"""Samples of sound per second."""

TICKS = 90000
"""Units of time per second."""


def write_preview(film: Film, pictures: Iterable[np.ndarray], first: int, stop: int, path: Path) -> None:
    """Write frames as a film that starts at time 0.

    Args:
        film: the source.
        pictures: (H, W, 3) uint8 R'G'B' of the frames `first` .. `stop` - 1, in order, of even width and height.
        first: number of the first frame.
        stop: number after the last one.
        path: the file; it appears at once, and is whole when this returns.
    """
    begin = film.time(first)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as out:
        video: Any = None
        sound: Any = out.add_stream("aac", rate=RATE, layout="stereo") if _sound(film) else None
        for frame, rgb in enumerate(pictures, first):
            if video is None:
                options = {"preset": "veryfast", "crf": "16", "tune": "fastdecode"}
                video = out.add_stream("libx264", rate=film.rate or 25, options=options)
                video.height, video.width = rgb.shape[:2]
                video.pix_fmt, video.time_base = "yuv420p", Fraction(1, TICKS)
                video.codec_context.time_base = Fraction(1, TICKS)
                for name, value in (("color_primaries", 1), ("color_trc", 1), ("colorspace", 1), ("color_range", 1)):
                    setattr(video.codec_context, name, value)
            shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
            shown = shown.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
            shown.pts, shown.time_base = round((film.time(frame) - begin) * TICKS), Fraction(1, TICKS)
            out.mux(video.encode(shown))
        if video is not None:
            out.mux(video.encode(None))
        if sound:
            lasts = film.durations(stop - 1, stop)[0] * film.time_base
            _copy_sound(film, out, sound, begin, film.time(stop - 1) + lasts)


def _sound(film: Film) -> bool:
    """Whether the film has sound that can be played."""
    return not film.scans and any(other.startswith("audio") for other in film.others)


def _copy_sound(film: Film, out: Any, stream: Any, begin: Fraction, end: Fraction) -> None:
    """Encode the sound between two moments of the film, in seconds after its first frame."""
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="stereo", rate=RATE)
    origin = int(film.pts[0]) * film.time_base + begin
    wanted, sent = round((end - begin) * RATE), 0
    with open_container(film.path) as container:
        source: Any = next(iter(container.streams.audio))
        container.seek(max(0, int(origin / source.time_base)), stream=source)
        for decoded in container.decode(source):
            if decoded.pts is None:
                continue
            for frame in resampler.resample(decoded):
                at = round((frame.pts * frame.time_base - origin) * RATE)
                if at + frame.samples <= 0:
                    continue
                if at >= wanted or sent >= wanted:
                    break
                frame.pts, frame.time_base = max(at, 0), Fraction(1, RATE)
                sent = at + frame.samples
                out.mux(stream.encode(frame))
            if sent >= wanted:
                break
    out.mux(stream.encode(None))
