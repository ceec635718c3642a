"""Key frames: what was coloured elsewhere leads its shot, and only its shot."""

import json

import cv2
import numpy as np
import pytest
from semcolor import InputError, Look, UserError, open_film, still
from semcolor.jobs.commands.video import run
from semcolor.jobs.film import driver
from semcolor.models.painter import Painter
from semcolor.pipeline.edits import resolver
from semcolor.pipeline.edits.archive import key_name
from semcolor.pipeline.edits.keys import carry_keys
from semcolor.pipeline.edits.reading import gather, read_sheet
from semcolor.pipeline.edits.resolve import resolve
from semcolor.pipeline.edits.sheet import Sheet
from support.films import luma_planes, make_film
from support.motions import disc

SIZE = 96
RED, BLUE = (60, 60, 180), (170, 90, 60)  # B'G'R'


@pytest.fixture(scope="module")
def reel(tmp_path_factory):
    """A disc that moves over a still, for 14 frames; then another scene. Also where the disc is."""
    thumbs, masks = disc(14, 3, 28, (96, 160))
    other = np.random.default_rng(5).integers(0, 255, (12, 20), np.uint8)
    after = np.repeat(cv2.resize(other, (160, 96), interpolation=cv2.INTER_CUBIC)[None], 8, 0)
    pictures = np.repeat(np.concatenate([thumbs, after])[..., None], 3, -1)
    return open_film(make_film(tmp_path_factory.mktemp("keys") / "reel.mp4", pictures)), masks


def _key(reel, path, alpha=False):
    """Frame 2 with a red disc on blue, or only its disc."""
    _, masks = reel
    picture = np.where(masks[2][..., None], np.array(RED, np.uint8), np.array(BLUE, np.uint8))
    if alpha:
        picture = np.dstack([picture, masks[2].astype(np.uint8) * 255])
    cv2.imwrite(str(path), picture)
    return path


def _look(path):
    return Look(size=SIZE, sheet=Sheet.model_validate({"keyframes": [{"frame": 2, "picture": str(path)}]}))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _redness(picture, where):
    return float((picture[..., 0].astype(float) - picture[..., 2])[where].mean())


@pytest.mark.parametrize("frame", [0, 2, 11])
def test_a_key_frame_leads_its_shot_both_ways(reel, tmp_path, frame):
    film, masks = reel
    shown = still(film, frame, tmp_path / "a.png", _look(_key(reel, tmp_path / "key.png")))
    inside = cv2.erode(masks[frame].astype(np.uint8), np.ones((9, 9))) > 0
    outside = cv2.dilate(masks[frame].astype(np.uint8), np.ones((25, 25))) == 0
    assert _redness(shown, inside) > 40 and _redness(shown, outside) < -20


def test_other_shots_keep_their_colours(reel, tmp_path):
    film, _ = reel
    plain = still(film, 18, tmp_path / "a.png", Look(size=SIZE))
    assert np.array_equal(still(film, 18, tmp_path / "b.png", _look(_key(reel, tmp_path / "key.png"))), plain)


def test_a_transparent_place_says_nothing(reel, tmp_path):
    film, masks = reel
    plain = still(film, 2, tmp_path / "a.png", Look(size=SIZE))
    shown = still(film, 2, tmp_path / "b.png", _look(_key(reel, tmp_path / "key.png", alpha=True)))
    far = cv2.dilate(masks[2].astype(np.uint8), np.ones((25, 25))) == 0
    assert _redness(shown, masks[2]) > 40
    assert np.abs(shown.astype(int) - plain)[far].mean() < 3


