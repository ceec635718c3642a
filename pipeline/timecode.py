"""Moments and ranges of a film as people write them: `250`, `12.5s`, `0:02:05.4`; `10s-14s`, `250-350`."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np

from ..errors import UserError
from .film import Film, timecode

__all__ = ["frame_at", "frames_between", "parse_range"]

_SECONDS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*s", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)", re.ASCII)
_NUMBER = re.compile(r"\d+", re.ASCII)

Moment = int | str
"""A frame's number, counted from 0, or a time: `12.5s`, `2:05`, `0:02:05.4`. The film begins at 0."""


def parse_moment(text: Moment) -> int | Fraction:
    """A frame's number (int) or seconds (Fraction). Raises ValueError."""
    if isinstance(text, int):
        return text
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return int(text)
    if found := _SECONDS.fullmatch(text):
        return Fraction(found[1])
    if found := _CLOCK.fullmatch(text):
        return 3600 * int(found[1] or 0) + 60 * int(found[2]) + Fraction(found[3])
    raise ValueError(f"{text!r} is no moment; write a frame's number (250) or a time (12.5s, 0:02:05.4)")


def parse_range(text: str) -> tuple[str, str]:
    """`from-to` → both moments. Raises ValueError."""
    parts = text.split("-")
    if len(parts) != 2:
        raise ValueError(f"{text!r} is no range; write it like 10s-14s or 250-350")
    for part in parts:
        parse_moment(part)
    return parts[0].strip(), parts[1].strip()


def frame_at(film: Film, moment: Moment, what: str = "") -> int:
    """The frame that is shown at a moment. Raises UserError, which begins with `what`, outside of the film."""
    try:
        place = parse_moment(moment)
    except ValueError as error:
        raise UserError(f"{what}: {error}.") from error
    if isinstance(place, int):
        if place >= film.frames:
            raise UserError(f"{what}: there is no frame {place}; the film's last one is {film.frames - 1}.")
        return place
    end = (int(film.pts[-1]) - int(film.pts[0]) + film.last_duration) * film.time_base
    if place > end:
        raise UserError(f"{what}: {timecode(place)} is after the film's end at {timecode(end)}.")
    # Time stamps are whole; half of one is what a rounded decimal may miss.
    stamp = int(film.pts[0]) + place / film.time_base + Fraction(1, 2)
    return int(np.searchsorted(film.pts, int(stamp), side="right")) - 1


def frames_between(film: Film, first: Moment, last: Moment, what: str = "") -> tuple[int, int]:
    """The frames from one moment to another, both included, as (first, number after the last)."""
    start, end = frame_at(film, first, what), frame_at(film, last, what)
    if end < start:
        raise UserError(f"{what}: it ends before it begins.")
    return start, end + 1
