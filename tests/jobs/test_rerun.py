"""Other edits, the same film: what they do not touch is not painted again, and nobody sees that in the result."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from semcolor.jobs.commands.video import run
from semcolor.jobs.film import driver
from semcolor.jobs.film.workdir import keep_or_clear, work_folder
from semcolor.models.labels import INDEX
from semcolor.pipeline.edits.apply import ResolvedEdits
from semcolor.pipeline.edits.mending import follow_drawn
from semcolor.pipeline.edits.orders import ColorTransfer, ResolvedEdit
from semcolor.pipeline.edits.resolve import resolve
from semcolor.pipeline.edits.sheet import Sheet
from semcolor.pipeline.film import open_film
from support.edits import make_resolved
from support.events import Events
from support.films import make_film, shots

FIRST = {"frame": 10, "region": {"box": [20, 20, 90, 70]}, "action": {"colour": "#cc2020"}}
LAST = {"frame": 120, "region": {"box": [30, 10, 80, 60]}, "action": {"label": "flower"}}


def _runs(events: Events) -> list[dict]:
    """Of each run: how many frames were there already, and each part that it committed (first frame, frames)."""
    runs: list[dict] = []
    for line in events.lines:
        if line["event"] in ("started", "resumed"):
            runs.append({"kept": line["frame"], "painted": []})
        elif line["event"] == "part committed":
            runs[-1]["painted"].append((line["start"], line["frames"]))
    return runs


def test_only_what_edits_touch_is_painted_again(film_folder, tmp_path, events, monkeypatch, capsys):
    source = make_film(film_folder / "rerun.mkv", shots((50, 50, 50)))
    first, last = FIRST | {"range": "5-15"}, LAST | {"range": "115-125"}
    fast = ["--size", "64", "--workers", "1", "--keep"]

    def colorize(output: Path, *edits: dict, options: list[str] = fast) -> int:
        sheet = tmp_path / "edits.json"
        sheet.write_text(json.dumps({"edits": edits}))
        return run([str(source), "-o", str(output), "--edits", str(sheet), *options])

    output, alone = tmp_path / "out.mkv", tmp_path / "alone.mkv"
    work = work_folder(output)
    assert run([str(source), "-o", str(output), *fast]) == 0
    plain = output.read_bytes()
    assert colorize(output, first) == 2, "the output is another film, and there is no --overwrite"
    assert output.read_bytes() == plain and len(list(work.glob("part-*.json"))) == 3

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(driver, "deliver", stop)
        assert colorize(output, first, last, options=[*fast, "--overwrite"]) == 130
    assert output.read_bytes() == plain

    capsys.readouterr()
    assert colorize(output, first, options=[*fast[:-1], "--overwrite"]) == 0
    assert "150 frames (100 of them by an earlier run)" in capsys.readouterr().out
    assert not work.exists(), "without --keep the folder goes"
    assert colorize(alone, first, options=fast[:-1]) == 0
    assert output.read_bytes() == alone.read_bytes() != plain
    assert _runs(events) == [
        {"kept": 0, "painted": [(0, 50), (50, 50), (100, 50)]},
        {"kept": 50, "painted": [(0, 50), (100, 50)]},
        {"kept": 100, "painted": [(100, 50)]},
        {"kept": 0, "painted": [(0, 50), (50, 50), (100, 50)]},
    ]


def test_a_named_colour_changed_once_changes_where_it_is_used(film_folder, tmp_path, events):
    """And a note, another name, or a colour that nothing uses makes no work at all."""
    source, sheet = make_film(film_folder / "named.mkv", shots((50, 50, 50), (48, 64))), tmp_path / "edits.json"
    box, times = {"box": [8, 8, 40, 40]}, {5: "coat", 120: "coat", 60: "hat"}
    places = [
        {"frame": frame, "range": f"{frame}-{frame + 9}", "region": box, "action": {"colour": name}}
        for frame, name in times.items()
    ]
    fast = ["--size", "64", "--workers", "1"]

    def colorize(output: Path, coat: object, *options: str, **others: object) -> bytes:
        colours = {"coat": coat, "hat": "#2040a0"} | others
        sheet.write_text(json.dumps({"colours": colours, "edits": places}))
        assert run([str(source), "-o", str(output), "--edits", str(sheet), *fast, *options]) == 0
        return output.read_bytes()

    output, again = tmp_path / "out.mkv", ("--keep", "--overwrite")
    red = colorize(output, "#cc2020", "--keep")
    assert colorize(output, {"colour": "#CC2020", "note": "museum no. 1921-14"}, *again, scarf="#123456") == red
    assert colorize(output, "#20a020", *again) != red
    whole = [(0, 50), (50, 50), (100, 50)]
    assert [line["painted"] for line in _runs(events)] == [whole, [(0, 50), (100, 50)]], "the second run had no work"


def test_a_part_that_ends_inside_a_shot_comes_out_as_before(film_folder, tmp_path, events):
    """What follows it in the shot has a say in its colours, and is looked at again."""
    source = make_film(film_folder / "one_shot.mkv", shots((310,), (48, 64)), options={"g": "50"})
    sheet = tmp_path / "edits.json"
    sheet.write_text(json.dumps({"edits": [FIRST | {"range": "5-15"}]}))
    output, alone = tmp_path / "out.mkv", tmp_path / "alone.mkv"
    fast, edited = ["--size", "64", "--workers", "1"], ["--edits", str(sheet)]
    assert run([str(source), "-o", str(output), *fast, "--keep"]) == 0
    assert run([str(source), "-o", str(output), *fast, *edited, "--overwrite"]) == 0
    assert run([str(source), "-o", str(alone), *fast, *edited]) == 0
    assert output.read_bytes() == alone.read_bytes()
    assert [line["painted"] for line in _runs(events)] == [[(0, 288), (288, 22)], [(0, 288)], [(0, 288), (288, 22)]]


def _resolved(
    tmp_path: Path, orders: list[ResolvedEdit], transfers: list[ColorTransfer], masks: dict[int, list[int]]
) -> ResolvedEdits:
    """`masks`: of an order, the frames in which its region is seen."""
    drawn = {(n, frame): np.full((4, 4), 1 + frame % 250, np.uint8) for n, frames in masks.items() for frame in frames}
    return make_resolved(tmp_path, orders, transfers, drawn)


PARTS = [(0, 0, 50, 50), (50, 50, 146, 154), (50, 146, 200, 200), (200, 200, 260, 260)]
"""(the shot's first frame, first, stop, seen): the second shot has two."""


def _touched(control: ResolvedEdits) -> list[bool]:
    return [control.digest(*part) != "" for part in PARTS]


def test_edits_touch_what_depends_on_them(tmp_path):
    red = ResolvedEdit(60, 80, None, ab=(40.0, 20.0))
    flower = replace(red, ab=None, relabel=INDEX["flower"])
    seen = {0: list(range(60, 81))}
    assert _touched(_resolved(tmp_path, [red], [], seen)) == [False, True, False, False]
    assert _touched(_resolved(tmp_path, [red], [], {})) == [False] * 4, "the region is nowhere to be seen"
    assert _touched(_resolved(tmp_path, [flower], [], seen)) == [False, True, True, False], "it is remembered"
    for first, touched in (150, True), (154, False):
        later = replace(flower, first=first, stop=160)
        masks = {0: list(range(first, 161))}
        found = _touched(_resolved(tmp_path, [later], [], masks))
        assert found == [False, touched, True, False], "it has a say in the eight frames before it"
    sky = ResolvedEdit(0, 260, INDEX["sky"], relabel=INDEX["wall"])
    assert _touched(_resolved(tmp_path, [sky], [], {})) == [True] * 4
    assert _touched(
        _resolved(tmp_path, [], [ColorTransfer(140, 150, {3: ((0.0, 0.0), (1.0, 1.0), (1.0, 1.0))})], {})
    ) == [
        False,
        True,
        True,
        False,
    ]


def test_what_steers_is_known_by_its_values(tmp_path):
    red = ResolvedEdit(60, 80, None, ab=(40.0, 20.0))
    flower = replace(red, ab=None, relabel=INDEX["flower"])
    seen, part = list(range(60, 81)), PARTS[1]
    elsewhere = ResolvedEdit(210, 220, INDEX["sky"], ab=(0.0, 0.0))
    plain = _resolved(tmp_path, [red], [], {0: seen}).digest(*part)
    assert _resolved(tmp_path, [elsewhere, red], [], {1: seen}).digest(*part) == plain, "whatever its number"
    others = [
        ([replace(red, ab=(40.0, 21.0))], [], {0: seen}),
        ([replace(red, stop=79)], [], {0: seen}),
        ([red], [], {0: seen[:-2]}),
        ([flower], [], {0: seen}),
        ([flower], [], {0: seen[:-1]}),  # its end is forgotten in frame 80
        ([red, replace(elsewhere, first=0)], [], {0: seen}),
        ([red], [ColorTransfer(0, 260, {3: ((0.0, 0.0), (1.0, 1.0), (1.0, 1.0))})], {0: seen}),
        ([red], [ColorTransfer(0, 260, {3: ((0.0, 0.0), (1.0, 1.5), (1.0, 1.0))})], {0: seen}),
    ]
    digests = [_resolved(tmp_path, *other).digest(*part) for other in others]
    assert len({plain, *digests}) == len(others) + 1


def test_places_are_looked_for_once(film_folder, tmp_path, monkeypatch):
    film = open_film(make_film(film_folder / "places.mkv", shots((20, 20)), codec="ffv1"))

    def planned(key: str, *edits: dict) -> ResolvedEdits:
        sheet = Sheet.model_validate({"palette": {"sky": "#88aacc"} if key == "b" else {}, "edits": edits})
        return resolve(film, sheet, 64, lambda: None, tmp_path, key)  # type: ignore[arg-type]  # no network is needed

    def masks(control: ResolvedEdits, number: int) -> list[bytes]:
        return [control._read(number, frame) for frame in range(40)]

    here, there = FIRST, FIRST | {"frame": 30}
    first = planned("a", here)
    known = masks(first, 0)
    tracked = []
    monkeypatch.setattr(
        "semcolor.pipeline.edits.resolver.follow_drawn", lambda *a: tracked.append(a) or follow_drawn(*a)
    )
    both = planned("b", there, here | {"action": {"label": "tree"}, "note": "a try"})
    assert len(tracked) == 1, "the one that is new"
    order = both.orders[2]
    assert (order.first, order.stop, order.relabel, order.ab) == (0, 20, INDEX["tree"], None)
    assert masks(both, 2) == known and any(known) and masks(both, 1) != known
    assert [path.name for path in tmp_path.iterdir()] == ["masks-b.zip"]


def test_parts_stay_where_only_the_sheet_is_another(tmp_path, caplog):
    work = work_folder(tmp_path / "out.mkv")
    work.mkdir()
    keep_or_clear(work, {"size": 64, "sheet": None})
    for name in ("part-000000000.json", "film.mkv", "masks-1.zip", "events.jsonl"):
        (work / name).write_text("{}")
    keep_or_clear(work, {"size": 64, "sheet": {"edits": []}})
    stay = {"events.jsonl", "job.json", "masks-1.zip", "part-000000000.json", "writer.lock"}
    assert {path.name for path in work.iterdir()} == stay and not caplog.text
    keep_or_clear(work, {"size": 96, "sheet": None})
    assert {path.name for path in work.iterdir()} == {"job.json", "writer.lock"} and "thrown away" in caplog.text
