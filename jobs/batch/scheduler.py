"""Run many films at once on one Ray: order them, give them artists, and repeat those that fail.

Each film is one Ray task, its driver. A film with one artist on a CPU is made whole by threads of the driver's process.
Ray gives that process the next film afterwards, so it keeps its imports and its compiled networks from film to film.

Any other film has a placement group of its own, with one bundle per artist; each bundle is a GPU or a CPU core. Ray
reserves the bundles of a group together or not at all, so that two films never wait for each other's second half. The
driver and all actors that it starts live in the film's group and end with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...errors import UserError
from ..devices import choose_probed, count_slots, units
from .records import PlannedFilm, Record, Try
from .state import Records
from .task import Failure, made_by_threads, run_task

MOST = 8
"""Most artists per film. Beyond this the sequential stages are the bottleneck; further GPUs or CPU cores serve other
films."""

PAUSE = 10.0
"""Seconds before a film's second try. The pause triples before each further try."""

TICK = 1.0
"""Seconds between two checks for finished films."""


def share(free: int, waiting: int, wanted: int | None = None) -> int:
    """Number of artists for the next film; 0 if it must wait.

    While many films wait, each gets one artist, which wastes least. The last films share what is free.

    Args:
        free: number of free GPUs or CPU cores.
        waiting: number of films that wait.
        wanted: number of artists that the film's settings ask for; None: no wish.
    """
    artists = wanted or max(1, min(MOST, free // max(waiting, 1)))
    return artists if artists <= free else 0


@dataclass(eq=False)
class Entry:
    """A film of the plan, and its progress in the batch."""

    planned: PlannedFilm
    failed: int = 0
    """Number of failed tries."""
    due: float = 0
    """Time of the next try, on the monotonic clock."""
    artists: int = 0
    """Number of artists while the film is made."""
    group: Any = None
    """Placement group while the film is made; None if it needs none."""
    started: float = 0
    """Start of the latest try, on the monotonic clock."""


Event = Callable[[str, PlannedFilm, str], None]
"""Function that is called with ("begins" | "done" | "again" | "failed", the film, the reason or "") on each event."""


class Scheduler:
    """Makes the films of a plan. Ray must be running."""

    def __init__(self, to_do: list[PlannedFilm], records: Records, device: str, retries: int) -> None:
        """Check that the cluster has what the films need.

        Args:
            to_do: the films, in the order of work.
            records: the batch's state files.
            device: value of `--device`.
            retries: number of further tries for a film that fails.

        Raises:
            UserError: the cluster has no such device, or too few of them for a film's `workers`.
        """
        self.records, self.retries = records, retries
        self.device = choose_probed(device)
        slots = count_slots(self.device)
        for planned in to_do:
            if (planned.wish.workers or 1) > slots:
                wanted = f"{planned.wish.workers or 1} workers are wanted"
                raise UserError(f"{planned.origin}: {wanted}, but there are only {slots} {units(self.device)}.")
        self.waiting = [Entry(planned) for planned in to_do]
        self.running: dict[Any, Entry] = {}
        """Reference of the film's task → film."""
        self.done: list[PlannedFilm] = []
        self.failed: list[PlannedFilm] = []
        self._unsaved: dict[str, Record] = {}
        """Key of a film → record that still has to be written."""

    def work(self, event: Event, tick: Callable[[], None]) -> None:
        """Run until every film is done or has failed for good. `tick` is called about once a second."""
        import ray

        while self.waiting or self.running:
            self._start(event)
            ready: list[Any] = []
            if self.running:
                ready, _ = ray.wait(list(self.running), num_returns=1, timeout=TICK)
            else:  # the remaining films wait for their next try, or for a node
                time.sleep(TICK)
            for ref in ready:
                self._settle(ref, event)
            self._save()
            tick()

    def _start(self, event: Event) -> None:
        """Start as many films as there is room for, except those whose pause is not over."""
        now = time.monotonic()
        slots = count_slots(self.device)
        free = slots - sum(entry.artists for entry in self.running.values())
        due = [entry for entry in self.waiting if entry.due <= now] if free > 0 else []
        for number, entry in enumerate(due):
            wanted = entry.planned.wish.workers
            # The cluster may have lost nodes. With fewer artists the film is slower; otherwise it would wait for ever.
            entry.artists = share(free, len(due) - number, wanted and min(wanted, slots))
            if not entry.artists:
                return  # no later film may overtake it, or a film that wants many artists would never start
            free -= entry.artists
            self.waiting.remove(entry)
            self._send(entry)
            event("begins", entry.planned, "")

    def _send(self, entry: Entry) -> None:
        """Reserve the film's artists, and start its task."""
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        entry.started = time.monotonic()
        options: dict[str, Any] = {"num_cpus": 1}
        if not made_by_threads(self.device, entry.artists):
            bundle = {"GPU": 1.0} if self.device == "cuda" else {"CPU": 1.0}
            entry.group = placement_group([bundle] * entry.artists, strategy="PACK")
            place = PlacementGroupSchedulingStrategy(entry.group, placement_group_capture_child_tasks=True)
            options = {"num_cpus": 0, "scheduling_strategy": place}
        task = self._task.options(**options).remote(entry.planned, self.records.folder, self.device, entry.artists)
        self.running[task] = entry

    @cached_property
    def _task(self) -> Any:
        """`run_task` as a Ray task. Ray must not retry by itself: it would neither pause nor report."""
        import ray

        return ray.remote(max_retries=0)(run_task)

    def _settle(self, ref: Any, event: Event) -> None:
        """Take the result of a task that has ended: the film is done, tried again later, or failed."""
        import ray
        from ray.exceptions import RayError
        from ray.util.placement_group import remove_placement_group

        entry = self.running.pop(ref)
        try:
            failure: Failure | None = ray.get(ref)
        except RayError as error:
            failure = Failure(f"the film's driver was lost: {str(error).strip().splitlines()[0]}", final=False)
        if entry.group:
            remove_placement_group(entry.group)
            entry.group = None
        if failure is None:
            self.done.append(entry.planned)
            event("done", entry.planned, "")
            return
        entry.failed += 1
        again = not failure.final and entry.failed <= self.retries
        pause = PAUSE * 3 ** (entry.failed - 1)
        self._note(entry, failure.error, time.time() + pause if again else 0)
        if again:
            entry.due = time.monotonic() + pause
            self.waiting.append(entry)
            event("again", entry.planned, f"{failure.error} (tried again in {pause:.0f} s)")
        else:
            self.failed.append(entry.planned)
            event("failed", entry.planned, failure.error)

    def _note(self, entry: Entry, error: str, again: float) -> None:
        """Add the failed try to the film's record. The film's own driver cannot do so. `again`: time of the next
        try, or 0."""
        planned = entry.planned
        record, batch = self.records.read(planned.key), self.records.batch()
        if not record or not batch or record.batch != batch.id:  # the driver ended before it wrote a record
            record = Record.of(planned, batch, "failed")
        record.state, record.again = "waiting" if again else "failed", again
        record.tries = [*record.tries, Try(ended=time.time(), seconds=time.monotonic() - entry.started, error=error)]
        self._unsaved[planned.key] = record

    def _save(self) -> None:
        """Write the pending records. An error, such as a full disk, does not stop the batch: it tries again later."""
        for key, record in list(self._unsaved.items()):
            with suppress(OSError):
                self.records.write(key, record)
                del self._unsaved[key]
