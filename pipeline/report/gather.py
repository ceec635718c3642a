"""The notes of all parts, part by part, made into shots and series over time.

A part's notes are dropped before the next part is read, so a long film needs little memory.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...models.labels import INDEX, NAMES
from ..defaults import KeepColour
from ..film import Film
from ..owncolors import KEPT, OwnColor
from ..parts import Part, colors_of_parts
from ..summary import summarize
from .records import LumaDifference, Series, Shot, ShotLabel

POINTS = 600
"""Greatest number of points of the series."""

LEAST_SHARE, MOST_LABELS = 0.01, 8
"""Least share of a shot's pixels at which a label is listed, and greatest number of labels of a shot."""

MOST_BANDS = 8
"""Greatest number of labels in the series; the others are added up."""

OTHER = "other"
"""Name of the labels that are added up in the series."""


@dataclass
class LumaFacts:
    """The digests and differences of luma, of the whole film."""

    frames: int = 0
    decoded: int = 0
    identical: int = 0
    differences: list[LumaDifference] = field(default_factory=list)
    sha256: str = ""


@dataclass
class _Open:
    """The shot whose notes are being read."""

    number: int
    notes: list[dict[str, Any]] = field(default_factory=list)
    chroma: float = 0.0
    digest: Any = field(default_factory=hashlib.sha256)
    pictures: dict[int, str] = field(default_factory=dict)
    differences: dict[int, list[Any]] = field(default_factory=dict)


class Gathered:
    """The shots and series of a film. Iterate over `shots`; when it is exhausted, `luma` and `series` are complete."""

    def __init__(
        self, film: Film, folder: str | os.PathLike[str], parts: Sequence[Part], keep: KeepColour = "never"
    ) -> None:
        """
        Args:
            film: the source.
            folder: the work folder.
            parts: all parts of the film, in order, whose notes were made for a report.
            keep: which shots keep the source's own chroma.
        """
        self._film, self._folder, self._parts = film, Path(folder), parts
        self._own = {shot.first: shot.kind for shot in colors_of_parts(parts)}
        self._kept = KEPT[keep]
        self._firsts: list[int] = []
        self._counts: list[int] = []
        self._chroma: list[float] = []
        self._shares: list[np.ndarray] = []
        self._digest = hashlib.sha256()
        self.luma = LumaFacts()

    def shots(self) -> Iterator[tuple[Shot, bytes]]:
        """Yield each shot with the picture of its shown frame (JPEG)."""
        current: _Open | None = None
        for part in self._parts:
            notes, luma = (json.loads((self._folder / part.files[kind]).read_bytes()) for kind in ("notes", "luma"))
            self._count(luma)
            for note in notes:
                if current is None or current.number != note["shot"]:
                    if current:
                        yield self._shot(current)
                    current = _Open(note["shot"])
                self._add(current, note, luma, part.start)
        if current:
            yield self._shot(current)
        self.luma.sha256 = self._digest.hexdigest()

    def series(self) -> Series:
        """The series over time."""
        # Points that are merged may be of two shots; points of a short film are not merged.
        first = np.arange(0, len(self._firsts), -(-len(self._firsts) // POINTS))
        counts = np.add.reduceat(self._counts, first)
        chroma = np.add.reduceat(self._chroma, first) / counts
        shares = np.add.reduceat(np.stack(self._shares), first) / counts[:, None]
        total = (shares * counts[:, None]).sum(0)
        most = [label for label in np.argsort(-total, kind="stable")[:MOST_BANDS] if total[label]]
        labels = {NAMES[label]: np.round(shares[:, label], 4).tolist() for label in most}
        rest = np.delete(shares, most, 1).sum(1)
        if rest.any():
            labels[OTHER] = np.round(rest, 4).tolist()
        stamps = self._film.pts[np.array(self._firsts)[first]] - self._film.pts[0]
        return Series(
            start=[round(float(int(stamp) * self._film.time_base), 3) for stamp in stamps],
            chroma=np.round(chroma, 3).tolist(),
            labels=labels,
        )

    def _count(self, luma: dict[str, Any]) -> None:
        """Add the luma check of a part."""
        facts = self.luma
        facts.frames += len(luma["given"])
        facts.decoded += luma["decoded"]
        facts.identical += luma["identical"]
        facts.differences += [_difference(values) for values in luma["differences"].values()]
        for line in luma["given"]:
            self._digest.update(f"{line}\n".encode())

    def _add(self, shot: _Open, note: dict[str, Any], luma: dict[str, Any], begin: int) -> None:
        """Add the note of a chunk, which is in the part that begins with the frame `begin`."""
        frame = note["start"]
        for line in luma["given"][frame - begin : frame - begin + note["frames"]]:
            shot.digest.update(f"{line}\n".encode())
        for count, chroma, labels in note["bins"]:
            shares = np.zeros(len(NAMES), np.float32)
            shares[[INDEX[name] for name in labels]] = list(labels.values())
            self._firsts.append(frame)
            self._counts.append(count)
            self._chroma.append(chroma)
            self._shares.append(shares)
            shot.chroma += chroma
            frame += count
        shot.notes.append({name: value for name, value in note.items() if name not in ("bins", "pictures")})
        shot.pictures |= {int(number): data for number, data in note["pictures"].items()}
        shot.differences |= {int(n): luma["differences"][n] for n in note["pictures"] if n in luma["differences"]}

    def _shot(self, shot: _Open) -> tuple[Shot, bytes]:
        (facts,) = summarize(self._film, shot.notes)
        first, frames = facts["first_frame"], facts["frames"]
        shown = min(shot.pictures, key=lambda number: (abs(number - first - frames / 2), number))
        listed = [(name, label) for name, label in facts["labels"].items() if label["share"] >= LEAST_SHARE]
        difference, own = shot.differences.get(shown), self._own.get(first, OwnColor.GREY)
        record = Shot(
            shot=facts["shot"],
            first_frame=first,
            frames=frames,
            time=facts["time"],
            chroma=round(shot.chroma / frames, 2),
            own_colour=own.word,
            keeps_colour=own in self._kept,
            labels={name: ShotLabel(**label) for name, label in listed[:MOST_LABELS]},
            luma_sha256=shot.digest.hexdigest(),
            shown_frame=shown,
            difference=_difference(difference) if difference else None,
        )
        return record, base64.b64decode(shot.pictures[shown])


def _difference(values: list[Any]) -> LumaDifference:
    mean, greatest, psnr = values
    return LumaDifference(mean=mean, greatest=greatest, psnr=psnr)
