"""Films at URLs such as ``s3://bucket/reel.mkv``, read and uploaded through fsspec.

Only this module handles URLs. A film is read in place, a few blocks at a time. A finished film is uploaded by the
object store's own method, so nobody can see half a file.

fsspec and the packages that it needs for a protocol are imported when a URL is given:
``pip install 'semcolor[s3]'``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ..errors import InputError, OutputError, SemcolorError, UserError, reason_of

Location = Path | str
"""A path on this machine (`Path`), or a URL (`str`)."""

BLOCK, BLOCKS = 4 << 20, 16
"""Size of a fetched block in bytes, and number of blocks that an open film keeps: 64 MiB."""

STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
"""Protocols of object stores. In these, an uploaded file appears whole or not at all."""


def is_url(place: str | os.PathLike[str]) -> bool:
    """Whether the text begins with a protocol, such as ``s3://``."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", os.fspath(place)))


def location_of(text: str | os.PathLike[str]) -> Location:
    """A URL unchanged, or any other path made absolute."""
    return os.fspath(text) if is_url(text) else Path(text).absolute()


def parent(place: Location) -> Location:
    """The folder of a file."""
    return place.rpartition("/")[0] if isinstance(place, str) else place.parent


def join(folder: Location, name: str) -> Location:
    """The location of `name` in a folder.

    `name` may contain folders, ``.`` and ``..``. An absolute path or a URL replaces the folder.
    """
    if is_url(name):
        return name
    if not isinstance(folder, str):
        return Path(os.path.normpath(folder / name))
    scheme, _, rest = folder.partition("://")
    return f"{scheme}://{os.path.normpath(PurePosixPath(rest, name.lstrip('/')))}"


def open_file(path: str) -> IO[bytes]:
    """Open the file at a path or URL for reading. From a URL, only the blocks that are read are fetched."""
    if not is_url(path):
        return open(path, "rb")
    system, key = _system(path)
    with _translated(path, InputError):
        return system.open(key, "rb", block_size=BLOCK, cache_type="blockcache", cache_options={"maxblocks": BLOCKS})


def size_of(path: str) -> int:
    """Size in bytes. Raises InputError if there is no object at a URL."""
    if not is_url(path):
        return os.path.getsize(path)
    if (found := stat(path)) is None:
        raise InputError(f"{path}: no such object or bucket.")
    return found[0]


def stat(url: str) -> tuple[int, int] | None:
    """(size in bytes, number that changes with the content); None if there is no object. Raises UserError."""
    system, key = _system(url)
    with _translated(url, InputError):
        try:
            found = system.info(key)
        except FileNotFoundError:
            return None
    if found["type"] == "directory":
        raise InputError(f"{url} is a folder; end it with / for all films below it, or give one film.")
    return _stat(found)


def listing(url: str) -> list[tuple[str, tuple[int, int]]]:
    """(URL, its `stat`) of each file, sorted.

    Args:
        url: a folder, which ends with / and is searched with its subfolders, or a pattern.
    """
    system, key = _system(url)
    with _translated(url, InputError):
        found = system.find(key, detail=True) if url.endswith("/") else system.glob(key, detail=True)
    return [(system.unstrip_protocol(k), _stat(i)) for k, i in sorted(found.items()) if i["type"] == "file"]


def check_target(source: str | os.PathLike[str], url: str, overwrite: bool = False) -> None:
    """Raise `OutputError`, one sentence, if a film cannot be uploaded to `url`."""
    if url.partition("://")[0] not in STORES:
        raise OutputError(
            f"{url}: only an object store ({', '.join(f'{s}://' for s in STORES)}) takes a film whole or not at all; "
            f"write to a folder, or to one of these."
        )
    if url.endswith("/"):
        raise OutputError(f"{url} is a folder; give the name of a file.")
    if url == os.fspath(source):
        raise OutputError(f"{url} is the input itself; choose another name with -o.")
    if stat(url) and not overwrite:
        raise OutputError(f"{url} exists already; use --overwrite to replace it.")
    system, key = _system(url)
    bucket = key.partition("/")[0]
    with _translated(url, OutputError):
        if not system.exists(bucket):
            raise OutputError(f"{url}: there is no bucket {bucket}; create it first.")


def upload(file: Path, url: str) -> None:
    """Upload a file, whole or not at all, and check the size that arrived. Raises SemcolorError."""
    system, key = _system(url)
    try:
        system.put_file(str(file), key)
        arrived = system.info(key)["size"]
    except Exception as error:  # each store's package raises exceptions of its own
        reason = str(error) or type(error).__name__
        raise SemcolorError(
            f"{url} could not be uploaded ({reason}); the same command resumes with the upload."
        ) from error
    if arrived != file.stat().st_size:
        raise SemcolorError(f"{url} arrived with {arrived} of {file.stat().st_size} bytes; the same command resumes.")


def digest(url: str) -> str:
    """SHA-256 of the content, hexadecimal; "" if there is no object."""
    if stat(url) is None:
        return ""
    with open_file(url) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # fsspec's files are readable too


def _system(url: str) -> tuple[Any, str]:
    """(fsspec's file system, the URL's path in it). Listings are not cached, because others write to the store, too."""
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise UserError(
            f"{url} needs more packages: pip install 'semcolor[s3]' installs those for s3 ({error})."
        ) from error
    except ValueError as error:
        raise UserError(f"{url}: {error}.") from error
    except OSError as error:
        raise SemcolorError(f"{url} cannot be reached: {reason_of(error)}.") from error
    except Exception as error:  # fsspec's file systems check their URLs each in their own way
        raise UserError(f"{url} is not a URL that can be read ({type(error).__name__}: {error}).") from error


def _stat(info: dict[str, Any]) -> tuple[int, int]:
    changes = next((str(info[k]) for k in ("ETag", "etag", "LastModified", "updated", "mtime") if info.get(k)), "")
    return int(info["size"] or 0), int.from_bytes(hashlib.sha256(changes.encode()).digest()[:6])


@contextmanager
def _translated(url: str, kind: type[UserError]) -> Iterator[None]:
    """Translate a store's exceptions into one sentence.

    Args:
        url: the object concerned.
        kind: class of the user's mistakes. Errors that may pass are a SemcolorError.
    """
    try:
        yield
    except SemcolorError:
        raise
    except FileNotFoundError as error:
        raise kind(f"{url}: no such object or bucket.") from error
    except PermissionError as error:
        raise kind(f"{url}: permission denied by the store ({error}).") from error
    except Exception as error:  # boto's exceptions share no base class, and boto may not be installed
        if "Credentials" in type(error).__name__:
            raise kind(
                f"{url}: no credentials were found ({error}); for S3 set AWS_PROFILE or AWS_ACCESS_KEY_ID."
            ) from error
        reason = f"{reason_of(error)}." if isinstance(error, OSError) and error.errno else error
        raise SemcolorError(f"{url} cannot be reached: {reason}") from error
