"""One attempt at what is left of a film: the actors and the loop that feeds them.

The driver holds no pixels: it passes references on and waits for receipts. A bounded window of chunks in flight
is the memory bound and the back-pressure. Nothing is repaired here: what happens when a worker is lost is told in
`recovery`, and Ray is told to retry nothing by itself.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import SemcolorError
from ...pipeline.chunk import PART_FRAMES, Chunk, ends_part
from ...pipeline.edits.apply import Control
from ...pipeline.encode import Encoding
from ...pipeline.film import Film
from ...pipeline.parts import Part, gaps, sweep
from ...pipeline.reader import chunk_size, thumb_size
from ..cluster import cores
from . import actors
from .workdir import EventLog, writer_turn

if TYPE_CHECKING:
    from .driver import Progress, Settings

_log = logging.getLogger(__name__)

AHEAD = 4
"""Chunks in flight beyond one for each artist, at least: being read, waiting for the next one of its shot, steadied,
written. See `window`."""

ARTISTS_A_WRITER = {"cpu": 4, "cuda": 2}
"""What these paint one Writer can about encode, on one core."""

MOST_WRITERS = 3
"""The Reader decodes about as much as three of them encode."""

FURTHER_BYTES = 512 << 20
"""At most, of the chunks in flight for the sake of each Writer but the first."""

ARTISTS_A_SURVEYOR = 4
"""On CPUs. Motion takes a tenth of the time that painting takes, so that no artist waits for it."""

MOTION_GPU = 0.4
"""Of each GPU, where RAFT measures motion there; the artist has the rest, so that two never share one."""

PATIENCE = 60.0
"""Seconds without a single artist after which something is said."""


@dataclass(frozen=True)
class Job:
    """A film and all that was decided about its making."""

    film: Film
    encoding: Encoding
    also: dict[str, Encoding]
    """Of further films, by kind; see `driver.Also`."""
    summary: bool
    """Whether labels and colours are counted."""
    control: Control | None
    settings: Settings
    device: str
    precision: str
    workers: int
    work: Path
    identity: dict
    """What the work folder must say of itself; see `workdir.belongs`."""


@dataclass
class _Desk:
    """A Writer, or an artist that has loaded its networks, and the chunks that lie before it."""

    worker: Any
    surveyor: Any = None
    """An artist's, shared with other desks; None where motion is not wanted."""
    queue: deque = field(default_factory=deque)
    """References that are ready when a chunk is done."""


@dataclass
class _Passage:
    """References of what becomes of a chunk; None for what is no longer wanted, or not yet asked for."""

    colour: Any
    motion: Any = None
    steady: Any = None
    receipt: Any = None


_Read = tuple[Chunk, Any, Any, Any]  # and references to the chunk itself, its luma and its thumbs


