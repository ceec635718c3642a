"""Encode a film in parts and commit each part durably, so that a run can go on from the last one.

A part is a NUT file (exact time stamps) that ends where a shot ends or, if the shot is long, at a multiple of
`PART_STEP` frames of it. Where that is depends on the film's cuts alone (`chunk.ends_part`), so a part that is missing
among others can be made again, and several writers can make different parts at once. Beside it lie the temporal stage's
state at its end and, written last, a receipt (JSON) with the digests of all of them: a part without a valid receipt
does not exist. Every file is written under a temporary name, synced and renamed. Writing a part again gives the same
bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WorkError
from ..flow import LOOKAHEAD
from .chunk import Chunk, Resume, ends_part
from .encode import Encoding, PartEncoder
from .film import Film
from .reader import luma_sha256

__all__ = [
    "Part",
    "PartWriter",
    "Pictures",
    "commit",
    "committed",
    "file_sha256",
    "first_missing",
    "gaps",
    "notes",
    "place",
    "prune",
    "resume_point",
    "standing",
    "sweep",
]


Pictures = dict[str, tuple[np.ndarray, ...]]
"""Kind of film → (luma, chroma) as `PartWriter.write` takes them, (luma,) for `gray`, or R'G'B' (N, h, w, 3) uint8."""


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
    chunk: int
    """Running number of the chunk after the part."""
    shot: int
    """Number of the shot that the next frame belongs to."""
    shot_start: int
    """Number of the next frame, counted from its shot's first frame."""
    luma_sha256: str
    """Digest of the last frame's luma."""
    first_shot: int = 0
    """First frame of the shot that the part begins in."""
    steered: str = ""
    """Digest of what steers its colours; see `edits.apply.Control.digest`."""
    damaged: tuple[int, ...] = ()
    """Numbers of its frames whose damage the decoder concealed, counted from the film's first frame."""

    @property
    def stop(self) -> int:
        return self.start + self.frames

    def steered_by(self, steered: Steered) -> str:
        """What `steered` is now."""
        seen = self.stop + (LOOKAHEAD if self.shot_start else 0)  # frames of its last shot that have a say in it
        return steered(self.first_shot, self.start, self.stop, seen)


Steered = Callable[[int, int, int, int], str]
"""`edits.apply.Control.digest`."""


def _freely(shot: int, first: int, stop: int, seen: int) -> str:
    return ""


