"""The colours that a source already has: found shot by shot, and kept where the user wants it.

A grey film that was coded in colour has chroma that is nearly neutral: noise of the codec, or a slight cast of the
scanner. In a tinted, toned or sepia film, chroma is a function of luma: each grey has become one colour. All other
chroma is colour. So two numbers decide, both root mean squares over a frame at thumb size, in steps of 8-bit chroma:

    strength    the distance of chroma from neutral
    rest        the distance of chroma from its mean at the same luma

Measured on films made of four photos of scikit-image (720x576, with grain; FFV1, x264 at crf 23 to 40, MJPEG, DV and
MPEG-4) and on nine clips. Grey film, also with the cast of a scanner, has a strength of at most 3.5; tints have from
5.0 on (the palest, ivory, from 3.0 on) and film in colour from 7.5 on. Rest is at most 2.8 for tints, tones and sepia
and at most 3.4, or 9 % of the strength, for an uneven amber; for colour it is at least 4.4 and 17 %. Of 788 photos in
colour, 14 are told as grey (haze, dusk), and 19, nearly all of one hue, as tinted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from .defaults import KeepColour
from .film import Film
from .timecode import timecode

if TYPE_CHECKING:
    from .chunk import Chunk

LEAST_STRENGTH = 4.0
"""Strength below which a frame is grey, in steps of 8-bit chroma."""

LEAST_REST, LEAST_SHARE = 3.0, 0.12
"""A frame is in colour from this rest on, in steps of 8-bit chroma and as a share of its strength."""

ENOUGH = 0.25
"""A shot is in colour, or tinted, if at least this share of its frames is. The others may be a fade or a title."""

SHORT = 36
"""Short side of the pictures that are measured, in pixels."""

LEVELS = 32
"""Number of lumas at which chroma is averaged."""


WORDS: tuple[Literal["grey"], Literal["tinted"], Literal["colour"]] = ("grey", "tinted", "colour")
"""The words for `OwnColor`."""


class OwnColor(IntEnum):
    """What the chroma of a frame or a shot is."""

    GREY = 0
    TINTED = 1
    """One colour for each luma: tinted, toned or sepia."""
    COLOR = 2

    @property
    def word(self) -> Literal["grey", "tinted", "colour"]:
        """The word for people, and in JSON: ``grey``, ``tinted`` or ``colour``."""
        return WORDS[self]


@dataclass(frozen=True)
class ShotColor:
    """The colours that a shot of the source already has."""

    first: int
    """Number of the shot's first frame."""
    stop: int
    """Number after its last frame."""
    kind: OwnColor


def own_color(thumb: np.ndarray, chroma: tuple[np.ndarray, np.ndarray] | None, bits: int) -> OwnColor:
    """What the chroma of a frame is.

    Args:
        thumb: (h, w) uint8, full range: luma.
        chroma: Cb and Cr of the same frame, (ch, cw) each; None for a grey format.
        bits: bits of a chroma sample.
    """
    if chroma is None or _is_flat(chroma, bits):
        return OwnColor.GREY
    strength, rest = strength_and_rest(thumb, chroma, bits)
    if strength < LEAST_STRENGTH:
        return OwnColor.GREY
    return OwnColor.COLOR if rest >= max(LEAST_REST, LEAST_SHARE * strength) else OwnColor.TINTED


def _is_flat(chroma: tuple[np.ndarray, np.ndarray], bits: int) -> bool:
    """Whether no sample is so far from grey that a mean of samples could reach LEAST_STRENGTH. Most grey films are
    flat, and this takes a tenth of the time of `strength_and_rest`."""
    middle = 1 << (bits - 1)
    far = [max(int(plane.max()) - middle, middle - int(plane.min())) for plane in chroma]
    return far[0] ** 2 + far[1] ** 2 < (LEAST_STRENGTH * (1 << (bits - 8))) ** 2


def strength_and_rest(thumb: np.ndarray, chroma: tuple[np.ndarray, np.ndarray], bits: int) -> tuple[float, float]:
    """The two numbers that decide what a frame's chroma is; see the module. The arguments are those of `own_color`."""
    h, w = thumb.shape
    size = max(1, round(w * SHORT / min(h, w))), max(1, round(h * SHORT / min(h, w)))
    scale = np.float32(1 / (1 << (bits - 8)))
    cb, cr = (
        cv2.resize(np.ascontiguousarray(plane), size, interpolation=cv2.INTER_AREA).astype(np.float32) * scale - 128
        for plane in chroma
    )
    strength = float(np.sqrt(np.mean(cb * cb + cr * cr)))
    luma = cv2.resize(thumb, size, interpolation=cv2.INTER_AREA).ravel() // (256 // LEVELS)
    count = np.maximum(np.bincount(luma, minlength=LEVELS), 1)
    square = 0.0
    for plane in (cb.ravel(), cr.ravel()):
        mean = np.bincount(luma, plane, LEVELS) / count
        square += float(np.mean((plane - mean[luma]) ** 2))
    return strength, square**0.5


