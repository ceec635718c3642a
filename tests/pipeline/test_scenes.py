"""Scenes: what a later shot shows again takes the colours that it had, and nothing else changes."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from semcolor import Look, colorize, open_film, still
from semcolor.flow.revisit import Taken
from semcolor.flow.scenes import same_place, see
from semcolor.jobs.commands.video import run
from semcolor.jobs.film.workdir import work_folder
from semcolor.models.painter import Painter
from semcolor.models.sight import Sight
from semcolor.pipeline import scenefinding
from semcolor.pipeline.edits import resolver
from semcolor.pipeline.edits.apply import ResolvedEdits
from semcolor.pipeline.edits.archive import mask_name
from semcolor.pipeline.edits.orders import ColorTransfer
from semcolor.pipeline.edits.resolve import resolve
from semcolor.pipeline.edits.sheet import Sheet
from semcolor.pipeline.frames import Colors
from semcolor.pipeline.inprocess import _colored
from semcolor.pipeline.outputs import prepared
from semcolor.pipeline.reader import FilmReader
from semcolor.pipeline.revisiting import Revisiting
from semcolor.pipeline.scenefinding import find_scenes
from semcolor.pipeline.scenes import Link, Scenes
from semcolor.pipeline.writer import PartWriter
from support.films import luma_planes, make_film, pictures_of, shot

SIZE = 128
LOOK = Look(size=SIZE, scenes=1.0)
OPTIONS = ["--size", str(SIZE), "--scenes", "1", "--codec", "ffv1", "--workers", "1", "--quiet"]
LENGTHS = 10, 9, 11, 8
"""Frames of the shots: a place, another one, the first again, the other again."""

STARTS = 0, 10, 19, 30
"""Their first frames. Frame n of a place's second shot shows what frame n + 2 of its first one shows."""

MOVED = (9, 5), (-8, 4)
"""How far the second shots are shifted, in pixels."""

REPAINTED = {"frame": 4, "region": {"box": [60, 30, 130, 90]}, "action": {"colour": "#2040c0"}}
"""A region of the first shot, painted blue."""


