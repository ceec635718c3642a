"""A sheet on the desk: every change is saved at once and whole, can be undone, and is one that the command takes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from semcolor.errors import OutputError, UserError
from semcolor.jobs.desk.store import Store
from semcolor.pipeline.edits.reading import read_sheet

EDIT = {"frame": 3, "region": {"point": [5, 6]}, "action": "neutral"}


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reel.semcolor.json"


@pytest.fixture
def store(path: Path, tmp_path: Path):
    store = Store(path, tmp_path / "cache")
    yield store
    store.close()


def test_a_change_is_in_the_file_at_once_and_undone_to_the_byte(store, path):
    assert not path.exists(), "looking at a film writes nothing"
    first = store.add("edits", EDIT, "grey")
    one = path.read_bytes()
    assert read_sheet(path).edits[0].action.neutral
    store.update("edits", first, {"note": "as in the script", "off": True}, "note")
    second = store.add("edits", {**EDIT, "frame": 4}, "grey")
    store.move("edits", second, 0, "first")
    assert [edit["frame"] for edit in _read(path)["edits"]] == [4, 3] and store.ids("edits") == [second, first]
    for _ in range(3):
        store.step(-1)
    assert path.read_bytes() == one and store.ids("edits") == [first]
    store.step(1)
    assert _read(path)["edits"] == [{**EDIT, "note": "as in the script", "off": True}]
    store.update("edits", first, {"note": None, "off": None}, "plain")
    assert path.read_bytes() == one
    with pytest.raises(UserError, match="nothing more"):
        store.step(1)


def test_points_stand_on_one_line_and_words_stay_as_they_are(store, path):
    stroke = {**EDIT, "region": {"strokes": [[[1, 2.5], [-3, 4]]], "width": 2}, "note": "[\n 1,\n 2\n] and [ 1, 2 ]"}
    store.add("edits", stroke, "stroke")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    assert "[1, 2.5]," in lines and "[-3, 4]" in lines and _read(path)["edits"] == [stroke]


def test_a_palette_and_references(store, path):
    store.palette("sky", "#88aacc")
    photo = store.add("references", {"photo": "reel.photos/a.png"}, "photo")
    assert _read(path) == {"palette": {"sky": "#88aacc"}, "references": [{"photo": "reel.photos/a.png"}]}
    assert store.sheet.references[0].photo == str(path.parent / "reel.photos/a.png")
    store.palette("sky", None)
    store.remove("references", photo, "gone")
    assert _read(path) == {}


def test_named_colours_stay_in_the_file(path, tmp_path):
    colours = {"her coat": {"colour": "#6b2430", "note": "museum no. 1921-14"}, "dusk": "#88aacc"}
    first = {**EDIT, "action": {"colour": "her coat"}}
    path.write_text(json.dumps({"colours": colours, "edits": [first], "palette": {"sky": "dusk"}}))
    store = Store(path, tmp_path / "cache")
    assert store.state()["colours"] == colours
    store.palette("tree", "her coat")
    id_ = store.add("edits", {**EDIT, "action": {"colour": "dusk"}}, "dusk")
    store.remove("edits", id_, "gone")
    store.step(-1)
    store.step(-1)
    store.go(1)
    assert _read(path) == {"colours": colours, "edits": [first], "palette": {"sky": "dusk", "tree": "her coat"}}
    assert store.sheet.plain().palette == {"sky": "#88aacc", "tree": "#6b2430"}
    with pytest.raises(UserError, match="'her hat' is not a colour.*her coat, dusk"):
        store.palette("wall", "her hat")
    store.close()


def test_a_named_colour_is_changed_everywhere(store, path):
    store.color("her coat", "#6b2430", note="museum no. 1921-14")
    for action in ({"colour": "her coat"}, {"colour": "#112233"}, "neutral"):
        store.add("edits", {**EDIT, "action": action}, "painted")
    store.palette("sky", "her coat")
    store.color("her coat", "#702a36")
    store.color("her coat", "#702a36", to="coat")
    assert _read(path)["colours"] == {"coat": {"colour": "#702a36", "note": "museum no. 1921-14"}}
    assert read_sheet(path).plain().edits[0].action.colour == "#702a36" and _read(path)["palette"] == {"sky": "coat"}
    store.color("scarf", "#aa2211")
    with pytest.raises(UserError, match="already"):
        store.color("scarf", "#aa2211", to="coat")
    with pytest.raises(UserError, match="not a name"):
        store.color("#1", "#aa2211")
    store.color("coat", None)
    assert [edit["action"] for edit in _read(path)["edits"]] == [
        {"colour": "#702a36"},
        {"colour": "#112233"},
        "neutral",
    ]
    assert _read(path)["palette"] == {"sky": "#702a36"} and list(_read(path)["colours"]) == ["scarf"]


def test_what_the_command_refuses_is_refused_and_changes_nothing(path, tmp_path):
    def check(sheet, item):
        if item.get("frame") == 99:
            raise UserError("there is no frame 99.")

    store = Store(path, tmp_path / "cache", check)
    store.add("edits", EDIT, "grey")
    before = path.read_bytes(), store.version
    for item, told in (({**EDIT, "frame": -1}, "edits.1..frame must be"), ({**EDIT, "frame": 99}, "no frame 99")):
        with pytest.raises(UserError, match=told):
            store.add("edits", item, "wrong")
    with pytest.raises(UserError, match="is not a colour"):
        store.palette("sky", "blue")
    with pytest.raises(UserError, match="removed"):
        store.update("edits", "i77", {"note": "x"}, "note")
    assert (path.read_bytes(), store.version) == before
    store.close()


def test_a_second_desk_is_told(store, path, tmp_path):
    with pytest.raises(OutputError, match=rf"another semcolor-desk \(process {os.getpid()}\) has .*reel"):
        Store(path, tmp_path / "other cache")
    store.close()
    Store(path, tmp_path / "other cache").close()
    assert list(tmp_path.glob(".*")) == []


def test_what_others_write_is_read_and_can_be_undone(store, path):
    first = store.add("edits", EDIT, "grey")
    assert not store.look()
    path.write_text(json.dumps({"edits": [{**EDIT, "frame": 8}, EDIT]}))
    assert store.look() and [edit["frame"] for edit in store.state()["edits"]] == [8, 3]
    assert store.ids("edits")[1] == first, "an edit that stays keeps its id"
    assert store.state()["history"][-1]["title"] == "changed outside of the desk"
    store.step(-1)
    assert _read(path)["edits"] == [EDIT]


def test_a_change_from_outside_is_never_written_over_unseen(store, path):
    store.add("edits", EDIT, "grey")
    path.write_text(json.dumps({"edits": [{**EDIT, "frame": 8}]}))
    store.add("edits", {**EDIT, "frame": 9}, "grey")  # nobody has looked since
    assert [edit["frame"] for edit in _read(path)["edits"]] == [8, 9]


def test_a_broken_file_is_told_and_kept_until_somebody_decides(store, path):
    store.add("edits", EDIT, "grey")
    path.write_text('{"edits": [')
    assert store.look() and "not JSON" in store.broken
    with pytest.raises(UserError, match="Nothing is saved until"):
        store.add("edits", EDIT, "grey")
    assert path.read_text() == '{"edits": ['
    store.overwrite()
    assert _read(path) == {"edits": [EDIT]} and not store.broken


def test_history_outlives_the_desk(path, tmp_path):
    store = Store(path, tmp_path / "cache")
    kept = store.add("edits", EDIT, "grey")
    store.palette("sky", "#88aacc")
    store.close()
    store = Store(path, tmp_path / "cache")
    assert [version["title"] for version in store.state()["history"]] == ["opened", "grey", "sky in the whole film"]
    assert store.ids("edits") == [kept]
    store.step(-1)
    assert _read(path) == {"edits": [EDIT]}
    store.close()
    for damaged in ("{", '{"versions": [3], "at": 0, "next": 1}', "[]"):
        (history,) = (tmp_path / "cache").glob("history-*.json")
        history.write_text(damaged)
        store = Store(path, tmp_path / "cache")
        assert _read(path) == store.content == {"edits": [EDIT]}
        store.close()


def _work(path: Path, cache: Path) -> None:
    store, n = Store(path, cache), 0
    while True:
        store.palette("sky", f"#{n % 256:02x}{n // 256 % 256:02x}00")
        n += 1


def test_a_killed_desk_leaves_a_whole_sheet(path, tmp_path):
    context = multiprocessing.get_context("fork")
    for _ in range(3):
        worker = context.Process(target=_work, args=(path, tmp_path / "cache"))
        worker.start()
        for _ in range(500):
            if path.exists():
                break
            time.sleep(0.01)
        time.sleep(0.05)
        assert worker.pid
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        assert read_sheet(path).palette.keys() == {"sky"}
        Store(path, tmp_path / "cache").close()  # the lock died with its process
