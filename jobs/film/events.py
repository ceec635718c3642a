"""What happened to a film, a line an event."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path


class EventLog:
    """One JSON line an event in a file; the same goes to Python's logger ``semcolor.events`` at level INFO."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = logging.getLogger("semcolor.events")

    def __call__(self, event: str, **what: object) -> None:
        """`what`: anything that JSON can say."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **what}, default=str)
        self._log.info(line)
        # Opened anew each time, so that nothing is in the way when the folder goes. A log that cannot be written
        # (a full disk) must not hide what it was to tell.
        with suppress(OSError), self._path.open("a") as file:
            file.write(line + "\n")


@contextmanager
def logging_the_end(events: EventLog) -> Iterator[None]:
    """Whatever ends the run early is an event."""
    try:
        yield
    except Exception as error:
        events("failed", error=f"{type(error).__name__}: {error}")
        raise
    except BaseException as error:  # Ctrl-C, SIGTERM
        events("stopped", by=type(error).__name__)
        raise
