"""Arrays kept in memory, and on disk where memory is full. Those that were not used for longest go."""

from __future__ import annotations

import threading
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path

import numpy as np

Arrays = tuple[np.ndarray, ...]


class Shelf:
    """Keeps tuples of arrays by key. Any thread may use it.

    Args:
        folder: an empty folder for its files.
        memory: most bytes of arrays in memory.
        disk: most bytes of arrays on disk.
    """

    def __init__(self, folder: Path, memory: int = 400 << 20, disk: int = 4 << 30) -> None:
        self._folder, self._limits = folder, (memory, disk)
        self._held: OrderedDict[str, Arrays] = OrderedDict()
        self._files: OrderedDict[str, int] = OrderedDict()
        self._bytes = [0, 0]
        self._lock = threading.Lock()

    def put(self, key: str, *arrays: np.ndarray) -> None:
        """Keep arrays under a key. They must not be changed afterwards."""
        with self._lock:
            self._hold(key, arrays)

    def get(self, key: str) -> Arrays | None:
        """The arrays under a key; None if there are none, or none any more."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            if key not in self._files:
                return None
            self._files.move_to_end(key)
            arrays = []
            with self._path(key).open("rb") as file:
                while file.peek(1):
                    arrays.append(np.load(file, allow_pickle=False))
            self._hold(key, tuple(arrays))
            return self._held.get(key, tuple(arrays))

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._held or key in self._files

    def _hold(self, key: str, arrays: Arrays) -> None:
        if key in self._held:
            return
        self._held[key] = arrays
        self._bytes[0] += sum(array.nbytes for array in arrays)
        while self._bytes[0] > self._limits[0] and len(self._held) > 1:
            old, gone = self._held.popitem(last=False)
            self._bytes[0] -= sum(array.nbytes for array in gone)
            self._store(old, gone)

    def _store(self, key: str, arrays: Arrays) -> None:
        """Write what leaves the memory."""
        if key in self._files:
            return
        path = self._path(key)
        try:
            with path.open("wb") as file:
                for array in arrays:
                    np.save(file, array, allow_pickle=False)
        except OSError:  # the disk is full: memory has to do
            path.unlink(missing_ok=True)
            return
        self._files[key] = size = sum(array.nbytes for array in arrays)
        self._bytes[1] += size
        while self._bytes[1] > self._limits[1]:
            old, size = self._files.popitem(last=False)
            self._path(old).unlink(missing_ok=True)
            self._bytes[1] -= size

    def _path(self, key: str) -> Path:
        return self._folder / sha256(key.encode()).hexdigest()[:32]
