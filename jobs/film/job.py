"""The records of one film on Ray: what is asked for, what was decided, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...pipeline.defaults import CHUNK
from ...pipeline.edits.apply import ResolvedEdits
from ...pipeline.encode import Encoding
from ...pipeline.extras import Kind
from ...pipeline.film import Film
from ...pipeline.look import Look
from .sizing import Sizes

Progress = Callable[[int, int], None]
"""Called with (frames done, shots begun) as the film goes on."""


@dataclass(frozen=True)
class Settings:
    """The look, which decides the colours, and the machine part, which decides where and how wide the film runs."""

    look: Look = Look()
    device: str = "auto"
    workers: int | None = None
    """Artists; None: one a GPU, or one a CPU core."""
    chunk: int = CHUNK
    """Frames of a chunk, one of `pipeline.chunk.CHUNK_SIZES`."""
    address: str | None = None
    """A Ray cluster; None: Ray is started on this machine for the run."""
    work: Path | None = None
    """Folder for the work folder; None: beside the output. Needed where the output is a URL."""


@dataclass(frozen=True)
class Job:
    """A film and everything that was decided about making it."""

    film: Film
    encoding: Encoding
    """Of the colour film."""
    extras: Mapping[Kind, Encoding]
    """Of the further films, by kind."""
    summary: bool
    """Whether labels and colours are counted."""
    edits: ResolvedEdits | None
    settings: Settings
    sizes: Sizes
    device: str
    precision: str
    workers: int
    work: Path
    """The work folder."""
    identity: dict
    """What the work folder must say of itself; see `workdir.belongs`."""

    @property
    def look(self) -> Look:
        return self.settings.look


@dataclass(frozen=True)
class FilmResult:
    """What came of a run."""

    frames: int
    resumed: int
    """Frames that an earlier run had finished."""
    shots: int
    damaged: tuple[int, ...]
    """Numbers of the frames whose damage the decoder concealed."""
    seconds: float
    """Wall time of this run."""
    workers: int = 0
    """0: an earlier run had finished everything."""
    device: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    """Stage → seconds of work since the last restart, over all its workers."""
    queues: dict[str, float] = field(default_factory=dict)
    """Stage → mean number of chunks that were in it or waited for it."""
    restarts: int = 0
    """How often workers were lost and the film went on from its last part."""

    @property
    def speed(self) -> float:
        """Frames a second of this run."""
        return (self.frames - self.resumed) / max(self.seconds, 1e-9)
