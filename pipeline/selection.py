"""Which of a film's other streams the user keeps: `--drop data:0`, `--only audio,subtitle`.

The module imports nothing heavy, so that commands can check their arguments quickly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import UserError

KINDS = ("video", "audio", "subtitle", "data", "attachment", "chapters")
"""Kinds of what a film holds besides its pictures. ``video`` is other pictures, such as a cover."""


@dataclass(frozen=True)
class Selection:
    """The choice of streams. A name is a kind, or a kind and a number counted from 0 among its kind: ``data:0``."""

    drop: tuple[str, ...] = ()
    """Names of the streams that are left out."""
    only: tuple[str, ...] = ()
    """If given, names of the only streams that are kept."""

    def keeps(self, kind: str, number: int = 0) -> bool:
        """Whether the stream with this number of its kind is kept."""
        names = {kind, f"{kind}:{number}"}
        return not names.intersection(self.drop) and (not self.only or bool(names.intersection(self.only)))

    def check(self, present: Iterable[str]) -> None:
        """Raise UserError if a stream with a number is named that the film does not have.

        Args:
            present: names of all streams of the film with their numbers, without that of the pictures.
        """
        present = list(present)
        for name in self.drop + self.only:
            if ":" in name and name not in present:
                there = ", ".join(present) or "none"
                raise UserError(f"{name}: the film has no such stream besides its pictures; its streams are: {there}.")

    def __str__(self) -> str:
        """As options of the command."""
        return " ".join([*(f"--drop {name}" for name in self.drop), *(f"--only {name}" for name in self.only)])


EVERYTHING = Selection()
"""All streams are kept."""


def parse_names(text: str) -> str:
    """A list of streams in its shortest form: ``data:0,subtitle``. Raises ValueError, with a reason for people."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    known = f"kinds are {', '.join(KINDS)}, and data:0 is one stream"
    for name in names:
        kind, colon, number = name.partition(":")
        if kind not in KINDS or (colon and not (number.isascii() and number.isdigit())):
            raise ValueError(f"{name!r} is not a kind of stream; {known}")
    if not names:
        raise ValueError(f"it names no stream; {known}")
    return ",".join(dict.fromkeys(names))


def parse_selection(drop: str | Iterable[str] | None, only: str | None) -> Selection:
    """The selection that `--drop` and `--only` ask for. Raises UserError."""
    given = {"--drop": [drop] if isinstance(drop, str) else list(drop or ()), "--only": [only] if only else []}
    chosen: dict[str, tuple[str, ...]] = {}
    for option, texts in given.items():
        try:
            names = [name for text in texts for name in parse_names(text).split(",")]
        except ValueError as error:
            raise UserError(f"{option} {','.join(texts)}: {error}.") from None
        chosen[option] = tuple(dict.fromkeys(names))
    return Selection(chosen["--drop"], chosen["--only"])
