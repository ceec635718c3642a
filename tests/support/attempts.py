"""Attempts at a film that end as a test says, without Ray's actors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any


class Attempts:
    """Stands in for the class `Run`: each attempt raises the next of `ends`; None, and the end of the list, is success.

    `jobs` grows with each attempt.
    """

    def __init__(self, *ends: BaseException | None) -> None:
        self._ends = iter(ends)
        self.jobs: list[Any] = []

    def __call__(self, job: Any, parts: Sequence[Any], events: Callable[..., None], crew: Any = None) -> Any:
        self.jobs.append(job)
        return SimpleNamespace(go=self._go, done=0, stages={}, queues={})

    def _go(self, progress: Callable[[int, int], None]) -> None:
        if end := next(self._ends, None):
            raise end
