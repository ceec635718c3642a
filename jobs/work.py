"""The work folder of an output: where it lies, whose work is in it, and that one run at a time uses it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..pipeline.errors import OutputError
from ..pipeline.writer import place

_log = logging.getLogger(__name__)

LONGEST_NAME = 200
"""Bytes of the output's name that fit into a file name beside what we add; most file systems allow 255."""


def work_folder(output: Path) -> Path:
    """Beside the output, so that renaming is atomic and free space is that of the output."""
    name = output.name
    if len(name.encode()) > LONGEST_NAME:
        name = hashlib.sha256(name.encode()).hexdigest()
    return output.with_name(f".semcolor-{name}")


def keep_or_clear(work: Path, identity: dict) -> None:
    """Work of the same identity stays, any other goes."""
    wanted, job = json.dumps(identity, sort_keys=True), work / "job.json"
    if job.exists() and job.read_text() == wanted:
        return
    stale = list(work.glob("part-*"))
    if stale:
        _log.warning("%s: unfinished work with other settings is thrown away", work)
    for part in stale:
        part.unlink()
    temporary = work / "job.tmp"
    temporary.write_text(wanted)
    place(temporary, job)


@contextmanager
def claimed(work: Path) -> Iterator[None]:
    """The work folder, held by this run alone. It goes when the run is through, and if it fails with nothing committed.

    Ray must be down by then: it makes its spill folder anew as long as it runs.
    """
    work.mkdir(exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"another run is working on this output ({work}); wait for it or stop it.") from None
        try:
            yield
        except BaseException:
            if not any(work.glob("part-*.json")):
                shutil.rmtree(work)
            raise
        shutil.rmtree(work)
