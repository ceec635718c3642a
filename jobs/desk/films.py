"""The films that the desk may open: one, or those of a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..batch.records import Record
from ..batch.state import Records
from ..batch.status import Watch
from .work import Task, Work

STATES = ("done", "running", "waiting", "failed")
"""The states of a film, as `semcolor-batch status` has them."""

Opener = Callable[[str, str, dict[str, Any]], Task]
"""Makes a task from the path of a film, that of its colour film, and the settings with which the batch makes it."""


class Films:
    """The films of the desk. At most one is open."""

    def __init__(self, cache: Path, task: Task | None = None, batch: Path | None = None, opener: Opener | None = None):
        """
        Args:
            cache: folder for what is kept from one day to the next.
            task: the only film, which is opened at once; None for a batch.
            batch: the folder of a batch.
            opener: opens a film of the batch.
        """
        self._cache, self._opener = cache, opener
        self._records = Records.find(batch) if batch else None
        self._watch = Watch(self._records) if self._records else None
        self._busy = threading.Lock()
        self.lock = threading.Lock()
        """Held while the sheet is read or changed."""
        self.closing = False
        self.number = 0
        """Grows with each film that is opened."""
        self.key = ""
        """Key of the open film in the batch."""
        self.work: Work | None = Work(task, cache) if task else None

    def close(self) -> None:
        """Close the open film."""
        self.closing = True
        with self._busy:
            if self.work:
                self.work.close()
                self.work = None

    def state(self) -> dict[str, Any]:
        """The films of the batch with their states, as `semcolor-batch status` tells them; no films without a batch."""
        if not self._records or not self._watch:
            return {"batch": None, "open": self.number}
        view = self._watch.look()
        films = []
        for key, source, _, record in self._known():
            state = record.state if record and view and record.batch == view.batch.id else "waiting"
            if record and record.state == "done":
                state = "done"
            if state == "running" and view and not view.alive:
                state = "waiting"
            films.append(
                {
                    "key": key,
                    "name": Path(source).name,
                    "state": state,
                    "done": record.done if record else 0,
                    "frames": record.frames if record else 0,
                    "error": record.error if record and state != "done" else "",
                    "findings": record.findings[:3] if record else [],
                    "open": key == self.key,
                }
            )
        counts = {state: sum(film["state"] == state for film in films) for state in STATES}
        return {"batch": self._records.folder.parent.name, "open": self.number, "films": films, "counts": counts}

    def _known(self) -> Iterator[tuple[str, str, str, Record | None]]:
        """Key, source, output and record of each film: those of the batch's plan, then those that it had finished
        before."""
        assert self._records
        plan = {planned["key"]: planned for planned in self._records.plan()}
        for key in [*plan, *sorted(self._records.keys() - set(plan))]:
            record = self._records.read(key)
            if key in plan:
                yield key, plan[key]["source"], plan[key]["output"], record
            elif record:
                yield key, record.source, record.output, record

    def open(self, key: str) -> None:
        """Open a film of the batch instead of the one that is open.

        Raises:
            UserError: if there is no such film, it cannot be opened, or the open one is being rendered.
        """
        if not self._records or not self._opener:
            raise UserError("The desk was opened for one film.")
        found = next((film for film in self._known() if film[0] == key), None)
        if found is None:
            raise UserError("The batch has no such film any more.")
        _, source, output, record = found
        with self._busy:
            if self.work and self.work.rendering.running:
                raise UserError("The open film is being rendered; wait, or stop that first.")
            task = self._opener(source, output, record.wish if record else {})
            if self.work:
                self.work.close()
                self.work = None
            self.work, self.key = Work(task, self._cache), key
            self.number += 1
