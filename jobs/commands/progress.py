"""Report the progress of one film: a bar on a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

EVERY = float(os.environ.get("SEMCOLOR_PROGRESS", 10))
"""Seconds between two plain lines. The desk sets it by the environment, to follow a run that it has started."""


LOOKING = "looking through the film"
"""What is done before the work, if the film's own colours may be kept, or scenes are looked for."""


class Reporter:
    """Reports to stderr."""

    def __call__(self, done: int, shots: int) -> None:
        """Report how much of the film is done. This class reports nothing.

        Args:
            done: number of frames that are done.
            shots: number of shots that have begun.
        """

    def look(self, done: int) -> None:
        """Report how many frames were looked at before the work."""


@contextmanager
def reporter(frames: int, quiet: bool) -> Iterator[Reporter]:
    """What reports the progress of a film. `quiet`: it reports nothing."""
    if quiet:
        yield Reporter()
    elif sys.stderr.isatty():
        yield from _bar(frames)
    else:
        yield _Lines(frames)


def _bar(frames: int) -> Iterator[Reporter]:
    """Report as a bar."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames · {task.fields[what]} · left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=frames, what="0 shots · … fps")

        class Shown(Reporter):
            speed = _Speed()

            def __call__(self, done: int, shots: int) -> None:
                fps = self.speed(done)
                bar.update(task, completed=done, what=f"{shots} shots · {f'{fps:.1f}' if fps else '…'} fps")

            def look(self, done: int) -> None:
                bar.update(task, completed=done, what=LOOKING)

        yield Shown()


class _Lines(Reporter):
    """Reports as plain lines."""

    def __init__(self, frames: int) -> None:
        self._frames, self._speed, self._shown = frames, _Speed(), 0.0

    def __call__(self, done: int, shots: int) -> None:
        fps = self._speed(done)
        if not self._due(done):
            return
        left = f", {(self._frames - done) / fps:.0f} s left" if fps else ""
        rate = f", {fps:.1f} fps" if fps else ""
        print(f"{done}/{self._frames} frames, {shots} shots{rate}{left}", file=sys.stderr, flush=True)

    def look(self, done: int) -> None:
        if self._due(done):
            print(f"{LOOKING}: {done}/{self._frames} frames", file=sys.stderr, flush=True)

    def _due(self, done: int) -> bool:
        """Whether a line is due now: every `EVERY` seconds, and for the last frame."""
        if time.monotonic() - self._shown < EVERY and done < self._frames:
            return False
        self._shown = time.monotonic()
        return True


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
