"""Where `semcolor-video` reads and writes, if the user names no output or a folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from ...pipeline.defaults import CODEC
from ...pipeline.sequences.names import find, is_sequence, located
from ...pipeline.storage import Location, is_url, join, location_of, parent
from ...pipeline.suffixes import output_suffix

PHOTOS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
"""Suffixes of photos."""


def is_photo(place: Location) -> bool:
    """Whether a place is a photo on this machine."""
    return isinstance(place, Path) and place.suffix.lower() in PHOTOS and place.is_file()


def places(source: str, output: str | None, still: bool, codec: str = CODEC) -> tuple[Location, Location]:
    """The absolute places of the film and of the output.

    They are absolute because Ray's workers run in another folder, and because FFmpeg takes the part before a colon for
    a protocol.

    Args:
        source: INPUT, as the user gives it.
        output: the value of ``--output``; None if it is not given.
        still: whether the output is one picture.
        codec: the encoder, on which the suffix of an unnamed output depends.

    Returns:
        (film, output). A sequence of pictures is named by its pattern.

    Raises:
        InputError: if the source is a folder or a pattern, but not one sequence.
        OutputError: if the output is a folder whose pictures have no names.
    """
    sequence = not is_url(source) and is_sequence(source)
    pattern = find(source)[0] if sequence else None
    film = location_of(pattern.path if pattern else source)
    if output is not None:
        return film, location_of(output if still else located(output, pattern))
    named = PurePath(source)
    if pattern and still:
        return film, location_of(f"{pattern.folder}.color.png")
    if pattern:
        return film, location_of(located(f"{pattern.folder}.color{os.sep}", pattern))
    suffix = ".png" if still else named.suffix if is_photo(film) else output_suffix(named.suffix, codec)
    return film, join(parent(film), f"{named.stem}.color{suffix}")
