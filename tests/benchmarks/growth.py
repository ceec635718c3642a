"""What grows with a film's length and size, with the number of workers, and with the number of films.

Length: the whole command. Size: CPU time of each stage, alone, one after another. Workers: a film whose networks only
wait a given time for each frame, so that a machine of few cores shows how well many workers are fed. Films: a manifest
is planned, and short clips are colorized as a batch.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import Results, Row, options, run
from semcolor.jobs.batch.manifest import read_request
from semcolor.jobs.batch.plan import make_plan
from semcolor.jobs.batch.state import FOLDER, Records
from semcolor.jobs.batch.target import target_of
from semcolor.jobs.film.driver import colorize_film
from semcolor.jobs.film.job import Settings
from semcolor.models.painter import Painter
from semcolor.pipeline.film import open_film
from semcolor.pipeline.look import Look
from semcolor.pipeline.outputs import prepared
from semcolor.pipeline.reader import FilmReader
from semcolor.pipeline.stages import Composing, Painting, Pairing, Steadying, survey
from semcolor.pipeline.writer import PartWriter
from throughput import START, colorize, make_film

SIZES = {"480": (640, 480), "720": (1280, 720), "1080": (1920, 1080), "2160": (3840, 2160)}

SMALL = (128, 96)
"""Size of the film for the workers, and short side of its thumbs: all stages but the networks take little time."""


def measure(given: argparse.Namespace, results: Results) -> None:
    with tempfile.TemporaryDirectory(prefix="semcolor-bench-") as name:
        folder = Path(name)
        if given.lengths:
            results.add("Length", lengths(folder, given.lengths))
        if given.sizes:
            results.add(
                "Size: milliseconds of CPU a frame", [stages(folder, size, given.frames) for size in given.sizes]
            )
        if given.workers:
            results.add("Workers", workers(folder, given.workers, given.wait, given.chunks))
        rows = [plan(folder, count) for count in given.films]
        rows += [batch(folder, given.clips)] if given.clips else []
        if rows:
            results.add("Films", rows)


def lengths(folder: Path, counts: list[int]) -> list[Row]:
    """The whole command on films of 640x480 of so many frames."""
    start, _ = colorize(make_film(folder / "start.mp4", (640, 480), START))
    rows: list[Row] = []
    for count in counts:
        seconds, memory = colorize(make_film(folder / "length.mp4", (640, 480), count))
        speed = (count - START) / (seconds - start) if seconds > start else None
        rows.append(
            {"frames": count, "seconds": seconds, "frames/s once it runs": speed, "memory, MB": memory / 1e6},
        )
    return rows


def stages(folder: Path, size: str, frames: int) -> Row:
    """CPU time of each stage of a film, of all threads of the process."""
    film = open_film(make_film(folder / "size.mp4", SIZES[size], frames))
    film, encoding = prepared(film, folder / "out.mp4")
    paint, composing = Painting(Painter("cpu").paint), Composing(film, encoding)
    steadying, pairing = Steadying(1.0, {0: b""}), Pairing[Any]()
    spent: dict[str, float] = {}

    def timed(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        began = _cpu()
        result = function(*arguments)
        spent[name] = spent.get(name, 0.0) + _cpu() - began
        return result

    cv2.setNumThreads(1)
    writer, reader = PartWriter(folder / "parts", film, encoding), iter(FilmReader(film))
    while read := timed("reading", next, reader, None):
        if not spent.get("painting"):
            paint.paint(read[:1].chunk, read[:1].thumbs)  # the first call takes longer
        colors = timed("painting", paint.paint, read.chunk, read.thumbs)
        motion = timed("motion", survey, read.thumbs)
        for (its, painted, moved), after in pairing.push(read.chunk, (read, colors, motion)):
            steady, state = timed("steadying", steadying.blend, its.chunk, painted, moved, after and after[1:])
            made = timed("composing", composing.compose, its, steady)
            timed("encoding", writer.write, its.chunk, its.luma, made.chroma, state)
    shutil.rmtree(folder / "parts")
    width, height = SIZES[size]
    return {"film": f"{width}x{height}"} | {name: 1000 * seconds / frames for name, seconds in spent.items()}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Waiting:
    """Stands in for the networks: it waits, and answers that all is of the first label and grey."""

    group = 1

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def paint(self, thumbs: np.ndarray, amend: object) -> tuple[np.ndarray, np.ndarray]:
        time.sleep(self._seconds)
        n, h, w = thumbs.shape
        labels = np.zeros((n, 62, h // 4, w // 4), np.uint8)
        labels[:, 0] = 255
        return np.zeros((n, 2, h // 2, w // 2), np.float32), labels


def workers(folder: Path, counts: list[int], wait: float, chunks: int) -> list[Row]:
    """Frames a second with so many workers, whose networks take `wait` seconds for a painted frame. `chunks`: number of
    chunks of 16 frames for each worker."""

    def replace_networks() -> None:
        from semcolor.models import painter

        painter._networks = lambda *_: Waiting(wait)  # type: ignore[assignment]

    replace_networks()  # one worker is a thread of this process
    if max(counts) > 1:
        os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
        import ray

        hook = {"worker_process_setup_hook": replace_networks}
        quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
        ray.init(address="local", num_cpus=max(counts), object_store_memory=1 << 30, runtime_env=hook, **quiet)
    rows, alone = [], 0.0
    for count in counts:
        source = make_film(folder / "workers.mp4", SMALL, 16 * chunks * count)
        speed = _speed(source, folder / "workers.out.mp4", count)
        alone = alone or speed / count
        rows.append({"workers": count, "frames/s": speed, "share of linear": speed / count / alone})
    return rows


def _speed(source: Path, output: Path, count: int) -> float:
    """Frames a second between a quarter and nine tenths of a film."""
    film, encoding = prepared(open_film(source), output)
    seen: list[tuple[float, int]] = []
    settings = Settings(Look(size=64), device="cpu", workers=count, chunk=16)
    colorize_film(film, output, encoding, settings, progress=lambda done, shots: seen.append((time.monotonic(), done)))
    output.unlink()
    within = [(at, done) for at, done in seen if film.frames / 4 <= done <= 0.9 * film.frames]
    times, frames = np.array(within, float).T
    return float(np.polyfit(times, frames, 1)[0])  # chunks come in bursts, one from each worker


def plan(folder: Path, count: int) -> Row:
    """Seconds to read and plan a manifest of so many films."""
    make_film(folder / "a.mp4", SMALL, 2)
    lines = (json.dumps({"source": "a.mp4", "output": f"{n}.mp4"}) for n in range(count))
    manifest = folder / "all.jsonl"
    manifest.write_text("\n".join(lines))
    began, target = time.perf_counter(), target_of(str(folder / "out"))
    planned = make_plan(read_request([str(manifest)], {}), target, Records(Path(target.root) / FOLDER))
    assert len(planned.to_do) == count, planned.mistakes
    seconds = time.perf_counter() - began
    return {"films": count, "what": "planned", "seconds": seconds, "milliseconds for each more": 1000 * seconds / count}


def batch(folder: Path, clips: int) -> Row:
    """Seconds of the whole command that colorizes so many clips of 16 frames of 640x480; and what each more takes."""
    clip, seconds = make_film(folder / "clip.mp4", (640, 480), START), []
    for count in (2, clips):
        source, output = folder / f"{count} clips", folder / f"{count} out"
        source.mkdir()
        for number in range(count):
            shutil.copy(clip, source / f"{number}.mp4")
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "semcolor", "batch", str(source), "-o", str(output), "-q"], check=True)
        seconds.append(time.perf_counter() - began)
    more = 1000 * (seconds[1] - seconds[0]) / (clips - 2)
    what = f"clips of {START} frames, colorized"
    return {"films": clips, "what": what, "seconds": seconds[1], "milliseconds for each more": more}


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--lengths", type=int, nargs="*", default=[150, 300, 600], help="frames of films of 640x480")
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=SIZES, help="heights of films")
    parser.add_argument("--frames", type=int, default=32, help="frames of the films of several sizes")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4, 8, 16], help="numbers of workers")
    parser.add_argument("--wait", type=float, default=0.4, help="seconds that a worker waits for a painted frame")
    parser.add_argument("--chunks", type=int, default=8, help="chunks of 16 frames for each worker")
    parser.add_argument("--films", type=int, nargs="*", default=[10_000], help="films of planned manifests")
    parser.add_argument("--clips", type=int, default=20, help="clips in a batch, more than 2; 0: none")
    run(parser, measure)
