"""Files of the desk: written whole or not at all, and locked while a desk has them open."""

from __future__ import annotations

import fcntl
import json
import os
import re
from pathlib import Path
from typing import IO, Any

from ...errors import OutputError, reason_of
from ...pipeline.files import move_into_place


def stat(path: Path) -> tuple[int, int] | None:
    """Size and modification time of a file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def write(path: Path, content: Any, indent: int | None = None) -> None:
    """Write JSON, whole or not at all. Raises OutputError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        text = json.dumps(content, indent=indent, ensure_ascii=False)
        # Points stay on one line. A line's end stands in no text of JSON, so nothing else is meant.
        text = re.sub(r"\[\n\s*(-?[\d.]+),\n\s*(-?[\d.]+)\n\s*\]", r"[\1, \2]", text)
        temporary.write_text(text + "\n", encoding="utf-8")
        move_into_place(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {reason_of(error)}.") from error


def locked(path: Path) -> IO[str]:
    """A lock file beside the sheet, held by this process. Raises OutputError."""
    place = path.with_name(f".{path.name}.lock")
    try:
        lock = place.open("a+")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {reason_of(error)}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        who = lock.read().strip()
        lock.close()
        raise OutputError(
            f"another semcolor-desk{f' (process {who})' if who else ''} has {path} open; work there, or stop it first."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
