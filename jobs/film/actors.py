"""The stages of one film as actors, of Ray or in threads (`crew`). They are thin shells; the work is in
`pipeline.stages`.

Heavy imports happen inside the workers. Code that may fail is in `open` or later, not in a constructor, because Ray
hides the errors of constructors. Each actor adds up the seconds that it worked, for the statistics at the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
    from ...pipeline.frames import Colors, Painted, Thumbs
    from ...pipeline.look import Look
    from ...pipeline.owncolors import Spans
    from ...pipeline.parts import Part
    from ...pipeline.scenes import Scenes
    from .job import Job

    Planes = tuple[np.ndarray, np.ndarray | None]
    """Luma of a chunk's frames, and their own chroma if they keep it; see `pipeline.frames.Frames`."""


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
        """Seconds of work until now."""
        return self._seconds


class Reader(_Timed):
    """Decodes the frames of the gaps between parts, in order. One per film."""

    def __init__(self, film: Film, chunk: int, size: int, gaps: Sequence[Resume], kept: Spans) -> None:
        super().__init__()
        self._settings, self._gaps, self._kept = (film, chunk, size), gaps, kept

    def open(self) -> None:
        """Prepare to read. Decoding begins with the first call of `read`."""
        from ...pipeline.reader import FilmReader

        self._chunks = chain.from_iterable(FilmReader(*self._settings, gap, self._kept) for gap in self._gaps)

    def read(self) -> tuple[Chunk | None, Planes | None, Thumbs | None]:
        """Read the next chunk.

        Returns:
            The chunk, its planes and its thumbs; three Nones at the end of the film. These are three results, not one,
            because the planes stay on the node while the thumbs travel to the artists.
        """
        with self.busy():
            frames = next(self._chunks, None)
        return (frames.chunk, (frames.luma, frames.chroma), frames.thumbs) if frames else (None, None, None)

    def samples(self) -> list[np.ndarray]:
        """Pictures from all over the film, for `Artist.looks_negative`."""
        from ...pipeline.negative import samples

        return samples(self._settings[0])


def precision(device: str) -> str:
    """Precision in which the networks run on the calling node, ``bfloat16`` or ``float32``. Runs as a Ray task."""
    from ...models import pick_precision

    return pick_precision(device)


class Artist(_Timed):
    """Predicts labels, then chroma, of single frames. One per GPU, or per CPU core."""

    def __init__(
        self,
        device: str,
        precision: str,
        look: Look,
        size: tuple[int, int],
        edits: ResolvedEdits | None = None,
        scenes: Scenes | None = None,
    ) -> None:
        super().__init__()
        self._device, self._precision, self._look, self._edits = device, precision, look, edits
        self._scenes = scenes
        self._size, self._held = size, ExitStack()

    def open(self) -> None:
        """Load the networks."""
        from ...models.painter import Painter
        from ...pipeline.stages import Painting

        look = self._look
        self._painter = painter = Painter(
            self._device, weights=look.weights, vivid=look.vivid, precision=self._precision, size=self._size
        )
        self._held.callback(painter.close)
        revisiting = None
        if self._scenes:
            from ...pipeline.revisiting import Revisiting

            precision = self._precision if self._device == "cpu" else None
            revisiting = Revisiting(self._scenes, look, self._edits, precision)
        self._stage = Painting(painter.paint, self._edits, revisiting)

    def paint(self, chunk: Chunk, thumbs: Thumbs) -> Painted:
        """Labels and chroma of the frames of a chunk that the Steadier needs."""
        with self.busy():
            return self._stage.paint(chunk, thumbs)

    def paint_all(self, chunk: Chunk, thumbs: Thumbs) -> Colors:
        """Labels and chroma of all frames of a chunk."""
        with self.busy():
            return self._stage.paint_all(chunk, thumbs)

    def close(self) -> None:
        """Leave the networks to the next film of this process."""
        self._held.close()

    def looks_negative(self, pictures: list[np.ndarray]) -> bool:
        """Whether pictures from all over a film are those of a negative."""
        from ...pipeline.negative import looks_negative

        return looks_negative(pictures, self._painter.paint)


