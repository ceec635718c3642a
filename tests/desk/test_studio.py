"""A film that is open shows the very pixels of `still`, whatever was edited, undone and looked at before."""

from __future__ import annotations

import io
import tempfile
import time
import wave
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from semcolor.errors import FilmError, UserError
from semcolor.pipeline.edits.sheet import Edit, Sheet
from semcolor.pipeline.film import open_film
from semcolor.pipeline.inprocess import colorize, still
from semcolor.pipeline.look import Look
from semcolor.pipeline.outputs import prepared
from semcolor.pipeline.reader import FilmReader
from semcolor.pipeline.shots import numbered_shots
from semcolor.pipeline.studio.preview import write_preview
from semcolor.pipeline.studio.regions import unsure_spans
from semcolor.pipeline.studio.scan import Scan
from semcolor.pipeline.studio.shelf import Shelf
from semcolor.pipeline.studio.sound import sound_of, wav
from semcolor.pipeline.studio.source import Source
from semcolor.pipeline.studio.studio import Studio
from semcolor.pipeline.ycbcr import PlaneFormat, picture
from support.films import make_film, photo, samples, shot, shots

SIZE = 64
BOX = {"box": [20, 20, 90, 70]}
EDITS = {
    "a colour": [{"frame": 24, "region": BOX, "action": {"colour": "#8a3324"}}],
    "a colour, half": [{"frame": 24, "region": BOX, "action": {"colour": "#8a3324"}, "strength": 0.5}],
    "a label": [{"frame": 24, "region": BOX, "action": {"label": "sky"}}],
    "a label in a range": [{"frame": 24, "range": "22-27", "region": BOX, "action": {"label": "sky"}}],
    "a label everywhere": [{"region": {"label": "wall"}, "action": {"label": "sky"}}],
    "two": [
        {"frame": 24, "region": BOX, "action": {"label": "sky"}},
        {"frame": 32, "region": {"point": [60, 40]}, "action": {"colour": "#226688"}},
    ],
    "drawn again": [
        {
            "frame": 24,
            "region": BOX
            | {"then": [{"box": [95, 60, 125, 90], "frame": 28}, {"box": [20, 20, 40, 70], "away": True}]},
            "action": {"colour": "#8a3324"},
        }
    ],
    "off": [{"frame": 24, "region": BOX, "action": {"label": "sky"}, "off": True}],
}


