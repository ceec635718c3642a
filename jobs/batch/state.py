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

from pydantic import BaseModel, ConfigDict

from ... import __version__
from ...errors import OutputError, UserError
from ...pipeline import storage as remote
from ...pipeline.files import move_into_place
from ...pipeline.sequences.names import is_pattern
from ...pipeline.sequences.names import stat_of as sequence_stat
from ...pipeline.storage import is_url
from .manifest import FileName, Wish

FOLDER = ".semcolor-batch"
"""Name of the folder with the state files."""

SILENT = 60.0
"""Seconds without an update of batch.json after which a batch counts as ended."""

M = TypeVar("M", bound=BaseModel)

Stat = tuple[int, int]
"""Size in bytes and modification time in ns of a file (for a URL, a number that changes with its content, such as
the ETag); used to notice that a file has changed."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore")  # a newer version may have written more fields


class Try(_Model):
    """A failed try to make a film. `ended`: seconds since 1970."""

    ended: float
    seconds: float
    error: FileName
    """A sentence, which may contain the names of files."""


class OwnColors(_Model):
    """Frames that have colours already in the source."""

    first_frame: int
    frames: int
    kind: Literal["tinted", "colour"]
    kept: bool
    """Whether the output has the same colours."""


class Record(_Model):
    """The record of a film. Times are in seconds since 1970."""

    batch: str = ""
    """`Batch.id` of the run of the batch that wrote this record."""
    source: FileName
    output: FileName
    state: Literal["running", "waiting", "failed", "done"]
    """``waiting``: until its next try, or until the batch is started again."""
    wish: dict[str, Any]
    """Settings that decide the output's bytes: `Wish.decisive`, with a digest in place of the path of the weights."""
    labels: FileName | None = None
    """Path of the label film."""
    report: FileName | None = None
    """Path of the report."""
    source_stat: Stat
    """Size and time of the source."""
    before: dict[FileName, Stat | None] = {}
    """Output → its size and time before the work began. A different file that is there later is ours."""
    outputs: dict[FileName, Stat] = {}
    """Output → its size and time when the film was done."""
    fingerprint: str = ""
    """`Film.fingerprint` of the source."""
    began: float = 0
    updated: float = 0
    frames: int = 0
    """Number of frames of the film; 0: not known yet."""
    done: int = 0
    """Number of frames that are finished."""
    resumed: int = 0
    """Number of frames that were finished already when this try began."""
    shots: int = 0
    seconds: float = 0
    """Wall time of the try that finished the film, or of the running one."""
    workers: int = 0
    """Number of artists."""
    device: str = ""
    host: str = ""
    pid: int = 0
    """Host and process that run the film's driver."""
    version: str = __version__
    damaged: list[int] = []
    """Numbers of the frames whose damage the decoder concealed."""
    findings: list[str] = []
    """What was wrong with the film: sentences, at most `pipeline.findings.MOST_SENTENCES`."""
    negative: bool = False
    """Whether the film looks like a negative."""
    own: list[OwnColors] = []
    """The frames that have colours already in the source."""
    words: list[FileName] = []
    """What became of streams that could not be copied as they are, as whole sentences."""
    tries: list[Try] = []
    """Failed tries in this run of the batch."""

    @classmethod
    def of(cls, planned: PlannedFilm, batch: Batch | None, state: Literal["running", "failed"]) -> Record:
        """The first record of a film. It has the present state of the outputs."""
        return cls(
            batch=batch.id if batch else "",
            source=planned.source,
            output=planned.output,
            state=state,
            wish=planned.made_with,
            labels=planned.labels,
            report=planned.report,
            source_stat=planned.source_stat,
            before={path: file_stat(path) for path in planned.targets},
        )

    again: float = 0
    """Time of the next try."""

    @property
    def error(self) -> str:
        """Reason of the last failed try; "" if none failed."""
        return self.tries[-1].error if self.tries else ""


class Batch(_Model):
    """The record of a batch that runs, or of the last one that ran."""

    id: str
    state: Literal["running", "stopped", "finished"]
    films: int
    """Number of films in the plan, finished ones included."""
    finished_before: int
    """Number of these films that earlier runs of the batch had finished."""
    began: float
    updated: float
    host: str
    pid: int
    version: str = __version__


@dataclass(frozen=True, slots=True)
class PlannedFilm:
    """A film of the plan. Small and picklable."""

    key: str
    """Digest of the output's path; names the film's record."""
    source: str
    output: str
    labels: str | None
    """Path of the label film."""
    wish: Wish
    made_with: dict[str, Any]
    """See `Record.wish`."""
    source_stat: Stat
    """Size and time of the source."""
    origin: str
    """Where the film was asked for; see `manifest.Asked`."""
    overwrite: bool = False
    """Replace outputs that exist."""
    check: bool = False
    """The outputs exist and may already be this film. The task reads the source to check this."""
    work: Path | None = None
    """See `film.job.Settings.work`."""
    report: str | None = None
    """Path of the report."""

    @property
    def films(self) -> list[str]:
        """Paths of the outputs that are films."""
        return [self.output, *([self.labels] if self.labels else [])]

    @property
    def targets(self) -> list[str]:
        """Paths of all outputs."""
        return [*self.films, *([self.report] if self.report else [])]


def key_of(output: str | os.PathLike[str]) -> str:
    """Key of the film with this output path."""
    return hashlib.sha256(os.fsencode(output)).hexdigest()[:20]


def file_stat(path: str | os.PathLike[str]) -> Stat | None:
    """Size and time of a file, or of a sequence of pictures by its pattern; None if it does not exist.

    Raises UserError for a URL whose store does not answer.
    """
    if is_url(path):
        return remote.stat(os.fspath(path))
    if is_pattern(path) and not os.path.exists(path):
        return sequence_stat(path)
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


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
