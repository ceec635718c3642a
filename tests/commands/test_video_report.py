"""`semcolor-video --report`: the page that a user gets, and mistakes before any work."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from semcolor import __version__
from semcolor.jobs.commands.video import run
from semcolor.pipeline.files import file_sha256
from semcolor.pipeline.report.records import Report
from support.films import luma_planes
from support.mistakes import Mistake, check_mistake

FAST = ["--size", "64", "--workers", "1", "--quiet"]


def test_the_page_tells_what_the_run_did(short_film, tmp_path):
    output, labels, page = tmp_path / "out.mkv", tmp_path / "labels.mp4", tmp_path / "report.html"
    sheet = tmp_path / "edits.json"
    edit = {"frame": 1, "region": {"box": [10, 10, 60, 60]}, "action": {"colour": "#88aacc"}, "range": "0-5"}
    sheet.write_text(json.dumps({"edits": [edit]}))
    beside = ["--labels", str(labels), "--report", str(page), "--edits", str(sheet)]
    assert run([str(short_film), "-o", str(output), *FAST, *beside]) == 0
    data = re.search(r'id="report">(.*)</script>', page.read_text(encoding="utf-8"), re.S)
    assert data
    report = Report.model_validate(json.loads(data[1]))
    assert report.source.sha256 == file_sha256(short_film) and report.output.sha256 == file_sha256(output)
    (other,) = report.others
    assert (other.kind, other.name, other.sha256) == ("labels", "labels.mp4", file_sha256(labels))
    luma = "".join(hashlib.sha256(plane.tobytes()).hexdigest() + "\n" for plane in luma_planes(short_film))
    assert report.luma.sha256 == hashlib.sha256(luma.encode()).hexdigest()
    assert report.settings.size == 64 and report.settings.options["crf"] == "16" and report.settings.edits == 1
    assert report.versions["semcolor"] == __version__ and report.timings.frames == report.luma.frames
    assert report.timings.stages.keys() >= {"reading", "painting"}


MISTAKES: dict[str, Mistake] = {
    "another form": (lambda d, f: [f, "--report", d / "r.txt"], "use .html or .json"),
    "no suffix": (lambda d, f: [f, "--report", d / "r"], "use .html or .json"),
    "there already": (lambda d, f: [f, "--report", _touched(d / "r.html")], "exists already"),
    "no folder": (lambda d, f: [f, "--report", d / "no" / "r.html"], "folder does not exist"),
    "the summary": (lambda d, f: [f, "--report", d / "r.json", "--summary", d / "r.json"], "--report"),
    "of a still": (lambda d, f: [f, "--report", d / "r.html", "--still", "1"], "--report needs the whole film"),
}


def _touched(path: Path) -> Path:
    path.write_text("x")
    return path


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_said_before_the_work(case, short_film, tmp_path, capsys):
    check_mistake(MISTAKES[case], short_film, tmp_path, capsys)
