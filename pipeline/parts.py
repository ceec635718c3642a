"""The parts of a film in its work folder: their receipts, which parts are valid, and the gaps between them.

A part is valid if its receipt (JSON, written last) exists and all its files have the digests that the receipt states.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..flow import horizon
from .chunk import Resume
from .files import file_sha256, remove
from .findings import Finding, findings
from .owncolors import OwnCount, ShotColor, shots_of


@dataclass(frozen=True)
class Part:
    """The receipt of a committed part."""

    start: int
    """Number of the part's first frame in the film."""
    frames: int
    """Number of its frames."""
    pts: tuple[int, ...]
    """Presentation time stamps of its frames, in units of `Film.time_base`."""
    files: dict[str, str] = field(hash=False)
    """Kind of file (``film``, ``labels``, ``compare``, ``maps``, ``state``, ``notes``, ``luma``) → name of the file."""
    sha256: dict[str, str] = field(hash=False)
    """Kind of file → SHA-256 of its content."""
    shot: int
    """Number of the shot of the next frame."""
    shot_start: int
    """Number of the next frame, counted from the first frame of its shot."""
    luma_sha256: str
    """SHA-256 of the luma of the part's last frame."""
    first_shot: int = 0
    """Number of the first frame of the shot in which the part begins."""
    edits: str = ""
    """Digest of the edits that affect the part's colours; see `edits.apply.ResolvedEdits.digest`."""
    damaged: tuple[int, ...] = ()
    """Numbers of its frames in which FFmpeg concealed damage, counted from the film's first frame."""
    own: tuple[OwnCount, ...] = ()
    """The colours that the source has in each of the part's shots."""
    lost: tuple[int, ...] = ()
    """Numbers of its frames that could not be decoded, counted in the same way."""

    @property
    def stop(self) -> int:
        """Number of the frame after the last one."""
        return self.start + self.frames

    def edits_now(self, digest_of: EditsDigest) -> str:
        """Digest of the edits that affect the part now. If it differs from `edits`, the part is out of date."""
        seen = horizon(self.stop - self.shot_start, self.stop)
        return digest_of(self.first_shot, self.start, self.stop, seen)


EditsDigest = Callable[[int, int, int, int], str]
"""A function like `edits.apply.ResolvedEdits.digest`."""


def no_edits(shot: int, first: int, stop: int, seen: int) -> str:
    """The `EditsDigest` of a run without edits."""
    return ""


def committed(folder: str | os.PathLike[str], known: Sequence[Part] = ()) -> list[Part]:
    """The valid parts from frame 0 to the first gap.

    Args:
        folder: the work folder.
        known: parts that this run has verified already. Their files must exist, but are not read again.
    """
    parts: list[Part] = []
    for part in _receipts(Path(folder)):
        if part is None or part.start != (parts[-1].stop if parts else 0) or not _whole(part, Path(folder), known):
            break
        parts.append(part)
    return parts


def standing(folder: str | os.PathLike[str], known: Sequence[Part] = ()) -> list[Part]:
    """All valid parts in the film's order, with gaps where parts are missing. See `committed` for the arguments."""
    parts: list[Part] = []
    for part in _receipts(Path(folder)):
        if part and part.start >= (parts[-1].stop if parts else 0) and _whole(part, Path(folder), known):
            parts.append(part)
    return parts


def prune(folder: str | os.PathLike[str], digest_of: EditsDigest = no_edits) -> None:
    """Remove the parts whose colours were made with other edits than those of `digest_of`."""
    for part in _receipts(Path(folder)):
        if part and part.edits != part.edits_now(digest_of):
            for name in (f"part-{part.start:09}.json", *part.files.values()):
                remove(Path(folder) / name)


def _receipts(folder: Path) -> Iterator[Part | None]:
    """Yield the receipts in the film's order; None for a file that is not a receipt."""
    return map(_read_receipt, sorted(folder.glob("part-*.json")))


def _read_receipt(path: Path) -> Part | None:
    """The receipt in a file; None if it cannot be read as a receipt."""
    try:
        values: dict[str, Any] = json.loads(path.read_text())
        known: dict[str, Any] = {name: value for name, value in values.items() if name in Part.__dataclass_fields__}
        known |= {name: tuple(values[name]) for name in ("pts", "damaged", "lost")}
        known["own"] = tuple(map(tuple, values["own"]))
        return Part(**known)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _whole(part: Part, folder: Path, known: Sequence[Part]) -> bool:
    """Whether all files of a part have their digests; for a `known` part, whether they exist."""
    try:
        if part in known:
            return all((folder / name).exists() for name in part.files.values())
        return all(file_sha256(folder / name) == part.sha256[kind] for kind, name in part.files.items())
    except (OSError, KeyError):
        return False


def findings_of(opened: Iterable[Finding], parts: Sequence[Part]) -> tuple[Finding, ...]:
    """All that was wrong with a film; see `findings.findings`.

    Args:
        opened: what was found when the film was opened (`Film.findings`).
        parts: all parts of the film.
    """
    damaged, lost = ([n for part in parts for n in getattr(part, name)] for name in ("damaged", "lost"))
    return findings(opened, damaged, lost)


def first_missing(parts: Sequence[Part], frame: int = 0) -> int:
    """The first frame from `frame` on that is in none of the parts.

    Args:
        parts: parts in the film's order.
        frame: number of a frame at which a part begins or may begin.
    """
    for part in parts:
        frame = part.stop if part.start == frame else frame
    return frame


def gaps(folder: str | os.PathLike[str], parts: Sequence[Part], frames: int) -> list[Resume]:
    """The gaps between the parts of a film.

    Args:
        folder: the work folder.
        parts: the valid parts in the film's order.
        frames: number of the film's frames.

    Returns:
        For each gap, where a run resumes and where it stops.
    """
    found, begin = [], Resume()
    for part in parts:
        if begin.frame < part.start:
            found.append(replace(begin, stop=part.start))
        begin = _after(Path(folder), part)
    return [*found, begin] if begin.frame < frames else found


def _after(folder: Path, last: Part) -> Resume:
    """Where a run resumes after a part."""
    return Resume(
        frame=last.stop,
        shot=last.shot,
        shot_start=last.shot_start,
        luma_sha256=last.luma_sha256,
        state=(folder / last.files["state"]).read_bytes(),
    )


def notes(folder: str | os.PathLike[str], parts: Sequence[Part]) -> list[Any]:
    """The notes of the chunks of all parts, in order."""
    return [note for part in parts for note in json.loads((Path(folder) / part.files["notes"]).read_text())]


def sweep(folder: Path, parts: Sequence[Part]) -> None:
    """Remove all files of parts that do not belong to `parts`: those that were never committed."""
    kept = {name for part in parts for name in part.files.values()}
    kept |= {f"part-{part.start:09}.json" for part in parts}
    for path in folder.glob("part-*"):
        if path.name not in kept:
            remove(path)


def count_shots(parts: Sequence[Part]) -> int:
    """Number of shots up to the end of the last part. `parts`: at least one, in order."""
    last = parts[-1]
    return last.shot + (last.shot_start > 0)


def colors_of_parts(parts: Sequence[Part]) -> tuple[ShotColor, ...]:
    """The colours that the source has, shot by shot. `parts`: all parts of the film, in order."""
    return shots_of([count for part in parts for count in part.own])