def _again(pictures, x, y):
    """The same place, brighter by a tenth and shifted."""
    moved = np.stack(
        [cv2.warpAffine(p, np.array([[1, 0, x], [0, 1, y]], np.float32), None, borderMode=4) for p in pictures]
    )
    return np.clip(moved.astype(np.float32) * 1.1, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def reel(tmp_path_factory):
    """Two places cut into each other."""
    places = [shot(name, 14, (144, 192)) for name in ("chelsea", "astronaut")]
    pieces = [place[:length] for place, length in zip(places, LENGTHS, strict=False)]
    pieces += [_again(p[2 : 2 + n], *moved) for p, n, moved in zip(places, LENGTHS[2:], MOVED, strict=True)]
    return open_film(make_film(tmp_path_factory.mktemp("scenes") / "reel.mkv", np.concatenate(pieces), codec="ffv1"))


@pytest.fixture(scope="module")
def whole(reel, tmp_path_factory):
    """The film with scenes, made by the command without Ray; its work folder is kept."""
    path = tmp_path_factory.mktemp("made") / "whole.mkv"
    assert run([reel.path, "-o", str(path), *OPTIONS, "--keep"]) == 0
    return path


def test_shots_of_the_same_place_are_linked(reel, tmp_path):
    found = find_scenes(reel, LOOK, tmp_path / "scenes.zip")
    assert [(link.first, link.stop, link.leader) for link in found.links] == [(19, 30, (0, 10)), (30, 38, (10, 19))]
    assert find_scenes(reel, LOOK, tmp_path / "scenes.zip") == found, "read again"
    assert find_scenes(reel, replace(LOOK, scenes=0.0), tmp_path / "other.zip") is None
    part = find_scenes(reel, LOOK, tmp_path / "part.zip", shown=[(22, 25)])
    assert [link.first for link in part.links] == [19]


@pytest.fixture(scope="module")
def painter():
    return Painter("cpu")


@pytest.fixture(scope="module")
def steady(reel, painter):
    """Steady a and b of all frames, (N, 2, h/2, w/2) float32: without scenes, and with them."""
    made = []
    for share in (0.0, 1.0):
        with closing(_colored(reel, replace(LOOK, scenes=share), [(0, reel.frames)], painter.paint)) as painted:
            made.append(np.concatenate([colors.ab.astype(np.float32) for _, colors, _ in painted]))
    return made


def test_a_place_keeps_its_colours_when_it_is_seen_again(steady):
    plain, kept = steady
    assert np.array_equal(plain[: STARTS[2]], kept[: STARTS[2]]), "what leads is as it was"
    apart = {"without": 0.0, "with": 0.0}
    for first, second, moved in zip(STARTS, STARTS[2:], MOVED, strict=False):
        shift = np.array([[1, 0, moved[0] * 80 / 192], [0, 1, moved[1] * 64 / 144]], np.float32)
        for name, ab in (("without", plain), ("with", kept)):
            before = np.stack([cv2.warpAffine(plane, shift, None) for plane in ab[first + 6]])
            apart[name] += float(np.hypot(*(before - ab[second + 4]))[8:-8, 8:-8].mean())
    assert apart["with"] < 0.5 * apart["without"], apart


def test_nothing_changes_where_nothing_is_seen_again(tmp_path):
    pictures = np.concatenate([shot(name, 6, (144, 192)) for name in ("coffee", "rocket", "chelsea")])
    film = open_film(make_film(tmp_path / "reel.mkv", pictures, codec="ffv1"))
    for name, look in ("plain", Look(size=SIZE)), ("scenes", LOOK):
        colorize(film, tmp_path / f"{name}.mkv", look)
    assert (tmp_path / "plain.mkv").read_bytes() == (tmp_path / "scenes.mkv").read_bytes()


def test_a_file_that_cannot_be_read_is_made_anew(reel, tmp_path):
    path = tmp_path / "scenes.zip"
    found = scenefinding.find_scenes(reel, LOOK, path)
    links = path.read_bytes()
    for damaged in (links[:100], b""):
        path.write_bytes(damaged)
        assert scenefinding.find_scenes(reel, LOOK, path) == found
        assert path.stat().st_size == len(links)


def test_luma_stays(reel, whole):
    assert np.array_equal(luma_planes(whole), luma_planes(reel.path))


def test_all_ways_lead_to_the_same_film(reel, whole, tmp_path, capsys):
    small, alone = tmp_path / "small.mkv", tmp_path / "alone.mkv"
    assert run([reel.path, "-o", str(small), *OPTIONS[:-1], "--chunk", "16"]) == 0
    assert "2 shots took colours of an earlier one" in capsys.readouterr().out
    assert small.read_bytes() == whole.read_bytes()
    film, encoding = prepared(reel, alone, "ffv1")
    colorize(film, alone, LOOK, encoding=encoding)
    assert np.array_equal(pictures_of(alone), pictures_of(whole))


@pytest.mark.ray
def test_actors_of_ray_make_the_same_film(reel, tmp_path):
    one, two, sheet = tmp_path / "one.mkv", tmp_path / "two.mkv", tmp_path / "sheet.json"
    sheet.write_text(json.dumps({"edits": [REPAINTED]}))
    assert run([reel.path, "-o", str(one), *OPTIONS, "--edits", str(sheet)]) == 0
    assert run([reel.path, "-o", str(two), *OPTIONS, "--edits", str(sheet), "--workers", "2"]) == 0
    assert one.read_bytes() == two.read_bytes()


def test_an_interrupted_run_continues_with_the_same_scenes(reel, whole, tmp_path, monkeypatch):
    broken, write = tmp_path / "broken.mkv", PartWriter.write

    def stop(self, chunk, *arguments, **keywords):
        if chunk.start >= STARTS[3]:
            raise KeyboardInterrupt
        return write(self, chunk, *arguments, **keywords)

    # Parts of one shot, so that one is there when the run stops.
    monkeypatch.setattr("semcolor.pipeline.chunk.SHOT_FRAMES", 8)
    with monkeypatch.context() as patch:
        patch.setattr(PartWriter, "write", stop)
        assert run([reel.path, "-o", str(broken), *OPTIONS]) == 130
    assert (work_folder(broken) / "scenes.zip").exists()
    monkeypatch.setattr(scenefinding, "_Finder", None)  # nobody looks again
    assert run([reel.path, "-o", str(broken), *OPTIONS]) == 0
    assert np.array_equal(pictures_of(broken), pictures_of(whole))


@pytest.mark.parametrize("frame", [5, 22])
def test_a_still_is_a_frame_of_the_film(reel, painter, steady, frame):
    with closing(_colored(reel, LOOK, [(frame, frame + 1)], painter.paint)) as painted:
        _, colors, _ = next(painted)
    plain, kept = steady
    assert np.array_equal(colors.ab[0].astype(np.float32), kept[frame])
    assert np.array_equal(plain[frame], kept[frame]) == (frame < STARTS[2])


def test_edits_and_key_frames_win(reel, tmp_path):
    box = {"frame": 25, "region": {"box": [40, 30, 150, 110]}, "action": "neutral"}
    look = replace(LOOK, sheet=Sheet.model_validate({"edits": [box]}))
    shown = still(reel, 25, tmp_path / "a.png", look).astype(float)
    assert np.abs(shown - shown.mean(2, keepdims=True))[45:95, 60:130].mean() < 2
    key = np.full((144, 192, 3), (60, 60, 180), np.uint8)
    cv2.imwrite(str(tmp_path / "key.png"), key)
    sheet = Sheet.model_validate({"keyframes": [{"frame": 21, "picture": str(tmp_path / "key.png")}]})
    looks = [replace(LOOK, sheet=sheet, scenes=share) for share in (0.0, 1.0)]
    assert np.array_equal(*(still(reel, 27, tmp_path / f"{n}.png", each) for n, each in enumerate(looks)))


def test_a_label_edit_wins():
    """Where an edit changes the label, the networks' colours stay."""
    ab, labels = np.zeros((1, 2, 4, 4), np.float16), np.zeros((1, 62, 2, 2), np.uint8)
    revisiting = Revisiting(Scenes((Link(0, 9, (9, 12), (9,)),), Path()), LOOK)
    revisiting._see = lambda thumb: None
    taken = Taken(np.full((2, 4, 4), 8, np.float32), np.ones((4, 4), np.float32))
    revisiting._shot = lambda link: SimpleNamespace(taken=lambda frame, seen: taken)
    thumbs, half = np.zeros((1, 8, 8), np.uint8), np.array([[1, 1], [0, 0]], np.float32)
    found = revisiting.colors([3], thumbs, Colors(ab, labels), {0: half})
    assert (found.ab[0, :, 0] == 0).all() and (found.ab[0, :, 3] == 8).all()
    assert (revisiting.colors([3], thumbs, Colors(ab, labels), {}).ab == 8).all()
    assert revisiting.colors([9], thumbs, Colors(ab, labels), {}).ab is ab


def test_references_act_before_scenes():
    """Where a shot takes colours, a reference does not change them; elsewhere it does, and once."""
    moved = ColorTransfer(0, 20, {0: ((0.0, 0.0), (20.0, 0.0), (1.0, 1.0))})
    edits = ResolvedEdits((), (moved,), Path("none.zip"), linked=((0, 9, (12,)),))
    revisiting = Revisiting(Scenes((Link(0, 9, (9, 20), (12,)),), Path()), LOOK, edits)
    known = np.zeros((4, 4), np.float32)
    known[:, :2] = 1
    revisiting._see = lambda thumb: None
    taken = Taken(np.full((2, 4, 4), -5, np.float32), known)
    revisiting._shot = lambda link: SimpleNamespace(taken=lambda frame, seen: taken)
    labels = np.zeros((1, 62, 2, 2), np.uint8)
    labels[:, 0] = 255
    painted = Colors(np.full((1, 2, 4, 4), 1, np.float16), labels)
    found = revisiting.colors([3], np.zeros((1, 8, 8), np.uint8), painted, {})
    assert (found.ab[0, :, :, :2] == -5).all() and (found.ab[0, 0, :, 2:] == 21).all()
    assert edits.finish(3, found.ab, labels)[0].ab.tolist() == found.ab[0].tolist()
    assert (edits.finish(9, painted.ab, labels)[0].ab[0] == 21).all()
    other = replace(edits, transfers=(replace(moved, first=12, stop=13),))
    assert edits.digest(0, 0, 9, 9) != other.digest(0, 0, 9, 9) != "", "it changes what the shot takes"
    assert replace(other, linked=()).digest(0, 0, 9, 9) == ""


@pytest.fixture
def short_parts(monkeypatch):
    """Every shot is a part of its own."""
    monkeypatch.setattr("semcolor.pipeline.chunk.SHOT_FRAMES", 8)


def _rerun(reel, folder, events, sheet):
    """The film made with a sheet at once; and made without it and then again with it. Returns the first frames of the
    parts that were painted again, and the film's pictures."""
    path, again, alone = folder / "sheet.json", folder / "again.mkv", folder / "alone.mkv"
    path.write_text(json.dumps(sheet))
    assert run([reel.path, "-o", str(alone), *OPTIONS, "--chunk", "16", "--edits", str(path)]) == 0
    assert run([reel.path, "-o", str(again), *OPTIONS, "--keep"]) == 0
    before = len(events.lines)
    assert run([reel.path, "-o", str(again), *OPTIONS, "--keep", "--overwrite", "--edits", str(path)]) == 0
    assert again.read_bytes() == alone.read_bytes()
    painted = [line["start"] for line in events.lines[before:] if line["event"] == "part committed"]
    return painted, pictures_of(alone)


def test_a_key_frame_of_the_shot_that_leads_is_passed_on(reel, tmp_path, events, short_parts):
    """And only the two shots of the place are painted again."""
    picture = tmp_path / "key.png"
    cv2.imwrite(str(picture), np.full((144, 192, 3), (60, 60, 180), np.uint8))
    painted, shown = _rerun(reel, tmp_path, events, {"keyframes": [{"frame": 4, "picture": str(picture)}]})
    assert painted == [STARTS[0], STARTS[2]]
    red = [float((shown[n, ..., 0].astype(float) - shown[n, ..., 2])[40:100, 60:130].mean()) for n in (5, 14, 24, 34)]
    assert min(red[0], red[2]) > 40 and abs(red[0] - red[2]) < 15, red


def _blue(picture):
    """Where a picture is blue."""
    return picture[..., 2].astype(int) - picture[..., 0] > 40


def test_a_correction_holds_in_the_next_shot_of_the_place(reel, tmp_path, events, short_parts):
    """And only the two shots of the place are painted again."""
    painted, shown = _rerun(reel, tmp_path, events, {"edits": [REPAINTED]})
    assert painted == [STARTS[0], STARTS[2]]
    here, there = _blue(shown[4]), _blue(shown[21])
    moved = cv2.warpAffine(here.astype(np.uint8), np.array([[1, 0, 9], [0, 1, 5]], np.float32), (192, 144)) > 0
    assert (moved & there).sum() > 0.85 * (moved | there).sum()
    assert not _blue(shown[14]).any() and not _blue(shown[34]).any()
    assert reel.when(STARTS[2]) in events.lines[-1]["found_again"][0]


def test_what_was_drawn_in_a_shot_wins_there(reel, tmp_path):
    """And a range holds a correction back."""
    other = REPAINTED | {"frame": 22, "action": {"colour": "#a01010"}}
    later = resolved(reel, tmp_path, [other, REPAINTED])
    assert [(each.first, each.again, each.name) for each in later.orders] == [
        (STARTS[0], True, "edits[0]"),
        (STARTS[2], True, "edits[1]"),
        (STARTS[2], False, "edits[0]"),
        (STARTS[0], False, "edits[1]"),
    ]
    assert not resolved(reel, tmp_path, [REPAINTED | {"range": {"shot": 0}}], "b").again(reel.when)


def test_regions_are_found_again_once(reel, tmp_path, monkeypatch):
    """Another colour takes the masks over; and a still has those of the film."""
    first = resolved(reel, tmp_path, [REPAINTED], "a")
    masks = [first.entry(mask_name(0, frame)) for frame in range(STARTS[2], STARTS[3])]
    (tmp_path / "other").mkdir()
    alone = resolved(reel, tmp_path / "other", [REPAINTED], shown=(23, 24))
    assert alone.entry(mask_name(0, 23)) == masks[23 - STARTS[2]] and not alone.entry(mask_name(0, 24))
    monkeypatch.setattr(resolver, "follow_again", None)
    monkeypatch.setattr(resolver, "follow_drawn", None)
    green = resolved(reel, tmp_path, [REPAINTED | {"action": {"colour": "#10a010"}}], "b")
    assert [green.entry(mask_name(0, frame)) for frame in range(STARTS[2], STARTS[3])] == masks and all(masks)
    assert green.orders[0].ab != first.orders[0].ab and green.again(reel.when) == first.again(reel.when)


def resolved(reel, folder, edits, key="key", **within):
    """Edits resolved with the scenes of the film."""
    found, sheet = find_scenes(reel, LOOK, folder / "scenes.zip"), Sheet.model_validate({"edits": edits})
    return resolve(reel, sheet, SIZE, lambda: Painter("cpu").paint, folder, key, scenes=found, **within)


def test_scenes_stay_when_edits_change(reel, whole, tmp_path, monkeypatch):
    sheet, alone = tmp_path / "edits.json", tmp_path / "alone.mkv"
    edit = {"frame": 23, "region": {"box": [10, 10, 60, 60]}, "action": {"colour": "#cc2020"}}
    sheet.write_text(json.dumps({"edits": [edit]}))
    assert run([reel.path, "-o", str(alone), *OPTIONS, "--edits", str(sheet)]) == 0
    monkeypatch.setattr(scenefinding, "_Finder", None)  # nobody looks again
    assert run([reel.path, "-o", str(whole), *OPTIONS, "--keep", "--overwrite", "--edits", str(sheet)]) == 0
    assert whole.read_bytes() == alone.read_bytes()
    assert run([reel.path, "-o", str(whole), *OPTIONS, "--keep", "--overwrite"]) == 0


def test_frames_that_are_looked_at_depend_on_the_length_alone():
    pictures = np.random.default_rng(1).integers(0, 255, (1000, 8, 8), np.uint8)
    for length in (1, 2, 47, 48, 49, 97, 1000):
        samples = scenefinding.Samples()
        for age in range(length):
            samples.add(age, pictures[age])
        for count in (5, length // 12 + 1):
            places = scenefinding.spread_out(length, count)
            assert places[0] == 0 and len(places) == min(count, length) and (count == 1 or places[-1] == length - 1)
            chosen = samples.near(places)
            assert all(np.array_equal(thumb, pictures[number]) for number, thumb in chosen.items())
            assert all(min(abs(number - place) for number in chosen) <= length / 24 for place in places)


def test_different_places_are_told_apart(reel):
    sight = Sight()
    thumbs = [picture.thumb for picture, _ in FilmReader(reel, size=SIZE).pictures()]
    seen = [see(thumbs[n], lambda thumb: sight.features(thumb)[-1]) for n in (6, 14, 23, 34)]
    assert same_place([seen[0]], [seen[2]]) > 0.3 and same_place([seen[1]], [seen[3]]) > 0.3
    assert same_place([seen[0]], [seen[1]]) == same_place([seen[0]], [seen[3]]) == 0
