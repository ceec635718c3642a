"""What a batch leaves to read: `summary.json` and `summary.html`."""

from __future__ import annotations

import json

from semcolor.jobs.batch.records import Record, Try
from semcolor.jobs.batch.report import write_summary
from semcolor.jobs.batch.state import Records
from support.batches import make_batch_plan
from support.files import touch


def test_films_that_are_not_done_come_first_and_totals_are_over_all(tmp_path):
    names = ("done", "b<ad", "waits")
    films = [touch(tmp_path / f"{name}.mkv") for name in names]
    jobs = make_batch_plan(tmp_path, *films, report="{stem}&.html").to_do
    (tmp_path / "state" / "films").mkdir(parents=True)
    records = Records(tmp_path / "state")
    batch = records.begin(jobs, 3, 2)
    by_name = {job.source.rpartition("/")[2]: job for job in jobs}
    done, failed = (Record.of(by_name[f"{name}.mkv"], batch, "running") for name in names[:2])
    done.state, done.frames, done.done, done.resumed, done.seconds = "done", 100, 100, 20, 10.0
    done.shots, done.damaged, done.findings = 3, [7, 8], ["a.mkv <c> is cut off."]
    failed.state, failed.tries = "failed", [Try(ended=0, seconds=1, error="frame 3 <b> & more")]
    records.write(by_name["done.mkv"].key, done)
    records.write(by_name["b<ad.mkv"].key, failed)
    records.write_batch(batch, "finished")

    totals = write_summary(records, batch, jobs)
    assert {name: totals[name] for name in ("films", "done", "failed", "waiting", "finished_before", "frames")} == {
        "films": 3,
        "done": 1,
        "failed": 1,
        "waiting": 1,
        "finished_before": 2,
        "frames": 80,
    }
    assert totals["state"] == "finished" and totals["began"].endswith("+00:00")

    summary = json.loads((records.folder / "summary.json").read_text())
    assert {name: value for name, value in summary.items() if name != "details"} == totals
    details = {film["state"]: film for film in summary["details"]}
    assert [film["state"] for film in summary["details"]][2] == "done" and len(details) == 3
    assert details["done"]["frames_per_second"] == 8.0 and details["done"]["error"] is None
    assert details["done"]["damaged"] == [7, 8] and details["done"]["output"].endswith("out/done.color.mkv")
    assert details["failed"]["error"] == "frame 3 <b> & more" and len(details["failed"]["tries"]) == 1
    assert set(details["waiting"]) == {"source", "state", "output", "labels", "report", "record"}

    page = (records.folder / "summary.html").read_text()
    assert "3 films: 1 done, 1 failed, 1 waiting" in page and page.count("\n<tr class=") == 3
    assert "b&lt;ad.mkv" in page and "frame 3 &lt;b&gt; &amp; more" in page and "<b>" not in page
    assert "(2 damaged frames were concealed by the decoder)" in page and "not begun, or stopped" in page
    assert "<br>a.mkv &lt;c&gt; is cut off." in page and details["done"]["findings"] == done.findings
    assert f'<a href="file://{details["done"]["output"]}">done.color.mkv</a>' in page
    assert f'<a href="file://{tmp_path}/out/done%26.html">report</a>' in page
    assert page.index("<td>failed") < page.index("<td>done") and page.index("<td>waiting") < page.index("<td>done")
