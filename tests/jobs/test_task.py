"""One film of a batch: what its record says at the end, and which failures another try may mend. Ray is not needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from semcolor.errors import FilmError, OutputError, SemcolorError
from semcolor.jobs.batch import task
from semcolor.jobs.batch.records import PlannedFilm, Record, Try
from semcolor.jobs.batch.state import Records
from semcolor.jobs.batch.task import Failure, run_task
from semcolor.jobs.film.job import FilmResult
from semcolor.jobs.film.workdir import work_folder
from support.batches import make_batch_plan
from support.files import touch
from support.films import make_film, shot


@pytest.fixture(scope="module")
def source(film_folder) -> Path:
    return make_film(film_folder / "task.mkv", shot("coffee", 8, (48, 64)))


@pytest.fixture
def records(tmp_path) -> Records:
    (tmp_path / "state" / "films").mkdir(parents=True)
    return Records(tmp_path / "state")


def _job(tmp_path: Path, records: Records, source: Path) -> PlannedFilm:
    (job,) = make_batch_plan(tmp_path, source, size=64, codec="ffv1").to_do
    records.begin([job], 1, 0)
    return job


def _record(records: Records, job: PlannedFilm) -> Record:
    record = records.read(job.key)
    assert record
    return record


@pytest.fixture
def colorize(monkeypatch) -> Callable[[Exception | None], None]:
    """Let the film end with an error, or well: its output is then the source."""

    def end_with(error: Exception | None) -> None:
        def colorize_film(film, output, encoding, settings, extras, *, progress):
            progress(0, 0)
            for extra in extras:
                extra.target.write_text(extra.kind)
            if error:
                raise error
            output.write_bytes(Path(film.path).read_bytes())
            return FilmResult(frames=film.frames, resumed=2, shots=1, damaged=(5,), seconds=4.0)

        monkeypatch.setattr(task, "colorize_film", colorize_film)

    return end_with


def test_a_film_that_is_done_is_recorded(tmp_path, records, source, colorize):
    job = _job(tmp_path, records, source)
    colorize(None)
    assert run_task(job, records.folder, "cpu", 3) is None
    record = _record(records, job)
    assert (record.state, record.frames, record.done, record.resumed, record.shots) == ("done", 8, 8, 2, 1)
    assert (record.workers, record.device, record.damaged, record.seconds) == (3, "cpu", [5], 4.0)
    assert record.outputs == {job.output: (Path(job.output).stat().st_size, Path(job.output).stat().st_mtime_ns)}
    assert record.before == {job.output: None} and record.batch and record.fingerprint


def test_a_report_is_an_output_that_is_no_film(tmp_path, records, source, colorize):
    (job,) = make_batch_plan(tmp_path, source, size=64, codec="ffv1", report="reports/{stem}.html").to_do
    records.begin([job], 1, 0)
    colorize(None)
    assert run_task(job, records.folder, "cpu", 1) is None
    assert job.report == str(tmp_path / "out/reports/task.html") and Path(job.report).read_text() == "report"
    assert set(_record(records, job).outputs) == {job.output, job.report}
    colorize(AssertionError("it is made again"))
    assert run_task(replace(job, check=True), records.folder, "cpu", 1) is None
    Path(job.report).unlink()
    again = run_task(replace(job, check=True, overwrite=True), records.folder, "cpu", 1)
    assert again == Failure("AssertionError: it is made again", final=False)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (FilmError("frame 3 could not be decoded."), Failure("frame 3 could not be decoded.", final=True)),
        (OutputError("another run is at work on it."), Failure("another run is at work on it.", final=False)),
        (SemcolorError("a worker was lost."), Failure("a worker was lost.", final=False)),
        (KeyError("labels"), Failure("KeyError: 'labels'", final=False)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_says_whether_another_try_may_help(tmp_path, records, source, colorize, error, failure):
    job = _job(tmp_path, records, source)
    colorize(error)
    assert run_task(job, records.folder, "cpu", 1) == failure
    assert _record(records, job).state == "running", "the batch decides what becomes of it"


def test_a_film_that_cannot_be_opened_fails_for_good(tmp_path, records):
    job = _job(tmp_path, records, touch(tmp_path / "text.mkv", 1000))
    failure = run_task(job, records.folder, "cpu", 1)
    assert failure and failure.final and "text.mkv is not a video" in failure.error
    assert _record(records, job).frames == 0


def test_another_try_keeps_the_failures_of_this_start_alone(tmp_path, records, source, colorize):
    job = _job(tmp_path, records, source)
    colorize(SemcolorError("a worker was lost."))
    earlier = Record.of(job, records.batch(), "failed")
    earlier.tries = [Try(ended=0, seconds=1, error="the first")]
    records.write(job.key, earlier)
    run_task(job, records.folder, "cpu", 1)
    assert [attempt.error for attempt in _record(records, job).tries] == ["the first"]
    records.begin([job], 1, 0)
    run_task(job, records.folder, "cpu", 1)
    assert _record(records, job).tries == []


def test_a_film_that_a_killed_run_had_finished_is_not_made_again(tmp_path, records, source, colorize):
    job = _job(tmp_path, records, source)
    colorize(None)
    run_task(job, records.folder, "cpu", 1)
    work_folder(Path(job.output)).mkdir()
    colorize(AssertionError("it is made again"))
    assert run_task(replace(job, check=True), records.folder, "cpu", 1) is None
    assert _record(records, job).state == "done" and not work_folder(Path(job.output)).exists()
    Path(job.output).unlink()
    again = run_task(replace(job, check=True), records.folder, "cpu", 1)
    assert again == Failure("AssertionError: it is made again", final=False)
