"""Write files so that they appear whole or not at all; take their digests."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def is_utf8(name: str) -> bool:
    """Whether a file's name is UTF-8. Python keeps other bytes of a name as surrogate escapes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def commit(temporary: Path, path: Path) -> str:
    """Move a finished file to its path, durably and atomically. Returns its SHA-256, hexadecimal."""
    digest = file_sha256(temporary)
    move_into_place(temporary, path)
    return digest


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def move_into_place(temporary: Path, path: Path) -> None:
    """Move a finished file to its path, durably and atomically."""
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
