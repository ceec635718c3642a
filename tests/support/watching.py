"""Tells whether anybody opened a file, by the kernel's inotify (Linux)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

IN_OPEN = 0x20
IN_NONBLOCK = os.O_NONBLOCK


class Watched:
    """Whether a file was opened since the watch began."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._opened = False

    @property
    def opened(self) -> bool:
        with suppress(BlockingIOError):
            self._opened |= bool(os.read(self._handle, 4096))
        return self._opened


@contextmanager
def watched(path: Path) -> Iterator[Watched]:
    """Watch a file for the length of a `with` block."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(IN_NONBLOCK)
    if handle < 0 or libc.inotify_add_watch(handle, os.fsencode(path), IN_OPEN) < 0:
        raise OSError(ctypes.get_errno(), "inotify does not work here")
    try:
        yield Watched(handle)
    finally:
        os.close(handle)
