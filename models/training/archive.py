"""The files of training data, in a folder or a zip file, read in the same way.

Names are relative, with `/` between their parts. Names with a part that begins with a dot or with `__MACOSX` are left
out.
"""

import os
import threading
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError


class DataError(InputError, ValueError):
    """The training data are missing, damaged, or in no known layout. The message names the file."""


def _visible(name: str) -> bool:
    return not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


class Folder:
    """All files below a folder; links are followed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        names: list[str] = []
        for folder, _, files in os.walk(path, followlinks=True):
            below = Path(folder).relative_to(path).as_posix()
            names += files if below == "." else [f"{below}/{file}" for file in files]
        self.names = sorted(filter(_visible, names))

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()


class Zip:
    """All files of a zip. Threads may read at the same time; a forked process must open its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()  # ZipFile counts its open files without one
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DataError(f"{path} is neither a folder nor a zip file that can be read: {error}.") from error
        self.names = sorted(n for n in self._zip.namelist() if not n.endswith("/") and _visible(n))

    def read(self, name: str) -> bytes:
        try:
            with self._lock:
                return self._zip.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"{self.path}/{name} is damaged: {error}.") from error


Store = Folder | Zip


def open_store(path: Path) -> Store:
    """Open a folder or a zip file. Raises DataError where `path` does not exist or is neither."""
    if not path.exists():
        raise DataError(f"{path} does not exist.")
    return Folder(path) if path.is_dir() else Zip(path)


@dataclass(frozen=True, slots=True)
class File:
    """One file of a store. `str` gives its path, within the zip if the store is one."""

    store: Store
    name: str

    def read(self) -> bytes:
        """The content. Raises OSError where it cannot be read, DataError where it is damaged."""
        return self.store.read(self.name)

    def __str__(self) -> str:
        return f"{self.store.path}/{self.name}"
