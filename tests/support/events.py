"""What a run writes to its event log, caught for a test."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Events(logging.Handler):
    """Keeps the events, since the log file is deleted with the work folder."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(record.getMessage()))

    def names(self) -> list[str]:
        return [line["event"] for line in self.lines]


@contextmanager
def caught_events() -> Iterator[Events]:
    log, handler = logging.getLogger("semcolor.events"), Events()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
