"""Many films at once on one Ray: who gets how many artists, in what order, and what happens to those that fail.

Each film is one task, its driver, inside a placement group of its own: as many bundles as it has artists, each a GPU
or a core. Ray reserves them together or not at all, so that no two films wait for each other's half. The driver and
all else that a film starts lives in its group and is gone with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ..devices import choose_probed, count_slots, units
from .state import PlannedFilm, Record, Records, Try
from .task import Failure, run_task

MOST = 8
"""Artists of one film: with more its ordered stages would hold it up. Several films at once use the others."""

PAUSE = 10.0
"""Seconds before a film's second try; three times as long before each further one."""

TICK = 1.0  # seconds between looks at what has changed


def share(free: int, waiting: int, wanted: int | None = None) -> int:
    """Artists for the next of `waiting` films when `free` are left; 0: it has to wait.

    As long as films are many each gets one, which wastes least; the last ones get what is left.
    """
    artists = wanted or max(1, min(MOST, free // max(waiting, 1)))
    return artists if artists <= free else 0


@dataclass(eq=False)
class Entry:
    """A film on its way through the batch."""

    planned: PlannedFilm
    failed: int = 0
    """Tries so far."""
    due: float = 0
    """When it may be tried again, on the monotonic clock."""
    artists: int = 0
    group: Any = None
    """Its placement group while it is at work."""
    started: float = 0


Event = Callable[[str, PlannedFilm, str], None]
"""Told ("begins" | "done" | "again" | "failed", the film, the reason if there is one)."""


class Scheduler:
    """Works off the films of a plan. Ray must be running."""

    def __init__(self, to_do: list[PlannedFilm], records: Records, device: str, retries: int) -> None:
        """device: as `--device`; retries: further tries for a film. Raises UserError for what the cluster lacks."""
        self.records, self.retries = records, retries
        self.device = choose_probed(device)
        slots = count_slots(self.device)
        for planned in to_do:
            if (planned.wish.workers or 1) > slots:
                wanted = f"{planned.wish.workers or 1} workers are wanted"
                raise UserError(f"{planned.origin}: {wanted} and there are {slots} {units(self.device)}.")
        self.waiting = [Entry(planned) for planned in to_do]
        self.running: dict[Any, Entry] = {}
        """By the reference of the film's task."""
        self.done: list[PlannedFilm] = []
        self.failed: list[PlannedFilm] = []
        self._unsaved: dict[str, Record] = {}

    def work(self, event: Event, tick: Callable[[], None]) -> None:
        """Until every film is done or has failed for good; `tick` is called about once a second."""
        import ray

        while self.waiting or self.running:
            self._start(event)
            ready: list[Any] = []
            if self.running:
                ready, _ = ray.wait(list(self.running), num_returns=1, timeout=TICK)
            else:  # all that is left waits for its next try, or for a node
                time.sleep(TICK)
            for ref in ready:
                self._settle(ref, event)
            self._save()
            tick()

    def _start(self, event: Event) -> None:
        """As many films as there are free places, of those that have waited out their pause."""
        now = time.monotonic()
        slots = count_slots(self.device)
        free = slots - sum(entry.artists for entry in self.running.values())
        ripe = [entry for entry in self.waiting if entry.due <= now] if free > 0 else []
        for number, entry in enumerate(ripe):
            wanted = entry.planned.wish.workers
            # The cluster may have shrunk since the start: fewer artists are slower, none would be for ever.
            entry.artists = share(free, len(ripe) - number, wanted and min(wanted, slots))
            if not entry.artists:
                return  # no later one overtakes it: a film that wants many would never find them free
            free -= entry.artists
            self.waiting.remove(entry)
            self._send(entry)
            event("begins", entry.planned, "")

    def _send(self, entry: Entry) -> None:
        import ray
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        bundle = {"GPU": 1.0} if self.device == "cuda" else {"CPU": 1.0}
        entry.group = placement_group([bundle] * entry.artists, strategy="PACK")
        entry.started = time.monotonic()
        place = PlacementGroupSchedulingStrategy(entry.group, placement_group_capture_child_tasks=True)
        # No retries by Ray itself: it would neither pause nor tell.
        task: Any = ray.remote(run_task).options(num_cpus=0, max_retries=0, scheduling_strategy=place)
        self.running[task.remote(entry.planned, self.records.folder, self.device, entry.artists)] = entry

    def _settle(self, ref: Any, event: Event) -> None:
        import ray
        from ray.exceptions import RayError
        from ray.util.placement_group import remove_placement_group

        entry = self.running.pop(ref)
        try:
            failure: Failure | None = ray.get(ref)
        except RayError as error:
            failure = Failure(f"the film's driver was lost: {str(error).strip().splitlines()[0]}", final=False)
        remove_placement_group(entry.group)
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
            event("again", entry.planned, f"{failure.error} (once more in {pause:.0f} s)")
        else:
            self.failed.append(entry.planned)
            event("failed", entry.planned, failure.error)

    def _note(self, entry: Entry, error: str, again: float) -> None:
        """What the film's own driver cannot write down: that it failed."""
        planned = entry.planned
        record, batch = self.records.read(planned.key), self.records.batch()
        if not record or not batch or record.batch != batch.id:  # the driver did not come to write one
            record = Record.of(planned, batch, "failed")
        record.state, record.again = "waiting" if again else "failed", again
        record.tries = [*record.tries, Try(ended=time.time(), seconds=time.monotonic() - entry.started, error=error)]
        self._unsaved[planned.key] = record

    def _save(self) -> None:
        """A full disk stops films, which say so; it does not stop the batch from telling what happened."""
        for key, record in list(self._unsaved.items()):
            with suppress(OSError):
                self.records.write(key, record)
                del self._unsaved[key]
