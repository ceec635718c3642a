"""Names of files that are not UTF-8 are names like all others."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from semcolor.errors import UserError
from semcolor.jobs.batch.manifest import read_request
from semcolor.jobs.batch.plan import make_plan
from semcolor.jobs.batch.records import Record, Try
from semcolor.jobs.batch.report import write_summary
from semcolor.jobs.batch.state import Records
from semcolor.jobs.batch.target import target_of
from semcolor.jobs.batch.wish import Wish
from semcolor.jobs.commands import batch, video
from semcolor.jobs.film.workdir import work_folder
from semcolor.pipeline.edits.reading import read_sheet
from semcolor.pipeline.files import is_utf8
from semcolor.pipeline.film import open_film
from support.films import make_film, shot

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")

ODD = os.fsdecode(b"\xe9t\xe9")
"""Latin-1 for a word with accents."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name is not UTF-8, with a short film of such a name."""
    folder = tmp_path / ODD
    folder.mkdir()
    make_film(folder / f"{ODD}.mkv", shot("coffee", 4, (64, 96)))
    return folder


def test_is_utf8() -> None:
    assert is_utf8("été.mkv") and not is_utf8(ODD)


@pytest.mark.slow
def test_a_still_of_a_film_with_such_a_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    still = folder / f"{ODD}.png"
    assert video.run([str(folder / f"{ODD}.mkv"), "--still", "0", "--size", "64", "-o", str(still)]) == 0
    assert still.stat().st_size and "\\udce9t\\udce9.png" in capsys.readouterr().out


@pytest.mark.slow
def test_a_range_of_a_film_with_such_a_name(folder: Path) -> None:
    cut = folder / f"{ODD}.cut.mkv"
    assert video.run([str(folder / f"{ODD}.mkv"), "--range", "0-2", "--size", "64", "-q", "-o", str(cut)]) == 0
    assert open_film(cut).frames == 3
    assert sorted(p.name for p in folder.iterdir()) == [cut.name, f"{ODD}.mkv"]


def test_a_missing_film_with_such_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert video.run([str(tmp_path / f"{ODD}.mkv")]) == 2
    assert capsys.readouterr().err.endswith(".mkv: no such file.\n")


@pytest.mark.parametrize("name", [ODD, ODD * 60])
def test_the_work_folder_of_such_a_name(name: str, tmp_path: Path) -> None:
    work = work_folder(tmp_path / f"{name}.mkv")
    work.mkdir()
    assert work.parent == tmp_path and work_folder(tmp_path / f"{name}.mkv", tmp_path) != work


def test_a_batch_plans_records_and_reports_such_a_name(folder: Path) -> None:
    target = target_of(str(folder / "out"))
    records = Records(folder / "out" / ".semcolor-batch")
    plan = make_plan(read_request([str(folder)], {}), target, records)
    (planned,) = plan.to_do
    assert plan.mistakes == [] and planned.source == str(folder / f"{ODD}.mkv")
    assert planned.output == str(folder / "out" / f"{ODD}.color.mkv")
    with records.claimed():
        batch_record = records.begin(plan.to_do, 1, 0)
        record = Record.of(planned, batch_record, "failed")
        record.tries = [Try(ended=1, seconds=1, error=f"{planned.source} is not a video.")]
        record.outputs = {planned.output: (1, 2)}
        records.write(planned.key, record)
        assert records.read(planned.key) == record and records.plan()[0]["source"] == planned.source
        write_summary(records, batch_record, [planned])
        (entry,) = json.loads((records.folder / "summary.json").read_text())["details"]
        assert entry["source"] == planned.source and entry["error"].startswith(planned.source)
        record.state = "done"
        records.write(planned.key, record)
        write_summary(records, batch_record, [planned])
        page = (records.folder / "summary.html").read_text(encoding="utf-8")
        assert "%E9t%E9.color.mkv" in page and "\\udce9t\\udce9.mkv" in page


def test_a_wish_still_refuses_what_is_no_name() -> None:
    with pytest.raises(ValueError, match="valid string"):
        Wish.model_validate({"source": 3})
    with pytest.raises(ValueError, match="at least 1 character"):
        Wish.model_validate({"source": ""})


def test_a_manifest_of_nonsense_is_a_list_of_mistakes(tmp_path: Path) -> None:
    manifest = tmp_path / "films.jsonl"
    manifest.write_text('{"source": "a\\u0000b.mkv"}\n{"source": ' + "[" * 100_000 + "\n")
    first, second = read_request([str(manifest)], {}).asked
    assert "cannot have a byte of value 0" in str(first) and "this is not JSON (maximum recursion" in str(second)


def test_edits_of_nonsense_are_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="is not JSON"):
        read_sheet(tmp_path / "deep.json")


@pytest.mark.ray
@pytest.mark.slow
def test_a_batch_of_films_with_such_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(folder / f"{ODD}.mkv", folder / "plain.mkv")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["semcolor-batch", ODD])
    assert batch.run([".", "-o", ODD, "--size", "64", "--device", "cpu", "--retries", "0"]) == 0
    assert "2 of 2 films done" in capsys.readouterr().out
    assert {p.name for p in (folder / ODD).glob("*.mkv")} == {f"{ODD}.color.mkv", "plain.color.mkv"}
    assert Path.cwd() == folder
