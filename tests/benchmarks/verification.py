"""What it costs to verify a film, as a share of the whole run: the check of every output, and the report.

A film of shots with grain, with sound, is colorized in one process, once without and once with a report. Times are
those of the processors, so other work on the machine matters little.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from common import Results, Row, options, run
from semcolor import Look, colorize, open_film
from semcolor.pipeline import inprocess, mux
from semcolor.pipeline.report import build, lumacheck
from support.films import make_film, shots

TIMED: list[tuple[Any, str, str]] = [
    (mux, "join_parts", "joining the parts"),
    (mux, "verify", "reading the output back"),
    (lumacheck.LumaCheck, "add", "digests of luma"),
    (lumacheck.LumaCheck, "compare", "decoding the parts and comparing luma"),
    (inprocess, "file_sha256", "digest of the output"),
    (build, "write_report", "describing both films and writing the report"),
]
"""Owner and name of a function, and what it does."""


def measure(given: argparse.Namespace, results: Results) -> None:
    spent = Counter[str]()
    for owner, name, what in TIMED:
        setattr(owner, name, timed(getattr(owner, name), what, spent))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = grainy(folder / "film.mp4", given.seconds, (given.height, given.width))
        rows = [row(source, folder / f"{with_report}.mp4", with_report, given.size, spent) for with_report in (0, 1)]
    results.add("Share of the processors' time", rows)


def timed(function: Any, what: str, spent: Counter[str]) -> Any:
    """The function, which adds its processor time in ms to `spent`."""

    def call(*arguments: Any, **named: Any) -> Any:
        started = time.process_time()
        try:
            return function(*arguments, **named)
        finally:
            spent[what] += round(1000 * (time.process_time() - started))

    return call


def row(source: Path, output: Path, with_report: int, size: int, spent: Counter[str]) -> Row:
    """Colorize the film. The times in `spent` begin anew."""
    spent.clear()
    film, started = open_film(source), time.process_time()
    colorize(film, output, Look(size=size), report=output.with_suffix(".json") if with_report else None)
    seconds = time.process_time() - started
    shares = {what: f"{spent[what] / seconds / 10:.2f} %" for _, _, what in TIMED}
    return {"report": "yes" if with_report else "no", "frames": film.frames, "seconds": round(seconds, 1)} | shares


def grainy(path: Path, seconds: float, size: tuple[int, int]) -> Path:
    """A film of ten-second shots with grain, with sound, at 25 frames a second."""
    frames, each = round(25 * seconds), 250
    lengths = (each,) * (frames // each) + ((frames % each,) if frames % each else ())
    pictures, rng = shots(lengths, size), np.random.default_rng(0)
    for picture in pictures:
        grain = rng.normal(0, 4, (*size, 1))
        picture[:] = np.clip(picture + grain, 0, 255).astype(np.uint8)
    return make_film(path, pictures, audio="aac")


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="length of the film")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--size", type=int, default=256, help="short side of the networks' pictures")
    run(parser, measure)
