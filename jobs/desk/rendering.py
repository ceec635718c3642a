"""The film is rendered by our own command, as a process of its own: the page may be closed meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

PROGRESS = re.compile(r"(\d+)/(\d+) frames")
"""A line of progress that `semcolor-video` prints."""

TAIL = 30
"""Last lines of the command that are kept."""

PATIENCE = 30.0
"""Seconds after which a command that was asked to stop is killed."""

State = Literal["idle", "running", "done", "failed", "stopped"]


class Rendering:
    """Runs `semcolor-video`, one process at a time."""

    def __init__(self, output: Path, changed: Callable[[], None] = lambda: None) -> None:
        """
        Args:
            output: the colour film.
            changed: called when a run begins or ends.
        """
        self.output, self._changed = output, changed
        self.status: State = "idle"
        self.done, self.frames = 0, 0
        self.began = 0.0
        self.seconds = 0.0
        """Time that the last run took."""
        self.lines: list[str] = []
        self._resumed = 0
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether the command runs."""
        return self.status == "running"

    def start(self, arguments: Sequence[str]) -> bool:
        """Start the command. Returns whether it was started; it is not if it runs already.

        Args:
            arguments: arguments of `semcolor-video`, without those for the output.
        """
        with self._lock:
            if self.running:
                return False
            command = [sys.executable, "-m", "semcolor", "video", *arguments]
            command += ["-o", str(self.output), "--keep", "--overwrite"]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, "SEMCOLOR_PROGRESS": "1"},
                start_new_session=True,  # Ctrl-C in the terminal is for the desk, which stops it in order
            )
            self.status, self.began, self.lines, self.done, self._resumed = "running", time.time(), [], 0, -1
            self._thread = threading.Thread(target=self._watch, args=(self._process,), name="render", daemon=True)
            self._thread.start()
        self._changed()
        return True

    def stop(self) -> None:
        """Stop the command and wait until it has ended. What it has painted is kept for the next time."""
        with self._lock:
            process, thread = self._process, self._thread
            if not self.running or process is None or thread is None:
                return
            self.status = "stopped"
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        thread.join()

    def state(self) -> dict[str, Any]:
        """All that the page needs to know."""
        elapsed = (time.time() - self.began) if self.running else self.seconds
        fresh = self.done - max(self._resumed, 0)
        left = elapsed / fresh * (self.frames - self.done) if self.running and fresh > 0 and elapsed > 2 else None
        return {
            "state": self.status,
            "output": self.output.name,
            "exists": self.output.exists(),
            "done": self.done,
            "frames": self.frames,
            "seconds": round(elapsed, 1),
            "left": left and round(left),
            "message": "\n".join(self.lines[-3:]) if self.status in ("failed", "done") else "",
        }

    def _watch(self, process: subprocess.Popen[str]) -> None:
        """Read what the command prints until it ends."""
        assert process.stdout is not None
        for line in process.stdout:
            if found := PROGRESS.match(line):
                self.done, self.frames = int(found[1]), int(found[2])
                if self._resumed < 0:
                    self._resumed = self.done
            elif line.strip():
                self.lines = [*self.lines, line.strip()][-TAIL:]
        code = process.wait()
        process.stdout.close()
        with self._lock:
            self.seconds = time.time() - self.began
            if self.status == "running":
                self.status = "failed" if code else "done"
        self._changed()