def kind_of(frames: int, tinted: int, colored: int) -> OwnColor:
    """What a shot is.

    Args:
        frames: number of its frames.
        tinted: number of its tinted frames.
        colored: number of its frames in colour.
    """
    if colored >= ENOUGH * frames:
        return OwnColor.COLOR
    return OwnColor.TINTED if tinted + colored >= ENOUGH * frames else OwnColor.GREY


OwnCount = tuple[int, int, int, int, int]
"""Shot, the first of the frames, their number, and how many of them are tinted and in colour."""


def add_own(counts: Sequence[OwnCount], chunk: Chunk) -> list[OwnCount]:
    """The counts with the frames of the next chunk added; each shot has one entry."""
    tinted, colored = chunk.own.count(OwnColor.TINTED), chunk.own.count(OwnColor.COLOR)
    if counts and counts[-1][0] == chunk.shot:
        shot, first, frames, *before = counts[-1]
        return [*counts[:-1], (shot, first, frames + len(chunk), before[0] + tinted, before[1] + colored)]
    return [*counts, (chunk.shot, chunk.start, len(chunk), tinted, colored)]


def shots_of(counts: Sequence[OwnCount]) -> tuple[ShotColor, ...]:
    """The colours of each shot. A shot may have several counts, one after another."""
    shots = []
    for _, group in itertools.groupby(counts, lambda count: count[0]):
        each = list(group)
        frames, tinted, colored = (sum(count[n] for count in each) for n in (2, 3, 4))
        shots.append(ShotColor(each[0][1], each[0][1] + frames, kind_of(frames, tinted, colored)))
    return tuple(shots)


Spans = tuple[tuple[int, int], ...]
"""Pairs (first frame, number after the last), in order."""


MOST_RANGES = 6
"""Greatest number of ranges that a line for people names."""

KEPT: dict[KeepColour, tuple[OwnColor, ...]] = {
    "never": (),
    "auto": (OwnColor.COLOR,),
    "always": (OwnColor.TINTED, OwnColor.COLOR),
}
"""Value of `Look.keep_colour` → the shots that keep their own chroma."""


def found_colors(
    shots: Iterable[ShotColor], keep: KeepColour
) -> Iterator[tuple[OwnColor, bool, list[tuple[int, int]]]]:
    """Yield (kind, whether these shots keep their chroma, their ranges) for shots in colour, then for tinted ones.

    Neighbouring shots of a kind are one range: (first frame, number after the last).
    """
    shots = list(shots)
    for kind in (OwnColor.COLOR, OwnColor.TINTED):
        ranges: list[tuple[int, int]] = []
        for shot in shots:
            if shot.kind is kind and ranges and ranges[-1][1] == shot.first:
                ranges[-1] = ranges[-1][0], shot.stop
            elif shot.kind is kind:
                ranges.append((shot.first, shot.stop))
        if ranges:
            yield kind, kind in KEPT[keep], ranges


def tell(film: Film, shots: Iterable[ShotColor], keep: KeepColour) -> tuple[list[str], list[str]]:
    """The colours that were found, as sentences for people.

    Args:
        film: the source.
        shots: the colours that its shots have.
        keep: which shots keep them.

    Returns:
        (sentences on the colours that are replaced, sentences on those that are kept).
    """
    lost, kept = [], []
    for kind, is_kept, ranges in found_colors(shots, keep):
        word, value = ("in colour", "auto") if kind is OwnColor.COLOR else ("tinted", "always")
        named = ", ".join(_range(film, *span) for span in ranges[:MOST_RANGES])
        more = f" and {len(ranges) - MOST_RANGES} more ranges" if len(ranges) > MOST_RANGES else ""
        found = f"the film is already {word} in {named}{more}"
        if is_kept:
            kept.append(f"{found}; these colours were kept.")
        else:
            lost.append(f"{found}; these colours were replaced, and --keep-colour {value} keeps them.")
    return lost, kept


def _range(film: Film, first: int, stop: int) -> str:
    return f"frames {first} to {stop - 1} (from {timecode(film.time(first))})"
