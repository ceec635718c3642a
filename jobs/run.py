"""The actors of one film and the loop that feeds them: who works, in what order, how much at once.

The driver holds no pixels: it passes references on and waits for receipts. A bounded window of chunks in flight
is the memory bound and the back-pressure.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..pipeline.chunk import Resume
from ..pipeline.encode import Encoding
from ..pipeline.errors import SemcolorError
from ..pipeline.film import Film
from . import actors

if TYPE_CHECKING:
    from .film import Progress, Settings

AHEAD = 3  # chunks in flight beyond one for each artist: being read, steadied, written
"""More would only cost memory: the ordered stages are faster than the artists."""


class Run:
    """The actors of one run and the loop that feeds them."""

    def __init__(
        self,
        film: Film,
        encoding: Encoding,
        settings: Settings,
        device: str,
        workers: int,
        work: Path,
        labels: Encoding | None,
    ) -> None:
        self.film, self.encoding, self.settings = film, encoding, settings
        self.device, self.workers, self.work, self.labels = device, workers, work, labels
        self.stages: dict[str, float] = {}
        self.damaged: list[int] = []

    def _hire(self, start: Resume) -> None:
        """Start the actors."""
        import ray

        # The artists are what cores are counted for. The others wait more than they work, and must find a place
        # on a cluster that is full of artists: the window bounds them.
        aside = {"num_cpus": 0}
        at_work = {"num_gpus": 1, "num_cpus": 0} if self.device == "cuda" else {"num_cpus": 1}
        settings = self.settings
        artist = ray.remote(actors.Artist).options(**at_work)
        hired = (self.device, settings.weights, settings.vivid)
        self._artists: list[Any] = [artist.remote(*hired) for _ in range(self.workers)]
        self._queues: list[deque] = [deque() for _ in self._artists]
        self._motion: Any = ray.remote(actors.estimate_motion).options(**aside)
        reader = ray.remote(actors.Reader).options(**aside)
        self._reader: Any = reader.remote(self.film, settings.chunk, settings.size, start)
        steadier = ray.remote(actors.Steadier).options(**aside)
        self._steadier: Any = steadier.remote(settings.steady, start.state)
        writer = ray.remote(actors.Writer).options(**aside)
        self._writer: Any = writer.remote(self.work, self.film, self.encoding, self.labels)

    def go(self, start: Resume, progress: Progress) -> None:
        """From `start` until every frame is in a committed part. Raises SemcolorError; the actors end either way."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        self._hire(start)
        try:
            self._feed(start, progress)
            self._collect()
        except RayTaskError as error:  # raised by our own code in a worker: say what it said
            if isinstance(error.cause, SemcolorError):
                raise error.cause from None
            raise SemcolorError(f"a worker failed: {type(error.cause).__name__}: {error.cause}") from error
        except RayError as error:
            raise SemcolorError(f"a worker was lost: {error}") from error
        finally:
            for actor in [self._reader, self._steadier, self._writer, *self._artists]:
                ray.kill(actor)

    def _feed(self, start: Resume, progress: Progress) -> None:
        """Keep the window full: read ahead, hand on in order, collect receipts in order."""
        import ray

        window = self.workers + AHEAD
        reads: deque[list[Any]] = deque()
        receipts: deque[Any] = deque()
        ended, done, shots = False, start.frame, start.shot + 1
        while receipts or not ended:
            while not ended and len(reads) + len(receipts) < window and len(reads) < 2:
                reads.append(self._reader.read.options(num_returns=3).remote())
            waiting = ([reads[0][0]] if reads else []) + ([receipts[0]] if receipts else [])
            ready, _ = ray.wait(waiting, num_returns=1)
            if reads and reads[0][0] in ready:
                head, luma, thumbs = reads.popleft()
                chunk = ray.get(head)
                if chunk is None:
                    ended = True
                    reads.clear()
                else:
                    shots = chunk.shot + 1
                    receipts.append(self._hand_on(head, luma, thumbs))
            elif receipts:
                done += ray.get(receipts.popleft())
                progress(done, shots)

    def _hand_on(self, chunk: Any, luma: Any, thumbs: Any) -> Any:
        """The way of a chunk, all by reference; returns the reference of its receipt."""
        colour = self._paint(thumbs)
        if self.settings.steady:
            motion = self._motion.remote(thumbs)
            colour, state = self._steadier.blend.options(num_returns=2).remote(chunk, colour, motion)
        else:
            state = b""
        return self._writer.write.remote(chunk, luma, thumbs, colour, state)

    def _paint(self, thumbs: Any) -> Any:
        """By the artist with the fewest chunks before it."""
        import ray

        for queue in self._queues:
            while queue and ray.wait([queue[0]], timeout=0, fetch_local=False)[0]:
                queue.popleft()
        number = min(range(len(self._artists)), key=lambda i: len(self._queues[i]))
        colour = self._artists[number].paint.remote(thumbs)
        self._queues[number].append(colour)
        return colour

    def _collect(self) -> None:
        """What the actors counted."""
        import ray

        asked = {
            "reading": [self._reader.seconds.remote()],
            "painting": [a.seconds.remote() for a in self._artists],
            "motion": [self._steadier.motion_seconds.remote()],
            "steadying": [self._steadier.seconds.remote()],
            "composing and encoding": [self._writer.seconds.remote()],
        }
        self.stages = {stage: sum(ray.get(refs)) for stage, refs in asked.items()}
        self.damaged = ray.get(self._reader.damaged.remote())
