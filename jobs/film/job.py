"""Records of one film on Ray: what is asked for (`Settings`), what was decided (`Job`), and the result
(`FilmResult`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...pipeline.defaults import CHUNK
from ...pipeline.edits.apply import ResolvedEdits
from ...pipeline.edits.coverage import Weakest
from ...pipeline.encode import Encoding
from ...pipeline.extras import Kind
from ...pipeline.film import Film
from ...pipeline.findings import Finding
from ...pipeline.look import Look
from ...pipeline.owncolors import ShotColor, Spans
from ...pipeline.scenes import Scenes
from .sizing import Sizes

Progress = Callable[[int, int], None]
"""Function that is called with (frames done, shots begun) while the film is made."""


@dataclass(frozen=True)
class Settings:
    """The look decides the colours. All other settings decide where the film is made, and how much of it in
    parallel."""

    look: Look = Look()
    device: str = "auto"
    workers: int | None = None
    """Number of artists; None: one per GPU, or one per CPU core."""
    chunk: int = CHUNK
    """Frames per chunk, one of `pipeline.chunk.CHUNK_SIZES`."""
    address: str | None = None
    """Address of a Ray cluster; None: Ray is started on this machine for the run."""
    work: Path | None = None
    """Folder in which the work folder is made; None: beside the output. Needed if the output is a URL."""


@dataclass(frozen=True)
class Job:
    """A film, and all decisions about how it is made."""

    film: Film
    encoding: Encoding
    """Encoding of the colour film."""
    extras: Mapping[Kind, Encoding]
    """Encodings of the further films, by kind."""
    summary: bool
    """Whether labels and colours are counted for the summary."""
    report: bool
    """Whether the facts for the report are noted."""
    edits: ResolvedEdits | None
    kept: Spans
    """The shots that keep the source's own chroma."""
    settings: Settings
    sizes: Sizes
    device: str
    precision: str
    workers: int
    work: Path
    """The work folder."""
    identity: dict
    """Everything that decides the output's bytes; the work folder records it. See `workdir.belongs`."""
    scenes: Scenes | None = None
    """The shots that take colours of earlier ones; None: there are none."""

    @property
    def look(self) -> Look:
        return self.settings.look


@dataclass(frozen=True)
class FilmResult:
    """The result of a run."""

    frames: int
    resumed: int
    """Frames that an earlier run had finished."""
    shots: int
    damaged: tuple[int, ...]
    """Numbers of the frames whose damage the decoder concealed."""
    seconds: float
    """Wall time of this run."""
    workers: int = 0
    """Number of artists; 0: an earlier run had already finished the film."""
    device: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    """Stage → seconds of work since the last restart, summed over all its workers."""
    queues: dict[str, float] = field(default_factory=dict)
    """Stage → mean number of chunks that were in it or waited for it."""
    lost: tuple[int, ...] = ()
    """Numbers of the frames that could not be decoded."""
    findings: tuple[Finding, ...] = ()
    """What was wrong with the film, and what was done about it."""
    own: tuple[ShotColor, ...] = ()
    """The colours that each shot of the source has already."""
    lost_regions: tuple[str, ...] = ()
    """A sentence for each region of an edit that could not be followed to the end of its shot."""
    found_again: tuple[str, ...] = ()
    """A sentence for each edit whose region was found again in other shots of the same place."""
    weakest: tuple[Weakest, ...] = ()
    """Of each shot with key frames, the frame that they and the edits cover least: the one to paint next."""
    negative: bool = False
    """Whether the film looks like a negative."""
    scenes: int = 0
    """Number of shots that took colours of an earlier one."""
    restarts: int = 0
    """Number of times that workers were lost and the film continued from its last committed part."""

    @property
    def speed(self) -> float:
        """Frames per second of this run."""
        return (self.frames - self.resumed) / max(self.seconds, 1e-9)
