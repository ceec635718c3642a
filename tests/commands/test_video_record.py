"""`semcolor-video --record`: what was done to a film, for an archive."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from semcolor import __version__, open_film
from semcolor.jobs.batch.wish import Wish
from semcolor.jobs.commands.video import run
from semcolor.models import WEIGHTS
from semcolor.pipeline.files import file_sha256
from semcolor.pipeline.provenance import DIGITAL_SOURCE_TYPE
from semcolor.pipeline.report.record import Record
from support.files import write
from support.films import make_film, pictures_of, shot
from support.mistakes import Mistake, check_mistake

FAST = ["--size", "64", "--workers", "1", "--quiet"]
COLOURS = {"her coat": {"colour": "#6b2430", "note": "museum no. 1921-14"}}
EDIT = {
    "frame": 1,
    "region": {"box": [10, 10, 60, 60]},
    "action": {"colour": "her coat"},
    "range": {"from": 0, "to": 4},
    "note": "as in the inventory",
}


@pytest.fixture(scope="module")
def film(film_folder) -> Path:
    return make_film(film_folder / "record.mkv", shot("coffee", 8, (64, 96)))


def test_a_record_says_what_was_done(film, tmp_path):
    key = tmp_path / "keys" / "3.png"
    key.parent.mkdir()
    cv2.imwrite(str(key), pictures_of(film)[3][..., ::-1])
    written = {"colours": COLOURS, "edits": [EDIT], "keyframes": [{"frame": 3, "picture": "keys/3.png"}]}
    written["references"] = [{"photo": "lost.jpg", "off": True}]
    sheet, output, record = write(tmp_path / "edits.json", written), tmp_path / "out.mkv", tmp_path / "out.record.json"
    beside = ["--edits", str(sheet), "--summary", str(tmp_path / "out.summary.json")]
    assert run([str(film), "-o", str(output), *FAST, *beside, "--keep"]) == 0
    plain = output.read_bytes()
    asked = [*beside, "--record", str(record), "--overwrite"]
    assert run([str(film), "-o", str(output), *FAST, *asked]) == 0
    assert output.read_bytes() == plain, "a record changes nothing in the film"
    found = Record.model_validate_json(record.read_text(encoding="utf-8"))
    assert found.digital_source_type == DIGITAL_SOURCE_TYPE and "trained network" in found.statement
    assert (found.source.name, found.source.sha256) == (film.name, file_sha256(film))
    assert found.source.bytes == film.stat().st_size
    assert [(file.kind, file.sha256) for file in found.outputs] == [
        ("film", file_sha256(output)),
        ("summary", file_sha256(tmp_path / "out.summary.json")),
    ]
    assert found.settings["weights_sha256"] == file_sha256(WEIGHTS) and found.settings["size"] == 64
    assert found.versions["semcolor"] == __version__ and found.made.endswith("+00:00")
    assert found.sheet["colours"] == COLOURS and found.sheet["edits"] == [EDIT]
    assert found.sheet["keyframes"] == [{"frame": 3, "picture": "3.png"}], "no folders of this machine"
    assert str(tmp_path) not in record.read_text(encoding="utf-8")
    assert [(p.kind, p.name, p.sha256) for p in found.pictures] == [
        ("reference", "lost.jpg", ""),
        ("key frame", "3.png", file_sha256(key)),
    ]


def test_a_record_of_pictures(tmp_path):
    scans, folder = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    for n, picture in enumerate(shot("coffee", 4, (64, 96))):
        cv2.imwrite(str(scans / f"a{n:03}.png"), picture)
    record = tmp_path / "r.json"
    assert run([str(scans), "-o", str(folder / "b%03d.png"), *FAST, "--fps", "24", "--record", str(record)]) == 0
    found = Record.model_validate(json.loads(record.read_text(encoding="utf-8")))
    assert found.outputs[0].sha256 == file_sha256(folder) and found.outputs[0].bytes
    assert found.source.sha256 == file_sha256(scans) and open_film(folder / "b%03d.png", fps="24").frames == 4


MISTAKES: dict[str, Mistake] = {
    "another form": (lambda d, f: [f, "--record", d / "r.xml"], "use .json"),
    "the report": (lambda d, f: [f, "--record", d / "r.json", "--report", d / "r.json"], "--record"),
    "of a still": (lambda d, f: [f, "--record", d / "r.json", "--still", "1"], "--record needs the whole film"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_said_before_the_work(case, film, tmp_path, capsys):
    check_mistake(MISTAKES[case], film, tmp_path, capsys)


def test_a_record_does_not_decide_the_bytes_of_a_batch_s_film():
    plain = {"source": "a.mp4"}
    recorded = Wish.model_validate(plain | {"record": "{stem}.record.json"})
    assert recorded.decisive() == Wish.model_validate(plain).decisive()
