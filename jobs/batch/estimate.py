"""Estimate how long a batch may take: a few frames are colorized to measure speed, a few films opened to count
frames."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import SemcolorError
from ..devices import artist_resources, choose_probed, count_slots
from .records import PlannedFilm
from .status import clock

SAMPLE = 20
"""Greatest number of films that are opened, spread evenly over all sizes. Opening reads a film to its end, but does
not decode it."""

FRAMES = 16
"""Number of frames that are colorized to measure the speed."""


@dataclass(frozen=True)
class Trial:
    """Measured seconds of work for the first frames of one film."""

    source: str
    frames: int
    network: float
    """Seconds of the networks, per frame and per pixel of the network's picture."""
    others: float
    """Seconds of all other stages, per frame and per pixel of the film."""
    busy: float
    """Seconds of all the measured work."""
    start: float = 0
    """Seconds from the request of a worker until it is ready to work."""


@dataclass(frozen=True)
class FilmSize:
    """The sizes of a film on which its work depends."""

    bytes: int
    frames: int
    pixels: int
    thumb: int
    """Pixels of the network's picture."""


def estimate(to_do: list[PlannedFilm], device: str, address: str | None) -> str:
    """Sentences about how long the batch may take, and on what the estimate is based. Starts or joins Ray."""
    from ..cluster import connected, cores

    films, bad = _sample(to_do)
    lines = [f"cannot be coloured: {reason}" for reason in bad]
    if not films:
        return "\n".join([*lines, f"no estimate: none of the {len(bad)} films that were opened can be coloured"])
    with tempfile.TemporaryDirectory() as spill, connected(address, cores(), 0, Path(spill)):
        import ray

        device = choose_probed(device)
        gpus, cpus = count_slots("cuda"), max(1, count_slots("cpu"))
        task: Any = ray.remote(_trial).options(**artist_resources(device), max_retries=0)
        began = time.perf_counter()
        trial: Trial = ray.get(task.remote(films[0][0], device))
        trial = replace(trial, start=time.perf_counter() - began - trial.busy)
    total = sum(planned.source_stat[0] for planned in to_do)
    slots = gpus if device == "cuda" else cpus
    seconds = batch_seconds([film for _, film in films], trial, total, len(to_do), slots, cpus, device)
    counted = f"{len(films)} films" if len(films) + len(bad) < len(to_do) else "all films"
    sentence = (
        f"about {clock(seconds)} on {slots} × {device} and {cpus} cores, if nothing else runs there; estimated from "
        f"{trial.frames} frames of {trial.source} coloured now, the length of {counted}, the sizes of all files, and "
        f"{trial.start:.0f} s to start each film"
    )
    return "\n".join([*lines, sentence])


def batch_seconds(
    films: list[FilmSize], trial: Trial, total: int, count: int, slots: int, cpus: int, device: str
) -> float:
    """Estimated seconds for a batch.

    Args:
        films: a sample of the batch's films.
        trial: the measured speed.
        total: bytes of all films of the batch.
        count: number of films in the batch.
        slots: number of GPUs or CPU cores for the networks.
        cpus: number of CPU cores.
        device: ``cuda`` or ``cpu``, where the networks run.
    """
    part = sum(film.bytes for film in films)
    network = sum(film.frames * film.thumb for film in films) * trial.network * total / part
    others = sum(film.frames * film.pixels for film in films) * trial.others * total / part
    start = trial.start * count / min(slots, count)
    # If the networks run on GPUs, the other stages have the CPU cores for themselves; otherwise all share them.
    work = max(network / slots, others / cpus) if device == "cuda" else (network + others) / cpus
    return start + work


def _sample(to_do: list[PlannedFilm]) -> tuple[list[tuple[PlannedFilm, FilmSize]], list[str]]:
    """Films spread evenly over the plan, which is sorted by size; and the reasons why some of them cannot be opened."""
    from ...pipeline.film import open_film
    from ...pipeline.reader import thumb_size

    count = min(SAMPLE, len(to_do))
    films, bad = [], []
    for number in range(count):
        planned = to_do[number * len(to_do) // count]
        try:
            film = open_film(planned.source, **planned.wish.reading)
        except SemcolorError as error:
            bad.append(str(error))
            continue
        h, w = thumb_size(film, planned.wish.size)
        films.append((planned, FilmSize(planned.source_stat[0], film.frames, film.width * film.height, h * w)))
    return films, bad


def _trial(planned: PlannedFilm, device: str) -> Trial:
    """Run the stages of a film one after another on its first frames, and measure the time of each."""
    from ...models.painter import Painter
    from ...pipeline.film import open_film
    from ...pipeline.outputs import prepared
    from ...pipeline.reader import FilmReader
    from ...pipeline.stages import Composing, Painting, Steadying, survey
    from ...pipeline.writer import PartWriter

    wish, film = planned.wish, open_film(planned.source, **planned.wish.reading)
    film, encoding = prepared(film, planned.output, **wish.coding)
    painting = Painting(Painter(device, weights=wish.look.weights, vivid=wish.vivid).paint)
    steadying, composing = Steadying(wish.steady, {0: b""}), Composing(film, encoding)
    reader = iter(FilmReader(film, FRAMES, wish.size))
    with tempfile.TemporaryDirectory() as folder:
        writer = PartWriter(folder, film, encoding)
        began = time.perf_counter()
        frames = next(reader)
        others = time.perf_counter() - began
        chunk, thumbs = frames.chunk, frames.thumbs
        first = frames[:1]
        painting.paint(first.chunk, first.thumbs)  # warm up: the first call takes longer
        began = time.perf_counter()
        painted = painting.paint(chunk, thumbs) if wish.steady else None
        colors = painted.colors if painted else painting.paint_all(chunk, thumbs)
        network = time.perf_counter() - began
        began = time.perf_counter()
        if painted:
            colors, _ = steadying.blend(chunk, painted, survey(thumbs), None)
        writer.write(chunk, frames.luma, composing.compose(frames, colors).chroma)
        others += time.perf_counter() - began
        writer.abort()
    count, pixels = len(chunk), film.width * film.height
    return Trial(
        source=planned.source,
        frames=count,
        network=network / count / thumbs.pictures[0].size,
        others=others / count / pixels,
        busy=network + others,
    )
