"""How long a batch may take, from a few frames that are really coloured and a few films that are really counted."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import SemcolorError
from .state import Job
from .status import clock

__all__ = ["Film", "Trial", "estimate", "hours"]

SAMPLE = 20
"""Films that are opened, evenly over all sizes. Opening reads a film from end to end, without decoding."""

FRAMES = 16
"""Frames that are coloured for the trial."""


@dataclass(frozen=True)
class Trial:
    """Seconds of work, measured."""

    source: str
    frames: int
    network: float
    """Per frame and pixel of the network's picture."""
    others: float
    """Of all other stages, per frame and pixel of the film."""
    busy: float
    """All the work."""
    start: float = 0
    """From calling a worker until it had all that it needs."""


@dataclass(frozen=True)
class Film:
    """What the work on a film depends on."""

    bytes: int
    frames: int
    pixels: int
    thumb: int
    """Pixels of the network's picture."""


def estimate(jobs: list[Job], device: str, address: str | None) -> str:
    """Sentences that say how long, and what that is based on. Starts or joins Ray."""
    from ..cluster import connected, cores

    films, bad = _sample(jobs)
    lines = [f"cannot be coloured: {reason}" for reason in bad]
    if not films:
        return "\n".join([*lines, f"no estimate: none of the {len(bad)} films that were opened can be coloured"])
    with tempfile.TemporaryDirectory() as spill, connected(address, cores(), 0, Path(spill)):
        import ray

        from .scheduler import pick_device

        device = pick_device(device)
        resources = ray.cluster_resources()
        gpus, cpus = int(resources.get("GPU", 0)), max(1, int(resources.get("CPU", 0)))
        needs = {"num_gpus": 1, "num_cpus": 0} if device == "cuda" else {"num_cpus": 1}
        task: Any = ray.remote(_trial).options(**needs, max_retries=0)
        began = time.perf_counter()
        trial: Trial = ray.get(task.remote(films[0][0], device))
        trial = replace(trial, start=time.perf_counter() - began - trial.busy)
    total = sum(job.source_stat[0] for job in jobs)
    slots = gpus if device == "cuda" else cpus
    seconds = hours([film for _, film in films], trial, total, len(jobs), slots, cpus, device)
    counted = f"{len(films)} films" if len(films) + len(bad) < len(jobs) else "all films"
    told = (
        f"about {clock(seconds)} on {slots} × {device} and {cpus} cores, if nothing else runs there; judged by "
        f"{trial.frames} frames of {trial.source} coloured now, the length of {counted}, the size of the rest, and "
        f"{trial.start:.0f} s for each film's start"
    )
    return "\n".join([*lines, told])


def hours(films: list[Film], trial: Trial, total: int, count: int, slots: int, cpus: int, device: str) -> float:
    """Seconds for `count` films of together `total` bytes, of which `films` are a sample."""
    part = sum(film.bytes for film in films)
    network = sum(film.frames * film.thumb for film in films) * trial.network * total / part
    others = sum(film.frames * film.pixels for film in films) * trial.others * total / part
    start = trial.start * count / min(slots, count)
    # Networks on a GPU leave the cores to the rest; on a CPU all share them.
    work = max(network / slots, others / cpus) if device == "cuda" else (network + others) / cpus
    return start + work


def _sample(jobs: list[Job]) -> tuple[list[tuple[Job, Film]], list[str]]:
    """Films evenly over the plan, which goes by size; and why some cannot be used."""
    from ...pipeline.film import open_film
    from ...pipeline.reader import thumb_size

    count = min(SAMPLE, len(jobs))
    films, bad = [], []
    for number in range(count):
        job = jobs[number * len(jobs) // count]
        try:
            film = open_film(job.source)
        except SemcolorError as error:
            bad.append(str(error))
            continue
        h, w = thumb_size(film, job.wish.size)
        films.append((job, Film(job.source_stat[0], film.frames, film.width * film.height, h * w)))
    return films, bad


def _trial(job: Job, device: str) -> Trial:
    """The stages of `jobs.film.actors` one after another over a film's first frames."""
    from ...pipeline.chunk import Resume
    from ...pipeline.containers import output_format
    from ...pipeline.encode import choose_encoding
    from ...pipeline.film import open_film
    from ..film import actors
    from ..film.workdir import keep_or_clear

    wish, film = job.wish, open_film(job.source)
    encoding = choose_encoding(film, wish.codec, wish.crf, wish.preset, output_format(job.output))
    artist = actors.Artist(device, actors.precision(device), Path(wish.weights) if wish.weights else None, wish.vivid)
    steadier, writer = actors.Steadier(wish.steady, [Resume()]), actors.Writer(film, encoding, {})
    reader = actors.Reader(film, FRAMES, wish.size, [Resume()])
    with tempfile.TemporaryDirectory() as folder:
        identity = {"trial": True}
        keep_or_clear(Path(folder), identity)
        writer.open(Path(folder), identity, ())
        for actor in (artist, steadier, reader):
            actor.open()
        began = time.perf_counter()
        chunk, luma, thumbs = reader.read()
        assert chunk and luma is not None and thumbs  # open_film has seen a frame
        others = time.perf_counter() - began
        artist.paint(chunk, (thumbs[0][:1], None))  # the first time takes longer
        began = time.perf_counter()
        colour = artist.paint(chunk, thumbs)
        network = time.perf_counter() - began
        began, state = time.perf_counter(), b""
        if wish.steady:
            colour, state = steadier.blend(chunk, colour, actors.Surveyor(None, device).measure(thumbs), None, None)
        writer.write(0, chunk, luma, thumbs, colour, state, None)
        others += time.perf_counter() - began
    frames, pixels = len(chunk), film.width * film.height
    return Trial(job.source, frames, network / frames / thumbs[0][0].size, others / frames / pixels, network + others)
