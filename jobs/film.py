"""One film through the cluster: who works, in what order, how much at once, and where to go on after a crash.

    Reader ──▶ Artist × N ──▶ Steadier ──▶ Writer ──▶ assemble
         └──▶ motion tasks ──────▲

The driver holds no pixels: it passes references on and waits for receipts. A bounded window of chunks in flight
is the memory bound and the back-pressure. The Writer commits parts into a work folder beside the output; a run
that finds such a folder goes on after its last part.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .. import __version__
from ..models import WEIGHTS
from ..pipeline.assemble import assemble
from ..pipeline.chunk import Resume
from ..pipeline.control import Control
from ..pipeline.edits import Sheet
from ..pipeline.edits import identity as sheet_identity
from ..pipeline.encode import Encoding
from ..pipeline.errors import OutputError, SemcolorError, UserError
from ..pipeline.film import Film
from ..pipeline.reader import chunk_size, thumb_size
from ..pipeline.summary import LEGEND, summarise
from ..pipeline.writer import committed, file_sha256, notes, place, resume_point
from . import actors
from .cluster import connected, cores

_log = logging.getLogger(__name__)

LONGEST_NAME = 200
"""Bytes of the output's name that fit into a file name beside what we add; most file systems allow 255."""

AHEAD = 3  # chunks in flight beyond one for each artist: being read, steadied, written
"""More would only cost memory: the ordered stages are faster than the artists."""


@dataclass(frozen=True)
class Settings:
    """What decides the output's bytes, and (the last three) what does not."""

    weights: Path | None = None
    """None: those that ship with the package, wherever it lies on the node."""
    size: int = 256
    """Network's short side in pixels, a multiple of 32."""
    steady: float = 1.0
    """Strength of steadying, 0 (off) to 1."""
    vivid: float = 1.0
    """Factor of the chroma, 0 (grey) to 2."""
    sheet: Sheet = Sheet()
    """Edits, palette and references that steer the colours."""
    device: str = "auto"
    workers: int | None = None
    """Artists; by default one a GPU, or one a CPU core."""
    chunk: int = 32
    """Frames handed on together; one of `pipeline.CHUNK_SIZES`."""
    address: str | None = None
    """A Ray cluster; None starts an embedded one."""


@dataclass(frozen=True)
class Summary:
    frames: int
    resumed: int
    """Frames that an earlier run had finished."""
    shots: int
    seconds: float
    """Wall time of this run."""
    workers: int
    device: str
    damaged: tuple[int, ...]
    """Frames whose damage the decoder concealed."""
    stages: dict[str, float]
    """Stage → seconds of work, over all its workers."""

    @property
    def speed(self) -> float:
        """Frames a second of this run."""
        return (self.frames - self.resumed) / max(self.seconds, 1e-9)


Progress = Callable[[int, int], None]
"""Called with (frames done, shots begun) as the film goes on."""


def colorize_film(
    film: Film,
    output: Path,
    encoding: Encoding,
    settings: Settings,
    labels: tuple[Path, Encoding] | None = None,
    progress: Progress = lambda done, shots: None,
    maps: tuple[Path, Encoding] | None = None,
    summary: Path | None = None,
) -> Summary:
    """Colorize `film` into `output`; its label overlay into `labels[0]`, maps into `maps[0]` and summary, if wanted.

    All appear whole or not at all. Interrupted, it leaves the work folder; called again with the same film and
    settings it goes on from there. Raises SemcolorError, and OSError where the machine fails (a full disk).
    """
    started = time.monotonic()
    work = work_folder(output)
    cpus = max(cores(), settings.workers or 0)
    store = _store_bytes(film, settings)
    with _claimed(work), connected(settings.address, cpus, store, work / "spill"):
        device, workers = _workers(settings)
        identity = _identity(film, encoding, settings, device, labels, maps, summary)
        _keep_or_clear(work, identity)
        start = resume_point(work)
        progress(start.frame, start.shot + 1)
        control = _control(film, settings, work, identity)
        extras = _Extras(labels and labels[1], maps and maps[1], summary is not None)
        run = _Run(film, encoding, settings, device, workers, work, extras, control)
        if start.frame < film.frames:
            run.go(start, progress)
        parts, joining = committed(work), time.monotonic()
        finished = {output: assemble(film, work, parts, output, encoding)}
        if labels:
            finished[labels[0]] = assemble(film, work, parts, *labels, kind="labels", copy_streams=False)
        if maps:
            finished[maps[0]] = assemble(film, work, parts, *maps, kind="maps", copy_streams=False, metadata=LEGEND)
        if summary:
            finished[summary] = work / "summary.json"
            finished[summary].write_text(json.dumps(summarise(film, notes(work, parts)), indent=1))
        for path, result in finished.items():
            place(result, path)
        run.stages["assembling"] = time.monotonic() - joining
    last = parts[-1]
    return Summary(
        frames=film.frames,
        resumed=start.frame,
        shots=last.shot + (last.shot_start > 0),
        seconds=time.monotonic() - started,
        workers=workers,
        device=device,
        damaged=tuple(run.damaged),
        stages=run.stages,
    )


def work_folder(output: Path) -> Path:
    """Beside the output, so that renaming is atomic and free space is that of the output."""
    name = output.name
    if len(name.encode()) > LONGEST_NAME:
        name = hashlib.sha256(name.encode()).hexdigest()
    return output.with_name(f".semcolor-{name}")


class _Extras(NamedTuple):
    """What is written beside the film, in the order of `actors.Writer`."""

    labels: Encoding | None
    maps: Encoding | None
    summary: bool


