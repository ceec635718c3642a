"""One attempt at the missing frames of a film: the actors, and the loop that feeds them.

The actors are those of a `Crew`: actors of Ray, or threads of this process. The driver holds no pixels. It passes
references from actor to actor and waits for receipts. A bounded window of chunks in flight limits the memory and holds
the Reader back when later stages are slow. An attempt repairs nothing: `recovery` handles lost workers, and a crew
itself retries nothing.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...errors import SemcolorError
from ...pipeline.chunk import Chunk, ends_part
from ...pipeline.extras import Kind
from ...pipeline.negative import warning
from ...pipeline.parts import Part, gaps, sweep
from ...pipeline.reader import thumb_size
from ...pipeline.stages import Pairing
from ..devices import MOTION_GPU, artist_resources, units
from . import actors
from .crew import Crew, RayCrew
from .events import EventLog
from .job import Job, Progress
from .sizing import writers
from .workdir import remember, remembered, writer_turn

_log = logging.getLogger(__name__)

ARTISTS_A_SURVEYOR = 4
"""Number of artists on CPUs that share a Surveyor. One Surveyor measures the motion of more frames a second than the
Steadier, of which a film has one, can take."""

PATIENCE = 60.0
"""Seconds without a ready artist after which the user is told that the film waits."""

MOST_READS = 2
"""Greatest number of chunks that are requested from the Reader ahead of time."""


@dataclass
class _Worker:
    """A Writer, or an artist that has loaded its networks, with the chunks that wait for it."""

    actor: Any
    surveyor: Any = None
    """The artist's Surveyor, which other artists may share; None if motion is not needed."""
    queue: deque = field(default_factory=deque)
    """References that become ready when a chunk is done, in order."""


class _Read(NamedTuple):
    """A chunk that was read, with references to it (`head`), to its full-size planes and to its thumbs."""

    chunk: Chunk
    head: Any
    planes: Any
    thumbs: Any


@dataclass
class _Results:
    """References to the results of a chunk. None: not requested yet, or no longer needed."""

    colors: Any
    """As painted: of some frames if the chunk is steadied, else of all."""
    alone: Any = None
    """Of all frames as painted, for `Kind.COMPARE`."""
    motion: Any = None
    steady: Any = None
    receipt: Any = None


