"""Exceptions of semcolor.

    SemcolorError
    ├── UserError          a mistake of the user's: one sentence, exit code 2
    │   ├── InputError     this film cannot be used
    │   └── OutputError    this output cannot be written as asked
    ├── FilmError          the film turned out to be broken while it was read
    ├── WorkError          the work folder and the chunks that come in do not agree
    └── AssembleError      the finished output is not what it must be

``str(error)`` of a `UserError` is one whole sentence that says what is wrong, where, and what to do.
"""

from __future__ import annotations

__all__ = ["AssembleError", "FilmError", "InputError", "OutputError", "SemcolorError", "UserError", "WorkError"]


class SemcolorError(Exception):
    """Base of everything that semcolor raises on purpose."""


class UserError(SemcolorError):
    """The user can put this right; a command prints it and exits with code 2."""


class InputError(UserError):
    """The input is missing, is no film, or cannot be read to its end."""


class OutputError(UserError):
    """The output exists, cannot be created, or its container or codec cannot hold the film."""


class FilmError(SemcolorError):
    """A film that opened well could not be decoded whole; names the frame and its time."""


class WorkError(SemcolorError):
    """A chunk came out of order, or a part of the work folder is not what its receipt says."""


class AssembleError(SemcolorError):
    """The assembled film failed its check; nothing was put in the output's place."""
