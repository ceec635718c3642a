"""Moments (`250`, `12.5s`, `0:02:05.4`), ranges (`10s-14s`, `250-350`) and frame rates (`18`, `24000/1001`) of a film,
as people write them."""

from __future__ import annotations

import re
from fractions import Fraction

_SECONDS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*s", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)", re.ASCII)
_NUMBER = re.compile(r"\d+", re.ASCII)
_RATE = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)|\d+/0*[1-9]\d*", re.ASCII)

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


MOST_RATE = 1000
"""Greatest frame rate, in frames per second."""


def parse_rate(value: str | float | Fraction) -> Fraction:
    """Frames per second, from `18`, `17.98` or `24000/1001`. Raises ValueError."""
    text = str(value).strip()
    rate = Fraction(text) if _RATE.fullmatch(text) else Fraction(0)
    # FFmpeg counts in fractions of 32 bits.
    rate = rate if rate.numerator < 1 << 31 > rate.denominator else rate.limit_denominator(1_000_000)
    if not 0 < rate <= MOST_RATE:
        raise ValueError(
            f"{text!r} is not a frame rate; write a number of frames per second up to {MOST_RATE} "
            f"(18, 17.98 or 24000/1001)"
        )
    return rate


def timecode(seconds: Fraction | float) -> str:
    """Seconds as hours, minutes, seconds and milliseconds: ``1:02:03.040``."""
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
