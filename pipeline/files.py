"""Files that appear whole or not at all, and their digests."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def commit(temporary: Path, path: Path) -> str:
    """Put a finished file in its place, durably; returns its SHA-256."""
    digest = file_sha256(temporary)
    move_into_place(temporary, path)
    return digest


def file_sha256(path: Path) -> str:
    """Digest of a file's content, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def move_into_place(temporary: Path, path: Path) -> None:
    """Put a finished file in its place, durably and at once."""
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
