"""The report of a film that has just been made: what the driver knows about the run, for `pipeline.report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from ...pipeline.extras import Kind
from ...pipeline.findings import Finding
from ...pipeline.storage import Location
from .job import Job
from .recovery import Outcome


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
    from ...pipeline.report.build import Made, settings_of, timings_of, write_report

    file = job.work / f"report{PurePath(targets[Kind.REPORT]).suffix.lower()}"
    made = Made(
        film=job.film,
        encoding=job.encoding,
        folder=job.work,
        parts=outcome.parts,
        files={kind: (path, targets[kind], digests[kind]) for kind, path in results.items()},
        findings=found,
        settings=settings_of(job.look, job.encoding, job.device, job.precision),
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
