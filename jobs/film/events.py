"""The log of what happened to a film: when it started, was interrupted, failed, and how long it took."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path


class EventLog:
    """Writes one line of JSON per event to a file, and to Python's logger ``semcolor.events`` at level INFO."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = logging.getLogger("semcolor.events")

    def __call__(self, event: str, **what: object) -> None:
        """Log `event`. The keyword arguments are further fields of the line; JSON must be able to represent them."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **what}, default=str)
        self._log.info(line)
        # The file is opened for each event, so that no open file prevents the removal of the folder. If it cannot be
        # written (full disk), that error must not hide the event that was to be logged.
        with suppress(OSError), self._path.open("a") as file:
            file.write(line + "\n")


@contextmanager
def logging_the_end(events: EventLog) -> Iterator[None]:
    """Log an event if the block ends with an error, a signal or Ctrl-C."""
    try:
        yield
    except Exception as error:
        events("failed", error=f"{type(error).__name__}: {error}")
        raise
    except BaseException as error:  # Ctrl-C, SIGTERM
        events("stopped", by=type(error).__name__)
        raise
