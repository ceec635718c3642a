"""Find the pictures of a sequence by their names, and name the pictures of another one.

FFmpeg never sees a pattern: the files are listed here, and each picture is opened on its own.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ...errors import InputError, OutputError

SUFFIXES = {
    ".dpx": "dpx",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".exr": "exr",
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
}
"""Suffix of a picture → its kind."""

Transfer = Literal["log", "linear", "display"]
"""Values of the option ``--transfer``: the meaning of code values."""

PLACEHOLDER = re.compile(r"%(?:0(\d+))?d|(#+)")
"""The place of the number in a pattern: ``%06d``, ``%d`` or ``######``."""

LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)\Z", re.S)
"""A name: the text before its last number, the number, and the text after it."""

MOST_NAMED = 5
"""Greatest number of gaps that a message lists."""


@dataclass(frozen=True)
class Pattern:
    """The names of a sequence's pictures: ``folder/prefix`` + number + ``suffix``."""

    folder: str
    """Absolute path of the folder."""
    prefix: str
    """Text before the number."""
    width: int
    """Digits of the number, filled with zeros; 1: the number is not filled."""
    suffix: str
    """Text after the number; ends with the suffix of the file."""

    @property
    def kind(self) -> str:
        """Kind of the pictures: ``dpx``, ``tiff``, ``exr``, ``png`` or ``jpeg``."""
        return SUFFIXES[os.path.splitext(self.name)[1].lower()]

    @property
    def name(self) -> str:
        """The pattern without its folder: ``scan_%06d.dpx``."""
        return f"{self.prefix}{f'%0{self.width}d' if self.width > 1 else '%d'}{self.suffix}"

    @property
    def path(self) -> str:
        """The pattern with its folder."""
        return os.path.join(self.folder, self.name)

    def of(self, number: int) -> str:
        """Name of the picture with a number, without its folder."""
        return f"{self.prefix}{number:0{self.width}d}{self.suffix}"

    def matching(self, names: Iterable[str]) -> list[str]:
        """Those of the names that are pictures of this sequence, whatever their number."""
        shape = re.compile(rf"{re.escape(self.prefix)}\d+{re.escape(self.suffix)}")
        return [name for name in names if shape.fullmatch(name)]


def is_sequence(place: str | os.PathLike[str]) -> bool:
    """Whether a path names a sequence: a folder, or a pattern with the suffix of a picture. A file is a file."""
    path = os.fspath(place)
    return not os.path.isfile(path) and (os.path.isdir(path) or is_pattern(path))


def is_pattern(place: str | os.PathLike[str]) -> bool:
    """Whether a name has the suffix of a picture, and a place for a number or a wildcard."""
    name = os.path.basename(os.fspath(place))
    picture = os.path.splitext(name)[1].lower() in SUFFIXES
    return picture and bool(PLACEHOLDER.search(name) or glob.has_magic(name))


def find(place: str | os.PathLike[str]) -> tuple[Pattern, list[int]]:
    """The pictures of a sequence.

    Args:
        place: a folder, or a pattern such as ``scan_%06d.dpx``, ``scan_####.exr`` or ``scan_*.tif``.

    Returns:
        (pattern, numbers of the pictures in rising order).

    Raises:
        InputError: one sentence, if the files are not one sequence without holes.
    """
    path = os.path.abspath(place)
    folder, wanted = (path, "") if os.path.isdir(path) else os.path.split(path)
    if not os.path.isdir(folder):
        raise InputError(f"{place}: there is no folder {folder}.")
    found = sequences_in(folder, wanted)
    if not found:
        if wanted:
            raise InputError(f"{place}: no picture matches {wanted}.")
        raise InputError(
            f"{place} is a folder without numbered pictures (DPX, TIFF, EXR, PNG, JPEG); give one film (a video file)."
        )
    if len(found) > 1:
        names = " and ".join(pattern.name for pattern in [*found][:3])
        raise InputError(f"{place} holds several sequences ({names}); give the pattern of one.")
    ((pattern, numbers),) = found.items()
    _check_numbers(pattern, numbers)
    return pattern, numbers


