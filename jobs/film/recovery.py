"""What happens when a worker is lost: the film goes on from its last committed part, as after a crash.

There is one way to go on, `Attempt` through what is missing between the parts, whether the run before was another
process's or an attempt of this one. Lost workers, nodes and objects are made good that way; a mistake, a broken film
or a full disk is not, for it would be the same again.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from ...errors import SemcolorError
from ...pipeline.parts import Part, first_missing, standing
from . import actors
from .attempt import Attempt
from .events import EventLog
from .job import Job, Progress

_log = logging.getLogger(__name__)

TRIES = 3
"""Attempts at the same part."""

PAUSES = (1.0, 15.0)
"""Seconds before the second and the third one: Ray may take ten or more to see that a node is gone, and until then
puts new actors there."""

STRAYS = 10
"""Workers that were put on such nodes before the same part: the part had no try, and is not to blame."""


@dataclass
class Outcome:
    parts: list[Part]
    """All of the film's."""
    restarts: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    """Stage → seconds of work in the attempt that reached the end, over all its workers."""
    queues: dict[str, float] = field(default_factory=dict)
    """Stage → chunks that were there at a time in that attempt, on average."""


def finish_parts(job: Job, parts: Sequence[Part], events: EventLog, progress: Progress) -> Outcome:
    """Run until nothing is missing between `parts` and after them, again and again if workers are lost.

    Raises SemcolorError where that does not help, or has not helped `TRIES` times at the same part.
    """
    from ray.exceptions import RayError

    outcome, failures, strays = Outcome(list(parts)), 0, 0
    while _frames(outcome.parts) < job.film.frames:
        before = first_missing(outcome.parts)  # other Writers' parts may be committed after it meanwhile
        run = Attempt(job, outcome.parts, events)
        try:
            run.go(progress)
        except RayError as error:
            cause = _cause(error)
            outcome.parts = standing(job.work, outcome.parts)
            now, place = _frames(outcome.parts), first_missing(outcome.parts)
            written = max(now, run.done)
            if isinstance(cause, SemcolorError):
                raise cause from None
            if not _passing(cause):
                raise SemcolorError(f"{_sentence(cause, job.work)}; {_kept(now)}") from error
            if place > before:
                failures = strays = 0
            if strays < STRAYS and _stray(cause):
                strays += 1
            else:
                failures += 1
            events("lost", what=brief(cause), frame=now, written=written, failures=failures, details=str(cause))
            if failures == TRIES:
                raise SemcolorError(f"{brief(cause)}, {TRIES} times at the same place; {_kept(now)}") from error
            if now == job.film.frames:
                break
            outcome.restarts += 1
            _log.warning("%s: going on, %d frames are kept.", brief(cause), now)
            if _of_memory(cause):  # fewer at once need less, and change no byte
                job = replace(job, workers=max(1, job.workers // 2))
            time.sleep(PAUSES[max(failures, 1) - 1])
            events("restarted", frame=now, workers=job.workers)
        else:
            outcome.stages, outcome.queues = run.stages, run.queues
            outcome.parts = standing(job.work, outcome.parts)
            break
    return outcome


def ask_precision(device: str) -> str:
    """In what the networks calculate where artists work (``float32``, ``bfloat16``): it rounds the result otherwise.

    Raises SemcolorError if no worker stays long enough to tell.
    """
    import ray
    from ray.exceptions import RayError

    # Not repeated by Ray: without memory it would do so for ever.
    task = ray.remote(actors.precision).options(num_cpus=1 if device == "cpu" else 0, max_retries=0)
    for failures in count(1):
        try:
            return ray.get(task.remote(device))
        except RayError as error:
            cause = _cause(error)
            if failures == TRIES or not _passing(cause):
                raise SemcolorError(f"no worker can load the networks: {_sentence(cause, Path())}") from error
            time.sleep(PAUSES[failures - 1])
    raise AssertionError


def brief(error: BaseException) -> str:
    """A few words for what Ray tells in a page."""
    who = re.search(r"class_name: (\w+)", str(error))
    if _of_memory(error):
        return "a worker was ended because memory ran out (fewer --workers or a smaller --chunk need less)"
    return f"a worker was lost ({type(error).__name__}{f', {who[1]}' if who else ''})"


def _frames(parts: Sequence[Part]) -> int:
    return sum(part.frames for part in parts)


def _cause(error: Any) -> BaseException:
    """What our code raised in a worker, or what became of the worker; Ray wraps it once for each stage it passes."""
    from ray.exceptions import RayTaskError

    while isinstance(error, RayTaskError):
        error = error.cause
    return error


def _passing(error: Any) -> bool:
    """It may be otherwise the next time."""
    from ray.exceptions import OutOfDiskError, RayActorError, RayError

    if isinstance(error, OutOfDiskError) or (isinstance(error, RayActorError) and error.actor_init_failed):
        return False
    return isinstance(error, RayError) or _of_memory(error)


def _of_memory(error: BaseException) -> bool:
    """Ray's, NumPy's or torch's."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OutOfMemoryError", "MemoryError"}) or "running low on memory" in str(error)


def _stray(error: BaseException) -> bool:
    """A worker never ran, for Ray put it on a node that was gone already. It knows so from then on."""
    from ray.exceptions import ActorDiedError

    return isinstance(error, ActorDiedError) and "node has died" in str(error) and "never ran" in str(error)


def _sentence(error: BaseException, work: Path) -> str:
    from ray.exceptions import OutOfDiskError

    if isinstance(error, OutOfDiskError):
        return "the disk is full"
    if _passing(error):
        return brief(error)
    if isinstance(error, OSError):
        return f"{error.filename or work}: {error.strerror or error}"
    said = str(error).strip().splitlines() or [""]
    return f"a worker failed: {type(error).__name__}: {said[-1]}"  # the last line of a traceback is what matters


def _kept(frame: int) -> str:
    return f"{frame} frames are done and kept, the same command goes on from there." if frame else "nothing was done."
