"""The sheet of a film while people work on it: every change is saved at once and whole, and can be undone.

The file is the sheet that `--edits` takes, and nothing else. Numbers of edits change when one is removed, so the page
names edits by ids. Ids and earlier versions are kept in a second file, in the user's cache folder; without it only the
history is lost.
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from ...errors import OutputError, UserError
from ...pipeline.edits.reading import checked, located, read_sheet
from ...pipeline.edits.sheet import Sheet
from .colors import change_color
from .sheetfile import locked, stat, write

LISTS = ("edits", "references", "keyframes")
"""The parts of a sheet that are lists, whose items have ids."""

MOST = 500
"""Most versions that the history keeps."""

SOON = 3.0
"""Seconds within which bits of one change come after one another."""

Content = dict[str, Any]
"""A sheet as JSON."""


class Store:
    """The sheet in a file, and its history. One thread uses it; one process at a time may open a file."""

    def __init__(self, path: Path, cache: Path, check: Callable[[Sheet, Content], None] = lambda sheet, item: None):
        """
        Args:
            path: the sheet's file, which need not exist yet.
            cache: folder for the history.
            check: called with the new sheet and with the item that is added or changed; raises UserError if it does
                not fit the film.

        Raises:
            OutputError: if another desk has the sheet open, or it cannot be written.
            InputError: if the file is not a sheet.
        """
        self.path, self._check = path, check
        self._lock = locked(path)
        self._history = cache / f"history-{sha256(os.fsencode(path.resolve())).hexdigest()[:16]}.json"
        self.broken = ""
        """What is wrong with the file since somebody else wrote it; "" if nothing is."""
        self.version = 0
        """Grows with each change."""
        self._stat: tuple[int, int] | None = None
        self._versions: list[dict[str, Any]] = []
        self._at, self._next = 0, 1
        try:
            content = self._read()
        except BaseException:
            self.close()
            raise
        self._load(content)

    def close(self) -> None:
        """Let others open the sheet."""
        if self._lock:
            lock, self._lock = self._lock, None
            Path(lock.name).unlink(missing_ok=True)
            lock.close()

    @property
    def content(self) -> Content:
        """The present sheet, as JSON."""
        return self._versions[self._at]["sheet"]

    @property
    def sheet(self) -> Sheet:
        """The present sheet; the paths of its photos and pictures are absolute."""
        return located(checked(self.content), self.path.absolute().parent)

    def ids(self, name: str) -> list[str]:
        """The ids of the items of a list."""
        return self._versions[self._at]["ids"][name]

    def picture(self, id_: str) -> Path | None:
        """The file of a photo or key frame; None if there is no such item."""
        for name, field in (("references", "photo"), ("keyframes", "picture")):
            if id_ in self.ids(name):
                return self.path.absolute().parent / self.content[name][self.ids(name).index(id_)][field]
        return None

    def state(self) -> dict[str, Any]:
        """All that the page needs to know."""
        lists = {
            name: [{"id": id_, **item} for id_, item in zip(self.ids(name), self.content.get(name, []), strict=True)]
            for name in LISTS
        }
        history = [{"title": v["title"], "when": v["when"]} for v in self._versions]
        rest = {name: value for name, value in self.content.items() if name not in LISTS}
        return {
            "version": self.version,
            "file": self.path.name,
            "broken": self.broken,
            "history": history,
            "at": self._at,
            "colours": {},
            "palette": {},
            **rest,
            **lists,
        }

    def change(
        self, title: str, change: Callable[[Content, dict[str, list[str]]], Content | None], merge: str = ""
    ) -> None:
        """Change the sheet and save it.

        Args:
            title: what was done, for the history.
            change: changes the sheet and the ids of its lists in place; returns the item that is new or changed.
            merge: names what is changed bit by bit, as by dragging; such changes shortly one after another are one
                version.

        Raises:
            UserError: if the result is no sheet or does not fit the film, or cannot be saved; nothing has changed then.
        """
        self._may_save()
        content, ids = copy.deepcopy(self.content), copy.deepcopy(self._versions[self._at]["ids"])
        item = change(content, ids)
        content = {name: value for name, value in content.items() if value not in ([], {})}
        if content == self.content:
            return
        sheet = checked(content)
        if item is not None:
            self._check(sheet, item)
        self._save(content)
        last = self._versions[self._at]
        if merge and last.get("merge") == merge and time.time() - last["when"] < SOON:
            self._at -= 1
        self._add(title, content, ids, merge)
        self._keep()

    def add(self, name: str, item: Content, title: str) -> str:
        """Add an item to the end of a list. Returns its id."""
        new = self._new_id()

        def change(content: Content, ids: dict[str, list[str]]) -> Content:
            content.setdefault(name, []).append(item)
            ids[name].append(new)
            return item

        self.change(title, change)
        return new

    def update(self, name: str, id_: str, fields: Content, title: str, merge: bool = False) -> None:
        """Change fields of an item; None takes a field away. `merge`: see `change`."""

        def change(content: Content, ids: dict[str, list[str]]) -> Content:
            index = self._index(ids, name, id_)
            item = content[name][index]
            item.update(fields)
            for field in [field for field, value in item.items() if value is None]:
                del item[field]
            return item

        self.change(title, change, f"{id_} {sorted(fields)}" if merge else "")

    def remove(self, name: str, id_: str, title: str) -> None:
        """Remove an item of a list."""

        def change(content: Content, ids: dict[str, list[str]]) -> None:
            index = self._index(ids, name, id_)
            del content[name][index], ids[name][index]

        self.change(title, change)

    def move(self, name: str, id_: str, to: int, title: str) -> None:
        """Move an item to another place of its list. Later edits are painted over earlier ones."""

        def change(content: Content, ids: dict[str, list[str]]) -> None:
            index = self._index(ids, name, id_)
            place = max(0, min(to, len(ids[name]) - 1))
            content[name].insert(place, content[name].pop(index))
            ids[name].insert(place, ids[name].pop(index))

        self.change(title, change)

    def palette(self, label: str, color: str | None) -> None:
        """Give a label a colour in the whole film; None takes it away."""

        def change(content: Content, ids: dict[str, list[str]]) -> None:
            colors = content.setdefault("palette", {})
            if color is None:
                colors.pop(label, None)
            else:
                colors[label] = color

        self.change(f"{label} in the whole film", change)

    def color(self, name: str, color: str | None, note: str | None = None, to: str | None = None) -> None:
        """Give a colour a name, or change a named one everywhere; see `colors.change_color`."""
        self.change(
            f"colour {to or name}", lambda content, _: change_color(content, name, color, note, to), f"colour {name}"
        )

    def go(self, to: int) -> None:
        """Go to a version of the history: undo and redo. Raises UserError if there is none, or it cannot be saved."""
        self._may_save()
        if not 0 <= to < len(self._versions):
            raise UserError("There is nothing more to undo or redo.")
        if to != self._at:
            self._save(self._versions[to]["sheet"])
            self._at = to
            self.version += 1
            self._keep()

    def step(self, way: Literal[-1, 1]) -> None:
        """Undo (-1) or redo (1)."""
        self.go(self._at + way)

    def look(self) -> bool:
        """Read the file again if somebody else has changed it. Returns whether anything has changed."""
        if self._stat == stat(self.path):
            return False
        before = self.broken
        try:
            content = self._read()
        except UserError as error:
            self.broken = str(error)
            self.version += 1
            return True
        self.broken = ""
        if content != self.content:
            self._add("changed outside of the desk", content, self._ids_for(content))
            self._keep()
        elif before:
            self.version += 1
        else:
            return False
        return True

    def overwrite(self) -> None:
        """Write the desk's sheet over a file that others have broken."""
        self.broken = ""
        self._save(self.content)
        self.version += 1

    def _may_save(self) -> None:
        self.look()
        if self.broken:
            raise UserError(f"{self.broken} Nothing is saved until the file is mended, or written anew.")

    def _index(self, ids: dict[str, list[str]], name: str, id_: str) -> int:
        if id_ not in ids[name]:
            raise UserError("This is no longer in the sheet; it was removed.")
        return ids[name].index(id_)

    def _new_id(self) -> str:
        self._next += 1
        return f"i{self._next}"

    def _add(self, title: str, content: Content, ids: dict[str, list[str]], merge: str = "") -> None:
        del self._versions[self._at + 1 :]
        version = {"title": title, "when": time.time(), "sheet": content, "ids": ids, "merge": merge}
        self._versions.append(version)
        del self._versions[:-MOST]
        self._at = len(self._versions) - 1
        self.version += 1

    def _ids_for(self, content: Content) -> dict[str, list[str]]:
        """Ids for a sheet that came from outside: those of items that are the same, else new ones."""
        ids: dict[str, list[str]] = {}
        for name in LISTS:
            known = list(zip(self.content.get(name, []), self.ids(name), strict=True)) if self._versions else []
            ids[name] = []
            for item in content.get(name, []):
                found = next((pair for pair in known if pair[0] == item), None)
                if found:
                    known.remove(found)
                ids[name].append(found[1] if found else self._new_id())
        return ids

    def _read(self) -> Content:
        """The sheet in the file; {} if there is no file. Raises InputError."""
        self._stat = stat(self.path)
        if self._stat is None:
            return {}
        read_sheet(self.path)
        content = json.loads(self.path.read_text(encoding="utf-8"))
        return {name: value for name, value in content.items() if value not in ([], {})}

    def _save(self, content: Content) -> None:
        """Write the file, whole or not at all. Raises OutputError."""
        write(self.path, content, indent=1)
        self._stat = stat(self.path)

    def _load(self, content: Content) -> None:
        """Take up the history, if it fits the file."""
        try:
            kept = json.loads(self._history.read_text(encoding="utf-8"))
            versions, at, self._next = kept["versions"], kept["at"], kept["next"]
            for version in versions:
                ids = version["ids"]
                ids.setdefault("keyframes", [f"k{n}" for n in range(len(version["sheet"].get("keyframes", [])))])
                if any(len(ids[name]) != len(version["sheet"].get(name, [])) for name in LISTS):
                    raise ValueError
        except (OSError, ValueError, KeyError, TypeError):
            versions, at = [], 0
        self._versions, self._at = versions, min(at, len(versions) - 1)
        if not versions:
            self._at = 0
            self._add("opened", content, self._ids_for(content))
        elif self.content != content:
            self._add("changed outside of the desk", content, self._ids_for(content))

    def _keep(self) -> None:
        """Save the history. What fails costs no work: the sheet itself is saved."""
        try:
            self._history.parent.mkdir(parents=True, exist_ok=True)
            write(self._history, {"versions": self._versions, "at": self._at, "next": self._next})
        except OutputError:
            self._history.unlink(missing_ok=True)
