"""The films that the desk may open: one, or those of a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..batch.state import Records
from ..batch.status import Watch
from .work import Task, Work

Opener = Callable[[str, str], Task]
"""Makes a task from the path of a film and that of its colour film."""


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
        for planned in self._records.plan():
            record = self._records.read(planned["key"])
            state = record.state if record and view and record.batch == view.batch.id else "waiting"
            if state == "running" and view and not view.alive:
                state = "waiting"
            films.append(
                {
                    "key": planned["key"],
                    "name": Path(planned["source"]).name,
                    "state": state,
                    "done": record.done if record else 0,
                    "frames": record.frames if record else 0,
                    "error": record.error if record and state != "done" else "",
                    "findings": record.findings[:3] if record else [],
                    "open": planned["key"] == self.key,
                }
            )
        counts = view.counts if view else {}
        return {"batch": self._records.folder.parent.name, "open": self.number, "films": films, "counts": counts}

    def open(self, key: str) -> None:
        """Open a film of the batch instead of the one that is open.

        Raises:
            UserError: if there is no such film, it cannot be opened, or the open one is being rendered.
        """
        if not self._records or not self._opener:
            raise UserError("The desk was opened for one film.")
        planned = next((planned for planned in self._records.plan() if planned["key"] == key), None)
        if planned is None:
            raise UserError("The batch has no such film any more.")
        with self._busy:
            if self.work and self.work.rendering.running:
                raise UserError("The open film is being rendered; wait, or stop that first.")
            task = self._opener(planned["source"], planned["output"])
            if self.work:
                self.work.close()
                self.work = None
            self.work, self.key = Work(task, self._cache), key
            self.number += 1
