"""Scenes: what a later shot shows again takes the colours that it had, and nothing else changes."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from semcolor import Look, colorize, open_film, still
from semcolor.flow.scenes import same_place, see
from semcolor.jobs.commands.video import run
from semcolor.models.sight import Sight
from semcolor.pipeline import scenes as module
from semcolor.pipeline.edits.sheet import Sheet
from semcolor.pipeline.reader import FilmReader
from semcolor.pipeline.scenes import find_scenes
from support.films import luma_planes, make_film, pictures_of, shot

SIZE = 128
LOOK = Look(size=SIZE, scenes=1.0)
LENGTHS = 20, 12, 17, 9
"""Frames of the shots: a place, another one, the first again, the other again."""

STARTS = 0, 20, 32, 49


def _again(pictures, x, y):
    """The same place, brighter by a tenth and shifted."""
    moved = np.stack([cv2.warpAffine(p, np.float32([[1, 0, x], [0, 1, y]]), None, borderMode=4) for p in pictures])
    return np.clip(moved.astype(np.float32) * 1.1, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def reel(tmp_path_factory):
    """Two places cut into each other."""
    coffee, rocket = (shot(name, 32, (144, 192)) for name in ("coffee", "rocket"))
    a, b, again, other = LENGTHS
    pictures = [coffee[:a], rocket[:b], _again(coffee[8 : 8 + again], 9, 5), _again(rocket[4 : 4 + other], -8, 4)]
    return open_film(make_film(tmp_path_factory.mktemp("scenes") / "reel.mkv", np.concatenate(pictures), codec="ffv1"))


@pytest.fixture(scope="module")
def chroma(reel, tmp_path_factory):
    """Of a look, the film's R'G'B' (N, H, W, 3)."""
    folder, made = tmp_path_factory.mktemp("made"), {}

    def of(look):
        if look.scenes not in made:
            made[look.scenes] = folder / f"{look.scenes}.mkv"
            colorize(reel, made[look.scenes], look)
        return pictures_of(made[look.scenes]).astype(np.float32)

    return of


def test_shots_of_the_same_place_are_linked(reel, tmp_path):
    found = find_scenes(reel, LOOK, tmp_path / "scenes.zip")
    assert [(link.first, link.stop, link.leader) for link in found.links] == [(32, 49, 0), (49, 58, 20)]
    assert find_scenes(reel, LOOK, tmp_path / "scenes.zip") == found, "read again"
    assert find_scenes(reel, replace(LOOK, scenes=0.0), tmp_path / "other.zip") is None
    part = find_scenes(reel, LOOK, tmp_path / "part.zip", shown=[(34, 40)])
    assert [link.first for link in part.links] == [32]


def test_a_place_keeps_its_colours_when_it_is_seen_again(reel, chroma):
    plain, kept = chroma(replace(LOOK, scenes=0.0)), chroma(LOOK)
    assert np.array_equal(plain[:32], kept[:32]), "what leads is as it was"
    middle = np.s_[30:-30, 40:-40]
    for first, second, x, y in ((14, 38, 9, 5), (24, 49, -8, 4)):  # the same frames of the photos' pans
        apart = []
        for film in (plain, kept):
            before = cv2.warpAffine(film[first], np.float32([[1, 0, x], [0, 1, y]]), None)
            a, b = (cv2.cvtColor(p / 255, cv2.COLOR_RGB2Lab)[middle][..., 1:] for p in (before, film[second]))
            apart.append(np.hypot(*(a - b).transpose(2, 0, 1)).mean())
        assert apart[1] < 0.6 * apart[0], apart


def test_nothing_changes_where_nothing_is_seen_again(tmp_path):
    pictures = np.concatenate([shot(name, 10, (144, 192)) for name in ("coffee", "rocket", "chelsea")])
    film = open_film(make_film(tmp_path / "reel.mkv", pictures, codec="ffv1"))
    for name, look in ("plain", Look(size=SIZE)), ("scenes", LOOK):
        colorize(film, tmp_path / f"{name}.mkv", look)
    assert (tmp_path / "plain.mkv").read_bytes() == (tmp_path / "scenes.mkv").read_bytes()


def test_luma_stays(reel, tmp_path):
    colorize(reel, tmp_path / "out.mkv", LOOK, encoding=None, spans=[(30, 40)])
    film = run([reel.path, "-o", str(tmp_path / "whole.mkv"), "--codec", "ffv1", *_options()])
    assert film == 0
    assert np.array_equal(luma_planes(tmp_path / "whole.mkv"), luma_planes(reel.path))


def _options(*more):
    return ["--size", str(SIZE), "--scenes", "1", "--workers", "1", "--quiet", *more]


def test_all_ways_lead_to_the_same_film(reel, chroma, tmp_path, monkeypatch, capsys):
    chroma(LOOK)
    outputs = []
    for name, more in ("a", []), ("b", ["--chunk", "16"]), ("c", ["--chunk", "96"]):
        outputs.append(tmp_path / f"{name}.mkv")
        assert run([reel.path, "-o", str(outputs[-1]), *_options(*more)]) == 0
    assert len({path.read_bytes() for path in outputs}) == 1
    assert np.array_equal(pictures_of(outputs[0]), chroma(LOOK)), "with the pixels of the way in one process"
    capsys.readouterr()
    assert run([reel.path, "-o", str(tmp_path / "d.mkv"), *_options()[:-1]]) == 0
    assert "2 shots took colours of an earlier one" in capsys.readouterr().out


def test_an_interrupted_run_continues_with_the_same_scenes(reel, tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole.mkv", tmp_path / "broken.mkv"
    assert run([reel.path, "-o", str(whole), *_options()]) == 0
    from semcolor.pipeline.writer import PartWriter

    written = PartWriter._commit if hasattr(PartWriter, "_commit") else PartWriter.write

    def stop(self, chunk, *arguments, **keywords):
        if chunk.start >= STARTS[3]:
            raise KeyboardInterrupt
        return written(self, chunk, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(PartWriter, "write", stop)
        assert run([reel.path, "-o", str(broken), *_options()]) == 130
    looked = []
    finder = module._Finder
    monkeypatch.setattr(module, "_Finder", lambda *a: looked.append(a) or finder(*a))
    assert run([reel.path, "-o", str(broken), *_options()]) == 0
    assert not looked, "the work folder knows the scenes"
    assert broken.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("frame", [5, 33, 56])
def test_a_still_is_a_frame_of_the_film(reel, chroma, tmp_path, frame):
    shown = still(reel, frame, tmp_path / "a.png", LOOK).astype(np.float32)
    assert np.abs(shown - chroma(LOOK)[frame]).mean() < 3, "4:2:0 and x264 lose a little"
    plain = np.abs(chroma(replace(LOOK, scenes=0.0))[frame] - shown).mean()
    assert frame < 32 or plain > np.abs(shown - chroma(LOOK)[frame]).mean()


def test_edits_and_key_frames_win(reel, tmp_path):
    box = {"frame": 40, "region": {"box": [40, 30, 150, 110]}, "action": "neutral"}
    sheet = Sheet.model_validate({"edits": [box]})
    shown = still(reel, 40, tmp_path / "a.png", replace(LOOK, sheet=sheet)).astype(float)
    assert np.abs(shown - shown.mean(2, keepdims=True))[45:95, 60:130].mean() < 2
    key = np.zeros((144, 192, 3), np.uint8)
    key[:] = 60, 60, 180
    cv2.imwrite(str(tmp_path / "key.png"), key)
    sheet = Sheet.model_validate({"keyframes": [{"frame": 38, "picture": str(tmp_path / "key.png")}]})
    pictures = [
        still(reel, 45, tmp_path / f"{n}.png", replace(LOOK, sheet=sheet, scenes=n)) for n in (0.0, 1.0)
    ]
    assert np.array_equal(*pictures), "key frames lead their shot alone"


def test_scenes_stay_when_edits_change(reel, tmp_path, events):
    sheet = tmp_path / "edits.json"
    edit = {"frame": 36, "region": {"box": [10, 10, 60, 60]}, "action": {"colour": "#cc2020"}}
    output, alone = tmp_path / "out.mkv", tmp_path / "alone.mkv"
    assert run([reel.path, "-o", str(output), *_options("--keep")]) == 0
    sheet.write_text(json.dumps({"edits": [edit]}))
    edited = ["--edits", str(sheet)]
    assert run([reel.path, "-o", str(output), *_options("--overwrite"), *edited]) == 0
    assert run([reel.path, "-o", str(alone), *_options(), *edited]) == 0
    assert output.read_bytes() == alone.read_bytes()


def test_frames_that_are_looked_at_depend_on_the_length_alone():
    for length in (1, 2, 47, 48, 49, 97, 1000):
        samples = module._Samples()
        for age in range(length):
            samples.add(age, np.full((1, 1), age))
        chosen = samples.chosen(length)
        assert all(thumb[0, 0] == number for number, thumb in chosen.items()) and 0 < len(chosen) <= 3
        for place in module.PLACES:
            assert min(abs(number - int(length * place)) for number in chosen) <= length / 24


def test_different_places_are_told_apart(reel):
    sight = Sight()
    thumbs = [picture.thumb for picture, _ in FilmReader(reel, size=SIZE).pictures()]
    seen = [see(thumbs[n], lambda thumb: sight.features(thumb)[-1]) for n in (10, 26, 40, 53)]
    assert same_place([seen[0]], [seen[2]]) > 0.3 and same_place([seen[1]], [seen[3]]) > 0.3
    assert same_place([seen[0]], [seen[1]]) == same_place([seen[0]], [seen[3]]) == 0
