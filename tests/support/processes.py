"""Processes that tests start, watch and kill, and threads that do so while the test goes on."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")

AGENTS = "dashboard/agent.py", "runtime_env/agent/main.py"
"""The programs of Ray's agents."""


def wait_until(condition: Callable[[], T], seconds: float = 600) -> T:
    """The first true value that `condition` returns; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return result


def run_python(code: str, cwd: Path | None = None, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter and capture what it prints."""
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=seconds)


def start_python(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start Python in a session of its own; its stderr is a pipe."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def start_module(name: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start `python -m name` as `start_python` does."""
    return start_python("-m", name, *arguments)


def process_name(process: psutil.Process) -> str:
    """Its name, or nothing if the process has ended."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def without_agents(processes: list[psutil.Process]) -> list[psutil.Process]:
    """All but Ray's agents: they look only about once a minute whether the rest of a killed Ray is still there."""
    return [process for process in processes if not _is_agent(process)]


def _is_agent(process: psutil.Process) -> bool:
    """Whether a process is one of Ray's agents, which name themselves only a while after they start."""
    try:
        return "Agent" in process.name() or any(part.endswith(AGENTS) for part in process.cmdline())
    except psutil.NoSuchProcess:
        return False


def ray_workers(kind: str) -> list[psutil.Process]:
    """Ray's processes below this one (nodes are its children) that do the work of the actor class `kind`."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if " ".join(process.cmdline()).startswith(f"ray::{kind}"):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


class Meanwhile(threading.Thread):
    """Runs a function beside the test; what the function raises is raised at the end of the `with` block."""

    def __init__(self, function: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._function, self._error = function, None

    def run(self) -> None:
        try:
            self._function()
        except BaseException as error:
            self._error = error

    def __enter__(self) -> Meanwhile:
        self.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.join(60)
        if self._error:
            raise self._error
        assert error or not self.is_alive(), "the function has not ended"
