"""How far a batch is, as people see it: a table that lives on a terminal, and lines elsewhere."""

from __future__ import annotations

from contextlib import redirect_stderr
from pathlib import Path

import pytest
from semcolor.jobs.batch.records import PlannedFilm, Record, Try
from semcolor.jobs.batch.state import Records
from semcolor.jobs.batch.status import Watch, clock, monitor
from support.batches import make_batch_plan
from support.files import touch


@pytest.fixture
def jobs(tmp_path) -> list[PlannedFilm]:
    """Three films of 1000 bytes each: a.mkv, b.mkv and c.mkv."""
    return make_batch_plan(tmp_path, *(touch(tmp_path / f"{name}.mkv", 1000) for name in "abc")).to_do


@pytest.fixture
def records(tmp_path, jobs) -> Records:
    """A batch at work: a.mkv is at frame 30 of 120, b.mkv has failed, c.mkv waits."""
    (tmp_path / "state" / "films").mkdir(parents=True)
    records = Records(tmp_path / "state")
    batch = records.begin(jobs, 3, 0)
    running, failed = (Record.of(job, batch, "running") for job in jobs[:2])
    running.frames, running.done, running.resumed, running.seconds = 120, 30, 10, 4.0
    running.workers, running.device = 2, "cpu"
    failed.state, failed.tries = "failed", [Try(ended=0, seconds=1, error="b.mkv is not a video")]
    for job, record in zip(jobs, (running, failed), strict=False):
        records.write(job.key, record)
    return records


def test_on_a_terminal_a_table_is_kept_up_to_date(records, jobs, terminal):
    with redirect_stderr(terminal), monitor(records, quiet=False) as told:
        told.tick()
        shown = terminal.text()
        assert "3 films: 1 running, 1 waiting, 1 failed" in shown
        (row,) = [line for line in shown.splitlines() if "30/120" in line]
        assert "a.mkv" in row and "━" in row and "2 × cpu" in row
        assert "5.0" in row and "18 s" in row, "20 frames in 4 s, and 90 are left"
        assert "failed" in shown and "b.mkv is not a video" in shown

        told.line("again: c.mkv")
        assert "again: c.mkv" in terminal.text()

        record = records.read(jobs[0].key)
        assert record
        record.state, record.done = "done", 120
        records.write(jobs[0].key, record)
        before = len(terminal.getvalue())
        told.tick()
        assert "3 films: 1 done, 1 waiting, 1 failed" in terminal.getvalue()[before:]
        before = len(terminal.getvalue())
    assert "\x1b[2K" in terminal.getvalue()[before:], "the table is erased at the end"


def test_elsewhere_there_are_lines(records, capsys):
    with monitor(records, quiet=False) as told:
        told.line("again: c.mkv")
        told.tick()  # the next line of how far it is is due in half a minute
    assert capsys.readouterr() == ("", "again: c.mkv\n")
    with monitor(records, quiet=True) as told:
        told.line("again: c.mkv")
        told.tick()
    assert capsys.readouterr() == ("", "")


def test_a_quiet_terminal_stays_empty(records, terminal):
    with redirect_stderr(terminal), monitor(records, quiet=True) as told:
        told.line("again: c.mkv")
        told.tick()
    assert terminal.getvalue() == ""


def test_time_left_follows_the_bytes_that_are_done(records):
    view = Watch(records).look()
    assert view and view.alive
    assert (view.bytes_all, view.bytes_done) == (3000, 1250), "all of the failed film, a quarter of the running one"
    view.batch.updated = view.batch.began + 100
    assert view.left == pytest.approx(100 * (3000 / 1250 - 1))
    view.bytes_done = 1
    assert view.left is None


def test_without_a_batch_there_is_nothing_to_see(tmp_path: Path, terminal):
    with redirect_stderr(terminal), monitor(Records(tmp_path), quiet=False) as told:
        told.tick()
    assert terminal.text().strip() == ""


@pytest.mark.parametrize(("seconds", "shown"), [(0.4, "0 s"), (119, "119 s"), (120, "0:02:00"), (3723.4, "1:02:03")])
def test_clock(seconds, shown):
    assert clock(seconds) == shown
