"""One film through the cluster, from its settings to the finished files.

    Reader ──▶ Artist × N ──▶ Steadier ──▶ Writers ──▶ assemble
         └──▶ Surveyors ─────────▲

Here is what a film is made with and what came of it; the actors and their loop are in `attempt`, what happens when a
worker is lost in `recovery`, the folder beside the output that a run goes on from in `workdir`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ... import __version__
from ...errors import UserError
from ...flow.steady import STATE_VERSION
from ...models import WEIGHTS, has_cuda, pick_precision
from ...pipeline.edits.apply import Control
from ...pipeline.edits.sheet import Sheet
from ...pipeline.edits.sheet import identity as sheet_identity
from ...pipeline.encode import Encoding
from ...pipeline.film import Film
from ...pipeline.mux import assemble
from ...pipeline.storage import Place
from ...pipeline.summary import LEGEND, summarise
from ...pipeline.writer import Part, file_sha256, notes, standing
from ..cluster import connected, cores
from .attempt import Job, chunk_bytes, window, writers
from .recovery import ask_precision, finish_parts
from .workdir import EventLog, belongs, claimed, deliver, drop_touched, keep_or_clear, seal, sealed, work_folder


@dataclass(frozen=True)
class Settings:
    """What decides the output's bytes, and (the last four) what does not."""

    weights: Path | None = None
    """None: those that ship with the package, wherever it lies on the node."""
    size: int = 256
    """Network's short side in pixels, a multiple of 32."""
    steady: float = 1.0
    """Strength of steadying, 0 (off) to 1."""
    raft: Path | None = None
    """Weights of RAFT, to measure motion with; None: DIS."""
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
    work: Path | None = None
    """Where the work folder lies; None: beside the output. Must be given for an output that is a URL."""


@dataclass(frozen=True)
class Summary:
    frames: int
    resumed: int
    """Frames that an earlier run had finished."""
    shots: int
    damaged: tuple[int, ...]
    """Frames whose damage the decoder concealed."""
    seconds: float
    """Wall time of this run."""
    workers: int = 0
    """0: an earlier run had finished everything."""
    device: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    """Stage → seconds of work since the last restart, over all its workers."""
    queues: dict[str, float] = field(default_factory=dict)
    """Stage → chunks that were there at a time, on average: waiting for it or in it."""
    restarts: int = 0
    """Times that workers were lost and the film went on from its last part."""

    @property
    def speed(self) -> float:
        """Frames a second of this run."""
        return (self.frames - self.resumed) / max(self.seconds, 1e-9)


Also = dict[str, tuple[Place, Encoding | None]]
"""What is written beside the film, by kind, where it goes and how it is encoded: `labels`, a film of what the networks
understood; `maps`, the labels as data; `compare`, every frame as painted beside the steady one; `summary`, each shot's
labels and colours (JSON, no encoding)."""

Progress = Callable[[int, int], None]
"""Called with (frames done, shots begun) as the film goes on."""


def colorize_film(
    film: Film,
    output: Place,
    encoding: Encoding,
    settings: Settings,
    also: Also | None = None,
    progress: Progress = lambda done, shots: None,
    fresh: bool = False,
    keep: bool = False,
) -> Summary:
    """Colorize `film` into `output`, and write what is wanted beside it.

    Each appears whole or not at all. Interrupted, it leaves the work folder, and so it does at the end with `keep`;
    called again with the same film and settings it goes on from there, unless `fresh`. Where the settings' sheet is
    another, it paints what that touches. Raises SemcolorError, and OSError where the machine fails.
    """
    started, also = time.monotonic(), also or {}
    work, targets = work_folder(output, settings.work), _targets(output, also)
    with claimed(work, keep):
        if not fresh and (facts := _finished(film, work, targets, encoding, settings, also)):
            deliver(work, targets)
            return Summary(frames=film.frames, resumed=film.frames, seconds=time.monotonic() - started, **facts)
        cpus = max(cores(), settings.workers or 0)
        with connected(settings.address, cpus, _store_bytes(film, settings), work / "spill"):
            device, workers = _workers(settings)
            # Of an embedded Ray this machine is the only one: no worker need be started to ask.
            precision = ask_precision(device) if settings.address else pick_precision(device)
            identity = _asked(film, encoding, settings, also) | {"device": device, "precision": precision}
            keep_or_clear(work, identity, fresh)
            further = {kind: its for kind, (_, its) in also.items() if its}
            events = EventLog(work / "events.jsonl")
            with _told(events):
                control = _control(film, settings, work, identity)
                job = Job(
                    film,
                    encoding,
                    further,
                    "summary" in also,
                    control,
                    settings,
                    device,
                    precision,
                    workers,
                    work,
                    identity,
                )
                drop_touched(work, control)
                parts = standing(work)
                done = sum(part.frames for part in parts)
                about = {"film": film.path, "frames": film.frames, "version": __version__}
                events("resumed" if done else "started", frame=done, **about, **_where(job))
                outcome = finish_parts(job, parts, events, progress)
                joining = time.monotonic()
                facts = _assemble(job, outcome.parts, targets)
                deliver(work, targets)
                stages = outcome.stages | {"assembling": time.monotonic() - joining}
                summary = Summary(
                    frames=film.frames,
                    resumed=done,
                    seconds=time.monotonic() - started,
                    workers=workers,
                    device=device,
                    stages=stages,
                    queues=outcome.queues,
                    restarts=outcome.restarts,
                    **facts,
                )
                events("finished", **{k: v for k, v in asdict(summary).items() if k != "damaged"})
    return summary


