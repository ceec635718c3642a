"""Encode a film in parts and commit each part durably, so that a run can go on from the last one.

A part is a NUT file (exact time stamps) that ends where a shot ends or, if the shot is long, at a multiple of
`PART_STEP` frames of it. Where that is depends on the film's cuts alone (`chunk.ends_part`), so a part that is missing
among others can be made again, and several writers can make different parts at once. Beside it lie the temporal stage's
state at its end and, written last, a receipt (JSON) with the digests of all of them: a part without a valid receipt
does not exist. Every file is written under a temporary name, synced and renamed. Writing a part again gives the same
bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WorkError
from .chunk import Chunk, ends_part
from .encode import Encoding, PartEncoder
from .extras import Kind
from .files import commit
from .film import Film
from .parts import EditsDigest, Part, committed, first_missing, no_edits, sweep
from .reader import luma_sha256

Pictures = dict[Kind, tuple[np.ndarray, ...]]
"""Kind of film → (luma, chroma) as `PartWriter.write` takes them, (luma,) for `gray`, or R'G'B' (N, h, w, 3) uint8."""


class PartWriter:
    """Takes chunks in order, those of the gaps between the parts that are there; `gaps` says which are these.

    Several may share a folder that has been swept: each is given `parts`, and told by `skip_to` which are its own.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        film: Film,
        encoding: Encoding,
        extras: Mapping[Kind, Encoding] | None = None,
        parts: Sequence[Part] | None = None,
        edits: EditsDigest = no_edits,
    ) -> None:
        """
        Args:
            folder: the work folder.
            film: the source.
            encoding: of the colour film.
            extras: of the further films, by kind.
            parts: the valid parts, if the caller knows them. Otherwise they are looked for (`parts.committed`), and all
                other files of parts are removed.
            edits: gives the digest of the edits that affect a part.
        """
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.film = film
        self.encodings = {Kind.FILM: encoding, **(extras or {})}
        self.parts = committed(self.folder) if parts is None else list(parts)
        if any(set(self.encodings) - set(part.files) for part in self.parts):
            raise WorkError(f"{self.folder} holds parts without a further film that is asked for; start over.")
        if parts is None:
            sweep(self.folder, self.parts)
        self._edits = edits
        self._begin = self._next = first_missing(self.parts)
        self._first_shot = 0
        self._pts: list[int] = []
        self._damaged: list[int] = []
        self._notes: list[Any] = []
        self._open: dict[Kind, PartEncoder] = {}

    def write(
        self,
        chunk: Chunk,
        luma: np.ndarray,
        chroma: np.ndarray,
        state: bytes = b"",
        extras: Pictures | None = None,
        note: Any = None,
    ) -> Part | None:
        """Encode a chunk. A chunk of a committed part is not encoded again: the call was a repeated one.

        Args:
            chunk: the next one.
            luma: (N, H, W) uint8, or uint16 above 8 bits.
            chroma: (N, 2, ch, cw) of luma's type: Cb and Cr in the film's range; (ch, cw) = `chroma_size`.
            state: the steadier's state after the chunk, wanted where `chunk.may_end_part`.
            extras: pictures of the further films.
            note: what else is to be kept of the chunk, anything that JSON can say; see `parts.notes`.

        Returns:
            The receipt if a part ended with the chunk.

        Raises:
            WorkError: for any other chunk but the next, and for pictures that do not fit. The open part is abandoned.
        """
        own = next((p for p in self.parts if p.start <= chunk.start < p.stop), None)
        if own:
            return own if own.stop == chunk.stop else None
        if chunk.start != self._next:
            raise WorkError(f"chunk of frame {chunk.start} came where frame {self._next} is due.")
        pictures = {Kind.FILM: (luma, chroma), **(extras or {})}
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
            shot=chunk.shot + chunk.ends_shot,
            shot_start=0 if chunk.ends_shot else chunk.shot_start + len(chunk),
            luma_sha256=last_luma,
            first_shot=self._first_shot,
            damaged=tuple(self._damaged),
        )
        part = replace(part, edits=part.edits_now(self._edits))
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
