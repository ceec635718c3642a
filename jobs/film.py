"""One film through the cluster: who works, in what order, how much at once, and where to go on after a crash.

    Reader ──▶ Artist × N ──▶ Steadier ──▶ Writer ──▶ assemble
         └──▶ motion tasks ──────▲

The driver holds no pixels: it passes references on and waits for receipts. A bounded window of chunks in flight
is the memory bound and the back-pressure. The Writer commits parts into a work folder beside the output; a run
that finds such a folder goes on after its last part.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..models import WEIGHTS
from ..pipeline.assemble import assemble
from ..pipeline.encode import Encoding
from ..pipeline.errors import UserError
from ..pipeline.film import Film
from ..pipeline.reader import chunk_size, thumb_size
from ..pipeline.writer import committed, file_sha256, place, resume_point
from .cluster import connected, cores
from .run import AHEAD, Run
from .work import claimed, keep_or_clear, work_folder


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
) -> Summary:
    """Colorize `film` into `output`, and its label overlay into `labels[0]` if wanted.

    Both appear whole or not at all. Interrupted, it leaves the work folder; called again with the same film and
    settings it goes on from there. Raises SemcolorError, and OSError where the machine fails (a full disk).
    """
    started = time.monotonic()
    work = work_folder(output)
    cpus = max(cores(), settings.workers or 0)
    store = _store_bytes(film, settings)
    with claimed(work), connected(settings.address, cpus, store, work / "spill"):
        device, workers = _workers(settings)
        keep_or_clear(work, _identity(film, encoding, settings, device, labels))
        start = resume_point(work)
        progress(start.frame, start.shot + 1)
        run = Run(film, encoding, settings, device, workers, work, labels[1] if labels else None)
        if start.frame < film.frames:
            run.go(start, progress)
        parts, joining = committed(work), time.monotonic()
        finished = {output: assemble(film, work, parts, output, encoding)}
        if labels:
            finished[labels[0]] = assemble(film, work, parts, *labels, kind="labels", copy_streams=False)
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
    film: Film, encoding: Encoding, settings: Settings, device: str, labels: tuple[Path, Encoding] | None
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
    }


__all__ = ["Progress", "Settings", "Summary", "colorize_film", "work_folder"]
