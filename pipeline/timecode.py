"""Moments (`250`, `12.5s`, `0:02:05.4`) and ranges (`10s-14s`, `250-350`) of a film, as people write them."""

from __future__ import annotations

import re
from fractions import Fraction

_SECONDS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*s", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)", re.ASCII)
_NUMBER = re.compile(r"\d+", re.ASCII)

Moment = int | str
"""A frame number, counted from 0, or a time: `12.5s`, `2:05`, `0:02:05.4`. The film begins at time 0."""


def parse_moment(text: Moment) -> int | Fraction:
    """A frame number (int) or seconds (Fraction). Raises ValueError."""
    if isinstance(text, int):
        return text
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return int(text)
    if found := _SECONDS.fullmatch(text):
        return Fraction(found[1])
    if found := _CLOCK.fullmatch(text):
        return 3600 * int(found[1] or 0) + 60 * int(found[2]) + Fraction(found[3])
    raise ValueError(f"{text!r} is not a moment; write a frame number (250) or a time (12.5s, 0:02:05.4)")


def parse_range(text: str) -> tuple[str, str]:
    """The two moments of a range `from-to`. Raises ValueError."""
    parts = text.split("-")
    if len(parts) != 2:
        raise ValueError(f"{text!r} is not a range; write it like 10s-14s or 250-350")
    for part in parts:
        parse_moment(part)
    return parts[0].strip(), parts[1].strip()


def timecode(seconds: Fraction | float) -> str:
    """Seconds as hours, minutes, seconds and milliseconds: ``1:02:03.040``."""
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
