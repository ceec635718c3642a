"""Mistakes of the user: what a command says, and that it does nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from semcolor.jobs.commands.video import run

Mistake = tuple[Callable[[Path, Path], Sequence[str | Path]], str]
"""The arguments in a folder and for a film in it, and words of the sentence that `semcolor-video` says."""


def check_mistake(mistake: Mistake, film: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`semcolor-video` ends with one sentence and exit code 2, and changes nothing in the folder."""
    arguments, words = mistake
    source = Path(shutil.copy(film, folder / f"film{film.suffix}"))
    given = [str(argument) for argument in arguments(folder, source)]
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert run(given) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1 and words in said.err, said.err
    assert said.err.startswith("semcolor-video: ")
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before, "something was written"
