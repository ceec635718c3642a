"""Write the summary of a batch: `summary.json` for programs, `summary.html` for people."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from ...pipeline.storage import is_url
from .records import Batch, PlannedFilm, Record
from .state import Records, write_whole
from .status import clock

STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;margin:2em}table{border-collapse:collapse}"
    "td,th{padding:.2em 1em .2em 0;text-align:left;vertical-align:top}.n{text-align:right}"
    ".failed,.waiting{color:#b00}"
)
"""Style sheet of `summary.html`."""

COLUMNS = ("film", "", "frames", "shots", "time", "frames/s", "tries", "output, or why there is none")
"""Headings of the table in `summary.html`."""


def write_summary(records: Records, batch: Batch, planned_films: Iterable[PlannedFilm]) -> dict[str, Any]:
    """Write both files for all films of the batch, unfinished films first. Returns the totals.

    Args:
        records: the batch's state files.
        batch: the record of the batch.
        planned_films: all films of the batch, finished ones included.
    """
    totals: dict[str, Any] = {
        "state": batch.state,
        "films": 0,
        **dict.fromkeys(("done", "failed", "waiting"), 0),
        "finished_before": batch.finished_before,
        "frames": 0,
        "own_colours": 0,
        "seconds": round(batch.updated - batch.began, 3),
        "began": _when(batch.began),
        "ended": _when(batch.updated),
        "version": batch.version,
    }
    # Only the finished text of each film is kept in memory, since there may be ten thousand films.
    texts: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
    for planned in planned_films:
        record = records.read(planned.key)
        film = _film(planned, record)
        totals["films"] += 1
        totals[film["state"]] += 1
        totals["own_colours"] += any(not own["kept"] for own in film.get("own_colours", ()))
        if record and record.batch == batch.id and record.state == "done":
            totals["frames"] += record.done - record.resumed
        texts[film["state"] == "done"].append((json.dumps(film), "".join(_row(film))))
    films = [*texts[False], *texts[True]]
    write_whole(records.folder / "summary.json", _json(totals, (text for text, _ in films)))
    write_whole(records.folder / "summary.html", _html(totals, (row for _, row in films)))
    return totals


def _json(totals: dict[str, Any], films: Iterable[str]) -> Iterator[str]:
    """A JSON object with one film per line."""
    yield json.dumps(totals)[:-1] + ', "details": ['
    separator = "\n"
    for film in films:
        yield separator + film
        separator = ",\n"
    yield "\n]}\n"


def _state(record: Record | None) -> str:
    """State of a film in the summary. A film that was running when the batch was stopped counts as waiting."""
    return record.state if record and record.state in ("done", "failed") else "waiting"


def _when(seconds: float) -> str:
    """A time in seconds since 1970 as UTC in ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _film(planned: PlannedFilm, record: Record | None) -> dict[str, Any]:
    """The entry of a film in `summary.json`."""
    film: dict[str, Any] = {
        "source": planned.source,
        "state": _state(record),
        "output": planned.output,
        "labels": planned.labels,
        "report": planned.report,
        "record": planned.record,
    }
    if record:
        frames = record.done - record.resumed
        kept = {"frames", "resumed", "shots", "workers", "device", "damaged", "findings", "negative", "version"}
        film |= record.model_dump(include=kept)
        film["own_colours"] = [own.model_dump() for own in record.own]
        film["words"] = record.words
        film["seconds"] = round(record.seconds, 3)
        film["frames_per_second"] = round(frames / record.seconds, 3) if record.seconds else None
        film["tries"] = [attempt.model_dump() for attempt in record.tries]
        film["error"] = record.error if film["state"] != "done" else None
    return film


def _html(totals: dict[str, Any], rows: Iterable[str]) -> Iterator[str]:
    """The HTML page. It loads no other file."""
    states = ", ".join(f"{totals[state]} {state}" for state in ("done", "failed", "waiting") if totals[state])
    yield f"<!DOCTYPE html><meta charset=utf-8><title>semcolor-batch: {states}</title><style>{STYLE}</style>\n"
    yield f"<h1>{totals['films']} films: {states}</h1>\n"
    yield (
        f"<p>{totals['began']} to {totals['ended']} ({clock(totals['seconds'])}), {totals['frames']} frames; "
        f"semcolor {totals['version']}; {totals['finished_before']} films were finished before.</p>\n<table><tr>"
    )
    yield "".join(f"<th>{heading}" for heading in COLUMNS)
    yield from rows
    yield "\n</table>\n"


def _row(film: dict[str, Any]) -> Iterator[str]:
    """The row of a film in `summary.html`; `film`: its entry in `summary.json`."""
    speed = film.get("frames_per_second")
    numbers = (
        film.get("frames") or "",
        film.get("shots") or "",
        clock(film["seconds"]) if film.get("seconds") else "",
        f"{speed:.1f}" if speed else "",
        len(film.get("tries", ())) + (film["state"] == "done") or "",
    )
    yield f"\n<tr class={film['state']}><td>{escape(film['source'])}<td>{film['state']}"
    yield from (f"<td class=n>{number}" for number in numbers)
    if film["state"] != "done":
        yield f"<td>{escape(film.get('error') or 'not begun, or stopped')}"
        return
    damaged = film.get("damaged") or []
    yield f"<td>{_link(film['output'])}"
    if film["report"]:
        yield f", {_link(film['report'], 'report')}"
    yield from (f"<br>{escape(word)}" for word in film.get("words") or ())
    if damaged:
        yield f" ({len(damaged)} damaged frames were concealed by the decoder)"
    yield "".join(f"<br>{escape(line)}" for line in film.get("findings", ()))
    if film.get("negative"):
        yield " (the film looks like a negative)"
    for kind, words in (("colour", "already in colour"), ("tinted", "tinted")):
        for kept, what in ((True, "kept"), (False, "replaced")):
            own = [o for o in film.get("own_colours", ()) if (o["kind"], o["kept"]) == (kind, kept)]
            if own:
                yield f" ({sum(o['frames'] for o in own)} frames were {words}, and these colours {what})"


def _link(path: str, text: str = "") -> str:
    """A link to an output, with its name as the text unless another is given."""
    address = path if is_url(path) else Path(path).as_uri()
    return f'<a href="{escape(address, quote=True)}">{escape(text or os.path.basename(path))}</a>'