class _Run:
    """The actors of one run and the loop that feeds them."""

    def __init__(
        self,
        film: Film,
        encoding: Encoding,
        settings: Settings,
        device: str,
        workers: int,
        work: Path,
        extras: _Extras,
        control: Control | None,
    ) -> None:
        self.film, self.encoding, self.settings = film, encoding, settings
        self.device, self.workers, self.work, self.extras, self.control = device, workers, work, extras, control
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
        hired = (self.device, settings.weights, settings.vivid, self.control)
        self._artists: list[Any] = [artist.remote(*hired) for _ in range(self.workers)]
        self._queues: list[deque] = [deque() for _ in self._artists]
        self._motion: Any = ray.remote(actors.estimate_motion).options(**aside)
        reader = ray.remote(actors.Reader).options(**aside)
        self._reader: Any = reader.remote(self.film, settings.chunk, settings.size, start)
        steadier = ray.remote(actors.Steadier).options(**aside)
        self._steadier: Any = steadier.remote(settings.steady, start.state, self.control)
        writer = ray.remote(actors.Writer).options(**aside)
        self._writer: Any = writer.remote(self.work, self.film, self.encoding, *self.extras, self.control)

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
        colour = self._paint(chunk, thumbs)
        if self.settings.steady:
            motion = self._motion.remote(thumbs)
            colour, state = self._steadier.blend.options(num_returns=2).remote(chunk, colour, motion)
        else:
            state = b""
        return self._writer.write.remote(chunk, luma, thumbs, colour, state)

    def _paint(self, chunk: Any, thumbs: Any) -> Any:
        """By the artist with the fewest chunks before it."""
        import ray

        for queue in self._queues:
            while queue and ray.wait([queue[0]], timeout=0, fetch_local=False)[0]:
                queue.popleft()
        number = min(range(len(self._artists)), key=lambda i: len(self._queues[i]))
        colour = self._artists[number].paint.remote(chunk, thumbs)
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


def _workers(settings: Settings) -> tuple[str, int]:
    """(device, number of artists) for the Ray that is running. Raises UserError for what it cannot give."""
    import ray

    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    if gpus and not settings.address:  # Ray counts what the driver lists; torch must be able to use it
        from ..models.painter import has_cuda

        gpus = gpus if has_cuda() else 0
    if settings.device == "cuda" and not gpus:
        raise UserError("--device cuda: no usable GPU here; use --device cpu, or --address of a cluster with GPUs.")
    device = "cpu" if settings.device == "cpu" or not gpus else "cuda"
    most = gpus if device == "cuda" else cpus
    wanted = settings.workers or most
    if not 0 < wanted <= most:
        raise UserError(f"--workers {wanted}: there are {most} {'GPUs' if device == 'cuda' else 'CPU cores'}.")
    return device, wanted


def _store_bytes(film: Film, settings: Settings) -> int:
    """Shared memory for a full window of chunks: luma, thumbs, colour, labels and motion."""
    chunk = chunk_size(film, settings.chunk)
    h, w = thumb_size(film, settings.size)
    frame = film.width * film.height * (1 if film.bits == 8 else 2) + h * w * 14  # about, per thumb pixel
    return 2 * frame * chunk * ((settings.workers or cores()) + AHEAD)


def _identity(
    film: Film,
    encoding: Encoding,
    settings: Settings,
    device: str,
    labels: tuple[Path, Encoding] | None,
    maps: tuple[Path, Encoding] | None,
    summary: Path | None,
) -> dict:
    """Everything the output's bytes depend on: work of another identity is never continued."""
    return {
        "version": __version__,
        "film": film.fingerprint(),
        "weights": file_sha256(settings.weights or WEIGHTS),
        "device": device,  # rounds otherwise
        "size": settings.size,
        "steady": settings.steady,
        "vivid": settings.vivid,
        "encoding": repr(encoding),
        "labels": repr(labels[1]) if labels else None,
        "maps": repr(maps[1]) if maps else None,
        "summary": summary is not None,
        "sheet": sheet_identity(settings.sheet),
    }


def _control(film: Film, settings: Settings, work: Path, identity: dict) -> Control | None:
    """The settings' sheet, prepared for the film in the work folder; None if it is empty."""
    if settings.sheet == Sheet():
        return None
    from ..pipeline.plan import plan

    def painter() -> Callable:
        from ..models.painter import Painter

        return Painter("cpu", settings.weights, settings.vivid).paint

    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    return plan(film, settings.sheet, settings.size, painter, work, key)


def _keep_or_clear(work: Path, identity: dict) -> None:
    """Work of the same identity stays, any other goes."""
    wanted, job = json.dumps(identity, sort_keys=True), work / "job.json"
    if job.exists() and job.read_text() == wanted:
        return
    stale = list(work.glob("part-*"))
    if stale:
        _log.warning("%s: unfinished work with other settings is thrown away", work)
    for part in stale:
        part.unlink()
    temporary = work / "job.tmp"
    temporary.write_text(wanted)
    place(temporary, job)


@contextmanager
def _claimed(work: Path) -> Iterator[None]:
    """The work folder, held by this run alone. It goes when the run is through, and if it fails with nothing committed.

    Ray must be down by then: it makes its spill folder anew as long as it runs.
    """
    work.mkdir(exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"another run is working on this output ({work}); wait for it or stop it.") from None
        try:
            yield
        except BaseException:
            if not any(work.glob("part-*.json")):
                shutil.rmtree(work)
            raise
        shutil.rmtree(work)


__all__ = ["Progress", "Settings", "Summary", "colorize_film", "work_folder"]
