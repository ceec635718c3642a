"""The results that can be written besides the colour film."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from ..errors import OutputError
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
    COVERAGE = "coverage"
    """A grey film: how surely each place has its colour from key frames and edits."""
    COMPARE = "compare"
    """A film twice as wide: on the left each frame as the networks painted it, on the right the steadied frame."""
    SUMMARY = "summary"
    """The labels and colours of each shot (JSON)."""
    REPORT = "report"
    """What came in, what went out, what was kept and what was changed (HTML or JSON)."""

    RECORD = "record"
    """How the film was made: the sheet, settings, versions, and digests of all files (JSON)."""


NOT_FILMS = (Kind.SUMMARY, Kind.REPORT, Kind.RECORD)
"""Kinds that are no films."""

REPORTS = (".html", ".htm", ".json")
"""Suffixes of a report. All but the last select the page."""


class Extra(NamedTuple):
    """One result besides the colour film."""

    kind: Kind
    target: Location
    """Path or URL of the result."""
    encoding: Encoding | None = None
    """None for the summary, the report and the record, which are no films."""


def check_record_name(target: str | os.PathLike[str], option: str = "--record") -> None:
    """Raise OutputError if the place of a record does not end in .json. `option`: begins the message."""
    if PurePath(target).suffix.lower() != ".json":
        raise OutputError(f"{option} {os.fspath(target)}: a record is written as JSON; use .json.")


def check_report_name(target: str | os.PathLike[str], option: str = "--report") -> None:
    """Raise OutputError if the suffix of a report's place selects no form. `option`: begins the message."""
    suffix = PurePath(target).suffix
    if suffix.lower() not in REPORTS:
        raise OutputError(
            f"{option} {os.fspath(target)}: a report cannot be written as {suffix or 'a file with no suffix'}; "
            f"use .html or .json."
        )
