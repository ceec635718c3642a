"""The stages of one film as Ray actors: thin shells, the work is in `pipeline`, `models` and `flow`.

Heavy imports happen inside the workers. What may fail happens in `open` or later and not in a constructor, whose
errors Ray hides. Each actor adds up the seconds it worked, for the table at the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import WorkError
from ...pipeline.chunk import Chunk, Resume
from .workdir import SHARED, belongs, writer_turn

if TYPE_CHECKING:
    from ...flow import Estimator, Motion
    from ...pipeline.compose import Painted
    from ...pipeline.edits.apply import Control
    from ...pipeline.encode import Encoding
    from ...pipeline.film import Film
    from ...pipeline.writer import Part, Pictures

Thumbs = tuple[np.ndarray, np.ndarray | None]  # (N, h, w) uint8, and the frame before in the same shot
Colour = tuple[np.ndarray, np.ndarray]  # ab (N, 2, h/2, w/2) float16, labels (N, 62, h/4, w/4) uint8


class _Timed:
    """Counts the seconds spent in `with self.busy():`."""

    def __init__(self) -> None:
        self._seconds = 0.0

    @contextmanager
    def busy(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - started

    def seconds(self) -> float:
        return self._seconds


class Reader(_Timed):
    """Decodes in order, what lies in the gaps. One to a film."""

    def __init__(self, film: Film, chunk: int, size: int, gaps: Sequence[Resume]) -> None:
        super().__init__()
        self._settings, self._gaps = (film, chunk, size), gaps

    def open(self) -> None:
        """Nothing is decoded before the first chunk is asked for."""
        from ...pipeline.reader import FilmReader

        self._chunks = chain.from_iterable(FilmReader(*self._settings, gap) for gap in self._gaps)

    def read(self) -> tuple[Chunk | None, np.ndarray | None, Thumbs | None]:
        """The next chunk, its luma (N, H, W) and its thumbs; three Nones at the film's end."""
        with self.busy():
            read = next(self._chunks, None)
        if read is None:
            return None, None, None
        chunk, luma, thumbs, before = read
        return chunk, luma, (thumbs, before)


def precision(device: str) -> str:
    """A task: the precision in which the networks run where it is called, ``bfloat16`` or ``float32``."""
    from ...models import pick_precision

    return pick_precision(device)


class Artist(_Timed):
    """Understands and colours frames one by one. As many as there are GPUs, or CPU cores."""

    def __init__(
        self, device: str, precision: str, weights: Path | None, vivid: float, control: Control | None = None
    ) -> None:
        super().__init__()
        self._device, self._control = device, control
        self._options = {"weights": weights, "vivid": vivid, "precision": precision}

    def open(self) -> None:
        """Load the networks."""
        from ...models.painter import Painter

        self._painter = Painter(self._device, **self._options)

    def paint(self, chunk: Chunk, thumbs: Thumbs) -> Colour:
        control = self._control
        with self.busy():
            amend = control and (lambda n, labels: control.amend(chunk.start + n, labels))
            return self._painter.paint(thumbs[0], amend)


class Surveyor:
    """Measures motion between the frames of a chunk. One to a GPU, or to a few CPU cores."""

    def __init__(self, raft: Path | None, device: str) -> None:
        """raft: RAFT's weights; None: DIS."""
        self._raft, self._device = raft, device

    def measure(self, thumbs: Thumbs) -> tuple[Motion, float]:
        """Motion, and the seconds it took."""
        from ...flow import estimate

        estimator = self._estimator
        started = time.perf_counter()
        motion = estimate(*thumbs, estimator)
        return motion, time.perf_counter() - started

    @cached_property
    def _estimator(self) -> Estimator | None:
        if not self._raft:
            return None
        from ...flow.raft import Raft  # with torch

        return Raft(self._raft, self._device)


