"""The results that can be written besides the colour film."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from .storage import Location

if TYPE_CHECKING:  # commands import av only after the arguments were checked
    from .encode import Encoding


class Kind(StrEnum):
    """Kinds of results. The values name files in the work folder."""

    FILM = "film"
    """The colour film."""
    LABELS = "labels"
    """A film of the labels that the network read, with names and a legend."""
    MAPS = "maps"
    """A film of label maps: a pixel's value is the index of its label."""
    COMPARE = "compare"
    """A film twice as wide: on the left each frame as the networks painted it, on the right the steadied frame."""
    SUMMARY = "summary"
    """The labels and colours of each shot (JSON)."""


class Extra(NamedTuple):
    """One result besides the colour film."""

    kind: Kind
    target: Location
    """Path or URL of the result."""
    encoding: Encoding | None = None
    """None for the summary, which is JSON."""
