"""The parts of a film in its work folder: receipts, gaps, and which parts are valid.

A part is valid if its receipt (JSON, written last) is there and all its files have the digests that the receipt names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..flow import horizon
from .chunk import Resume
from .files import file_sha256


@dataclass(frozen=True)
class Part:
    """Receipt of a committed part."""

    start: int
    """Number of its first frame in the film."""
    frames: int
    pts: tuple[int, ...]
    """In units of `Film.time_base`."""
    files: dict[str, str] = field(hash=False)
    """Kind of file (``film``, ``labels``, ``compare``, ``maps``, ``state``, ``notes``) → its name in the folder."""
    sha256: dict[str, str] = field(hash=False)
    """Kind of file → digest of its content."""
    shot: int
    """Number of the shot that the next frame belongs to."""
    shot_start: int
    """Number of the next frame, counted from its shot's first frame."""
    luma_sha256: str
    """Digest of the last frame's luma."""
    first_shot: int = 0
    """First frame of the shot that the part begins in."""
    edits: str = ""
    """Digest of the edits that affect its colours; see `edits.apply.ResolvedEdits.digest`."""
    damaged: tuple[int, ...] = ()
    """Numbers of its frames whose damage the decoder concealed, counted from the film's first frame."""

    @property
    def stop(self) -> int:
        return self.start + self.frames

    def edits_now(self, digest_of: EditsDigest) -> str:
        """Digest of the edits that affect the part now. If `edits` differs, the part is out of date."""
        seen = horizon(self.stop - self.shot_start, self.stop)
        return digest_of(self.first_shot, self.start, self.stop, seen)


EditsDigest = Callable[[int, int, int, int], str]
"""`edits.apply.ResolvedEdits.digest`."""


def no_edits(shot: int, first: int, stop: int, seen: int) -> str:
    """The digest where there are no edits."""
    return ""


def committed(folder: str | os.PathLike[str], known: Sequence[Part] = ()) -> list[Part]:
    """The valid parts from frame 0 on without a gap; a part counts only if all its files have their digests.

    `known`: parts that this run has verified already; their files must be there, but are not read again.
    """
    parts: list[Part] = []
    for part in _receipts(Path(folder)):
        if part is None or part.start != (parts[-1].stop if parts else 0) or not _whole(part, Path(folder), known):
            break
        parts.append(part)
    return parts


def standing(folder: str | os.PathLike[str], known: Sequence[Part] = ()) -> list[Part]:
    """The valid parts in the film's order, with gaps where others are missing; `known`: see `committed`."""
    parts: list[Part] = []
    for part in _receipts(Path(folder)):
        if part and part.start >= (parts[-1].stop if parts else 0) and _whole(part, Path(folder), known):
            parts.append(part)
    return parts


def prune(folder: str | os.PathLike[str], digest_of: EditsDigest = no_edits) -> None:
    """Remove the parts whose colours were made with other edits."""
    for part in _receipts(Path(folder)):
        if part and part.edits != part.edits_now(digest_of):
            for name in (f"part-{part.start:09}.json", *part.files.values()):
                (Path(folder) / name).unlink(missing_ok=True)


def _receipts(folder: Path) -> Iterator[Part | None]:
    """In the film's order; None for what is no receipt."""
    return map(_read_receipt, sorted(folder.glob("part-*.json")))


def _read_receipt(path: Path) -> Part | None:
    try:
        values = json.loads(path.read_text())
        known = {name: values[name] for name in Part.__dataclass_fields__ if name in values}
        return Part(**known | {name: tuple(values[name]) for name in ("pts", "damaged")})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _whole(part: Part, folder: Path, known: Sequence[Part]) -> bool:
    try:
        if part in known:
            return all((folder / name).is_file() for name in part.files.values())
        return all(file_sha256(folder / name) == part.sha256[kind] for kind, name in part.files.items())
    except (OSError, KeyError):
        return False


def first_missing(parts: Sequence[Part], frame: int = 0) -> int:
    """The first frame from `frame` on, where a part may begin, that is in none of the parts, given in order."""
    for part in parts:
        frame = part.stop if part.start == frame else frame
    return frame


def gaps(folder: str | os.PathLike[str], parts: Sequence[Part], frames: int) -> list[Resume]:
    """What is missing between the parts of a film of so many frames: where a run goes on, and where it stops."""
    found, begin = [], Resume()
    for part in parts:
        if begin.frame < part.start:
            found.append(replace(begin, stop=part.start))
        begin = _after(Path(folder), part)
    return [*found, begin] if begin.frame < frames else found


def _after(folder: Path, last: Part) -> Resume:
    return Resume(
        frame=last.stop,
        shot=last.shot,
        shot_start=last.shot_start,
        luma_sha256=last.luma_sha256,
        state=(folder / last.files["state"]).read_bytes(),
    )


def notes(folder: str | os.PathLike[str], parts: Sequence[Part]) -> list[Any]:
    """The chunks' notes, in order."""
    return [note for part in parts for note in json.loads((Path(folder) / part.files["notes"]).read_text())]


def sweep(folder: Path, parts: Sequence[Part]) -> None:
    """Remove files of parts that were never committed."""
    kept = {name for part in parts for name in part.files.values()}
    kept |= {f"part-{part.start:09}.json" for part in parts}
    for path in folder.glob("part-*"):
        if path.name not in kept:
            path.unlink()
