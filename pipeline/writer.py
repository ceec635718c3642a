"""Encode a film in parts and commit each part durably, so that a run can resume after the last part.

A part is a NUT file (exact time stamps), or a MOV file for the few codecs that NUT cannot hold, such as ProRes. It
ends where a shot ends or, in a long shot, at a multiple of `PART_STEP` frames of the shot. Part boundaries depend only
on the film's cuts (`chunk.ends_part`), so a missing part can be made again between others, and several writers can make
different parts at the same time.

Two more files belong to a part: the steadier's state at its end, and a receipt (JSON) with the digests of all its
files. The receipt is written last: a part without a valid receipt does not exist. Every file is written under a
temporary name, synced and renamed. Writing a part again gives the same bytes.
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
from .encode import Encoding
from .extras import Kind
from .files import commit
from .film import Film
from .owncolors import OwnCount, add_own
from .partencoder import PartEncoder
from .parts import EditsDigest, Part, committed, first_missing, no_edits, sweep
from .pictures import PicturesEncoder
from .reader import luma_sha256
from .report.lumacheck import LumaCheck

Pictures = dict[Kind, tuple[np.ndarray, ...]]
"""Kind of film → its planes: (luma, chroma) as `PartWriter.write` takes them, (luma,) for the pixel format `gray`, or
(R'G'B',) of shape (N, h, w, 3) uint8."""


class PartWriter:
    """Takes the chunks of the gaps between the existing parts, in order, and writes the missing parts.

    `parts.gaps` finds the gaps. Several writers may share a folder from which uncommitted files were removed
    (`parts.sweep`): each gets the argument `parts`, and `skip_to` assigns it the parts that it makes.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        film: Film,
        encoding: Encoding,
        extras: Mapping[Kind, Encoding] | None = None,
        parts: Sequence[Part] | None = None,
        edits: EditsDigest = no_edits,
        luma_check: LumaCheck | None = None,
    ) -> None:
        """
        Args:
            folder: the work folder.
            film: the source.
            encoding: encoding of the colour film.
            extras: encodings of the extra films, by kind.
            parts: the valid parts, if the caller knows them. Otherwise the writer finds them (`parts.committed`) and
                removes all other files of parts.
            edits: returns the digest of the edits that affect a part.
            luma_check: compares the luma of each part with what decodes from it, for the report.
        """
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.film = film
        self.encodings = {Kind.FILM: encoding, **(extras or {})}
        self.parts = committed(self.folder) if parts is None else list(parts)
        if any(set(self.encodings) - set(part.files) for part in self.parts):
            raise WorkError(f"{self.folder} holds parts without an extra film that is wanted now; start over.")
        if parts is None:
            sweep(self.folder, self.parts)
        self._edits, self._luma_check = edits, luma_check
        self._begin = self._next = first_missing(self.parts)
        self._first_shot = 0
        self._pts: list[int] = []
        self._damaged: list[int] = []
        self._own: list[OwnCount] = []
        self._lost: list[int] = []
        self._notes: list[Any] = []
        self._open: dict[Kind, PartEncoder | PicturesEncoder] = {}

    def write(
        self,
        chunk: Chunk,
        luma: np.ndarray,
        chroma: np.ndarray,
        state: bytes = b"",
        extras: Pictures | None = None,
        note: Any = None,
    ) -> Part | None:
        """Encode a chunk. The chunk of a committed part is not encoded again: the call is a repetition.

        Args:
            chunk: the next chunk.
            luma: (N, H, W) uint8, or uint16 above 8 bits.
            chroma: (N, 2, ch, cw) of luma's type: Cb and Cr in the film's range; (ch, cw) = `chroma_size`.
            state: the steadier's state after the chunk; needed where `chunk.may_end_part`.
            extras: pictures of the extra films.
            note: any JSON value to keep with the chunk; see `parts.notes`.

        Returns:
            The receipt of the part if a part ends with the chunk, else None.

        Raises:
            WorkError: if the chunk is not the next one, or the pictures do not fit. The open part is abandoned.
        """
        own = next((p for p in self.parts if p.start <= chunk.start < p.stop), None)
        if own:
            return own if own.stop == chunk.stop else None
        if chunk.start != self._next:
            raise WorkError(f"chunk of frame {chunk.start} came where frame {self._next} is due.")
        pictures = {Kind.FILM: (luma, chroma), **(extras or {})}
        try:
            if set(pictures) != set(self.encodings):
                raise WorkError(f"expected pictures of {', '.join(self.encodings)}, got {', '.join(pictures)}.")
            for kind, encoding in self.encodings.items():
                if kind not in self._open:
                    self._open[kind] = self._encoder(self._path(kind, ".tmp"), encoding)
            for kind, planes in pictures.items():
                encoder = self._open[kind]
                if planes[0].ndim == 4 and isinstance(encoder, PartEncoder):
                    encoder.write_rgb(chunk, *planes)
                else:
                    encoder.write(chunk, *planes)
            if chunk.start == self._begin:
                self._first_shot = chunk.start - chunk.shot_start
            if self._luma_check:
                self._luma_check.add(chunk, luma)
            self._notes += [] if note is None else [note]
            self._pts += chunk.pts
            self._damaged += chunk.damaged
            self._own = add_own(self._own, chunk)
            self._lost += chunk.lost
            self._next = chunk.stop
            if ends_part(chunk, self._begin, self.film.frames):
                return self._close(chunk, b"" if chunk.ends_shot else state, luma_sha256(luma[-1]))
            if first_missing(self.parts, self._next) != self._next:
                raise WorkError(
                    f"{self.folder} holds a part that begins where the part before it does not end; start over."
                )
        except BaseException:
            self.abort()
            raise
        return None

    def _encoder(self, path: Path, encoding: Encoding) -> PartEncoder | PicturesEncoder:
        """The encoder of a part's film, or of its pictures."""
        if encoding.pictures:
            return PicturesEncoder(path, encoding, self.film)
        return PartEncoder(path, encoding, int(self.film.pts[0]))

    def skip_to(self, frame: int) -> None:
        """Skip to the part that begins with `frame`; other writers make those before it.

        Raises WorkError if another part is open.
        """
        if frame != self._begin:
            if self._open:
                raise WorkError(f"the part of frame {frame} came while the part of frame {self._begin} is open.")
            self._begin = self._next = frame

    def abort(self) -> None:
        """Abandon the open part. Committed parts stay, and the next chunk is the first of the abandoned part again."""
        for encoder in self._open.values():
            encoder.abort()
        self._forget()
        self._next = self._begin

    def _close(self, chunk: Chunk, state: bytes, last_luma: str) -> Part:
        """Commit the open part, which ends with the chunk."""
        digests: dict[str, str] = {}
        for kind, encoder in self._open.items():
            encoder.close()
            digests[kind] = commit(self._path(kind, ".tmp"), self._path(kind))
        beside = {"state": state, "notes": json.dumps(self._notes).encode()}
        if self._luma_check:
            beside["luma"] = json.dumps(self._luma_check.compare(self._path(Kind.FILM))).encode()
        for kind, content in beside.items():
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
            own=tuple(self._own),
            lost=tuple(self._lost),
        )
        part = replace(part, edits=part.edits_now(self._edits))
        temporary = self._path("receipt", ".tmp")
        temporary.write_text(json.dumps(asdict(part)))
        commit(temporary, self._path("receipt"))
        self.parts = sorted([*self.parts, part], key=lambda part: part.start)
        self._begin = self._next = first_missing(self.parts, part.stop)
        self._forget()
        return part

    def _forget(self) -> None:
        self._open, self._pts, self._damaged, self._lost, self._own, self._notes = {}, [], [], [], [], []
        if self._luma_check:
            self._luma_check.clear()

    def _path(self, kind: str, ending: str = "") -> Path:
        """Path of a file of the open part."""
        suffix = {"state": ".state", "notes": ".notes", "luma": ".luma", "receipt": ".json"}.get(kind)
        if suffix is None:  # a film
            suffix = f"{'' if kind == Kind.FILM else f'.{kind}'}.{self.encodings[Kind(kind)].part_format}"
        return self.folder / f"part-{self._begin:09}{suffix}{ending}"
