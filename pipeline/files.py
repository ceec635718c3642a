"""Write files so that they appear whole or not at all; take their digests."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from ..errors import reason_of


def is_utf8(name: str) -> bool:
    """Whether a file's name is UTF-8. Python keeps other bytes of a name as surrogate escapes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def unwritable(folder: Path) -> str:
    """Why no file can be made in a folder, and what to do; "" if one can be made."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except FileNotFoundError:  # as in /proc, where nothing can be made
        return "no file can be made there; choose another folder"
    except OSError as error:
        return reason_of(error)


def commit(temporary: Path, path: Path) -> str:
    """Move a finished file to its path, durably and atomically. Returns its SHA-256, hexadecimal."""
    digest = file_sha256(temporary)
    move_into_place(temporary, path)
    return digest


def file_sha256(path: Path, names: Iterable[str] | None = None) -> str:
    """SHA-256 of a file's content, hexadecimal. For a folder: of the names and digests of its files.

    Args:
        path: the file, or a folder of files.
        names: the files of the folder that count; None: all.
    """
    if path.is_dir():
        digest = hashlib.sha256()
        for name in sorted(os.listdir(path) if names is None else names):
            digest.update(os.fsencode(name) + b"\0" + file_sha256(path / name).encode())
        return digest.hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def move_into_place(temporary: Path, path: Path) -> None:
    """Move a finished file, or a finished folder of files, to its path, durably and atomically."""
    if temporary.is_dir():
        for file in temporary.iterdir():
            _sync(file)
        remove(path)  # a folder is not replaced
    _sync(temporary)
    os.replace(temporary, path)
    _sync(path.parent)


def temporary_beside(stack: ExitStack, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """A temporary file beside a path, and the path. The stack removes the file's folder."""
    place_ = Path(path).absolute()
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=".semcolor-", dir=place_.parent))
    return Path(folder) / f"written{place_.suffix}", place_


def _sync(path: Path) -> None:
    """Wait until a file or the names in a folder are on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove(path: Path) -> None:
    """Remove a file, or a folder with its files. It may be missing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size_on_disk(path: Path) -> int:
    """Bytes of a file, or of the files in a folder."""
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size
