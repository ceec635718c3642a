"""The state of a batch, in files that any terminal or machine may read while the batch runs.

    FOLDER/.semcolor-batch/
        lock            held by the running batch
        batch.json      the record of that batch: its process, when it began, when it was last known to run
        plan.jsonl      the films to make, one per line, in order of work
        films/KEY.json  the record of a film; KEY is a digest of the output's path
        summary.json    written at the end, for programs
        summary.html    written at the end, for people

Each file is replaced as a whole, so that a reader never sees half of it. A film's record is written by the worker that
makes the film, and between its tries by the batch; never by both at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from ...errors import OutputError, UserError
from ...pipeline.files import move_into_place
from .records import Batch, PlannedFilm, Record

FOLDER = ".semcolor-batch"
"""Name of the folder with the state files."""

SILENT = 60.0
"""Seconds without an update of batch.json after which a batch counts as ended."""

M = TypeVar("M", bound=BaseModel)


class Records:
    """Reads and writes the state files of a batch in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def find(cls, folder: Path) -> Records:
        """The state files in `folder`, which is the batch's output folder or the state folder itself. Raises
        UserError if there are none."""
        for path in (folder / FOLDER, folder):
            if (path / "batch.json").is_file():
                return cls(path)
        raise UserError(
            f"{folder} holds no batch; give the batch's output folder, or the folder that was given with --state."
        )

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the batch's lock for the length of a `with` block, so that only one batch works on this folder.

        If the block fails before the batch has begun, the folder is removed again. Raises OutputError if another batch
        runs here or the folder cannot be written.
        """
        made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        try:
            (self.folder / "films").mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("w")
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be written: {error.strerror}.") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                batch = self.batch()
                who = f" (process {batch.pid} on {batch.host})" if batch else ""
                raise OutputError(
                    f"another semcolor-batch{who} is at work on {self.folder}; "
                    f"watch it with semcolor-batch status {self.folder}."
                ) from None
            try:
                yield
            except BaseException:
                if made and not (self.folder / "batch.json").exists():  # the batch has not begun
                    shutil.rmtree(self.folder)
                    for path in made[1:]:
                        path.rmdir()
                raise

    def batch(self) -> Batch | None:
        """The record of the batch; None if there is none."""
        return _read(self.folder / "batch.json", Batch)

    def begin(self, to_do: Iterable[PlannedFilm], films: int, finished_before: int) -> Batch:
        """Write the plan, and a new record of the batch that names this process.

        Args:
            to_do: the films to make, in order of work.
            films: number of films in the plan, finished ones included.
            finished_before: number of those that are finished already.
        """
        lines = (
            json.dumps(
                {
                    "key": planned.key,
                    "source": planned.source,
                    "output": planned.output,
                    "bytes": planned.source_stat[0],
                }
            )
            + "\n"
            for planned in to_do
        )
        write_whole(self.folder / "plan.jsonl", lines)
        now = time.time()
        batch = Batch(
            id=uuid.uuid4().hex,
            state="running",
            films=films,
            finished_before=finished_before,
            began=now,
            updated=now,
            host=socket.gethostname(),
            pid=os.getpid(),
        )
        self.write_batch(batch)
        return batch

    def write_batch(self, batch: Batch, state: Literal["running", "stopped", "finished"] | None = None) -> None:
        """Write the record of the batch, with the present time and, if given, a new state."""
        batch.state, batch.updated = state or batch.state, time.time()
        write_whole(self.folder / "batch.json", [json.dumps(batch.model_dump())])

    def plan(self) -> list[dict[str, Any]]:
        """The films to make when the batch was last started: key, source, output and bytes of each."""
        try:
            return [json.loads(line) for line in (self.folder / "plan.jsonl").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def keys(self) -> set[str]:
        """Keys of the films that have a record."""
        return {path.stem for path in (self.folder / "films").glob("*.json")}

    def read(self, key: str) -> Record | None:
        """The record of a film; None if it has none."""
        return _read(self.folder / "films" / f"{key}.json", Record)

    def write(self, key: str, record: Record) -> None:
        """Write the record of a film, with the present time."""
        record.updated = time.time()
        # The record of a finished film must survive a power cut. For other films, the work folder has the same content.
        write_whole(
            self.folder / "films" / f"{key}.json", [json.dumps(record.model_dump())], durably=record.state == "done"
        )


def _read(path: Path, model: type[M]) -> M | None:
    """The content of a state file; None if the file is missing, damaged or not understood."""
    try:
        return model.model_validate(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None


def write_whole(path: Path, content: Iterable[str], durably: bool = False) -> None:
    """Replace a file as a whole, so that no reader sees half of it. `durably`: it also survives a power cut."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(content)
    (move_into_place if durably else os.replace)(temporary, path)
