"""The stages of one film as Ray actors: thin shells, the work is in `pipeline`, `models` and `flow`.

Heavy imports happen inside the workers. Each actor adds up the seconds it worked, for the table at the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..pipeline.chunk import Chunk, Resume

if TYPE_CHECKING:
    from ..flow import Estimator, Motion
    from ..pipeline.encode import Encoding
    from ..pipeline.film import Film
    from ..pipeline.writer import Pictures

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
    """Decodes in order. One to a film."""

    def __init__(self, film: Film, chunk: int, size: int, start: Resume) -> None:
        from ..pipeline.reader import FilmReader

        super().__init__()
        self._reader = FilmReader(film, chunk, size, start)
        self._chunks = iter(self._reader)

    def read(self) -> tuple[Chunk | None, np.ndarray | None, Thumbs | None]:
        """The next chunk, its luma (N, H, W) and its thumbs; three Nones at the film's end."""
        with self.busy():
            read = next(self._chunks, None)
        if read is None:
            return None, None, None
        chunk, luma, thumbs, before = read
        return chunk, luma, (thumbs, before)

    def damaged(self) -> list[int]:
        """Frames whose damage the decoder concealed."""
        return self._reader.damaged


class Artist(_Timed):
    """Understands and colours frames one by one. As many as there are GPUs, or CPU cores."""

    def __init__(self, device: str, weights: Path | None, vivid: float) -> None:
        from ..models.painter import Painter

        super().__init__()
        self._painter = Painter(device, weights, vivid)

    def paint(self, thumbs: Thumbs) -> Colour:
        with self.busy():
            return self._painter.paint(thumbs[0])


def estimate_motion(thumbs: Thumbs, raft: Path | None, device: str) -> tuple[Motion, float]:
    """A task: motion between the frames of a chunk, by RAFT if its weights are given; and the seconds it took."""
    from ..flow import estimate

    estimator = _raft(raft, device) if raft else None
    started = time.perf_counter()
    motion = estimate(*thumbs, estimator)
    return motion, time.perf_counter() - started


@cache
def _raft(weights: Path, device: str) -> Estimator:
    """Loaded once a worker process."""
    from ..flow.raft import Raft

    return Raft(weights, device)


class Steadier(_Timed):
    """Holds colours and labels still along a shot. One to a film; chunks come in order."""

    def __init__(self, strength: float, state: bytes) -> None:
        from ..flow import Steadier as Estimate

        super().__init__()
        self._estimate = Estimate(strength)
        if state:
            self._estimate.restore(state)
        self._motion_seconds = 0.0

    def blend(self, chunk: Chunk, colour: Colour, motion: tuple[Motion, float]) -> tuple[Colour, bytes]:
        """Steady colour, and the state where a part of the output may end with this chunk."""
        self._motion_seconds += motion[1]
        with self.busy():
            steady = self._estimate.blend(*colour, motion[0], chunk.shot_start, chunk.ends_shot)
            return steady, self._estimate.state() if chunk.may_end_part and not chunk.ends_shot else b""

    def motion_seconds(self) -> float:
        return self._motion_seconds


class Writer(_Timed):
    """Joins chroma with the film's own luma and encodes. One to a film; chunks come in order."""

    def __init__(self, folder: Path, film: Film, encoding: Encoding, also: dict[str, Encoding]) -> None:
        from ..pipeline.compose import PlaneFormat
        from ..pipeline.encode import chroma_size
        from ..pipeline.writer import PartWriter

        super().__init__()
        self._parts = PartWriter(folder, film, encoding, also)
        self._also = set(also)
        self._size = chroma_size(film.width, film.height, encoding.pix_fmt)
        self._format = PlaneFormat(film.matrix, film.bits, film.full_range)

    def write(
        self, chunk: Chunk, luma: np.ndarray, thumbs: Thumbs, colour: Colour, state: bytes, painted: Colour | None
    ) -> int:
        """colour: steady; painted: as the network gave it, for a film to compare. Returns the number of frames."""
        from ..pipeline.overlay import overlay

        with self.busy():
            chroma = self._chroma(luma, thumbs, colour)
            also: Pictures = {}
            if "labels" in self._also:
                also["labels"] = (np.stack([overlay(t, p) for t, p in zip(thumbs[0], colour[1], strict=True)]),)
            if painted:  # side by side, each sample as the film itself would have it
                both = np.concatenate([self._chroma(luma, thumbs, painted), chroma], -1)
                also["compare"] = np.concatenate([luma, luma], -1), both
            self._parts.write(chunk, luma, chroma, state, also)
        return len(chunk)

    def _chroma(self, luma: np.ndarray, thumbs: Thumbs, colour: Colour) -> np.ndarray:
        """(N, 2, ch, cw): Cb and Cr as they are encoded."""
        from ..pipeline.compose import chroma_planes

        frames = zip(colour[0], thumbs[0], luma, strict=True)
        return np.stack([chroma_planes(ab, thumb, y, self._size, self._format) for ab, thumb, y in frames])