def _settle(studio: Studio, frame: int):
    """Work until a frame is settled; returns its view."""
    began = time.monotonic()
    while time.monotonic() - began < 120:
        if studio.stale:
            studio.refresh()
        view = studio.view(frame)
        if view.settled:
            return view
        if not studio.follow(frame) and not studio.advance(frame):
            time.sleep(0.005)
    pytest.fail("the frame was never settled")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Shots of 20, 24 and 12 frames, 128x96."""
    return open_film(make_film(tmp_path_factory.mktemp("studio") / "reel.mp4", shots((20, 24, 12))))


@pytest.fixture(scope="module")
def studio(film, tmp_path_factory):
    with Studio(film, Look(size=SIZE), tmp_path_factory.mktemp("kept")) as studio:
        yield studio


@pytest.mark.slow
@pytest.mark.parametrize("case", EDITS)
def test_a_settled_frame_has_the_pixels_of_a_still(case, film, studio, tmp_path):
    sheet = Sheet.model_validate({"edits": EDITS[case]})
    studio.use(sheet)
    frame = 30
    wanted = still(film, frame, tmp_path / "still.png", Look(size=SIZE, sheet=sheet))
    assert np.array_equal(studio.color(_settle(studio, frame)), wanted)
    before = studio.view(frame).key
    studio.use(Sheet())
    assert studio.view(frame).key != before or case == "off"
    studio.use(sheet)
    assert studio.view(frame).key == before and studio.view(frame).settled, "what was undone is there at once"


@pytest.mark.slow
def test_far_into_a_shot_a_frame_is_first_that_of_a_still_and_then_the_film_s(tmp_path):
    film = open_film(make_film(tmp_path / "long.mp4", shot("coffee", 150, (48, 64))))
    look = Look(size=SIZE)
    (tmp_path / "kept").mkdir()
    with Studio(film, look, tmp_path / "kept") as studio:
        studio.shots.around(140)
        view = _settle(studio, 140)
        wanted = still(film, 140, tmp_path / "still.png", look)
        assert np.array_equal(studio.color(view), wanted)
        while studio.advance(140) is not None:
            pass
        whole = [chain for chain in studio._chains if chain.begin == 0]
        assert whole and whole[0].steady(140)
        ready, encoding = prepared(film, tmp_path / "film.mkv", "ffv1", pix_fmt="yuv444p")
        colorize(ready, tmp_path / "film.mkv", look, encoding=encoding)
        with av.open(str(tmp_path / "film.mkv")) as made:
            planes = [samples(plane) for plane in list(made.decode(video=0))[140].planes]
        shown = picture(planes[0], np.stack(planes[1:]), PlaneFormat.of(film))
        assert np.array_equal(studio.color(studio.view(140)), shown)


def test_a_rough_frame_shows_the_edits_in_it_at_once(film, studio):
    studio.shots.around(22)
    studio.use(Sheet())
    plain = studio.color(studio.view(24))
    studio.use(Sheet.model_validate({"edits": [{"frame": 24, "region": BOX, "action": {"colour": "#2244dd"}}]}))
    change = np.abs(studio.color(studio.view(24)).astype(int) - plain).max(2)
    assert change[35:60, 35:75].mean() > 10 and change[:8].max() == 0 and change[:, 110:].max() == 0


@pytest.mark.slow
def test_a_stroke_in_a_later_frame_is_there_at_once_and_changes_nothing_before(film, studio):
    edit = EDITS["a colour"][0]
    studio.use(Sheet.model_validate({"edits": [edit]}))
    before = {frame: _settle(studio, frame).key for frame in (22, 27, 28, 30)}
    stroke = {"strokes": [[[100, 80], [120, 80]]], "width": 12, "frame": 28}
    again = Sheet.model_validate({"edits": [edit | {"region": BOX | {"then": [stroke]}}]})
    studio.use(again)
    assert [studio.view(frame).key == before[frame] for frame in (22, 27)] == [True, True]
    view = studio.view(28)
    assert view.settled and view.key != before[28], "the region had arrived there"
    assert not studio.view(30).settled and _settle(studio, 30).key != before[30]
    (region,) = studio.regions
    for frame in (28, 30):
        mask = np.frombuffer(region.mask(frame), np.uint8).reshape(32, -1)
        assert mask[26:28, 36:38].min() > 128, frame
    studio.use(Sheet.model_validate({"edits": [edit]}))
    assert studio.view(30).settled and studio.view(30).key == before[30], "what was undone is there at once"
    studio.use(again)
    assert studio.view(30).settled


def test_earlier_regions_are_forgotten_but_not_those_of_the_sheet(film, tmp_path, monkeypatch):
    monkeypatch.setattr("semcolor.pipeline.studio.live.KEPT", 2)
    (tmp_path / "kept").mkdir()
    with Studio(film, Look(size=SIZE), tmp_path / "kept") as studio:
        studio.shots.around(24)
        for n in range(6):
            boxes = [{"box": [20, 20, 60 + 5 * n + 30 * other, 70]} for other in range(3)]
            edits = [{"frame": 24, "region": box, "action": "neutral"} for box in boxes]
            studio.use(Sheet.model_validate({"edits": edits}))
            assert len(studio.regions) == 3 and len(studio._editing._places) <= 5
        known = studio.regions
        studio.use(studio.sheet)
        assert studio.regions == known, "those of the sheet stay"


def test_an_edit_that_does_not_fit_is_told_and_has_no_effect(film, studio):
    wrong = {"frame": 25, "range": "10-30", "region": BOX, "action": "neutral"}
    with pytest.raises(UserError, match=r"^The edit\.range: frames 10 to 30 are not all in the shot"):
        studio.check(Edit.model_validate(wrong))
    studio.shots.around(25)
    studio.use(Sheet.model_validate({"edits": [wrong, EDITS["a colour"][0]]}))
    assert list(studio.mistakes) == ["edits[0]"] and studio.mistakes["edits[0]"].startswith("edits[0].range")
    assert len(studio.edits.orders) == 1


def test_a_scan_finds_the_shots_and_keeps_them(film, tmp_path):
    def paint(thumbs):
        count, height, width = thumbs.shape
        labels = np.zeros((count, 62, height // 4, width // 4), np.uint8)
        labels[:, 50] = 255
        return np.full((count, 2, height // 2, width // 2), 20, np.float16), labels

    scan = Scan(film, SIZE, paint, tmp_path / "scan.json", "a")
    seen = 0
    while scan.step():
        seen += 1
    expected = list(numbered_shots(film, {0, 1, 2}, SIZE).values())
    assert seen == film.frames and scan.shots.known() == expected
    assert [(s.first, s.stop) for s in scan.found] == expected and scan.found[0].labels == [("sky", 1.0)]
    assert scan.usual["sky"][1:] == (20.0, 20.0)
    again = Scan(film, SIZE, lambda thumbs: pytest.fail("it is known"), tmp_path / "scan.json", "a")
    assert not again.step() and again.shots.known() == expected and again.found == scan.found
    assert Scan(film, SIZE, paint, tmp_path / "scan.json", "b").shots.scanned == 0


@pytest.mark.parametrize(
    "codec, options",
    [
        ("libx264", {"bf": "3", "b-pyramid": "normal", "g": "60"}),
        ("libx265", {"bf": "3", "g": "60", "x265-params": "log-level=none"}),
        ("mpeg2video", {"bf": "2", "g": "60"}),
        ("mpeg4", {"bf": "2", "g": "60"}),
    ],
)
def test_a_frame_that_is_read_alone_is_that_of_the_film(codec, options, tmp_path):
    film = open_film(make_film(tmp_path / "reel.mkv", shot("coffee", 50, (96, 128)), codec=codec, options=options))
    whole = [picture.luma.copy() for picture, _ in FilmReader(film, size=SIZE).pictures()]
    for frame in (47, 31, 32, 18, 19, 20, 5):
        source = Source(film, SIZE, Shelf(Path(tempfile.mkdtemp(dir=tmp_path))))
        assert np.array_equal(source.luma(frame), whole[frame]), frame
        assert np.array_equal(source.luma(frame + 1), whole[frame + 1]), frame + 1


def test_after_a_mistake_frames_are_read_again(film, tmp_path, monkeypatch):
    source = Source(film, SIZE, Shelf(tmp_path))
    first = source.thumb(0)

    def fail(reader: FilmReader):
        raise FilmError("gone")
        yield

    source.close()
    with monkeypatch.context() as patch, pytest.raises(FilmError, match="gone"):
        patch.setattr(FilmReader, "pictures", fail)
        source.thumb(5)
    assert source.thumb(5).shape == first.shape


def test_a_shelf_forgets_what_was_not_used_for_longest(tmp_path: Path):
    shelf = Shelf(tmp_path, memory=25, disk=35)
    arrays = {key: np.full(10, n, np.uint8) for n, key in enumerate("abcdef")}
    for key in "ab":
        shelf.put(key, arrays[key])
    assert not list(tmp_path.iterdir()), "memory is enough"
    for key in "cde":
        shelf.put(key, arrays[key])
    found = shelf.get("a")
    assert found is not None and np.array_equal(found[0], arrays["a"]), "from the disk"
    assert "b" not in shelf and all(key in shelf for key in "acde")
    shelf.put("f", arrays["f"])
    assert "c" not in shelf and all(key in shelf for key in "adef")
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.slow
def test_a_photo_s_colours_are_those_of_a_still(film, studio, tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), photo("coffee", (96, 128))[..., ::-1])
    sheet = Sheet.model_validate({"references": [{"photo": str(tmp_path / "photo.png")}]})
    studio.use(sheet)
    assert not studio.view(30).settled, "the photo is not measured yet"
    wanted = still(film, 30, tmp_path / "still.png", Look(size=SIZE, sheet=sheet))
    assert np.array_equal(studio.color(_settle(studio, 30)), wanted)


def test_the_sound_of_some_frames_is_theirs(tmp_path):
    film = open_film(make_film(tmp_path / "loud.mp4", shot("coffee", 30, (48, 64)), audio="aac"))
    data = b"".join(wav(film, 5, 25))
    with wave.open(io.BytesIO(data)) as made:
        assert (made.getnchannels(), made.getframerate(), made.getnframes()) == (2, 48000, 38400)
        heard = np.frombuffer(made.readframes(38400), "<i2").reshape(-1, 2)[:, 0]
    whole = np.zeros(60000, np.int16)
    for at, piece in sound_of(film, 0, 30):
        whole[at : at + len(piece)] = piece[:, 0]
    assert np.abs(heard - whole[9600 : 9600 + 38400].astype(int)).max() < 50 and heard.max() > 3000, "from frame 5 on"


@pytest.mark.parametrize(
    "kind",
    [{}, {"full_range": True}, {"sample_aspect": Fraction(64, 45)}, {"pix_fmt": "yuv420p10le"}],
    ids=["plain", "full range", "wide pixels", "10 bits"],
)
def test_a_preview_has_the_colours_of_the_frames(kind, tmp_path):
    film = open_film(make_film(tmp_path / "reel.mkv", shot("astronaut", 3, (75, 100)), codec="ffv1", **kind))
    (tmp_path / "kept").mkdir()
    with Studio(film, Look(size=SIZE), tmp_path / "kept") as studio:
        studio.shots.around(0)
        wanted = [studio.color(_settle(studio, frame)) for frame in range(3)]
        write_preview(film, [studio.planes(studio.view(n), 480)() for n in range(3)], 0, 3, tmp_path / "small.mp4")
    with av.open(str(tmp_path / "small.mp4")) as made:
        decoded = list(made.decode(video=0))
    assert {(int(frame.colorspace), int(frame.color_range)) for frame in decoded} == {(6, 1)}, "BT.601, limited range"
    shown = [frame.to_ndarray(format="rgb24") for frame in decoded]
    assert shown[0].shape == (74, 2 * round(74 / 75 * wanted[0].shape[1] / 2), 3)
    for small, large in zip(shown, wanted, strict=True):
        large = cv2.resize(large, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        change = small.astype(int) - large
        assert np.abs(change).mean() < 4, "x264 and FFmpeg's conversion lie between"
        assert np.ptp(change.mean((0, 1))) < 1.5, "no cast"


def test_where_a_region_is_unsure_is_told():
    confidence = {frame: 0.2 if frame in (4, 5, 9) else 0.9 for frame in range(12)}
    assert unsure_spans(confidence) == [(4, 6), (9, 10)]


def _key(folder: Path, alpha: bool) -> Path:
    """A key frame for the film: red above blue; with `alpha`, only its left half speaks."""
    picture = np.zeros((96, 128, 4), np.uint8)
    picture[:48], picture[48:] = (60, 60, 180, 255), (170, 90, 60, 255)  # B'G'R' and opacity
    picture[:, 64:, 3] = 0 if alpha else 255
    cv2.imwrite(str(folder / f"key-{alpha}.png"), picture)
    return folder / f"key-{alpha}.png"


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [False, True])
def test_a_keyed_shot_has_the_pixels_of_a_still(film, studio, tmp_path, alpha):
    key = {"frame": 24, "picture": str(_key(tmp_path, alpha))}
    sheet = Sheet.model_validate({"keyframes": [key], "edits": EDITS["a colour"]})
    studio.shots.around(24)
    studio.use(sheet)
    assert not studio.view(24).settled
    first = studio.color(studio.view(24)).astype(int)
    assert (first[10:40, 5:15, 0] - first[10:40, 5:15, 2]).mean() > 30, "the key frame itself is shown at once"
    for frame in (24, 30):
        wanted = still(film, frame, tmp_path / f"{frame}.png", Look(size=SIZE, sheet=sheet))
        assert np.array_equal(studio.color(_settle(studio, frame)), wanted)
    studio.use(Sheet())
    studio.use(sheet)
    assert studio.view(24).settled, "what was undone is there at once"


def test_a_key_frame_that_does_not_fit_is_told_and_has_no_effect(film, studio, tmp_path):
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((10, 10, 3), np.uint8))
    keys = [{"frame": 24, "picture": str(tmp_path / name)} for name in ("small.png", "gone.png")]
    studio.use(Sheet.model_validate({"keyframes": [*keys, {"frame": 900, "picture": keys[0]["picture"]}]}))
    told = studio.mistakes
    assert "has 10x10 pixels and the film 128x96" in told["keyframes[0]"] and "cannot be read" in told["keyframes[1]"]
    assert "keyframes[2].frame" in told["keyframes[2]"] and not studio.keyed
    studio.use(Sheet())
