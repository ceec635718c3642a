"""Whether a film looks like a negative: whether the networks understand its pictures better when they are inverted.

A scan of a camera negative is coloured like any other film, but bright is dark in it, so its labels and colours are
wrong. The networks are uncertain about such pictures. The test compares the entropy of the label probabilities of a
picture with that of its inverse (255 - luma), for pictures from all over the film.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

import numpy as np
from av.error import FFmpegError

from .film import Film
from .opening import open_container
from .reader import FilmReader

PICTURES = 12
"""Greatest number of pictures that are looked at."""

SIZE = 128
"""Short side of these pictures, in pixels."""

FEW_KEYFRAMES = 3
"""Fewer keyframes than this do not stand for a film."""

STEP = 8
"""Distance of the pictures near the film's start, in frames."""

LEAST_CONTRAST = 12.0
"""Standard deviation of luma (0..255) below which a picture is passed over: a leader, a fade."""

CAUTION = 4
"""Number that is added to the number of pictures, so that a few pictures must be clearer than many."""

DOUBT = 0.4
"""A film looks like a negative from this doubt on: the sum of the gains in entropy by inverting, in nats, divided by
the square root of the number of pictures and `CAUTION`. One picture is never enough.

Measured on 788 photos that the networks never saw, taken together in thousands of films of 12, 8, 4 and 2 shots from
the same collection: 86 %, 71 %, 37 % and 13 % of the negatives are found, and at most 0.2 % of the positives are
taken for negatives."""


def samples(film: Film) -> list[np.ndarray]:
    """Pictures from all over a film, (h, w) uint8, full range, without those of little contrast.

    They are keyframes or, where there are fewer than `FEW_KEYFRAMES`, frames near the film's start. Frames that cannot
    be decoded are left out.
    """
    reader, found = FilmReader(film, size=SIZE), dict[int | None, np.ndarray]()
    places = [(2 * n + 1) * film.frames // (2 * PICTURES) for n in range(PICTURES)]
    if film.scans:
        found |= {place: reader.thumb_of_scan(film.scans, place) for place in places}
        return [thumb for thumb in found.values() if thumb.std() >= LEAST_CONTRAST]
    with open_container(film.path) as container:
        stream = container.streams[film.stream]
        for place in places:
            with suppress(FFmpegError):
                container.seek(int(film.pts[place]), stream=stream)
                found |= {f.pts: reader.thumb_of(f) for f in islice(container.decode(stream), 1)}
    if len(found) < FEW_KEYFRAMES:
        with open_container(film.path) as container, suppress(FFmpegError):
            near = islice(container.decode(container.streams[film.stream]), 0, STEP * PICTURES, STEP)
            found = {n: reader.thumb_of(frame) for n, frame in enumerate(near)}
    return [thumb for thumb in found.values() if thumb.std() >= LEAST_CONTRAST]


def looks_negative(pictures: list[np.ndarray], paint: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> bool:
    """Whether a film looks like a negative.

    Args:
        pictures: its `samples`.
        paint: `Painter.paint`.
    """
    return doubt([gain(picture, paint) for picture in pictures]) >= DOUBT


def warning(film: Film, shown: str = "") -> str:
    """The sentences that warn of a negative. `shown`: the film's name in them; "": its path."""
    name = shlex.quote(os.path.basename(film.path))
    command = f"ffmpeg -i {name} -map 0 -c copy -c:{film.stream} ffv1 -vf lutyuv=y=negval positive.mkv"
    return (
        f"{shown or film.path} looks like a negative: the networks understand its pictures better when they are "
        f"inverted. If it is one, make a positive first and colorize that{'.' if film.scans else f': {command}'}"
    )


def gain(thumb: np.ndarray, paint: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> float:
    """Entropy that a picture has more than its inverse, in nats: positive if the inverse is understood better."""
    return _entropy(paint(thumb[None])[1][0]) - _entropy(paint(255 - thumb[None])[1][0])


def doubt(gains: list[float]) -> float:
    """The evidence of all pictures that the film is a negative; see `DOUBT`."""
    return sum(gains) / (len(gains) + CAUTION) ** 0.5 if len(gains) > 1 else 0.0


def _entropy(labels: np.ndarray) -> float:
    """Mean entropy of label probabilities × 255, (62, h, w) uint8, in nats."""
    chance = labels.astype(np.float32) / 255
    return float(-(chance * np.log(chance + 1e-6)).sum(0).mean())
