"""How far a batch is, for people: a table that lives on a terminal, plain lines elsewhere, and `status`."""

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

from .state import SILENT, Batch, Record, Records

EVERY = 30.0  # seconds between plain lines of how far the batch is
REASONS = 20  # failures that the table shows


@dataclass
class View:
    """What there is to show of a batch."""

    batch: Batch
    counts: dict[str, int]
    """Films by state: done, running, waiting, failed."""
    running: list[Record]
    troubles: list[Record]
    """Failed, or waiting for another try."""
    bytes_all: int = 0
    bytes_done: float = 0
    """Of the sources of this start's plan; films at work count in part. What time is left is judged by them."""

    @property
    def alive(self) -> bool:
        return self.batch.state == "running" and time.time() - self.batch.updated < SILENT

    @property
    def left(self) -> float | None:
        """Seconds, if the rest goes like what is done; None while too little is."""
        gone = self.batch.updated - self.batch.began
        if self.bytes_done < self.bytes_all / 100 or gone < 1:
            return None
        return gone * (self.bytes_all / self.bytes_done - 1)


class Watch:
    """Looks at a batch again and again; what is done or failed is read once."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self._plan: list[dict[str, Any]] = []
        self._settled: dict[str, tuple[str, Record | None]] = {}
        self._id = ""

    def look(self) -> View | None:
        """The batch as its files tell it, from wherever they can be read; None if there is no batch."""
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
        key, size = film["key"], film["bytes"]
        view.bytes_all += size
        state, record = self._settled.get(key, ("waiting", None))
        if key not in self._settled and key in known:
            record = self.records.read(key)
            if record and record.batch == view.batch.id:  # not of an earlier start
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
            view.troubles.append(record)


def show(view: View) -> RenderableType:
    parts: list[RenderableType] = [Text(_headline(view))]
    if view.running:
        parts.append(_running(view))
    if view.troubles:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("", "film", "reason"):
            table.add_column(heading, overflow="fold")
        for record in view.troubles[-REASONS:]:
            table.add_row("failed" if record.state == "failed" else "again", Text(record.source), Text(record.error))
        if len(view.troubles) > REASONS:
            table.add_row("", "", f"… and {len(view.troubles) - REASONS} before these")
        parts.append(table)
    return Group(*parts)


def _headline(view: View) -> str:
    batch = view.batch
    states = ", ".join(f"{number} {state}" for state, number in view.counts.items() if number)
    gone = clock(batch.updated - batch.began)
    if view.alive:
        left = f", about {clock(view.left)} left" if view.left else ""
        return f"{batch.films} films: {states}; {gone} so far{left}"
    if batch.state == "running":
        return (
            f"{batch.films} films: {states}; the batch (process {batch.pid} on {batch.host}) has given no sign of life "
            f"for {clock(time.time() - batch.updated)}: the same command goes on"
        )
    return f"{batch.films} films: {states}; {batch.state} after {gone}"


def _running(view: View) -> Table:
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
    """``1:02:03``; ``12 s`` below two minutes."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


class Monitor:
    """Told of everything while the batch runs."""

    def __init__(self, records: Records, live: Live | None, quiet: bool) -> None:
        self.watch, self.live, self.quiet = Watch(records), live, quiet
        self._told = time.monotonic()

    def line(self, text: str) -> None:
        if self.live:
            self.live.console.print(Text(text))
        elif not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def tick(self) -> None:
        if self.live:
            view = self.watch.look()
            if view:
                self.live.update(show(view), refresh=True)
        elif not self.quiet and time.monotonic() - self._told > EVERY:
            self._told = time.monotonic()
            view = self.watch.look()
            if view:
                self.line(_headline(view))


@contextmanager
def monitor(records: Records, quiet: bool) -> Iterator[Monitor]:
    """Reports to stderr."""
    if quiet or not sys.stderr.isatty():
        yield Monitor(records, None, quiet)
        return
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield Monitor(records, live, quiet)
