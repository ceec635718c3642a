"""Show people how far a batch is: a live table on a terminal, plain lines elsewhere, and `semcolor-batch status`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .records import Batch, Record
from .state import SILENT, Records

EVERY = 30.0
"""Seconds between two plain lines."""

REASONS = 20
"""Greatest number of failures that the table shows."""


@dataclass
class View:
    """A view of a batch at one moment."""

    batch: Batch
    counts: dict[str, int]
    """State (done, running, waiting, failed) → number of films."""
    running: list[Record]
    """Records of the films that are being made."""
    problems: list[Record]
    """Records of the films that failed, or that wait for another try."""
    bytes_all: int = 0
    """Bytes of the sources of all films that this run has to make; the time left is estimated from them."""
    bytes_done: float = 0
    """Bytes of the sources that are done. Films that are being made count in part."""

    @property
    def alive(self) -> bool:
        """Whether the batch is running, according to its files."""
        return self.batch.state == "running" and time.time() - self.batch.updated < SILENT

    @property
    def left(self) -> float | None:
        """Estimated seconds left, at the speed so far; None while too little is done for an estimate."""
        elapsed = self.batch.updated - self.batch.began
        if self.bytes_done < self.bytes_all / 100 or elapsed < 1:
            return None
        return elapsed * (self.bytes_all / self.bytes_done - 1)


class Watch:
    """Reads the state files of a batch again and again. The record of a film that is done or failed is read only
    once."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self._plan: list[dict[str, Any]] = []
        self._settled: dict[str, tuple[str, Record | None]] = {}
        self._id = ""

    def look(self) -> View | None:
        """The present view of the batch; None if there is no batch. Any machine that can read the state files may
        call it."""
        batch = self.records.batch()
        if batch is None:
            return None
        if batch.id != self._id:
            self._id, self._plan, self._settled = batch.id, self.records.plan(), {}
        view = View(batch, dict.fromkeys(("done", "running", "waiting", "failed"), 0), [], [])
        view.counts["done"] = batch.finished_before
        known = self.records.keys()
        for film in self._plan:
            self._add(view, film, known)
        return view

    def _add(self, view: View, film: dict[str, Any], known: set[str]) -> None:
        """Add a film of the plan to the view. `known`: keys of the films that have a record."""
        key, size = film["key"], film["bytes"]
        view.bytes_all += size
        state, record = self._settled.get(key, ("waiting", None))
        if key not in self._settled and key in known:
            record = self.records.read(key)
            if record and record.batch == view.batch.id:  # not written by an earlier run of the batch
                state = record.state
            else:
                record = None
            if state in ("done", "failed"):
                self._settled[key] = state, record if state == "failed" else None
        if state == "running" and view.batch.state != "running":
            state = "waiting"
        view.counts[state] += 1
        if state in ("done", "failed"):
            view.bytes_done += size
        elif record:
            view.bytes_done += size * record.done / max(record.frames, 1)
        if record and state == "running":
            view.running.append(record)
        elif record and record.tries and state != "done":
            view.problems.append(record)


def show(view: View) -> RenderableType:
    """A view as a headline, a table of the running films, and a table of problems."""
    parts: list[RenderableType] = [Text(_headline(view))]
    if view.running:
        parts.append(_running(view))
    if view.problems:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("", "film", "reason"):
            table.add_column(heading, overflow="fold")
        for record in view.problems[-REASONS:]:
            table.add_row("failed" if record.state == "failed" else "again", Text(record.source), Text(record.error))
        if len(view.problems) > REASONS:
            table.add_row("", "", f"… and {len(view.problems) - REASONS} more before these")
        parts.append(table)
    return Group(*parts)


def _headline(view: View) -> str:
    """One line on the whole batch."""
    batch = view.batch
    states = ", ".join(f"{number} {state}" for state, number in view.counts.items() if number)
    elapsed = clock(batch.updated - batch.began)
    if view.alive:
        left = f", about {clock(view.left)} left" if view.left else ""
        return f"{batch.films} films: {states}; {elapsed} so far{left}"
    if batch.state == "running":
        return (
            f"{batch.films} films: {states}; the batch (process {batch.pid} on {batch.host}) has not reported "
            f"for {clock(time.time() - batch.updated)}; the same command continues it"
        )
    return f"{batch.films} films: {states}; {batch.state} after {elapsed}"


def _running(view: View) -> Table:
    """A table of the running films."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("film", overflow="ellipsis", no_wrap=True, ratio=1)
    table.add_column("", width=24)
    for heading in ("frames", "fps", "left", "on"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in view.running:
        fps = (record.done - record.resumed) / record.seconds if record.seconds else 0
        left = clock((record.frames - record.done) / fps) if fps and record.frames else "…"
        table.add_row(
            Text(os.path.basename(record.source)),
            ProgressBar(total=record.frames or 1, completed=record.done, width=24),
            f"{record.done}/{record.frames or '…'}",
            f"{fps:.1f}" if fps else "…",
            left,
            f"{record.workers} × {record.device}",
        )
    return table


def clock(seconds: float) -> str:
    """A time as ``1:02:03``, or as ``12 s`` below two minutes."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


class Monitor:
    """Reports on the batch while it runs: updates the live table, or prints lines."""

    def __init__(self, records: Records, live: Live | None, quiet: bool) -> None:
        self.watch, self.live, self.quiet = Watch(records), live, quiet
        self._last_line = time.monotonic()

    def line(self, text: str) -> None:
        """Print a line, above the live table if there is one."""
        if self.live:
            self.live.console.print(Text(text))
        elif not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def tick(self) -> None:
        """Show the present view; plain lines come every `EVERY` seconds."""
        if self.live:
            view = self.watch.look()
            if view:
                self.live.update(show(view), refresh=True)
        elif not self.quiet and time.monotonic() - self._last_line > EVERY:
            self._last_line = time.monotonic()
            view = self.watch.look()
            if view:
                self.line(_headline(view))


@contextmanager
def monitor(records: Records, quiet: bool) -> Iterator[Monitor]:
    """A monitor that reports to stderr. `quiet`: it reports nothing."""
    if quiet or not sys.stderr.isatty():
        yield Monitor(records, None, quiet)
        return
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield Monitor(records, live, quiet)
