"""Report and record of a film that has just been made: what the driver knows about the run, for `pipeline.report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ...pipeline.extras import Kind
from ...pipeline.findings import Finding
from ...pipeline.storage import Location
from .job import Job
from .recovery import Outcome

if TYPE_CHECKING:
    from ...pipeline.report.records import Settings


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
    from ...pipeline.report.build import Made, timings_of, write_report

    file = job.work / f"report{PurePath(targets[Kind.REPORT]).suffix.lower()}"
    made = Made(
        film=job.film,
        encoding=job.encoding,
        folder=job.work,
        parts=outcome.parts,
        files={kind: (path, targets[kind], digests[kind]) for kind, path in results.items()},
        findings=found,
        settings=_settings(job),
        timings=timings_of(
            job.film.frames,
            started,
            resumed=resumed,
            restarts=outcome.restarts,
            workers=job.workers,
            stages=outcome.stages,
        ),
        negative=outcome.negative,
    )
    write_report(made, file)
    return file


def record_of(
    job: Job, results: Mapping[Kind, Path], digests: Mapping[Kind, str], targets: Mapping[Kind, Location]
) -> Path:
    """Write the record into the work folder. The arguments are those of `report_on`. Returns its path."""
    from ...pipeline.report.record import write_record

    file = job.work / "record.json"
    files: dict[str, tuple[Path, Location, str]] = {
        kind: (path, targets[kind], digests[kind]) for kind, path in results.items()
    }
    write_record(file, job.film, job.look, _settings(job), files)
    return file


def _settings(job: Job) -> Settings:
    """All settings that decide the film's bytes."""
    from ...pipeline.report.build import settings_of

    return settings_of(job.look, job.encoding, job.device, job.precision)
