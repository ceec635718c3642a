"""What a run finds out about the source is kept for the next one, and stands in the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from semcolor import Look, colorize
from semcolor.errors import FilmError, OutputError, UserError
from semcolor.jobs.commands.video import run
from semcolor.jobs.film import driver
from semcolor.jobs.film.recovery import Outcome
from semcolor.jobs.film.workdir import keep_or_clear, remember, remembered, work_folder
from semcolor.pipeline import inprocess
from semcolor.pipeline.files import file_sha256
from semcolor.pipeline.film import open_film
from semcolor.pipeline.report.record import Record
from semcolor.pipeline.report.records import Report
from support.films import make_film, shot, shots

FAST = ["--size", "64", "--workers", "1", "--quiet", "--keep-colour", "auto"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of a grey and of a coloured shot."""
    path, pictures = tmp_path_factory.mktemp("found") / "reel.mkv", shots((18, 17), (64, 96))
    pictures[:18] = pictures[:18].mean(-1, keepdims=True)
    return make_film(path, pictures, codec="ffv1", gray=False)


def told(path: Path) -> dict[str, Any]:
    """What a report says about the film, and not about the run."""
    report = Report.model_validate_json(path.read_text()).model_dump()
    return {name: value for name, value in report.items() if name != "timings"}


def test_a_resumed_run_looks_for_nothing_again(source, tmp_path, monkeypatch):
    output, report, looked = tmp_path / "out.mkv", tmp_path / "report.json", []
    find = driver.kept_spans

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def count(film: Any, look: Any, progress: Any) -> Any:
        return find(film, look, progress=lambda done: (looked.append(done), progress(done)))

    arguments = [str(source), "-o", str(output), *FAST, "--report", str(report)]
    with monkeypatch.context() as patch:
        patch.setattr(driver, "_assemble", stop)
        patch.setattr(driver, "kept_spans", count)
        assert run(arguments) == 130
    work = work_folder(output)
    assert looked[-1] == 35 and remembered(work) == {"negative": False, "kept": [[18, 35]]}
    monkeypatch.setattr(driver, "kept_spans", stop)
    remember(work, negative=True)  # as if the networks had understood the inverse better
    assert run(arguments) == 0
    by_run = told(report)
    assert [w["message"].partition(":")[0] for w in by_run["warnings"]] == ["reel.mkv looks like a negative"]
    assert [s["keeps_colour"] for s in by_run["shots"]] == [False, True]

    monkeypatch.setattr(inprocess, "looks_negative", lambda pictures, paint: True)
    again, alone = tmp_path / "again" / "out.mkv", tmp_path / "alone.json"
    again.parent.mkdir()
    colorize(open_film(source), again, Look(size=64, keep_colour="auto"), report=alone)
    assert again.read_bytes() == output.read_bytes() and told(alone) == by_run
    assert sorted(p.name for p in (*tmp_path.iterdir(), *again.parent.iterdir())) == [
        "again",
        "alone.json",
        "out.mkv",
        "out.mkv",
        "report.json",
    ]


def test_other_edits_keep_what_was_found_and_another_job_does_not(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    keep_or_clear(work, {"size": 64, "sheet": None})
    remember(work, negative=False, kept=[])
    keep_or_clear(work, {"size": 64, "sheet": [1]})
    assert remembered(work) == {"negative": False, "kept": []}
    keep_or_clear(work, {"size": 96, "sheet": [1]})
    assert remembered(work) == {}


def test_a_page_and_a_record_can_be_had_from_python(tmp_path, monkeypatch):
    film = open_film(make_film(tmp_path / "a.mkv", shot("coffee", 3, (48, 64)), codec="ffv1"))
    monkeypatch.setattr(inprocess, "looks_negative", lambda pictures, paint: True)
    colorize(film, tmp_path / "b.mkv", Look(size=64), report=tmp_path / "b.html", record=tmp_path / "b.json")
    record = Record.model_validate_json((tmp_path / "b.json").read_text(encoding="utf-8"))
    places = [tmp_path / name for name in ("b.mkv", "b.html")]
    assert [(file.name, file.sha256) for file in record.outputs] == [(p.name, file_sha256(p)) for p in places]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mkv", "b.html", "b.json", "b.mkv"]
    page = (tmp_path / "b.html").read_text()
    assert "<li>a.mkv looks like a negative" in page
    assert str(tmp_path) not in page


@pytest.mark.parametrize(
    ("report", "more", "words"),
    [
        ("r.txt", {}, "use .html or .json"),
        ("b.mkv", {}, "use .html or .json"),
        ("there.json", {}, "exists already"),
        ("no/r.json", {}, "folder does not exist"),
        ("r.json", {"spans": [(0, 2)]}, "whole film"),
        ("r.json", {"record": "r.xml"}, "use .json"),
        ("r.json", {"record": "b.mkv"}, "use .json"),
    ],
)
def test_a_report_that_cannot_be_is_refused_before_the_work(report, more, words, tmp_path, monkeypatch):
    film = open_film(make_film(tmp_path / "a.mkv", shot("coffee", 3, (48, 64)), codec="ffv1"))
    (tmp_path / "there.json").write_text(json.dumps({}))
    monkeypatch.setattr(inprocess, "_painter", lambda *_: pytest.fail("the work began"))
    with pytest.raises((OutputError, UserError), match=words):
        colorize(film, tmp_path / "b.mkv", report=tmp_path / report, **more)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mkv", "there.json"]


def test_damage_in_a_strict_film_is_told_before_anything_is_sealed(tmp_path, monkeypatch):
    film = replace(open_film(make_film(tmp_path / "a.mkv", shot("coffee", 3, (48, 64)))), strict=True)
    for name in ("assemble", "seal", "report_on"):
        monkeypatch.setattr(driver, name, lambda *_, **__: pytest.fail("the film was finished"))
    part: Any = SimpleNamespace(frames=3, damaged=(1,), lost=(), own=(), shot=0, shot_start=0, start=0, stop=3)
    monkeypatch.setattr(driver, "count_shots", lambda parts: 1)
    job: Any = SimpleNamespace(film=film, report=True, edits=None, scenes=None)
    with pytest.raises(FilmError, match=r"frame 1 .*concealed"):
        driver._assemble(job, Outcome([part]), {}, resumed=0, started=0.0)
