"""Report the progress of one film: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..film.job import Progress

EVERY = 10.0
"""Seconds between two plain lines."""


@contextmanager
def reporter(frames: int, quiet: bool) -> Iterator[Progress]:
    """A function that reports to stderr when it is called with (frames done, shots begun). `quiet`: it reports
    nothing."""
    if quiet:
        yield lambda done, shots: None
    elif sys.stderr.isatty():
        yield from _bar(frames)
    else:
        yield _lines(frames)


def _bar(frames: int) -> Iterator[Progress]:
    """Report as a bar."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames · {task.fields[shots]} shots · {task.fields[speed]} fps · left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=frames, shots=0, speed="…")
        speed = _Speed()

        def show(done: int, shots: int) -> None:
            fps = speed(done)
            bar.update(task, completed=done, shots=shots, speed=f"{fps:.1f}" if fps else "…")

        yield show


def _lines(frames: int) -> Progress:
    """Report as plain lines."""
    speed, shown = _Speed(), 0.0

    def show(done: int, shots: int) -> None:
        nonlocal shown
        fps = speed(done)
        if time.monotonic() - shown < EVERY and done < frames:
            return
        shown = time.monotonic()
        left = f", {(frames - done) / fps:.0f} s left" if fps else ""
        rate = f", {fps:.1f} fps" if fps else ""
        print(f"{done}/{frames} frames, {shots} shots{rate}{left}", file=sys.stderr, flush=True)

    return show


class _Speed:
    """Frames per second since the first call. The first call gives the frames that an earlier run had finished."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int) -> float:
        now = time.monotonic()
        if self._first is None:
            self._first = done, now
        frames, since = self._first
        return (done - frames) / (now - since) if done > frames else 0.0
