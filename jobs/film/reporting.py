"""The report of a film that has just been made: what the driver knows about the run, for `pipeline.report`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ...pipeline.extras import Kind
from ...pipeline.findings import Finding
from ...pipeline.storage import Location
from .job import Job
from .recovery import Outcome

if TYPE_CHECKING:  # jinja2 and the report's records are imported only for a report
    from ...pipeline.report.records import Settings, Timings


def report_on(
    job: Job,
    outcome: Outcome,
    results: Mapping[Kind, Path],
    digests: Mapping[Kind, str],
    targets: Mapping[Kind, Location],
    *,
    found: Sequence[Finding],
    resumed: int,
    started: float,
) -> Path:
    """Write the report into the work folder.

    Args:
        job: the film, and how it was made.
        outcome: its parts, and how the run went.
        results: kind of result → finished file in the work folder.
        digests: kind of result → SHA-256 of that file.
        targets: kind of result → its place.
        found: what was wrong with the source.
        resumed: number of frames that earlier runs had made.
        started: start of this run, on the monotonic clock.

    Returns:
        Path of the report in the work folder.
    """
    from ...pipeline.report.build import Made, write_report

    file = job.work / f"report{PurePath(targets[Kind.REPORT]).suffix.lower()}"
    made = Made(
        film=job.film,
        encoding=job.encoding,
        folder=job.work,
        parts=outcome.parts,
        files={kind: (path, targets[kind], digests[kind]) for kind, path in results.items()},
        findings=found,
        settings=_settings(job),
        timings=_timings(job, outcome, resumed, started),
    )
    write_report(made, file)
    return file


def _settings(job: Job) -> Settings:
    from ...pipeline.report.records import Settings

    identity, sheet = job.identity, job.look.sheet
    return Settings(
        size=job.look.size,
        steady=job.look.steady,
        vivid=job.look.vivid,
        keep_colour=job.look.keep_colour,
        motion=identity["motion"],
        weights_sha256=identity["weights"],
        device=job.device,
        precision=job.precision,
        edits=len(sheet.edits) if sheet else 0,
        sheet=identity["sheet"],
        codec=job.encoding.codec,
        pix_fmt=job.encoding.pix_fmt,
        options=dict(job.encoding.options),
    )


def _timings(job: Job, outcome: Outcome, resumed: int, started: float) -> Timings:
    from ...pipeline.report.records import Timings

    return Timings(
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - started, 3),
        frames=job.film.frames - resumed,
        resumed=resumed,
        restarts=outcome.restarts,
        workers=job.workers,
        stages={stage: round(seconds, 3) for stage, seconds in outcome.stages.items()},
    )
