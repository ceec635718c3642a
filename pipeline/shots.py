"""Find where shots begin and end, without painting them. The reader finds the cuts, so they are those of a run."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import UserError
from .chunk import Resume
from .defaults import SIZE
from .film import Film
from .reader import FilmReader
from .timecode import parse_range

STEP = 96
"""Number of frames of the first step back in search of a shot's start; each further step is twice as long."""


def shot_around(film: Film, frame: int, size: int = SIZE) -> tuple[int, int]:
    """The shot that holds a frame. Decodes little more than the shot.

    Args:
        film: the source.
        frame: number of the frame.
        size: short side of the networks' input picture; cuts are found on thumbs of this size.

    Returns:
        (first frame, number after the last).
    """
    first, stop, step = None, film.frames, STEP
    begin = max(0, frame - step)
    for number, cut in _cuts(film, begin, size):
        if cut and number <= frame:
            first = number
        elif cut:
            stop = number
            break
    while first is None and begin > 0:
        end, step = begin, 2 * step
        begin = max(0, end - step)
        for number, cut in _cuts(film, begin, size):
            if number >= end:
                break
            first = number if cut else first
    return first or 0, stop


def numbered_shots(film: Film, numbers: set[int], size: int = SIZE, where: str = "") -> dict[int, tuple[int, int]]:
    """The shots with the given numbers. Decodes the film up to the last of them.

    Args:
        film: the source.
        numbers: numbers of shots; the first shot is 0.
        size: short side of the networks' input picture; cuts are found on thumbs of this size.
        where: error messages begin with it.

    Returns:
        Number of a shot → (first frame, number after the last).

    Raises:
        UserError: if the film has fewer shots.
    """
    found: dict[int, tuple[int, int]] = {}
    shot, first = 0, 0
    for number, cut in _cuts(film, 0, size):
        if cut and number:
            found[shot] = first, number
            shot, first = shot + 1, number
            if shot > max(numbers):
                break
    else:
        found[shot] = first, film.frames
    missing = sorted(numbers - set(found))
    if missing:
        raise UserError(f"{where}there is no shot {missing[0]}; the film's last one is {shot} (the first is 0).")
    return {number: found[number] for number in numbers}


def spans(film: Film, span: str | None, shots: str | None, size: int = SIZE) -> list[tuple[int, int]]:
    """The spans that the options --range or --shots select.

    Args:
        film: the source.
        span: a range such as `10s-14s`, or None.
        shots: numbers of shots such as `3,7`, or None.
        size: short side of the networks' input picture; cuts are found on thumbs of this size.

    Returns:
        (first frame, number after the last) of each span; [] if neither option is given.

    Raises:
        UserError: if an option cannot be read or does not fit the film.
    """
    if span is not None:
        try:
            return [film.frames_between(*parse_range(span), "--range")]
        except ValueError as error:
            raise UserError(f"--range: {error}.") from error
    if shots is not None:
        numbers = shots.split(",")
        if not all(number.strip().isdecimal() for number in numbers):
            raise UserError(f"--shots {shots}: write numbers of shots, like 3,7.")
        found = numbered_shots(film, set(map(int, numbers)), size)
        return [found[int(number)] for number in numbers]
    return []


def _cuts(film: Film, first: int, size: int) -> Iterator[tuple[int, bool]]:
    """Yield each frame number from `first` on, and whether a new shot begins with it."""
    for picture, cut in FilmReader(film, size=size, start=Resume(frame=first)).pictures():
        if picture.number >= first:
            yield picture.number, cut