def finished(film: Film, output: Place, encoding: Encoding, settings: Settings, also: Also | None = None) -> bool:
    """Whether `colorize_film` has nothing left to do but to clean up: an earlier run was stopped that late.

    Reads the finished films to compare their digests, if a run got that far.
    """
    targets = _targets(output, also or {})
    return bool(_finished(film, work_folder(output, settings.work), targets, encoding, settings, also or {}))


def _finished(
    film: Film,
    work: Path,
    targets: dict[str, Place],
    encoding: Encoding,
    settings: Settings,
    also: Also,
) -> dict:
    """What `_assemble` noted of the film, {} if it is not finished."""
    asked = _asked(film, encoding, settings, also)
    if settings.device != "auto":
        asked["device"] = settings.device
    facts = sealed(work, targets) if belongs(work, asked) else {}
    return facts | {"damaged": tuple(facts["damaged"])} if facts else {}


def _assemble(job: Job, parts: list[Part], targets: dict[str, Place]) -> dict:
    """Make the finished films in the work folder; returns, and notes there, facts for the summary."""
    results = {"film": assemble(job.film, job.work, parts, targets["film"], job.encoding)}
    for kind, encoding in job.also.items():
        results[kind] = assemble(
            job.film,
            job.work,
            parts,
            targets[kind],
            encoding,
            kind,
            copy_streams=False,
            metadata=LEGEND if kind == "maps" else None,
        )
    if job.summary:
        results["summary"] = job.work / "summary.json"
        results["summary"].write_text(json.dumps(summarise(job.film, notes(job.work, parts)), indent=1))
    last = parts[-1]
    facts = {"shots": last.shot + (last.shot_start > 0), "damaged": tuple(n for p in parts for n in p.damaged)}
    seal(job.work, results, facts)
    return facts


def _targets(output: Place, also: Also) -> dict[str, Place]:
    return {"film": output} | {kind: pair[0] for kind, pair in also.items()}


def _control(film: Film, settings: Settings, work: Path, identity: dict) -> Control | None:
    """The settings' sheet, prepared for the film in the work folder; None if it is empty."""
    if settings.sheet == Sheet():
        return None
    from ...pipeline.edits.resolve import plan

    def painter() -> Callable:
        from ...models.painter import Painter

        return Painter("cpu", weights=settings.weights, vivid=settings.vivid).paint

    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    return plan(film, settings.sheet, settings.size, painter, work, key)


@contextmanager
def _told(events: EventLog) -> Iterator[None]:
    """Whatever ends the run is an event."""
    try:
        yield
    except Exception as error:
        events("failed", error=f"{type(error).__name__}: {error}")
        raise
    except BaseException as error:  # Ctrl-C, SIGTERM
        events("stopped", by=type(error).__name__)
        raise


def _workers(settings: Settings) -> tuple[str, int]:
    """(device, number of artists) for the Ray that is running. Raises UserError for what it cannot give."""
    import ray

    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    if gpus and not settings.address:  # Ray counts what the driver lists; torch must be able to use it
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
    """Shared memory for a full window of chunks, with as much to spare."""
    artists = settings.workers or cores()
    most = writers(artists, "cpu" if settings.device == "cpu" else "cuda")
    return 2 * chunk_bytes(film, settings) * window(artists, most, film, settings)


def _where(job: Job) -> dict:
    return {"device": job.device, "precision": job.precision, "workers": job.workers}


def _asked(film: Film, encoding: Encoding, settings: Settings, also: Also) -> dict:
    """Everything the output's bytes depend on but the machine: work of another identity is never continued."""
    return {
        "version": __version__,
        "film": film.fingerprint(),
        "weights": file_sha256(settings.weights or WEIGHTS),
        "size": settings.size,
        "steady": [STATE_VERSION, settings.steady],
        "motion": file_sha256(settings.raft) if settings.raft else "dis",
        "vivid": settings.vivid,
        "sheet": sheet_identity(settings.sheet),
        "encoding": repr(encoding),
        "also": {kind: repr(pair[1]) for kind, pair in also.items()},
    }


__all__ = ["Progress", "Settings", "Summary", "colorize_film", "finished", "work_folder"]
