"""The stages of one film as Ray actors: thin shells, the work is in `pipeline`, `models` and `flow`.

Heavy imports happen inside the workers. Each actor adds up the seconds it worked, for the table at the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..pipeline.chunk import Chunk, Resume

if TYPE_CHECKING:
    from ..flow import Motion
    from ..pipeline.control import Control
    from ..pipeline.encode import Encoding
    from ..pipeline.film import Film

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

    def __init__(self, device: str, weights: Path | None, vivid: float, control: Control | None = None) -> None:
        from ..models.painter import Painter

        super().__init__()
        self._painter = Painter(device, weights, vivid)
        self._control = control

    def paint(self, chunk: Chunk, thumbs: Thumbs) -> Colour:
        control = self._control
        with self.busy():
            amend = control and (lambda n, labels: control.amend(chunk.start + n, labels))
            return self._painter.paint(thumbs[0], amend)


def estimate_motion(thumbs: Thumbs) -> tuple[Motion, float]:
    """A task: motion between the frames of a chunk, and the seconds it took."""
    from ..flow import estimate

    started = time.perf_counter()
    motion = estimate(*thumbs)
    return motion, time.perf_counter() - started


class Steadier(_Timed):
    """Holds colours and labels still along a shot. One to a film; chunks come in order."""

    def __init__(self, strength: float, state: bytes, control: Control | None = None) -> None:
        from ..flow import Steadier as Estimate

        super().__init__()
        self._control = control
        self._estimate = Estimate(strength)
        if state:
            self._estimate.restore(state)
        self._motion_seconds = 0.0

    def blend(self, chunk: Chunk, colour: Colour, motion: tuple[Motion, float]) -> tuple[Colour, bytes]:
        """Steady colour, and the state where a part of the output may end with this chunk."""
        self._motion_seconds += motion[1]
        with self.busy():
            seen = self._control.forget(chunk.start, motion[0]) if self._control else motion[0]
            steady = self._estimate.blend(*colour, seen, chunk.shot_start, chunk.ends_shot)
            return steady, self._estimate.state() if chunk.may_end_part and not chunk.ends_shot else b""

    def motion_seconds(self) -> float:
        return self._motion_seconds


class Writer(_Timed):
    """Joins chroma with the film's own luma and encodes. One to a film; chunks come in order."""

    def __init__(
        self,
        folder: Path,
        film: Film,
        encoding: Encoding,
        labels: Encoding | None,
        maps: Encoding | None = None,
        summary: bool = False,
        control: Control | None = None,
    ) -> None:
        from ..pipeline.compose import PlaneFormat
        from ..pipeline.encode import chroma_size
        from ..pipeline.writer import PartWriter

        super().__init__()
        self._parts = PartWriter(folder, film, encoding, labels, maps)
        self._labels, self._maps, self._summary, self._control = labels is not None, maps, summary, control
        self._size = chroma_size(film.width, film.height, encoding.pix_fmt)
        self._format = PlaneFormat(film.matrix, film.bits, film.full_range)

    def write(self, chunk: Chunk, luma: np.ndarray, thumbs: Thumbs, colour: Colour, state: bytes) -> int:
        """Returns the number of frames written."""
        from ..pipeline.compose import chroma_planes
        from ..pipeline.overlay import likeliest, overlay
        from ..pipeline.summary import count

        with self.busy():
            ab, labels = colour
            if self._control:
                ab = self._control.finish(chunk.start, ab, labels)
            chroma = np.stack(
                [chroma_planes(a, t, y, self._size, self._format) for a, t, y in zip(ab, thumbs[0], luma, strict=True)]
            )
            pictures = None
            if self._labels:
                pictures = np.stack([overlay(t, p) for t, p in zip(thumbs[0], labels, strict=True)])
            maps = None
            if self._maps:
                maps = np.stack([likeliest(p, (self._maps.height, self._maps.width)) for p in labels])
            note = count(chunk, thumbs[0], ab, labels) if self._summary else None
            self._parts.write(chunk, luma, chroma, state, pictures, maps, note)
        return len(chunk)