class Steadier(_Timed):
    """Holds colours and labels still along a shot. One to a film; chunks come in order."""

    def __init__(self, strength: float, gaps: Sequence[Resume], control: Control | None = None) -> None:
        super().__init__()
        self._strength, self._control = strength, control
        self._states = {gap.frame: gap.state for gap in gaps}
        self._next = -1
        self._motion_seconds = 0.0

    def open(self) -> None:
        from ...flow import Steadier as Estimate

        self._estimate = Estimate(self._strength)

    def blend(
        self,
        chunk: Chunk,
        colour: Colour,
        motion: tuple[Motion, float],
        next_colour: Colour | None,
        next_motion: tuple[Motion, float] | None,
    ) -> tuple[Colour, bytes]:
        """Steady colour, and the state where a part of the output may end with this chunk.

        `next_colour` and `next_motion`: of the chunk that follows in the shot; None where the shot ends.
        """
        self._motion_seconds += motion[1]
        with self.busy():
            # A chunk that was lost with its artist never comes, and what is after it must not be taken for its sequel.
            if chunk.start not in (self._next, *self._states):
                raise WorkError(f"chunk of frame {chunk.start} came where frame {self._next} is due.")
            if state := self._states.get(chunk.start):  # of an earlier run, or before a gap
                self._estimate.restore(state)
            after = None
            if next_colour and next_motion:
                after = next_colour[0], self._seen(chunk.stop, next_motion[0])
            seen = self._seen(chunk.start, motion[0])
            steady = self._estimate.blend(*colour, seen, chunk.shot_start, after)
            self._next = chunk.stop
            return steady, self._estimate.state() if chunk.may_end_part and not chunk.ends_shot else b""

    def _seen(self, start: int, motion: Motion) -> Motion:
        return self._control.forget(start, motion) if self._control else motion

    def motion_seconds(self) -> float:
        return self._motion_seconds


@dataclass(frozen=True)
class Receipt:
    """For a chunk that was written."""

    frames: int
    part: tuple[int, int, int] | None
    """(first frame, frames, bytes) of the part that was committed with this chunk, if one was."""


class Writer(_Timed):
    """Joins chroma with the film's own luma and encodes. One or a few to a film, each with parts of its own, whose
    chunks come in order."""

    def __init__(
        self,
        film: Film,
        encoding: Encoding,
        also: dict[str, Encoding],
        summary: bool = False,
        control: Control | None = None,
    ) -> None:
        """summary: whether to count labels and colours of each chunk."""
        super().__init__()
        self._film, self._encoding, self._also = film, encoding, also
        self._summary, self._control = summary, control

    def open(self, work: Path, identity: dict, known: Sequence[Part]) -> None:
        """Go on beside the parts `known` in the folder `work`, which the driver has swept."""
        from ...pipeline.compose import PlaneFormat
        from ...pipeline.encode import chroma_size
        from ...pipeline.writer import PartWriter, standing

        self._turn = writer_turn(work, shared=True)  # until this process ends
        if not belongs(work, identity) or len(standing(work, known)) < len(known):
            raise WorkError(f"{work} is not the same folder on every node of the cluster; {SHARED}")
        steered = {"steered": self._control.digest} if self._control else {}
        self._parts = PartWriter(work, self._film, self._encoding, self._also, known, **steered)
        film, encoding = self._film, self._encoding
        self._size = chroma_size(film.width, film.height, encoding.pix_fmt)
        self._format = PlaneFormat(film.matrix, film.bits, film.full_range)

    def write(
        self,
        begin: int,
        chunk: Chunk,
        luma: np.ndarray,
        thumbs: Thumbs,
        colour: Colour,
        state: bytes,
        painted: Colour | None,
    ) -> Receipt:
        """begin: the part's first frame; colour: steady; painted: as the network gave it, for a film to compare."""
        from ...pipeline.overlay import likeliest, overlay
        from ...pipeline.summary import count

        with self.busy():
            ab, labels = colour
            if self._control:
                ab = self._control.finish(chunk.start, ab, labels)
            chroma = self._chroma(luma, thumbs, ab)
            also: Pictures = {}
            if "labels" in self._also:
                also["labels"] = (np.stack([overlay(t, p) for t, p in zip(thumbs[0], labels, strict=True)]),)
            if maps := self._also.get("maps"):
                also["maps"] = (np.stack([likeliest(p, (maps.height, maps.width)) for p in labels]),)
            if painted:  # side by side, each sample as the film itself would have it
                both = np.concatenate([self._chroma(luma, thumbs, painted[0]), chroma], -1)
                also["compare"] = np.concatenate([luma, luma], -1), both
            note = count(chunk, thumbs[0], ab, labels) if self._summary else None
            self._parts.skip_to(begin)
            part = self._parts.write(chunk, luma, chroma, state, also, note)
        return Receipt(len(chunk), (part.start, part.frames, self._bytes(part)) if part else None)

    def _chroma(self, luma: np.ndarray, thumbs: Thumbs, ab: np.ndarray | list[Painted]) -> np.ndarray:
        """(N, 2, ch, cw): Cb and Cr as they are encoded."""
        from ...pipeline.compose import chroma_planes

        frames = zip(ab, thumbs[0], luma, strict=True)
        return np.stack([chroma_planes(*frame, self._size, self._format) for frame in frames])

    def _bytes(self, part: Part) -> int:
        return sum((self._parts.folder / name).stat().st_size for name in part.files.values())
