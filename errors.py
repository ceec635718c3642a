"""Exceptions of semcolor.

    SemcolorError
    ├── UserError          the user made a mistake: one sentence, exit code 2
    │   ├── InputError     the input cannot be used
    │   └── OutputError    the output cannot be written as asked
    ├── FilmError          the film proved to be broken while it was read
    ├── WorkError          the work folder and the incoming chunks do not agree
    └── AssembleError      the finished output failed its check
        └── StampError     its container cannot store the film's time stamps

``str(error)`` of a `UserError` is one whole sentence. It says what is wrong, where, and what to do.
"""

from __future__ import annotations


class SemcolorError(Exception):
    """Base of all exceptions that semcolor raises on purpose."""


class UserError(SemcolorError):
    """A mistake that the user can correct. A command prints it and exits with code 2."""


class InputError(UserError):
    """The input is missing, is not a film, or cannot be read to its end."""


class OutputError(UserError):
    """The output exists, cannot be created, or its container or codec cannot hold the film."""


class FilmError(SemcolorError):
    """A film that opened without error could not be decoded whole. The message names the frame and its time."""


class WorkError(SemcolorError):
    """A chunk came out of order, or a part in the work folder does not match its receipt."""


class AssembleError(SemcolorError):
    """The assembled film failed its check. Nothing was written to the output's path."""


class StampError(AssembleError):
    """The output's container cannot store the film's time stamps, or did not store them as expected."""