class Run:
    """Through all that is missing between `parts`, and from their end to the film's."""

    def __init__(self, job: Job, parts: Sequence[Part], events: EventLog) -> None:
        self._job, self._parts, self._events = job, parts, events
        self._gaps = gaps(job.work, parts, job.film.frames)
        self._actors: list[Any] = []
        self._loading: dict[Any, Any] = {}  # reference that is ready when the networks are loaded → artist
        self._desks: list[_Desk] = []
        self._writers: list[_Desk] = []
        self._part: tuple[int, _Desk] | None = None  # the open one's first frame, and where it is written
        self._held: tuple[_Read, _Passage] | None = None  # waits for the chunk that follows in its shot
        self._samples: list[dict[str, int]] = []
        self.done = sum(part.frames for part in parts)
        """Frames that have been written, in committed parts or in the open one."""
        self.stages: dict[str, float] = {}

    @property
    def queues(self) -> dict[str, float]:
        """Stage → chunks that were there at a time, on average: waiting for it or in it."""
        names = self._samples[0] if self._samples else {}
        return {name: sum(s[name] for s in self._samples) / len(self._samples) for name in names}

    def go(self, progress: Progress) -> None:
        """Until every frame is in a committed part. Raises RayError; the actors end either way."""
        import ray
        from ray.exceptions import RayError

        try:
            ray.get(self._hire())
            self._feed(progress)
            with suppress(RayError):  # the film is whole: figures are worth no second attempt
                self._collect()
        finally:
            for actor in self._actors:
                ray.kill(actor)

    def _hire(self) -> list[Any]:
        """Start the actors. Returns references that are ready when all but the artists are."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # The artists are what cores are counted for. The others wait more than they work, and must find a place
        # on a cluster that is full of artists: the window bounds them.
        aside: dict[str, Any] = {"num_cpus": 0}
        # Full-size pictures stay on the driver's node, which has seen source and output; thumbs and chroma travel.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        with_files = aside | {"scheduling_strategy": here}
        job, settings = self._job, self._job.settings

        for _ in range(job.workers):
            hired = (job.device, job.precision, settings.weights, settings.vivid, job.control)
            artist = self._one(actors.Artist, resources(job.device, settings.raft is not None), *hired)
            self._loading[artist.open.remote()] = artist
        self._reader = self._one(actors.Reader, with_files, job.film, settings.chunk, settings.size, self._gaps)
        self._steadier = self._one(actors.Steadier, aside, settings.steady, self._gaps, job.control)
        with writer_turn(job.work):  # once no Writer that was given up is at work there
            sweep(job.work, self._parts)
        for _ in range(writers(job.workers, job.device)):
            hired = (job.film, job.encoding, job.also, job.summary, job.control)
            self._writers.append(_Desk(self._one(actors.Writer, with_files, *hired)))
        opened = [desk.worker.open.remote(job.work, job.identity, self._parts) for desk in self._writers]
        return [self._reader.open.remote(), self._steadier.open.remote(), *opened]

    def _one(self, actor: type, options: dict, *arguments: object) -> Any:
        """Start an actor that ends with the run."""
        import ray

        self._actors.append(ray.remote(actor).options(**options).remote(*arguments))
        return self._actors[-1]

    def _feed(self, progress: Progress) -> None:
        """Keep the window full: read ahead, hand on in order, collect receipts in order."""
        import ray

        reads: deque[list[Any]] = deque()
        flight: deque[_Passage] = deque()
        ended, shots = False, self._gaps[0].shot + 1
        while flight or not ended:
            most = window(max(1, len(self._desks)), len(self._writers), self._job.film, self._job.settings)
            while not ended and len(reads) + len(flight) < most and len(reads) < 2:
                reads.append(self._reader.read.options(num_returns=3).remote())
            waiting = ([reads[0][0]] if reads else []) + ([flight[0].receipt] if flight and flight[0].receipt else [])
            ready, _ = ray.wait(waiting, num_returns=1)
            if reads and reads[0][0] in ready:
                head, luma, thumbs = reads.popleft()
                chunk = ray.get(head)
                if chunk is None:
                    ended = True
                    reads.clear()
                else:
                    shots = chunk.shot + 1
                    flight.extend(self._hand_on((chunk, head, luma, thumbs)))
                    self._sample(flight, len(reads))
            elif flight:
                receipt: actors.Receipt = ray.get(flight.popleft().receipt)
                self.done += receipt.frames
                if receipt.part:
                    start, frames, size = receipt.part
                    self._events("part committed", start=start, frames=frames, bytes=size)
                progress(self.done, shots)

    def _admit(self) -> None:
        """Give desks to the artists that have loaded their networks; wait for the first one.

        Only these get chunks: on a full cluster some may start late or never, and must keep nobody waiting.
        """
        import ray

        said = False
        while self._loading:
            patience = 0 if self._desks else PATIENCE
            ready, _ = ray.wait(list(self._loading), num_returns=1, timeout=patience)
            if ready:
                ray.get(ready[0])
                self._desks.append(_Desk(self._loading.pop(ready[0]), self._surveyor()))
                self._events("artist ready", artists=len(self._desks))
            elif self._desks:
                return
            else:
                self._explain_the_wait(said)
                said = True

    def _surveyor(self) -> Any:
        """Who measures motion for the next desk. Tasks would do as well, but Ray ends workers that have nothing to do,
        and starts new ones, half a second of work each, all the time."""
        job, raft = self._job, self._job.settings.raft
        if not job.settings.steady:
            return None
        on_gpu = job.device == "cuda"
        if not on_gpu and len(self._desks) % ARTISTS_A_SURVEYOR:
            return self._desks[-1].surveyor
        return self._one(
            actors.Surveyor, {"num_cpus": 0, "num_gpus": MOTION_GPU if raft and on_gpu else 0}, raft, job.device
        )

    def _explain_the_wait(self, said: bool) -> None:
        import ray

        kind, name = ("GPU", "GPU") if self._job.device == "cuda" else ("CPU", "CPU core")
        if not ray.cluster_resources().get(kind):
            raise SemcolorError(f"the cluster has had no {name} for {PATIENCE:.0f} s; the same command goes on later.")
        if not said:
            self._events("waiting", kind=kind)
            _log.warning("all %ss are taken by others, or networks load slowly: waiting.", name)

    def _hand_on(self, read: _Read) -> list[_Passage]:
        """The way of a chunk, all by reference: it is painted now, and goes on when the next one of its shot is there.

        Returns its passage, or none if it is only there for the sake of the chunk before it.
        """
        chunk, head, _, thumbs = read
        if chunk.beyond and not self._held:
            return []
        self._admit()
        desk = _freest(self._desks)
        passage = _Passage(desk.worker.paint.remote(head, thumbs))
        desk.queue.append(passage.colour)
        if desk.surveyor:
            passage.motion = desk.surveyor.measure.remote(thumbs)
        if self._held:
            self._finish(*self._held, passage)
            self._held = None
        if chunk.beyond:
            return []
        if desk.surveyor and not chunk.ends_shot:
            self._held = read, passage
        else:
            self._finish(read, passage, None)
        return [passage]

    def _finish(self, read: _Read, passage: _Passage, following: _Passage | None) -> None:
        """Have a painted chunk steadied and written."""
        chunk, head, luma, thumbs = read
        passage.steady, state = passage.colour, b""
        if passage.motion:
            after = (following.colour, following.motion) if following else (None, None)
            blend = self._steadier.blend.options(num_returns=2)
            passage.steady, state = blend.remote(head, passage.colour, passage.motion, *after)
        alone = passage.colour if "compare" in self._job.also else None
        begin, writer = self._part = self._part or (chunk.start, _freest(self._writers))
        passage.receipt = writer.worker.write.remote(begin, head, luma, thumbs, passage.steady, state, alone)
        writer.queue.append(passage.receipt)
        if ends_part(chunk, begin, self._job.film.frames):
            self._part = None

    def _sample(self, flight: Sequence[_Passage], reads: int) -> None:
        """Where the chunks in flight are. What the next stage is through with is let go of."""
        import ray

        refs = {ref for p in flight for ref in (p.colour, p.motion, p.steady, p.receipt) if ref is not None}
        ready = set(ray.wait(list(refs), num_returns=len(refs), timeout=0, fetch_local=False)[0]) | {None}
        for p in flight:
            if p.receipt is None:
                continue
            if p.steady in ready:
                p.colour = p.motion = None
            if p.receipt in ready:  # it may wait long for those of other Writers' chunks
                p.steady = None
        self._samples.append(
            {
                "reading": reads,
                "painting": sum(p.colour not in ready for p in flight),
                "motion": sum(p.motion not in ready for p in flight),
                "steadying": sum({p.colour, p.motion} <= ready and p.steady not in ready for p in flight),
                "composing and encoding": sum(p.steady in ready and p.receipt not in ready for p in flight),
            }
        )

    def _collect(self) -> None:
        """What the actors counted."""
        import ray

        asked = {
            "reading": [self._reader.seconds.remote()],
            "painting": [desk.worker.seconds.remote() for desk in self._desks],
            "motion": [self._steadier.motion_seconds.remote()],
            "steadying": [self._steadier.seconds.remote()],
            "composing and encoding": [desk.worker.seconds.remote() for desk in self._writers],
        }
        self.stages = {stage: sum(ray.get(refs)) for stage, refs in asked.items()}


def _freest(desks: Sequence[_Desk]) -> _Desk:
    """The one with the fewest chunks before it."""
    import ray

    for desk in desks:
        while desk.queue and ray.wait([desk.queue[0]], timeout=0, fetch_local=False)[0]:
            desk.queue.popleft()
    return min(desks, key=lambda desk: len(desk.queue))


def writers(artists: int, device: str) -> int:
    """How many encode parts of the film at once, on the driver's node."""
    return min(-(-artists // ARTISTS_A_WRITER[device]), MOST_WRITERS, max(1, cores() // 2))


def window(artists: int, writers: int, film: Film, settings: Settings) -> int:
    """Chunks in flight.

    Each artist has one more before it than the one it paints: as receipts come in order, it would have to wait for the
    stages after it otherwise. Each Writer but the first needs the film to be half a part further on.
    """
    part = -(-PART_FRAMES // (2 * chunk_size(film, settings.chunk)))
    further = (writers - 1) * min(part, FURTHER_BYTES // chunk_bytes(film, settings))
    return artists + max(artists, AHEAD + further)


def chunk_bytes(film: Film, settings: Settings) -> int:
    """Shared memory that a chunk and all that becomes of it take, about: luma, thumbs, colour, labels and motion."""
    h, w = thumb_size(film, settings.size)
    frame = film.width * film.height * (1 if film.bits == 8 else 2) + h * w * 14
    return frame * chunk_size(film, settings.chunk)


def resources(device: str, raft: bool = False) -> dict[str, float]:
    """What an artist takes of the cluster; raft: motion is measured by RAFT."""
    if device == "cuda":
        return {"num_gpus": 1 - MOTION_GPU if raft else 1, "num_cpus": 0}
    return {"num_cpus": 1}
