"""What is written besides the colour film."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from .storage import Location

if TYPE_CHECKING:  # spares commands av until the arguments are known to be good
    from .encode import Encoding


class Kind(StrEnum):
    """Kinds of results. The values name files in the work folder."""

    FILM = "film"
    """The colour film."""
    LABELS = "labels"
    """A film of what the network understood, with names and a legend."""
    MAPS = "maps"
    """A film of label maps: the value of a pixel is its label."""
    COMPARE = "compare"
    """A film twice as wide: each frame as the networks painted it, and steadied beside it."""
    SUMMARY = "summary"
    """The labels and colours of each shot (JSON)."""


class Extra(NamedTuple):
    """One result besides the colour film."""

    kind: Kind
    target: Location
    encoding: Encoding | None = None
    """None for the summary, which is no film."""