class Surveyor:
    """Measures motion between the frames of a chunk. One per GPU, or per few CPU cores."""

    def __init__(self, raft: Path | None, device: str) -> None:
        """raft: file of RAFT's weights; None: motion is measured by DIS."""
        self._raft, self._device = raft, device

    def measure(self, thumbs: Thumbs) -> tuple[Motion, float]:
        """Motion, and the seconds that the measurement took."""
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
    """Steadies colours and labels along a shot. One per film; chunks come in order."""

    def __init__(self, strength: float, gaps: Sequence[Resume], edits: ResolvedEdits | None = None) -> None:
        super().__init__()
        self._strength, self._edits = strength, edits
        self._starts = {gap.frame: gap.state for gap in gaps}
        self._motion_seconds = 0.0

    def open(self) -> None:
        """Prepare the steadier."""
        from ...pipeline.stages import Steadying

        self._stage = Steadying(self._strength, self._starts, self._edits)

    def blend(
        self,
        chunk: Chunk,
        painted: Painted,
        motion: tuple[Motion, float],
        next_painted: Painted | None,
        next_motion: tuple[Motion, float] | None,
    ) -> tuple[Colors, bytes]:
        """Steady the colours of a chunk.

        Args:
            chunk: the chunk.
            painted: its labels and chroma, as the networks gave them.
            motion: motion between its frames, and the seconds that the measurement took.
            next_painted: those of the next chunk of the shot; None where the shot ends.
            next_motion: motion of that chunk; None where the shot ends.

        Returns:
            The steady colours, and the steadier's state if a part of the output may end with this chunk.
        """
        self._motion_seconds += motion[1]
        following = (next_painted, next_motion[0]) if next_painted and next_motion else None
        with self.busy():
            return self._stage.blend(chunk, painted, motion[0], following)

    def motion_seconds(self) -> float:
        """Seconds that the Surveyors worked."""
        return self._motion_seconds


@dataclass(frozen=True)
class Receipt:
    """Receipt for a written chunk."""

    frames: int
    part: tuple[int, int, int] | None
    """(first frame, frames, bytes) of the part that this chunk completed, if it completed one."""


class Writer(_Timed):
    """Joins chroma with the film's own luma, and encodes. A film has one Writer or a few. Each writes parts of its
    own, and the chunks of a part come in order."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job
        self._held = ExitStack()

    def open(self, known: Sequence[Part]) -> None:
        """Prepare to write further parts. The driver has deleted all files of parts that are not `known`.

        Raises WorkError if this node sees another work folder than the driver.
        """
        from ...pipeline.parts import no_edits, standing
        from ...pipeline.report.lumacheck import LumaCheck
        from ...pipeline.stages import Composing
        from ...pipeline.writer import PartWriter

        job, work = self._job, self._job.work
        self._held.enter_context(writer_turn(work, shared=True))  # until `close`, or until the process ends
        if not belongs(work, job.identity) or len(standing(work, known)) < len(known):
            raise WorkError(f"{work} is not the same folder on every node of the cluster; {SHARED}")
        digest_of = job.edits.digest if job.edits else no_edits
        check = LumaCheck(job.film, job.encoding) if job.report else None
        self._parts = PartWriter(work, job.film, job.encoding, job.extras, known, digest_of, check)
        self._held.callback(self._parts.abort)
        wanted = {"summary": job.summary, "report": job.report}
        self._stage = Composing(job.film, job.encoding, job.extras, **wanted, edits=job.edits)

    def write(
        self,
        begin: int,
        chunk: Chunk,
        planes: Planes,
        thumbs: Thumbs,
        colors: Colors,
        state: bytes,
        painted: Colors | None,
    ) -> Receipt:
        """Encode a chunk, and commit its part if the chunk completes it.

        Args:
            begin: number of the part's first frame.
            chunk: the chunk.
            planes: the film's own luma, (N, H, W), and the chroma that it keeps.
            thumbs: its thumbs.
            colors: its steady colours.
            state: the steadier's state after the chunk; saved if the part ends with it.
            painted: its colours as the networks gave them, for `Kind.COMPARE`; otherwise None.
        """
        from ...pipeline.frames import Frames

        with self.busy():
            luma, chroma = planes
            frames = Frames(chunk, luma, thumbs, chroma)
            self._parts.skip_to(begin)
            made = self._stage.compose(frames, colors, painted)
            part = self._parts.write(chunk, luma, made.chroma, state, made.extras, made.note)
        return Receipt(len(chunk), (part.start, part.frames, self._bytes(part)) if part else None)

    def close(self) -> None:
        """Abandon the open part, and let others change the parts."""
        self._held.close()

    def _bytes(self, part: Part) -> int:
        from ...pipeline.files import size_on_disk

        return sum(size_on_disk(self._parts.folder / name) for name in part.files.values())
