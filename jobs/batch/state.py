"""The state of a batch as files that any terminal or machine may read while it runs.

    FOLDER/.semcolor-batch/
        lock            held by the batch that is at work
        batch.json      that batch: who, since when, its last sign of life
        plan.jsonl      a line a film, in order of work
        films/KEY.json  what happened to a film; KEY is a digest of the output's path
        summary.json    and summary.html, at the end

Files are replaced whole, so that a reader never sees half of one. A film's record is written by the worker that drives
it, and between tries by the batch; never by both at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ... import __version__
from ...errors import OutputError, UserError
from ...pipeline import storage as remote
from ...pipeline.files import move_into_place
from ...pipeline.storage import is_url
from .manifest import Wish

FOLDER = ".semcolor-batch"

SILENT = 60.0
"""Seconds without a sign of life after which a batch counts as gone."""

M = TypeVar("M", bound=BaseModel)

Stat = tuple[int, int]
"""A file's size in bytes and time of change in ns (of a URL, what changes with it): another file, other numbers."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore")  # a newer version may have written more


class Try(_Model):
    """An attempt at a film that failed."""

    ended: float
    seconds: float
    error: str


class Record(_Model):
    """What is known of a film. Times are seconds since 1970."""

    batch: str = ""
    """`Batch.id` of the start that this is about."""
    source: str
    output: str
    state: Literal["running", "waiting", "failed", "done"]
    """waiting: for another try, or for the batch to be started again."""
    wish: dict[str, Any]
    """`Wish.decisive`, with a digest for the weights' path."""
    labels: str | None = None
    source_stat: Stat
    before: dict[str, Stat | None] = {}
    """Outputs as they were when the work began: what stands there later and is another file is ours."""
    outputs: dict[str, Stat] = {}
    """Outputs as they were when it was done."""
    fingerprint: str = ""
    """`Film.fingerprint` of the source."""
    began: float = 0
    updated: float = 0
    frames: int = 0
    """Of the film; 0: not known yet."""
    done: int = 0
    resumed: int = 0
    """Frames that were there when this attempt began."""
    shots: int = 0
    seconds: float = 0
    """Wall time of the attempt that finished it, or of the one that runs."""
    workers: int = 0
    device: str = ""
    host: str = ""
    pid: int = 0
    """Where its driver runs."""
    version: str = __version__
    damaged: list[int] = []
    """Frames whose damage the decoder concealed."""
    tries: list[Try] = []
    """Those that failed, in this start of the batch."""

    @classmethod
    def of(cls, planned: PlannedFilm, batch: Batch | None, state: Literal["running", "failed"]) -> Record:
        """A film of which nothing else is known yet, with its outputs as they are now."""
        return cls(
            batch=batch.id if batch else "",
            source=planned.source,
            output=planned.output,
            state=state,
            wish=planned.made_with,
            labels=planned.labels,
            source_stat=planned.source_stat,
            before={path: file_stat(path) for path in planned.targets},
        )

    again: float = 0
    """When the next try is due."""

    @property
    def error(self) -> str:
        return self.tries[-1].error if self.tries else ""


class Batch(_Model):
    """The batch that works, or worked last."""

    id: str
    state: Literal["running", "stopped", "finished"]
    films: int
    finished_before: int
    """Films of the plan that earlier starts had finished."""
    began: float
    updated: float
    host: str
    pid: int
    version: str = __version__


@dataclass(frozen=True, slots=True)
class PlannedFilm:
    """A film of the plan; small and picklable."""

    key: str
    source: str
    output: str
    labels: str | None
    wish: Wish
    made_with: dict[str, Any]
    """See `Record.wish`."""
    source_stat: Stat
    origin: str
    overwrite: bool = False
    check: bool = False
    """An output stands that may be this film, finished: to be found out by reading the source."""
    work: Path | None = None
    """See `film.driver.Settings.work`."""

    @property
    def targets(self) -> list[str]:
        return [self.output, *([self.labels] if self.labels else [])]


def key_of(output: str | os.PathLike[str]) -> str:
    return hashlib.sha256(os.fsencode(output)).hexdigest()[:20]


def file_stat(path: str | os.PathLike[str]) -> Stat | None:
    """None for no such file. Raises UserError for a URL that cannot be asked."""
    if is_url(path):
        return remote.stat(os.fspath(path))
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


class Records:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def find(cls, folder: Path) -> Records:
        """The records of a batch by its output folder, or by its own. Raises UserError."""
        for path in (folder / FOLDER, folder):
            if (path / "batch.json").is_file():
                return cls(path)
        raise UserError(f"{folder} holds no batch; give the folder of its outputs, or the one given with --state.")

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """The lock of the one batch that may work here; if it comes to nothing, nothing is left. Raises OutputError."""
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
                if made and not (self.folder / "batch.json").exists():  # nothing has begun
                    shutil.rmtree(self.folder)
                    for path in made[1:]:
                        path.rmdir()
                raise

    def batch(self) -> Batch | None:
        return _read(self.folder / "batch.json", Batch)

    def begin(self, to_do: Iterable[PlannedFilm], films: int, finished_before: int) -> Batch:
        """Write down the plan and that this process works on it."""
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
        """A sign of life."""
        batch.state, batch.updated = state or batch.state, time.time()
        write_whole(self.folder / "batch.json", [batch.model_dump_json()])

    def plan(self) -> list[dict[str, Any]]:
        """The films that were to be done when the batch was last started: key, source, output, bytes."""
        try:
            return [json.loads(line) for line in (self.folder / "plan.jsonl").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def keys(self) -> set[str]:
        """Films with a record."""
        return {path.stem for path in (self.folder / "films").glob("*.json")}

    def read(self, key: str) -> Record | None:
        return _read(self.folder / "films" / f"{key}.json", Record)

    def write(self, key: str, record: Record) -> None:
        record.updated = time.time()
        # What is done must stay known after a power cut. The rest a film's own work folder knows as well.
        write_whole(self.folder / "films" / f"{key}.json", [record.model_dump_json()], durably=record.state == "done")


def _read(path: Path, model: type[M]) -> M | None:
    """None for no such file, and for one that cannot be understood: then nothing is known."""
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def write_whole(path: Path, content: Iterable[str], durably: bool = False) -> None:
    """Write a file whole: nobody sees half of it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(content)
    (move_into_place if durably else os.replace)(temporary, path)
