"""The sound of some frames of a film, decoded for the page's players."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

from ..film import Film
from ..opening import open_container

RATE = 48000
"""Samples per second."""

EARLIER = Fraction(1, 4)
"""Seconds before the first wanted sample at which decoding begins."""


def has_sound(film: Film) -> bool:
    """Whether the film has sound that can be played."""
    return not film.scans and any(other.startswith("audio") for other in film.others)


def seconds(film: Film, first: int, stop: int) -> Fraction:
    """How long the frames `first` .. `stop` - 1 are shown."""
    lasts = film.durations(stop - 1, stop)[0] * film.time_base
    return film.time(stop - 1) + lasts - film.time(first)


def sound_of(film: Film, first: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
    """The sound while some frames are shown, in pieces.

    Args:
        film: the source; see `has_sound`.
        first: number of the first frame.
        stop: number after the last one.

    Yields:
        The number of a piece's first sample, counted from the first frame, and its samples (N, 2) int16.
    """
    resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE)
    origin = int(film.pts[0]) * film.time_base + film.time(first)
    wanted = round(seconds(film, first, stop) * RATE)
    with open_container(film.path) as container:
        source: Any = next(iter(container.streams.audio))
        # Decoders need some packets before they are right, so they begin earlier.
        container.seek(max(0, int((origin - EARLIER) / source.time_base)), stream=source)
        for decoded in container.decode(source):
            if decoded.pts is None:
                continue
            for frame in resampler.resample(decoded):
                at = round((frame.pts * frame.time_base - origin) * RATE)
                if at >= wanted:
                    return
                samples = frame.to_ndarray().reshape(-1, 2)[max(0, -at) : wanted - at]
                if len(samples):
                    yield max(0, at), samples


def wav(film: Film, first: int, stop: int) -> Iterator[bytes]:
    """The sound while some frames are shown, as a WAV file (16 bits, two channels), bit by bit. See `sound_of`."""
    count = round(seconds(film, first, stop) * RATE)
    yield struct.pack("<4sI4s", b"RIFF", 4 * count + 36, b"WAVE")
    yield struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, 2, RATE, 4 * RATE, 4, 16, b"data", 4 * count)
    sent = 0
    for at, samples in sound_of(film, first, stop):
        yield bytes(4 * max(0, at - sent))  # silence, where the film has none
        new = samples[max(0, sent - at) :]
        yield new.astype("<i2").tobytes()
        sent = max(sent, at) + len(new)
    yield bytes(4 * (count - sent))
