"""The records of a batch and of its films: what is planned, what runs, and what came of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ... import __version__
from ...pipeline import storage as remote
from ...pipeline.sequences.names import is_pattern
from ...pipeline.sequences.names import stat_of as sequence_stat
from ...pipeline.storage import is_url
from .wish import FileName, Wish

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
    record: FileName | None = None
    """Path of the film's own record."""
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
            record=planned.record,
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
    record: str | None = None
    """Path of the record."""

    @property
    def films(self) -> list[str]:
        """Paths of the outputs that are films."""
        return [self.output, *([self.labels] if self.labels else [])]

    @property
    def targets(self) -> list[str]:
        """Paths of all outputs."""
        return [*self.films, *filter(None, (self.report, self.record))]


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
