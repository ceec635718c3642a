"""The stages of one film as Ray actors: thin shells, the work is in `pipeline.stages`.

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

from ...errors import WorkError
from ...pipeline.chunk import Chunk, Resume
from .workdir import SHARED, belongs, writer_turn

if TYPE_CHECKING:
    import numpy as np

    from ...flow import Estimator, Motion
    from ...pipeline.edits.apply import ResolvedEdits
    from ...pipeline.film import Film
    from ...pipeline.frames import Colors, Thumbs
    from ...pipeline.look import Look
    from ...pipeline.parts import Part
    from .job import Job


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
    """Decodes what lies in the gaps, in order. One to a film."""

    def __init__(self, film: Film, chunk: int, size: int, gaps: Sequence[Resume]) -> None:
        super().__init__()
        self._settings, self._gaps = (film, chunk, size), gaps

    def open(self) -> None:
        """Nothing is decoded before the first chunk is asked for."""
        from ...pipeline.reader import FilmReader

        self._chunks = chain.from_iterable(FilmReader(*self._settings, gap) for gap in self._gaps)

    def read(self) -> tuple[Chunk | None, np.ndarray | None, Thumbs | None]:
        """The next chunk, its luma (N, H, W) and its thumbs; three Nones at the film's end.

        Three results and not one: luma stays on the node, thumbs travel to the artists.
        """
        with self.busy():
            frames = next(self._chunks, None)
        return (frames.chunk, frames.luma, frames.thumbs) if frames else (None, None, None)


def precision(device: str) -> str:
    """A task: the precision in which the networks run where it is called, ``bfloat16`` or ``float32``."""
    from ...models import pick_precision

    return pick_precision(device)


class Artist(_Timed):
    """Understands and colours frames one by one. As many as there are GPUs, or CPU cores."""

    def __init__(self, device: str, precision: str, look: Look, edits: ResolvedEdits | None = None) -> None:
        super().__init__()
        self._device, self._precision, self._look, self._edits = device, precision, look, edits

    def open(self) -> None:
        """Load the networks."""
        from ...models.painter import Painter
        from ...pipeline.stages import Painting

        painter = Painter(self._device, self._look.weights, self._look.vivid, self._precision)
        self._stage = Painting(painter.paint, self._edits)

    def paint(self, chunk: Chunk, thumbs: Thumbs) -> Colors:
        with self.busy():
            return self._stage.paint(chunk, thumbs)


class Surveyor:
    """Measures motion between the frames of a chunk. One to a GPU, or to a few CPU cores."""

    def __init__(self, raft: Path | None, device: str) -> None:
        """raft: RAFT's weights; None: DIS."""
        self._raft, self._device = raft, device

    def measure(self, thumbs: Thumbs) -> tuple[Motion, float]:
        """Motion, and the seconds it took."""
        from ...pipeline.stages import survey

        estimator = self._estimator
        started = time.perf_counter()
        motion = survey(thumbs, estimator)
        return motion, time.perf_counter() - started

    @cached_property
    def _estimator(self) -> Estimator | None:
        if not self._raft:
            return None
        from ...flow.raft import Raft  # with torch

        return Raft(self._raft, self._device)


class Steadier(_Timed):
    """Holds colours and labels still along a shot. One to a film; chunks come in order."""

    def __init__(self, strength: float, gaps: Sequence[Resume], edits: ResolvedEdits | None = None) -> None:
        super().__init__()
        self._strength, self._edits = strength, edits
        self._starts = {gap.frame: gap.state for gap in gaps}
        self._motion_seconds = 0.0

    def open(self) -> None:
        from ...pipeline.stages import Steadying

        self._stage = Steadying(self._strength, self._starts, self._edits)

    def blend(
        self,
        chunk: Chunk,
        colors: Colors,
        motion: tuple[Motion, float],
        next_colors: Colors | None,
        next_motion: tuple[Motion, float] | None,
    ) -> tuple[Colors, bytes]:
        """Steady colours, and the state where a part of the output may end with this chunk.

        `next_colors` and `next_motion`: of the chunk that follows in the shot; None where the shot ends.
        """
        self._motion_seconds += motion[1]
        following = (next_colors, next_motion[0]) if next_colors and next_motion else None
        with self.busy():
            return self._stage.blend(chunk, colors, motion[0], following)

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

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def open(self, known: Sequence[Part]) -> None:
        """Go on beside the parts `known` in the work folder, which the driver has swept."""
        from ...pipeline.parts import no_edits, standing
        from ...pipeline.stages import Composing
        from ...pipeline.writer import PartWriter

        job, work = self._job, self._job.work
        self._turn = writer_turn(work, shared=True)  # until this process ends
        if not belongs(work, job.identity) or len(standing(work, known)) < len(known):
            raise WorkError(f"{work} is not the same folder on every node of the cluster; {SHARED}")
        digest_of = job.edits.digest if job.edits else no_edits
        self._parts = PartWriter(work, job.film, job.encoding, job.extras, known, digest_of)
        self._stage = Composing(job.film, job.encoding, job.extras, summary=job.summary, edits=job.edits)

    def write(
        self,
        begin: int,
        chunk: Chunk,
        luma: np.ndarray,
        thumbs: Thumbs,
        colors: Colors,
        state: bytes,
        painted: Colors | None,
    ) -> Receipt:
        """begin: the part's first frame; colors: steady; painted: as the networks gave them, for `Kind.COMPARE`."""
        from ...pipeline.frames import Frames

        with self.busy():
            frames = Frames(chunk, luma, thumbs)
            self._parts.skip_to(begin)
            made = self._stage.compose(frames, colors, painted)
            part = self._parts.write(chunk, luma, made.chroma, state, made.extras, made.note)
        return Receipt(len(chunk), (part.start, part.frames, self._bytes(part)) if part else None)

    def _bytes(self, part: Part) -> int:
        return sum((self._parts.folder / name).stat().st_size for name in part.files.values())