def sequences_in(folder: str, wanted: str = "") -> dict[Pattern, list[int]]:
    """All sequences in a folder.

    Args:
        folder: absolute path of the folder.
        wanted: pattern of the names; "" for all pictures.

    Returns:
        Pattern → numbers of its pictures in rising order. A number occurs twice if files differ only in its zeros.
    """
    shape = _shape(wanted)
    numbers: dict[tuple[str, str], list[str]] = {}
    for name in sorted(os.listdir(folder)):
        if name.startswith(".") or os.path.splitext(name)[1].lower() not in SUFFIXES:
            continue
        if found := shape.fullmatch(name):
            prefix, number, suffix = found.groups()
            numbers.setdefault((prefix, suffix), []).append(number)
    return {
        Pattern(folder, prefix, min(map(len, texts)), suffix): sorted(map(int, texts))
        for (prefix, suffix), texts in numbers.items()
    }


def _shape(wanted: str) -> re.Pattern[str]:
    """A pattern of names with three groups: the text before the number, the number, the text after it."""
    if found := PLACEHOLDER.search(wanted):
        before, after = (re.escape(text) for text in (wanted[: found.start()], wanted[found.end() :]))
        return re.compile(rf"({before})(\d+)({after})")
    if wanted:
        # The last number of the name that the wildcards match.
        return re.compile(rf"(?={fnmatch.translate(wanted)}){LAST_NUMBER.pattern}", re.S)
    return LAST_NUMBER


def _check_numbers(pattern: Pattern, numbers: list[int]) -> None:
    """Raise InputError if a number is missing, or if a picture has another name than the pattern gives it."""
    twice = [number for number, times in Counter(numbers).items() if times > 1]
    if twice:
        raise InputError(f"{pattern.path}: several pictures have the number {twice[0]}; give each number once.")
    for number in numbers:
        if not os.path.exists(os.path.join(pattern.folder, pattern.of(number))):
            raise InputError(
                f"{pattern.path}: the picture with the number {number} is not named {pattern.of(number)}; fill all "
                f"numbers with zeros to the same length, or none."
            )
    gaps = [(a + 1, b - 1) for a, b in zip(numbers, numbers[1:], strict=False) if b > a + 1]
    if gaps:
        missing = sum(last - first + 1 for first, last in gaps)
        listed = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in gaps[:MOST_NAMED])
        more = " and others" if len(gaps) > MOST_NAMED else ""
        raise InputError(
            f"{pattern.path}: {missing} picture{'s are' if missing > 1 else ' is'} missing ({listed}{more}); put them "
            f"in, or move what comes after a hole into a folder of its own."
        )


def target(output: str | os.PathLike[str]) -> Pattern:
    """The names of the pictures to write at an output, a pattern. Raises OutputError, one sentence, if it is none."""
    path = os.path.abspath(output)
    folder, name = os.path.split(path)
    places = list(PLACEHOLDER.finditer(name))
    if len(places) != 1 or glob.has_magic(name):
        raise OutputError(f"{output}: give one place for the frame's number, such as frame_%06d.png.")
    place = places[0]
    width = int(place[1] or 1) if place[2] is None else len(place[2])
    return Pattern(folder, name[: place.start()], width, name[place.end() :])


def located(output: str | os.PathLike[str], source: Pattern | None) -> str:
    """The pattern of the pictures, as an absolute path, if an output names a sequence; otherwise the output as it is.

    Args:
        output: path or URL of a film, a pattern, or a folder.
        source: names of the source's pictures; None if the source is not a sequence. For a sequence, a name without
            a suffix is a folder.
    """
    path = os.fspath(output)
    is_folder = os.path.isdir(path) or path.endswith(os.sep) or not os.path.splitext(path)[1]
    if source and is_folder and "://" not in path:
        return replace(source, folder=os.path.abspath(path)).path
    return target(path).path if is_pattern(path) else path


def stat_of(output: str | os.PathLike[str]) -> tuple[int, int] | None:
    """(bytes, latest time of a change in nanoseconds) of all pictures that match a pattern; None if there are none."""
    pattern = target(output)
    names = pattern.matching(os.listdir(pattern.folder)) if os.path.isdir(pattern.folder) else []
    found = [os.stat(os.path.join(pattern.folder, name)) for name in names]
    return (sum(f.st_size for f in found), max(f.st_mtime_ns for f in found)) if found else None