class PartWriter:
    """Takes chunks in order, those of the gaps between the parts that are there; `gaps` says which are these.

    Several may share a folder that has been swept: each is given `parts`, and told by `skip_to` which are its own.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        film: Film,
        encoding: Encoding,
        also: dict[str, Encoding] | None = None,
        parts: Sequence[Part] | None = None,
        steered: Steered = _freely,
    ) -> None:
        """`also`: how further films are encoded, by kind: `labels` (the overlay), `compare` (side by side), `maps`;
        `parts`: those that stand, if this is known; otherwise what is `committed`, and all else is removed."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.film = film
        self.encodings = {"film": encoding} | (also or {})
        self.parts = committed(self.folder) if parts is None else list(parts)
        if any(set(self.encodings) - set(part.files) for part in self.parts):
            raise WorkError(f"{self.folder} holds parts without a further film that is asked for; start over.")
        if parts is None:
            sweep(self.folder, self.parts)
        self._steered = steered
        self._begin = self._next = first_missing(self.parts)
        self._first_shot = 0
        self._pts: list[int] = []
        self._damaged: list[int] = []
        self._notes: list[Any] = []
        self._open: dict[str, PartEncoder] = {}

    def write(
        self,
        chunk: Chunk,
        luma: np.ndarray,
        chroma: np.ndarray,
        state: bytes = b"",
        also: Pictures | None = None,
        note: Any = None,
    ) -> Part | None:
        """Encode a chunk; returns the receipt if a part closed with it.

        luma (N, H, W) and chroma (N, 2, ch, cw), both uint8, or uint16 above 8 bits; (ch, cw) = `chroma_size`;
        chroma is Cb, Cr in the film's range. `state`: the temporal stage's state after the chunk, wanted where
        `chunk.may_end_part`. `also`: pictures of the further films. note: what else is to be kept of the chunk, for
        JSON; see `notes`.

        A chunk of a committed part is not written again (a retried call); any other chunk but the next is a
        `WorkError`. After an error the open part is abandoned.
        """
        own = next((p for p in self.parts if p.start <= chunk.start < p.stop), None)
        if own:
            return own if own.stop == chunk.stop else None
        if chunk.start != self._next:
            raise WorkError(f"chunk of frame {chunk.start} came where frame {self._next} is due.")
        pictures = {"film": (luma, chroma)} | (also or {})
        try:
            if set(pictures) != set(self.encodings):
                raise WorkError(f"pictures of {', '.join(pictures)} came where {', '.join(self.encodings)} are due.")
            for kind, encoding in self.encodings.items():
                if kind not in self._open:
                    self._open[kind] = PartEncoder(self._path(kind, ".tmp"), encoding, int(self.film.pts[0]))
            for kind, planes in pictures.items():
                encoder = self._open[kind]
                (encoder.write_rgb if planes[0].ndim == 4 else encoder.write)(chunk, *planes)
            if chunk.start == self._begin:
                self._first_shot = chunk.start - chunk.shot_start
            self._notes += [] if note is None else [note]
            self._pts += chunk.pts
            self._damaged += chunk.damaged
            self._next = chunk.stop
            if ends_part(chunk, self._begin, self.film.frames):
                return self._close(chunk, b"" if chunk.ends_shot else state, luma_sha256(luma[-1]))
            if first_missing(self.parts, self._next) != self._next:
                raise WorkError(f"{self.folder} holds a part that begins where none ends; start over.")
        except BaseException:
            self.abort()
            raise
        return None

    def skip_to(self, frame: int) -> None:
        """The part that begins with `frame` is next: others make those before it. WorkError if another one is open."""
        if frame != self._begin:
            if self._open:
                raise WorkError(f"the part of frame {frame} came while that of frame {self._begin} is open.")
            self._begin = self._next = frame

    def abort(self) -> None:
        """Give up the open part: what is committed stays, and the next chunk is again the open part's first."""
        for encoder in self._open.values():
            encoder.abort()
        self._open, self._pts, self._damaged, self._notes, self._next = {}, [], [], [], self._begin

    def _close(self, chunk: Chunk, state: bytes, last_luma: str) -> Part:
        digests: dict[str, str] = {}
        for kind, encoder in self._open.items():
            encoder.close()
            digests[kind] = commit(self._path(kind, ".tmp"), self._path(kind))
        for kind, content in {"state": state, "notes": json.dumps(self._notes).encode()}.items():
            temporary = self._path(kind, ".tmp")
            temporary.write_bytes(content)
            digests[kind] = commit(temporary, self._path(kind))
        part = Part(
            start=self._begin,
            frames=len(self._pts),
            pts=tuple(self._pts),
            files={kind: self._path(kind).name for kind in digests},
            sha256=digests,
            chunk=chunk.index + 1,
            shot=chunk.shot + chunk.ends_shot,
            shot_start=0 if chunk.ends_shot else chunk.shot_start + len(chunk),
            luma_sha256=last_luma,
            first_shot=self._first_shot,
            damaged=tuple(self._damaged),
        )
        part = replace(part, steered=part.steered_by(self._steered))
        temporary = self._path("receipt", ".tmp")
        temporary.write_text(json.dumps(asdict(part)))
        commit(temporary, self._path("receipt"))
        self.parts = sorted([*self.parts, part], key=lambda part: part.start)
        self._begin = self._next = first_missing(self.parts, part.stop)
        self._pts, self._damaged, self._notes, self._open = [], [], [], {}
        return part

    def _path(self, kind: str, ending: str = "") -> Path:
        plain = {"film": ".nut", "state": ".state", "notes": ".notes", "receipt": ".json"}
        suffix = plain.get(kind, f".{kind}.nut")
        return self.folder / f"part-{self._begin:09}{suffix}{ending}"


def commit(temporary: Path, path: Path) -> str:
    """Put a finished file in its place, durably; returns its SHA-256."""
    digest = file_sha256(temporary)
    place(temporary, path)
    return digest


def file_sha256(path: Path) -> str:
    """Digest of a file's content, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def place(temporary: Path, path: Path) -> None:
    """Put a finished file in its place, durably and at once."""
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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


def prune(folder: str | os.PathLike[str], steered: Steered = _freely) -> None:
    """Remove the parts that were steered otherwise."""
    for part in _receipts(Path(folder)):
        if part and part.steered != part.steered_by(steered):
            for name in (f"part-{part.start:09}.json", *part.files.values()):
                (Path(folder) / name).unlink(missing_ok=True)


def _receipts(folder: Path) -> Iterator[Part | None]:
    """In the film's order; None for what is no receipt."""
    return map(_read_receipt, sorted(folder.glob("part-*.json")))


def _read_receipt(path: Path) -> Part | None:
    try:
        values = json.loads(path.read_text())
        return Part(**values | {name: tuple(values[name]) for name in ("pts", "damaged")})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _whole(part: Part, folder: Path, known: Sequence[Part]) -> bool:
    try:
        if part in known:
            return all((folder / name).is_file() for name in part.files.values())
        return all(file_sha256(folder / name) == part.sha256[kind] for kind, name in part.files.items())
    except (OSError, KeyError):
        return False


def resume_point(folder: str | os.PathLike[str], parts: list[Part] | None = None) -> Resume:
    """Where a run goes on: after the last committed part, with its state. Frame 0 in a new folder."""
    parts = committed(folder) if parts is None else parts
    return _behind(Path(folder), parts[-1]) if parts else Resume()


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
        begin = _behind(Path(folder), part)
    return [*found, begin] if begin.frame < frames else found


def _behind(folder: Path, last: Part) -> Resume:
    return Resume(
        frame=last.stop,
        chunk=last.chunk,
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
