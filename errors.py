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

import errno
import os


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


AGAIN = "run the same command again"

REMEDIES = {
    errno.ENOSPC: f"there is no space left; free some, and {AGAIN}",
    errno.EDQUOT: f"your quota is used up; free some space, and {AGAIN}",
    errno.EROFS: "this disk is read-only; choose another place with -o, or with --work for unfinished work",
    errno.EACCES: "permission denied; change the permissions, or choose another place with -o or --work",
    errno.EPERM: "this is not permitted; choose another place with -o, or with --work for unfinished work",
    errno.ENOENT: f"it is not there any more; put it back, and {AGAIN}",
    errno.ENOTDIR: "a part of its path is not a folder; choose another path",
    errno.ENAMETOOLONG: "its name is too long; choose a shorter one with -o",
    errno.EIO: f"the disk or its connection reports an error; check it, and {AGAIN}",
    errno.ESTALE: f"the disk of another machine has changed; mount it again, and {AGAIN}",
    errno.ETIMEDOUT: f"there was no answer in time; check the connection, and {AGAIN}",
    errno.ECONNREFUSED: f"the connection was refused; check the address, and {AGAIN}",
    errno.EMFILE: f"too many files are open; raise the limit (ulimit -n), and {AGAIN}",
    errno.ENFILE: f"too many files are open on this machine; close some, and {AGAIN}",
    errno.ENOMEM: f"there is not enough memory; close other programs, and {AGAIN}",
}
"""Error of the system → what it means, and what to do."""


def reason_of(error: BaseException) -> str:
    """What an error of the system or of FFmpeg means, and what to do: the end of a sentence, without numbers."""
    words = getattr(error, "strerror", None) or ""
    if type(error).__module__.startswith("av."):
        words = "" if "rror" in words and "occurred" in words or words.startswith("Error number") else words
        named = f" ({words[0].lower()}{words[1:]})" if words else ""
        return f"FFmpeg cannot go on{named}; copy the film into a new file, and try that"
    if known := REMEDIES.get(getattr(error, "errno", None) or 0):
        return known
    return f"{(words or str(error) or type(error).__name__).lower()}; {AGAIN}"


def told(error: BaseException) -> str:
    """An error of ours, of the system or of FFmpeg as one sentence without numbers; "" for any other error."""
    if isinstance(error, SemcolorError):
        return str(error)
    if not isinstance(error, OSError) and not type(error).__module__.startswith("av."):
        return ""
    place = getattr(error, "filename", None)
    named = f"{os.fsdecode(place)}: " if isinstance(place, str | bytes) and place not in ("", "<none>") else ""
    return f"{named}{reason_of(error)}."
