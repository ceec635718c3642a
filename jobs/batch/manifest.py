"""Read a batch request: manifests, folders, globs and single files. No film is opened.

A manifest is JSON Lines (one object per line) or CSV (names of the columns in the first line) with the fields of
`Wish`. The command's options apply where a film has no value of its own. All mistakes are found before any work begins,
and are reported together, each with its place.
"""

from __future__ import annotations

import csv
import glob
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from ...errors import UserError
from ...pipeline.sequences.names import find, is_sequence, sequences_in
from ...pipeline.storage import Location, is_url, join, listing, location_of
from .wish import Wish, mistakes_in

MANIFESTS = {".jsonl": "JSON Lines", ".ndjson": "JSON Lines", ".csv": "CSV"}
"""Suffix of a manifest → its format."""

FILMS = (
    *(".3g2", ".3gp", ".asf", ".avi", ".dv", ".f4v", ".flv", ".gxf", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov"),
    *(".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m"),
)
"""Suffixes of the files in a folder that count as films. A file that is named itself may have any suffix."""

LEAST_PICTURES = 12
"""Numbered pictures in a folder count as a film from this number on. A sequence that is named itself may be shorter."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A film that is asked for, and where it is asked for."""

    wish: Wish
    source: Location
    """The film's absolute path, or its URL."""
    origin: str
    """The place where it is asked for, for messages: ``films.csv:3``, or the argument."""
    tree: str = ""
    """The source's folder, relative to the folder that was given, for instance ``1921/reels``; "" if it is that
    folder."""
    found: bool = False
    """Found in a folder or by a glob, not named itself."""
    stat: tuple[int, int] | None = None
    """Size and change number of a URL, if the listing has given them; see `storage.stat`."""


@dataclass
class Request:
    """What a batch is asked for."""

    asked: list[Asked | str] = field(default_factory=list)
    """Films in the order in which they were named. A mistake takes the place of its film, as a whole sentence."""
    left_out: list[str] = field(default_factory=list)
    """Files in folders that are not films, as whole sentences."""


def read_request(arguments: Iterable[str], defaults: dict[str, Any]) -> Request:
    """Read the arguments: manifests, folders (with all films below them), globs and films.

    `defaults`: values of the fields of `Wish` for films without a value of their own. Paths in them are absolute.
    """
    request = Request()
    for argument in arguments:
        path = Path(argument)
        if is_url(argument):
            _url(argument, defaults, request)
        elif path.is_dir():
            _folder(path, defaults, request)
        elif is_sequence(path):
            request.asked.append(_named(path, defaults, argument))
        elif path.suffix.lower() in MANIFESTS and (path.exists() or not glob.has_magic(argument)):
            _manifest(path, defaults, request)
        elif path.exists() or not glob.has_magic(argument):  # a missing film is reported with all other mistakes
            request.asked.append(_named(path, defaults, argument))
        else:
            _glob(argument, defaults, request)
    return request


def _named(path: Path | str, defaults: dict[str, Any], origin: str, tree: str = "", found: bool = False) -> Asked | str:
    """A film with the default settings; a sentence about its mistake."""
    try:
        path = _located(location_of(path))
    except UserError as error:
        return str(error)
    return Asked(Wish.model_validate(defaults | {"source": str(path)}), path, origin, tree, found)


def _located(source: Location) -> Location:
    """The place of a film; of a sequence of pictures, its pattern. Raises InputError if they are no sequence."""
    return Path(find(source)[0].path) if isinstance(source, Path) and is_sequence(source) else source


def _folder(folder: Path, defaults: dict[str, Any], request: Request) -> None:
    """Add all films below a folder to the request."""
    others, films = 0, 0
    closed: list[OSError] = []
    for here, folders, files in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(f for f in folders if not f.startswith("."))  # hidden, such as work folders
        tree = os.path.relpath(here, folder)
        sequences = [(p, n) for p, n in sequences_in(os.path.abspath(here)).items() if len(n) >= LEAST_PICTURES]
        pictures = {pattern.of(number) for pattern, numbers in sequences for number in numbers}
        films += len(sequences)
        for pattern, _ in sequences:  # the folder stands for the film
            above = os.path.dirname(tree)
            request.asked.append(_named(Path(pattern.path), defaults, pattern.path, above, found=True))
        for name in sorted(files):
            if name.startswith(".") or name in pictures:
                continue
            if Path(name).suffix.lower() not in FILMS:
                others += 1
                continue
            films += 1
            path = Path(here, name)
            request.asked.append(_named(path, defaults, str(path), "" if tree == "." else tree, found=True))
    request.left_out += [f"{error.filename} cannot be read; its films are left out." for error in closed]
    if others:
        request.left_out.append(f"{folder}: {others} files do not have the suffix of a film.")
    if not films:
        request.asked.append(f"{folder} holds no films; name them, or give another folder.")


def _glob(pattern: str, defaults: dict[str, Any], request: Request) -> None:
    """Add all files that match a pattern to the request."""
    found = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    if not found:
        request.asked.append(f"{pattern} matches no file.")
    request.asked += [_named(Path(path), defaults, path, found=True) for path in found]


def _url(url: str, defaults: dict[str, Any], request: Request) -> None:
    """Add the films of a URL to the request. It names a folder (and ends with /), a pattern, or one film."""
    if not url.endswith("/") and not glob.has_magic(url):
        request.asked.append(_named(url, defaults, url))
        return
    try:
        found = listing(url)
    except UserError as error:
        request.asked.append(str(error))
        return
    films = [(at, its) for at, its in found if glob.has_magic(url) or PurePath(at).suffix.lower() in FILMS]
    for at, its in films:
        tree = "" if glob.has_magic(url) else at.removeprefix(url).rpartition("/")[0]
        named = _named(at, defaults, at, tree, found=True)
        request.asked.append(replace(named, stat=its) if isinstance(named, Asked) else named)
    if len(films) < len(found):
        request.left_out.append(f"{url}: {len(found) - len(films)} files do not have the suffix of a film.")
    if not films:
        request.asked.append(f"{url} holds no films; name them, or give another folder or pattern.")


def _manifest(path: Path, defaults: dict[str, Any], request: Request) -> None:
    """Add the films of a manifest to the request. Its sources and weights are relative to its folder, its outputs to
    the batch's root."""
    base = path.absolute().parent
    before = len(request.asked)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _csv(file) if path.suffix.lower() == ".csv" else _json_lines(file)
            for number, row in rows:
                origin = f"{path}:{number}"
                if isinstance(row, str):
                    request.asked.append(f"{origin}: {row}")
                    continue
                try:
                    wish = Wish.model_validate(defaults | row)
                except ValidationError as error:
                    request.asked += [f"{origin}: {mistake}" for mistake in mistakes_in(error)]
                    continue
                if wish.weights:
                    wish = wish.model_copy(update={"weights": str(base / wish.weights)})
                try:
                    request.asked.append(Asked(wish, _located(join(base, wish.source)), origin))
                except UserError as error:
                    request.asked.append(f"{origin}: {error}")
    except OSError as error:
        request.asked.append(f"{path} cannot be read: {error.strerror}.")
    except (UnicodeDecodeError, csv.Error) as error:
        request.asked.append(f"{path} is not {MANIFESTS[path.suffix.lower()]} in UTF-8: {error}.")
    else:
        if before == len(request.asked):
            request.asked.append(f"{path} names no films.")


Rows = Iterator[tuple[int, dict[str, Any] | str]]
"""Number of a line, and its fields or a sentence about its mistake."""


def _json_lines(lines: Iterable[str]) -> Rows:
    """The rows of a JSON Lines file. Empty lines are skipped."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, f"this is not JSON ({error})."
            continue
        yield number, row if isinstance(row, dict) else 'this is not an object; write {"source": "film.mp4"}.'


def _csv(lines: Iterable[str]) -> Rows:
    """The rows of a CSV file. An empty cell leaves the default."""
    reader = csv.DictReader(lines, strict=True)
    names = reader.fieldnames or []
    unknown = [name for name in names if name not in Wish.model_fields]
    if unknown or "source" not in names or len(set(names)) < len(names):
        what = f"there is no column {unknown[0]!r}" if unknown else "name each column once, and one of them source"
        yield 1, f"{what}; columns are {', '.join(Wish.model_fields)}."
        return
    last = reader.line_num
    for row in reader:
        number, last = last + 1, reader.line_num  # first line of the row: a quoted cell may contain line breaks
        if None in row:
            yield number, f"this line has more cells than the {len(names)} columns."
        else:
            yield number, {name: cell.strip() for name, cell in row.items() if cell and cell.strip()}