class Attempt:
    """Makes the frames of the film that are missing between `parts` and after them."""

    def __init__(self, job: Job, parts: Sequence[Part], events: EventLog, crew: Crew | None = None) -> None:
        self._job, self._parts, self._events = job, parts, events
        self._crew: Crew = crew or RayCrew()
        self._gaps = gaps(job.work, parts, job.film.frames)
        self._loading: dict[Any, Any] = {}  # reference that becomes ready when the networks are loaded → artist
        self._artists: list[_Worker] = []
        self._writers: list[_Worker] = []
        self._part: tuple[int, _Worker] | None = None  # first frame of the open part, and its Writer
        self._pairing = Pairing[tuple[_Read, _Results]]()
        self._samples: list[dict[str, int]] = []
        self._curious = "negative" not in remembered(job.work)  # whether nobody asked yet if it looks like a negative
        self._asked: Any = None  # reference to the answer
        self.done = sum(part.frames for part in parts)
        """Number of frames that have been written, in committed parts and in open ones."""
        self.stages: dict[str, float] = {}
        """Stage → seconds of work, summed over all its workers; empty before the end."""

    @property
    def queues(self) -> dict[str, float]:
        """Stage → mean number of chunks that were in it or waited for it."""
        names = self._samples[0] if self._samples else {}
        return {name: sum(s[name] for s in self._samples) / len(self._samples) for name in names}

    def go(self, progress: Progress) -> None:
        """Run until every frame is in a committed part, or another crew takes over. The actors are ended in any case.
        Raises RayError for a lost worker."""
        try:
            self._crew.get(self._start_all())
            self._feed(progress)
            self._warn(wait=True)
            self._collect()
        finally:
            self._crew.end()

    def _start_all(self) -> list[Any]:
        """Start the actors. Returns references that become ready when all actors except the artists are ready."""
        # Only artists reserve cores. The other actors wait more than they work, and they must find a place on a cluster
        # that is full of artists. The window bounds their work.
        no_cores = {"num_cpus": 0.0}
        start, job, look = self._crew.start, self._job, self._job.look
        needs, size = artist_resources(job.device, look.motion_weights is not None), thumb_size(job.film, look.size)
        artists = min(job.workers, self._crew.most_artists or job.workers)
        for _ in range(artists):
            artist = start(actors.Artist, job.device, job.precision, look, size, job.edits, job.scenes, needs=needs)
            self._loading[artist.open.remote()] = artist
        reading = job.film, job.settings.chunk, look.size, self._gaps, job.kept
        # Full-size luma stays on the driver's node, which can read the source and write the output. Only thumbs and
        # chroma travel between nodes.
        self._reader = start(actors.Reader, *reading, needs=no_cores, here=True)
        self._steadier = start(actors.Steadier, look.steady, self._gaps, job.edits, needs=no_cores)
        with writer_turn(job.work):  # waits until no lost Writer of an earlier attempt is at work
            sweep(job.work, self._parts)
        for _ in range(writers(artists, job.device)):
            self._writers.append(_Worker(start(actors.Writer, job, needs=no_cores, here=True)))
        opened = [writer.actor.open.remote(self._parts) for writer in self._writers]
        return [self._reader.open.remote(), self._steadier.open.remote(), *opened]

    def _feed(self, progress: Progress) -> None:
        """Keep the window of chunks full: read ahead, pass chunks on in order, and collect receipts in order."""
        reads: deque[list[Any]] = deque()
        flight: deque[_Results] = deque()
        ended, shots = False, self._gaps[0].shot + 1
        while flight or not ended:
            most = self._job.sizes.window(max(1, len(self._artists)), len(self._writers))
            while not ended and len(reads) + len(flight) < most and len(reads) < MOST_READS:
                reads.append(self._reader.read.options(num_returns=3).remote())
            waiting = ([reads[0][0]] if reads else []) + ([flight[0].receipt] if flight and flight[0].receipt else [])
            ready = self._crew.wait(waiting)
            if reads and reads[0][0] in ready:
                head, planes, thumbs = reads.popleft()
                chunk = self._crew.get(head)
                if chunk is None:
                    ended = True
                    reads.clear()
                else:
                    shots = chunk.shot + 1
                    flight.extend(self._pass_on(_Read(chunk, head, planes, thumbs)))
                    self._sample(flight, len(reads))
            elif flight:
                receipt: actors.Receipt = self._crew.get(flight.popleft().receipt)
                self.done += receipt.frames
                if receipt.part:
                    start, frames, size = receipt.part
                    self._events("part committed", start=start, frames=frames, bytes=size)
                progress(self.done, shots)
                self._warn()
                if self._crew.relieved() and receipt.part:
                    return

    def _warn(self, wait: bool = False) -> None:
        """Warn the user if the film looks like a negative, as soon as an artist has found out."""
        if self._asked is None or not (wait or self._crew.ready([self._asked])):
            return
        negative, self._asked = self._crew.get(self._asked), None
        remember(self._job.work, negative=negative)
        if negative:
            _log.warning(warning(self._job.film))

    def _admit(self) -> None:
        """Admit the artists that have loaded their networks; wait if there is none yet.

        Only admitted artists get chunks. On a full cluster some artists may start late or never, and no chunk may wait
        for them.
        """
        reported = False
        while self._loading:
            patience = 0 if self._artists else PATIENCE
            ready = self._crew.wait(list(self._loading), patience)
            if ready:
                self._crew.get(ready[0])
                self._artists.append(_Worker(self._loading.pop(ready[0]), self._surveyor()))
                self._events("artist ready", artists=len(self._artists))
            elif self._artists:
                return
            else:
                self._report_waiting(reported)
                reported = True

    def _surveyor(self) -> Any:
        """The actor that measures motion for the next artist; None if nothing is steadied.

        Tasks could measure motion as well. But Ray ends idle workers and starts new ones all the time, and each start
        costs half a second.
        """
        job, raft = self._job, self._job.look.motion_weights
        if not job.look.steady:
            return None
        on_gpu = job.device == "cuda"
        if not on_gpu and len(self._artists) % ARTISTS_A_SURVEYOR:
            return self._artists[-1].surveyor
        needs = {"num_cpus": 0, "num_gpus": MOTION_GPU if raft and on_gpu else 0}
        return self._crew.start(actors.Surveyor, raft, job.device, needs=needs)

    def _report_waiting(self, reported: bool) -> None:
        """Tell the user that no artist is ready, unless `reported` already. Raises SemcolorError if the cluster has
        no GPU or core."""
        name = units(self._job.device)
        if not self._crew.slots(self._job.device):
            raise SemcolorError(
                f"the cluster has had no {name} for {PATIENCE:.0f} s; the same command continues later."
            )
        if not reported:
            self._events("waiting", kind="GPU" if self._job.device == "cuda" else "CPU")
            _log.warning("all %s are in use, or the networks load slowly: waiting.", name)

    def _pass_on(self, read: _Read) -> list[_Results]:
        """Request the painting of a chunk now, and its steadying and writing once the next chunk of its shot is there.

        All arguments and results are passed by reference. Returns the chunk's results; an empty list if the chunk is
        read only for the lookahead of the chunk before it.
        """
        chunk = read.chunk
        if chunk.beyond and not self._pairing.holds:
            return []
        self._admit()
        artist = self._freest(self._artists)
        paint, paint_all = artist.actor.paint, artist.actor.paint_all
        results = _Results((paint if artist.surveyor else paint_all).remote(read.head, read.thumbs))
        if Kind.COMPARE in self._job.extras and not chunk.beyond:
            results.alone = paint_all.remote(read.head, read.thumbs) if artist.surveyor else results.colors
        artist.queue.append(results.alone or results.colors)
        if self._curious:  # after the first chunk, which nothing should hold up
            self._curious = False
            self._asked = self._freest(self._artists).actor.looks_negative.remote(self._reader.samples.remote())
        if not artist.surveyor:  # without steadying, no chunk waits for the next one
            if not chunk.beyond:
                self._finish(read, results, None)
        else:
            results.motion = artist.surveyor.measure.remote(read.thumbs)
            for (its_read, its_results), following in self._pairing.push(chunk, (read, results)):
                self._finish(its_read, its_results, following and following[1])
        return [] if chunk.beyond else [results]

    def _finish(self, read: _Read, results: _Results, following: _Results | None) -> None:
        """Request the steadying and writing of a painted chunk. `following`: the results of the next chunk of its
        shot."""
        results.steady, state = results.colors, b""
        if results.motion:
            after = (following.colors, following.motion) if following else (None, None)
            blend = self._steadier.blend.options(num_returns=2)
            results.steady, state = blend.remote(read.head, results.colors, results.motion, *after)
        begin, writer = self._part = self._part or (read.chunk.start, self._freest(self._writers))
        chunk = read.head, read.planes, read.thumbs
        results.receipt = writer.actor.write.remote(begin, *chunk, results.steady, state, results.alone)
        writer.queue.append(results.receipt)
        if ends_part(read.chunk, begin, self._job.film.frames):
            self._part = None

    def _sample(self, flight: Sequence[_Results], reads: int) -> None:
        """Record how many chunks each stage has, and drop the references to results that no stage needs any more."""
        refs = {ref for r in flight for ref in (r.colors, r.motion, r.steady, r.receipt) if ref is not None}
        ready = self._crew.ready(refs) | {None}
        for r in flight:
            if r.receipt is None:
                continue
            if r.steady in ready:
                r.colors = r.motion = None
            if r.receipt in ready:  # it may wait long for the receipts of earlier chunks from other Writers
                r.steady = r.alone = None
        self._samples.append(
            {
                "reading": reads,
                "painting": sum(r.colors not in ready for r in flight),
                "motion": sum(r.motion not in ready for r in flight),
                "steadying": sum({r.colors, r.motion} <= ready and r.steady not in ready for r in flight),
                "composing and encoding": sum(r.steady in ready and r.receipt not in ready for r in flight),
            }
        )

    def _collect(self) -> None:
        """Ask the actors for their seconds of work."""
        asked = {
            "reading": [self._reader.seconds.remote()],
            "painting": [artist.actor.seconds.remote() for artist in self._artists],
            "motion": [self._steadier.motion_seconds.remote()],
            "steadying": [self._steadier.seconds.remote()],
            "composing and encoding": [writer.actor.seconds.remote() for writer in self._writers],
        }
        try:
            self.stages = {stage: sum(self._crew.get(refs)) for stage, refs in asked.items()}
        except Exception as error:  # the film is complete: missing statistics do not justify another attempt
            if self._crew.cause(error) is None:
                raise

    def _freest(self, workers: Sequence[_Worker]) -> _Worker:
        """The worker with the fewest chunks in its queue."""
        for worker in workers:
            while worker.queue and self._crew.ready([worker.queue[0]]):
                worker.queue.popleft()
        return min(workers, key=lambda worker: len(worker.queue))
