"""Recover from lost workers: the film continues from its last committed part, as after a crash.

There is one way to continue: an `Attempt` that makes the frames missing between the parts. It does not matter whether
the parts were made by another process or by an earlier attempt of this one. Lost workers, nodes and objects lead to a
new attempt. A mistake, a damaged film or a full disk does not, because the next attempt would fail in the same way.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from ...errors import SemcolorError
from ...pipeline.parts import Part, first_missing, standing
from . import actors
from .attempt import Attempt
from .crew import Crew, RayCrew
from .events import EventLog
from .job import Job, Progress
from .workdir import remembered

_log = logging.getLogger(__name__)

TRIES = 3
"""Number of attempts at the same part."""

PAUSES = (1.0, 15.0)
"""Seconds before the second and the third attempt. Ray may need ten seconds or more to see that a node is gone, and
until then it puts new actors there."""

LOST_STARTS = 10
"""Number of workers lost on such nodes that do not count as attempts at a part. These workers never ran, so the part
is not to blame."""


@dataclass
class Outcome:
    """The result of `finish_parts`."""

    parts: list[Part]
    """All parts of the film, in order."""
    negative: bool = False
    """Whether the film looks like a negative."""
    restarts: int = 0
    """Number of new attempts after lost workers."""
    stages: dict[str, float] = field(default_factory=dict)
    """Stage → seconds of work in the attempt that finished the film, summed over the stage's workers."""
    queues: dict[str, float] = field(default_factory=dict)
    """Stage → mean number of chunks in the stage or waiting for it, in that attempt."""


def finish_parts(
    job: Job, parts: Sequence[Part], events: EventLog, progress: Progress, crew: Callable[[], Crew] = RayCrew
) -> Outcome:
    """Make attempts until the film's parts are complete.

    Args:
        job: the film, and how it is made.
        parts: parts that are committed already.
        events: log of the losses and restarts.
        progress: called with (frames done, shots begun).
        crew: makes the crew of an attempt.

    Raises:
        SemcolorError: another attempt would not help, or `TRIES` attempts have failed at the same part.
    """
    outcome, failures, lost_starts = Outcome(list(parts)), 0, 0
    while _frames(outcome.parts) < job.film.frames:
        before = first_missing(outcome.parts)  # other Writers may commit later parts meanwhile
        its_crew = crew()
        run = Attempt(job, outcome.parts, events, its_crew)
        try:
            run.go(progress)
        except Exception as error:
            cause = its_crew.cause(error)
            if cause is None:
                raise
            outcome.parts = standing(job.work, outcome.parts)
            now, place = _frames(outcome.parts), first_missing(outcome.parts)
            written = max(now, run.done)
            if isinstance(cause, SemcolorError):
                raise cause from None
            if not _transient(cause):
                raise SemcolorError(f"{_sentence(cause, job.work)}; {_kept(now)}") from error
            if place > before:
                failures = lost_starts = 0
            if lost_starts < LOST_STARTS and _never_started(cause):
                lost_starts += 1
            else:
                failures += 1
            events("lost", what=brief(cause), frame=now, written=written, failures=failures, details=str(cause))
            if failures == TRIES:
                raise SemcolorError(f"{brief(cause)}, {TRIES} times at the same place; {_kept(now)}") from error
            if now == job.film.frames:
                break
            outcome.restarts += 1
            _log.warning("%s: continuing, %d frames are kept.", brief(cause), now)
            if _out_of_memory(cause):  # fewer artists need less memory, and the bytes stay the same
                job = replace(job, workers=max(1, job.workers // 2))
            time.sleep(PAUSES[max(failures, 1) - 1])
            events("restarted", frame=now, workers=job.workers)
        else:
            outcome.stages, outcome.queues = run.stages, run.queues
            outcome.parts = standing(job.work, outcome.parts)
            if _frames(outcome.parts) == job.film.frames or not its_crew.relieved():
                break
            events("handed over", frame=_frames(outcome.parts), workers=job.workers)
    outcome.negative = remembered(job.work).get("negative", False)
    return outcome


def ask_precision(device: str) -> str:
    """Ask a worker which precision its hardware uses (``float32`` or ``bfloat16``). Results differ between precisions.

    Raises SemcolorError if no worker lives long enough to answer.
    """
    import ray
    from ray.exceptions import RayError

    # Ray must not retry: where memory is short, it would do so for ever.
    task = ray.remote(actors.precision).options(num_cpus=1 if device == "cpu" else 0, max_retries=0)
    for failures in count(1):
        try:
            return ray.get(task.remote(device))
        except RayError as error:
            cause = RayCrew.cause(error) or error
            if failures == TRIES or not _transient(cause):
                raise SemcolorError(f"no worker can load the networks: {_sentence(cause, Path())}") from error
            time.sleep(PAUSES[failures - 1])
    raise AssertionError


def brief(error: BaseException) -> str:
    """A short description of a lost worker. Ray's own is a page long."""
    who = re.search(r"class_name: (\w+)", str(error))
    if _out_of_memory(error):
        return "a worker was ended because memory ran out (fewer --workers or a smaller --chunk need less)"
    return f"a worker was lost ({type(error).__name__}{f', {who[1]}' if who else ''})"


def _frames(parts: Sequence[Part]) -> int:
    return sum(part.frames for part in parts)


def _kinds(error: BaseException) -> set[str]:
    """The names of the error's class and of its base classes. With them, no error needs the import of Ray."""
    return {kind.__name__ for kind in type(error).__mro__}


def _transient(error: Any) -> bool:
    """Whether another attempt may succeed."""
    kinds = _kinds(error)
    if "OutOfDiskError" in kinds or ("RayActorError" in kinds and error.actor_init_failed):
        return False
    return "RayError" in kinds or _out_of_memory(error)


def _out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, as reported by Ray, NumPy or torch."""
    return bool(_kinds(error) & {"OutOfMemoryError", "MemoryError"}) or "running low on memory" in str(error)


def _never_started(error: BaseException) -> bool:
    """Whether Ray put the worker on a node that was already gone, so that it never ran. After that, Ray knows that
    the node is gone."""
    return "ActorDiedError" in _kinds(error) and "node has died" in str(error) and "never ran" in str(error)


def _sentence(error: BaseException, work: Path) -> str:
    """The error as the start of a sentence. `work`: named if an OSError names no file."""
    if "OutOfDiskError" in _kinds(error):
        return "the disk is full"
    if _transient(error):
        return brief(error)
    if isinstance(error, OSError):
        return f"{error.filename or work}: {error.strerror or error}"
    lines = str(error).strip().splitlines() or [""]
    return f"a worker failed: {type(error).__name__}: {lines[-1]}"  # the last line of a traceback names the error


def _kept(frame: int) -> str:
    """The end of that sentence: how many frames are kept."""
    return f"{frame} frames are done and kept; the same command continues from there." if frame else "nothing was done."