def test_an_edit_wins_over_a_key_frame(reel, tmp_path):
    film, masks = reel
    look = _look(_key(reel, tmp_path / "key.png"))
    rows, columns = np.nonzero(masks[2])
    box = [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
    edit = {"frame": 2, "region": {"box": box}, "action": "neutral"}
    both = Sheet.model_validate(look.sheet.model_dump() | {"edits": [edit]})
    inside = cv2.erode(masks[2].astype(np.uint8), np.ones((15, 15))) > 0
    shown = still(film, 2, tmp_path / "a.png", Look(size=SIZE, sheet=both))
    assert abs(_redness(shown, inside)) < 5


def test_the_command_and_the_sheet_say_the_same_and_what_is_covered(reel, tmp_path, monkeypatch, capsys):
    film, masks = reel
    key = _key(reel, tmp_path / "key.png", alpha=True)
    (tmp_path / "sheet.json").write_text(json.dumps({"keyframes": [{"frame": 2, "picture": "key.png"}]}))
    one, two = tmp_path / "one.mkv", tmp_path / "two.mkv"
    fast = ["--size", str(SIZE)]
    covered = [tmp_path / "one.cover.mkv", tmp_path / "two.cover.mkv"]
    said = ["--keyframe", f"2={key}", "--coverage", str(covered[0]), *fast]
    with monkeypatch.context() as patch:
        patch.setattr(driver, "deliver", _interrupt)
        assert run([film.path, "-o", str(one), *said]) == 130
    capsys.readouterr()
    assert run([film.path, "-o", str(one), *said]) == 0
    assert "an earlier run had finished it" in (first := capsys.readouterr().out)
    sheet = ["--edits", str(tmp_path / "sheet.json"), "--coverage", str(covered[1]), "--chunk", "16", "--quiet"]
    assert run([film.path, "-o", str(two), *sheet, *fast]) == 0
    assert one.read_bytes() == two.read_bytes() and covered[0].read_bytes() == covered[1].read_bytes()
    seen = luma_planes(covered[0])
    assert open_film(covered[0]).pts.tolist() == [p * 1000 * film.time_base for p in film.pts.tolist()]
    places = [cv2.resize(mask.astype(np.float32), seen.shape[:0:-1], interpolation=cv2.INTER_AREA) for mask in masks]
    assert np.abs(seen[2] / 255 - places[2]).max() < 0.01, "a key frame speaks only where it is not transparent"
    far = [cv2.dilate(place, np.ones((13, 13))) == 0 for place in places]
    assert seen[3][far[3]].mean() < 8 and seen[1][far[1]].mean() < 8 and not seen[14:].any()
    assert all(seen[n][places[n] == 1].mean() > 128 for n in range(14))
    shares = seen[:14].mean((1, 2))
    assert f"of frames 0 to 13, key frames and edits cover {film.when(int(shares.argmin()))} least" in first
    assert f"; paint frame {shares.argmin()} next." in first
    assert gather(None, None, [], [f"2={key}"]).keyframes == read_sheet(tmp_path / "sheet.json").keyframes


@pytest.mark.parametrize(
    ("text", "said"),
    [("2", "write FRAME=PICTURE"), ("2=nowhere.png", "there is no file nowhere.png"), ("x=KEY", "is not")],
)
def test_mistakes_on_the_command_line_are_told(reel, tmp_path, text, said):
    key = _key(reel, tmp_path / "key.png")
    with pytest.raises(InputError, match=said):
        gather(None, None, [], [text.replace("KEY", str(key))])


def test_pictures_that_do_not_fit_are_told(reel, tmp_path):
    film, _ = reel
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((48, 80, 3), np.uint8))
    with pytest.raises(UserError, match="has 80x48 pixels and the film 160x96"):
        still(film, 2, tmp_path / "a.png", _look(tmp_path / "small.png"))
    cv2.imwrite(str(tmp_path / "grey.png"), np.zeros((96, 160), np.uint8))
    with pytest.raises(UserError, match="is no picture in colour"):
        still(film, 2, tmp_path / "a.png", _look(tmp_path / "grey.png"))
    assert not (tmp_path / "a.png").exists()


def test_a_keyed_shot_is_carried_once(reel, tmp_path, monkeypatch):
    film, _ = reel
    folder, key = tmp_path / "work", _key(reel, tmp_path / "key.png")
    folder.mkdir()
    painter, carried = Painter("cpu").paint, []

    def resolved(name, *others, picture=key):
        sheet = {"keyframes": [{"frame": 2, "picture": str(picture)}, *others], "palette": {"sky": "#88aacc"}}
        if name == "a":
            del sheet["palette"]
        return resolve(film, Sheet.model_validate(sheet), SIZE, lambda: painter, folder, name)

    def colours(edits):
        return [edits.entry(key_name(frame)) for frame in range(22)]

    first = resolved("a")
    known, said = colours(first), first.transfers
    monkeypatch.setattr(resolver, "carry_keys", lambda *a: carried.append(a[1]) or carry_keys(*a))
    again = resolved("b")
    assert not carried and colours(again) == known and again.transfers == said and any(known)
    assert [path.name for path in folder.iterdir()] == ["masks-b.zip"]
    both = resolved("c", {"frame": 16, "picture": str(key)})
    assert carried == [(14, 22)] and both.keyed == ((0, 14), (14, 22)), "only the shot that is new"
    assert colours(both)[:14] == known[:14] and both.transfers[: len(said)] == said
    parts = (0, 0, 14, 14), (14, 14, 22, 22)
    assert [again.digest(*part) == both.digest(*part) for part in parts] == [True, False], "nothing else is repainted"
    other = resolved("d", picture=_key(reel, tmp_path / "other.png", alpha=True))
    assert carried == [(14, 22), (0, 14)] and colours(other)[:14] != known[:14], "another picture"
