"""Labels and colours as people want them: what they write, what becomes of it, and that nothing else changes."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import semcolor
from semcolor.errors import InputError, UserError
from semcolor.flow import Motion
from semcolor.models.labels import INDEX, NAMES
from semcolor.pipeline.chunk import Chunk
from semcolor.pipeline.compose import chroma_planes
from semcolor.pipeline.edits.apply import ResolvedEdits
from semcolor.pipeline.edits.archive import key_bytes, key_name, sure_name
from semcolor.pipeline.edits.coverage import coverage, weakest
from semcolor.pipeline.edits.orders import ColorTransfer, ResolvedEdit, chroma_of
from semcolor.pipeline.edits.reading import checked, gather, identity, read_palette, read_sheet
from semcolor.pipeline.edits.resolve import resolve
from semcolor.pipeline.edits.sheet import Edit, Sheet
from semcolor.pipeline.film import open_film
from semcolor.pipeline.overlay import overlay
from semcolor.pipeline.reader import read_chunks
from semcolor.pipeline.shots import numbered_shots, shot_around
from semcolor.pipeline.stages import frames_to_paint
from semcolor.pipeline.summary import count
from semcolor.pipeline.ycbcr import PlaneFormat, reachable
from support.edits import make_resolved
from support.files import write
from support.films import luma_planes, make_film, pictures_of, shot, shots
from support.motions import disc


def _sheet(tmp_path: Path, content: object) -> Path:
    return write(tmp_path / "edits.json", content)


BOX = {"box": [10, 20, 90, 80]}
MISTAKES = {
    "not JSON": ("[", "not JSON"),
    "another shape": ([], "the whole"),
    "unknown key": ({"edit": []}, "edit is not known here"),
    "bad box": (
        {"edits": [{"frame": 1, "region": {"box": [9, 0, 3, 5]}, "action": "keep"}]},
        "edits[0].region: box is",
    ),
    "two regions": (
        {"edits": [{"frame": 1, "region": BOX | {"label": "sky"}, "action": "keep"}]},
        "edits[0].region: give one of",
    ),
    "no action": ({"edits": [{"frame": 1, "region": BOX, "action": {}}]}, "edits[0].action: give one of"),
    "no colour": (
        {"edits": [{"frame": 1, "region": BOX, "action": {"colour": "red"}}]},
        "edits[0].action.colour: 'red'",
    ),
    "no word": (
        {"edits": [{"frame": 1, "region": BOX, "action": "grey"}]},
        "edits[0].action: 'grey' is not an action; write",
    ),
    "no label": (
        {"edits": [{"frame": 1, "region": BOX, "action": {"label": "moon"}}]},
        "edits[0].action.label: 'moon'",
    ),
    "no frame": ({"edits": [{"region": BOX, "action": "keep"}]}, "edits[0]: say in which frame"),
    "two moments": (
        {"edits": [{"frame": 1, "time": 2, "region": BOX, "action": "keep"}]},
        "edits[0]: give frame or time",
    ),
    "bad range": (
        {"edits": [{"frame": 1, "region": BOX, "action": "keep", "range": {"from": 3}}]},
        "edits[0].range: give either",
    ),
    "bad palette": ({"palette": {"sky": "#12345"}}, "palette.sky: '#12345'"),
    "half a box": ({"edits": [{"frame": 1, "region": {"box": [1, 2, 3]}, "action": "keep"}]}, "box[3] is missing"),
    "no number": ({"edits": [{"frame": "x", "region": BOX, "action": "keep"}]}, "[0].frame must be a whole number"),
    "negative": ({"edits": [{"frame": -1, "region": BOX, "action": "keep"}]}, "edits[0].frame must be at least 0"),
    "no truth": (
        {"edits": [{"frame": 1, "region": BOX, "action": {"neutral": "so"}}]},
        "neutral must be true or false",
    ),
    "no text": ({"references": [{"photo": 3}]}, "references[0].photo must be text"),
    "no list": ({"edits": 3}, "edits must be a list"),
    "no object": ({"edits": [3]}, "edits[0] must be an object"),
    "no such name": (
        {"colours": {"her coat": "#6b2430"}, "edits": [{"frame": 1, "region": BOX, "action": {"colour": "her hat"}}]},
        "colour: 'her hat' is not a colour; write it like #8a3324, or one of the names in colours: her coat",
    ),
    "no such name in a palette": ({"palette": {"sky": "dusk"}}, "palette.sky: 'dusk' is not a colour; write it like"),
    "no colour of a name": ({"colours": {"her coat": {"colour": "red"}}}, "colours.her coat.colour: 'red' is not"),
    "a name like a colour": ({"colours": {"#6b2430": "#6b2430"}}, "colours.#6b2430: '#6b2430' is not a name"),
    "a list of colours": ({"colours": ["#6b2430"]}, "colours must be an object"),
    "a line": (
        {"edits": [{"frame": 1, "region": {"polygon": [[1, 2]]}, "action": "keep"}]},
        "polygon must have at least 3 items",
    ),
}
LIBRARY = ("Input", "Field", "Extra", "Value error", "validation", "valid ")
"""Words of pydantic, which are for programmers."""


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_in_a_sheet_are_named_by_their_path(case, tmp_path):
    content, expected = MISTAKES[case]
    with pytest.raises(InputError) as caught:
        read_sheet(_sheet(tmp_path, content))
    assert expected in str(caught.value) and str(tmp_path) in str(caught.value)
    assert not any(word in str(caught.value) for word in LIBRARY)


def test_a_palette_is_read(tmp_path):
    assert read_palette(_sheet(tmp_path, {"sky": "#ABCDEF"})) == {"sky": "#abcdef"}
    with pytest.raises(InputError, match="moon"):
        read_palette(_sheet(tmp_path, {"moon": "#abcdef"}))


COAT = {"her coat": {"colour": "#6B2430", "note": "museum no. 1921-14"}, "dusk": "#88aacc"}


def test_names_of_colours_stand_for_their_colours():
    edits = [
        {"frame": 1, "region": BOX, "action": {"colour": "her coat"}},
        {"region": {"label": "tree"}, "action": "keep"},
    ]
    named = Sheet.model_validate({"colours": COAT, "edits": edits, "palette": {"sky": "dusk", "tree": "#102030"}})
    plain = named.plain()
    assert plain.edits[0].action.colour == "#6b2430" and plain.edits[1] == named.edits[1]
    assert plain.palette == {"sky": "#88aacc", "tree": "#102030"} and not plain.colours
    assert named.colours["her coat"].note == "museum no. 1921-14" and named.edits[0].action.colour == "her coat"
    same = {"colours": {"x": "#6b2430", "unused": "#000000"}, "palette": {"sky": "#88aacc", "tree": "#102030"}}
    same |= {"edits": [edits[0] | {"action": {"colour": "x"}}, edits[1]]}
    assert identity(Sheet.model_validate(same)) == identity(named) == identity(plain), "names and notes have no effect"
    assert identity(Sheet.model_validate(same | {"colours": {"x": "#6b2431"}})) != identity(named)
    assert not Sheet.model_validate({"colours": COAT}) and identity(Sheet.model_validate({"colours": COAT})) is None


def test_mistakes_in_names_of_colours_are_told_with_all_others():
    wrong = {"edits": [{"region": {"label": "sky"}, "action": {"colour": "dust"}}, {"frame": -1}], "colours": COAT}
    with pytest.raises(InputError, match=r"edits\[0\].*'dust'.*her coat, dusk; .*edits\[1\].frame"):
        checked(wrong)
    edit = Edit.model_validate(wrong["edits"][0])
    with pytest.raises(ValueError, match="dust"):
        Sheet(edits=[edit])
    with pytest.raises(InputError, match="dust"):
        Sheet().model_copy(update={"edits": [edit]}).plain()


def test_a_palette_file_may_name_the_sheet_s_colours(tmp_path):
    palette, sheet = write(tmp_path / "palette.json", {"sky": "dusk"}), _sheet(tmp_path, {"colours": COAT})
    assert gather(sheet, palette, []).plain().palette == {"sky": "#88aacc"}
    with pytest.raises(InputError, match=r"palette.json: palette.sky: 'dusk' is not a colour"):
        gather(None, palette, [])


def test_moments_and_ranges(vfr_film, short_film):
    film = open_film(short_film)  # 25 frames a second
    assert [film.frame_at(m) for m in (7, "7", "0.28s", "0:00.28", "0:00:00.31")] == [7] * 5
    assert film.frames_between("0.4s", "0.8s") == (10, 21)
    vfr = open_film(vfr_film)
    for n in (0, 3, 20, 39):
        assert vfr.frame_at(f"{float((vfr.pts[n] - vfr.pts[0]) * vfr.time_base)}s") == n
    with pytest.raises(UserError, match="no frame 48"):
        film.frame_at(48)
    with pytest.raises(UserError, match="after the film's end"):
        film.frame_at("3s")
    with pytest.raises(UserError, match="ends before it begins"):
        film.frames_between(20, 10)


@pytest.mark.slow
def test_shots_are_the_reader_s(cut_film):
    film = open_film(cut_film)
    truth: dict[int, tuple[int, int]] = {}
    for chunk in (frames.chunk for frames in read_chunks(film, size=64)):
        truth[chunk.shot] = truth.get(chunk.shot, (chunk.start,))[0], chunk.stop
    assert len(truth) == 4
    for span in truth.values():
        assert {shot_around(film, frame, 64) for frame in (span[0], sum(span) // 2, span[1] - 1)} == {span}
    assert numbered_shots(film, {1, 3}, 64) == {1: truth[1], 3: truth[3]}
    with pytest.raises(UserError, match="no shot 4"):
        numbered_shots(film, {4}, 64)


@pytest.fixture(scope="module")
def disc_film(film_folder) -> tuple[Path, np.ndarray]:
    """A disc that crosses the picture in 40 frames, after a shot of 20 frames of something else; and its masks."""
    thumbs, masks = disc(40, 2, 24, (96, 144))
    pictures = np.concatenate([shot("coffee", 20, (96, 144)), np.repeat(thumbs[..., None], 3, 3)])
    return make_film(film_folder / "disc.mkv", pictures, codec="ffv1"), masks


def _plan(film, sheet: dict, tmp_path: Path, key: str = "x") -> ResolvedEdits:
    def painter():
        raise AssertionError("no network is needed")

    return resolve(film, Sheet.model_validate(sheet), 128, painter, tmp_path, key)


def _disc_box(masks: np.ndarray, frame: int) -> list[int]:
    y, x = np.nonzero(masks[frame])
    return [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]


def _polygon(masks: np.ndarray, frame: int) -> list[list[float]]:
    x0, y0, x1, y1 = _disc_box(masks, frame)
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return [
        [(x0 + x1 + (x1 - x0) * c) / 2, (y0 + y1 + (y1 - y0) * s) / 2]
        for c, s in zip(np.cos(turn), np.sin(turn), strict=True)
    ]


@pytest.mark.slow
def test_a_region_is_followed_in_its_shot_alone(disc_film, tmp_path):
    path, masks = disc_film
    film = open_film(path)
    edit = {"frame": 40, "region": {"polygon": _polygon(masks, 20)}, "action": {"colour": "#8a3324"}}
    control = _plan(film, {"edits": [edit]}, tmp_path)
    order = control.orders[0]
    assert (order.first, order.stop, order.label) == (20, 60, None) and order.ab == chroma_of("#8a3324")
    for frame in range(20, 60):
        found = control._mask(0, frame, (64, 96)) >= 128
        truth = cv2.resize(masks[frame - 20].astype(np.float32), (96, 64), interpolation=cv2.INTER_AREA) > 0.5
        assert (found & truth).sum() / (found | truth).sum() >= 0.8, frame
    again = _plan(film, {"edits": [edit]}, tmp_path)  # from the folder
    assert again == control


@pytest.mark.slow
def test_a_region_that_is_drawn_again_changes_from_there_on(disc_film, tmp_path):
    path, masks = disc_film
    film, (x0, y0, x1, y1) = open_film(path), _disc_box(masks, 15)
    half = {"frame": 35, "region": {"box": [x0, y0, (x0 + x1) / 2, y1]}, "action": "neutral"}
    whole = {"polygon": _polygon(masks, 25), "frame": 45}
    sky = {"box": [2, 2, 30, 14], "time": 28 / 25}
    drawn = half | {"region": half["region"] | {"then": [whole, sky, {**sky, "away": True, "box": [2, 2, 16, 14]}]}}
    control = _plan(film, {"edits": [half, drawn]}, tmp_path)

    def overlap(number: int, frame: int) -> float:
        found = control._mask(number, frame, (64, 96)) >= 128
        truth = cv2.resize(masks[frame - 20].astype(np.float32), (96, 64), interpolation=cv2.INTER_AREA) > 0.5
        return (found & truth).sum() / (found | truth).sum()

    for frame in range(29, 45):
        assert control._read(0, frame) == control._read(1, frame), "what lies between stays as it was"
    assert overlap(1, 45) > 0.79, "as drawn, less the corner that is taken away"
    assert all(overlap(1, frame) >= 0.97 * overlap(1, 45) for frame in range(45, 60)), "and so it is followed"
    assert all(overlap(0, frame) < 0.5 for frame in range(45, 60))
    for frame in (28, 27, 24):
        corner = control._mask(1, frame, (64, 96))[2:8]
        assert corner[:, 13:18].mean() > 200 > 50 > corner[:, 2:9].mean(), frame
    assert control._mask(1, 29, (64, 96))[2:8, 13:18].max() == 0
    with pytest.raises(
        UserError, match=r"edits\[0\]\.region\.then\[0\]\.frame: frame 5 is not in the shot of frame 35"
    ):
        _plan(film, {"edits": [half | {"region": half["region"] | {"then": [whole | {"frame": 5}]}}]}, tmp_path, "y")
    with pytest.raises(ValueError, match="give frame or time, not both"):
        Sheet.model_validate({"edits": [half | {"region": half["region"] | {"then": [whole | {"time": 1}]}}]})


def test_shapes_are_added_to_a_region_and_taken_away_in_order(disc_film, tmp_path):
    film = open_film(disc_film[0])
    then = [
        {"box": [60, 20, 100, 60], "away": True},
        {"polygon": [[100, 60], [130, 60], [130, 90], [100, 90]]},
        {"strokes": [[[10, 24], [30, 24]]], "width": 8, "away": True},
    ]
    region = {"box": [8, 20, 100, 60], "then": then}
    plain = {"range": {"from": 5, "to": 5}, "frame": 5, "action": "neutral"}
    mask = _plan(film, {"edits": [{**plain, "region": region}]}, tmp_path)._mask(0, 5, (64, 96))

    def share(x0, y0, x1, y1):  # in pixels of the film, 144x96
        (left, right), (top, bottom) = ((int(a * 2 / 3), int(b * 2 / 3)) for a, b in ((x0, x1), (y0, y1)))
        return (mask[top:bottom, left:right] >= 128).mean()

    assert share(14, 36, 54, 54) > 0.95 and share(106, 66, 124, 84) > 0.95
    assert share(68, 26, 94, 54) < 0.05 and share(14, 22, 26, 26) < 0.3
    with pytest.raises(UserError, match=r"edits\[0\]\.region\.then: all of the region is taken away"):
        _plan(
            film,
            {"edits": [{**plain, "region": {**region, "then": [{"box": [0, 0, 144, 96], "away": True}]}}]},
            tmp_path,
            "y",
        )
    with pytest.raises(ValueError, match="a label cannot be changed by shapes"):
        Sheet.model_validate({"edits": [{"region": {"label": "sky", "then": then}, "action": "neutral"}]})


def test_ranges_and_places_that_do_not_fit_are_said(disc_film, tmp_path):
    film = open_film(disc_film[0])
    cases = [
        ({"frame": 30, "range": "10-40", "region": BOX, "action": "keep"}, "edits[0].range: frames 10 to 40"),
        ({"frame": 70, "region": BOX, "action": "keep"}, "edits[0].frame: there is no frame 70"),
        ({"time": 9, "region": BOX, "action": "keep"}, "edits[0].time: 0:00:09.000 is after"),
        (
            {"frame": 1, "region": {"box": [200, 0, 300, 50]}, "action": "keep"},
            "edits[0].region: the region is outside",
        ),
        (
            {"range": {"shot": 2}, "region": {"label": "sky"}, "action": "keep"},
            "edits[0].range: there is no shot 2",
        ),
        ({"frame": 1, "region": {"point": [5, 200]}, "action": "keep"}, "edits[0].region.point: the point is outside"),
    ]
    for edit, expected in cases:
        with pytest.raises(UserError) as caught:
            _plan(film, {"edits": [edit]}, tmp_path)
        assert expected in str(caught.value)
        assert not list(tmp_path.glob("*.zip"))
    with pytest.raises(UserError) as caught:
        _plan(film, {"edits": [edit for edit, _ in cases]}, tmp_path)
    assert [f"edits[{n}]" in str(caught.value) for n in range(len(cases))] == [True] * len(cases), "all at once"


@pytest.mark.slow
def test_a_color_is_followed_only_to_the_frames_that_are_looked_at(disc_film, tmp_path):
    path, masks = disc_film
    film = open_film(path)
    place = {"frame": 40, "region": {"box": _disc_box(masks, 20)}}
    edits = [place | {"action": {"colour": "#8a3324"}}, place | {"action": {"label": "flower"}}]
    sheet = Sheet.model_validate({"edits": edits})
    control = resolve(film, sheet, 128, lambda: None, tmp_path, "x", within=(20, 50), shown=(44, 46))  # type: ignore[arg-type]
    there = [{n for n in range(60) if control._mask(order, n, (64, 96)).any()} for order in (0, 1)]
    assert there == [{44, 45}, set(range(20, 50))]
    whole = _plan(film, {"edits": edits[:1]}, tmp_path, "whole")
    assert all(np.array_equal(control._mask(0, n, (64, 96)), whole._mask(0, n, (64, 96))) for n in (44, 45))


def _resolved(
    tmp_path: Path, mask: np.ndarray, *orders: ResolvedEdit, transfers: tuple[ColorTransfer, ...] = ()
) -> ResolvedEdits:
    masks = {(n, frame): mask for n, order in enumerate(orders) for frame in range(order.first, order.stop + 1)}
    return make_resolved(tmp_path, orders, transfers, masks)


def _labels(name: str, shape: tuple[int, int] = (8, 8)) -> np.ndarray:
    labels = np.full((len(NAMES), *shape), 0.1 / (len(NAMES) - 1), np.float32)
    labels[INDEX[name]] = 0.9
    return labels


def test_labels_change_inside_the_mask_and_in_the_range_alone(tmp_path):
    mask = np.zeros((16, 16), np.uint8)
    mask[:, 8:] = 255
    control = _resolved(tmp_path, mask, ResolvedEdit(3, 6, None, relabel=INDEX["water"]), ResolvedEdit(4, 5, None))
    given = _labels("sky")
    changed = control.amend(3, given)
    assert (changed[:, :, 4:].argmax(0) == INDEX["water"]).all() and np.array_equal(changed[..., :4], given[..., :4])
    assert np.allclose(changed.sum(0), 1)
    assert np.allclose(control.amend(4, given), given), "what is kept stays as it was"
    assert control.amend(2, given) is given and control.amend(6, given) is given
    whole = _resolved(tmp_path, mask, ResolvedEdit(0, 9, INDEX["sky"], relabel=INDEX["water"])).amend(5, given)
    assert (whole.argmax(0) == INDEX["water"]).all() and np.allclose(whole.sum(0), 1)


def test_colors_change_inside_the_mask_alone_and_the_later_order_wins(tmp_path):
    mask = np.zeros((16, 16), np.uint8)
    mask[:, 8:] = 255
    red, blue = chroma_of("#aa3333"), chroma_of("#3333aa")
    orders = [
        ResolvedEdit(0, 4, INDEX["sky"], ab=blue),
        ResolvedEdit(0, 2, None, ab=red),
        ResolvedEdit(1, 2, None),
        ResolvedEdit(3, 4, None, ab=(0, 0)),
    ]
    control = _resolved(tmp_path, mask, *orders)
    ab = np.full((4, 2, 16, 16), 7, np.float16)
    labels = np.repeat((_labels("sky")[None] * 255).astype(np.uint8), 4, 0)
    done = np.stack([painted.flat() for painted in control.finish(0, ab, labels)])
    inside = done[..., 8:].mean((2, 3))
    assert np.allclose(inside, [red, (7, 7), blue, (0, 0)], atol=0.3)
    assert np.allclose(done[..., :8].mean((2, 3)), blue, atol=0.3)
    assert control.finish(4, ab, labels) is ab
    # At four times the size: to the pixel.
    luma, thumb = np.full((64, 64), 120, np.uint8), np.full((32, 32), 121, np.uint8)
    fmt = PlaneFormat("bt601", 8, False)
    planes = [chroma_planes(frame, thumb, luma, (64, 64), fmt) for frame in control.finish(0, ab, labels)]
    asked = [reachable(colour, fmt)[:, 120] for colour in (red, blue)]
    for plane, wanted in ((planes[0][:, :, 36:], asked[0]), (planes[0][:, :, :28], asked[1]), (planes[2], asked[1])):
        assert (plane == fmt.chroma(wanted[:, None, None])).all()
    assert np.array_equal(planes[1][:, :, 36:], chroma_planes(ab[1], thumb, luma, (64, 64), fmt)[:, :, 36:])
    assert (planes[3][:, :, 36:] == 128).all()
    chunk = Chunk(0, 0, 0, True, pts=(0, 1, 2, 3), durations=(1,) * 4, interlaced=(False,) * 4)
    sums = np.array(count(chunk, np.stack([thumb] * 4), control.finish(0, ab, labels), labels)["sums"])[:, INDEX["sky"]]
    assert np.allclose(sums[3:] / sums[0], (np.sum([red, (7, 7), blue, (0, 0)], 0) / 4 + blue) / 2, atol=1.5)


def test_strength_is_the_share_of_an_action(tmp_path):
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 255
    orders = (
        ResolvedEdit(0, 4, None, relabel=INDEX["sky"], strength=0.25),
        ResolvedEdit(0, 4, None, ab=(40.0, 8.0), strength=0.5),
    )
    edits = make_resolved(tmp_path, orders, masks={(0, 2): mask, (1, 2): mask})
    labels = np.zeros((62, 8, 8), np.float32)
    labels[INDEX["wall"]] = 1
    amended = edits.amend(2, labels)
    assert amended[INDEX["sky"], 4, 4] == 0.25 and amended[INDEX["wall"], 4, 4] == 0.75
    assert amended[INDEX["sky"], 0, 0] == 0
    ab = np.zeros((1, 2, 16, 16), np.float16)
    (frame,) = edits.finish(2, ab, np.zeros((1, 62, 8, 8), np.uint8))
    assert np.allclose(frame.flat()[:, 8, 8], (20, 4), atol=0.1) and not frame.flat()[:, 0, 0].any()


def test_what_is_off_has_no_effect_and_shifts_no_mistake(short_film, tmp_path):
    film = open_film(short_film)
    off = {"frame": 900, "region": BOX, "action": "neutral", "off": True, "name": "later"}
    sheet = Sheet.model_validate({"edits": [off], "references": [{"photo": "gone.jpg", "off": True}]})
    assert identity(sheet) is None
    resolved = resolve(film, sheet, 64, lambda: pytest.fail("nothing is painted"), tmp_path, "off")
    assert resolved.orders == () and resolved.transfers == ()
    both = Sheet.model_validate({"edits": [off, {"frame": 900, "region": BOX, "action": "neutral"}]})
    with pytest.raises(UserError, match=r"^edits\[1\]\.frame"):
        resolve(film, both, 64, lambda: pytest.fail("nothing is painted"), tmp_path, "on")


def test_the_past_is_forgotten_where_a_label_edit_begins_and_ends(tmp_path):
    mask = np.zeros((16, 16), np.uint8)
    mask[:, 8:] = 255
    control = _resolved(tmp_path, mask, ResolvedEdit(3, 5, None, relabel=1))
    flow, seen = np.zeros((8, 16, 16, 2), np.float32), np.full((8, 16, 16), 255, np.uint8)
    seen.flags.writeable = False
    motion = control.forget(0, Motion(flow, flow, seen, seen))
    for visible in (motion.backward_visible, motion.forward_visible):
        assert [int(v[:, 12].max()) for v in visible] == [255, 255, 255, 0, 255, 0, 255, 255]
        assert (visible[..., :5] == 255).all()
    flow = np.zeros_like(flow)
    flow[..., 0] = 6
    moved = control.forget(0, Motion(-flow, flow, seen, seen))
    assert not moved.forward_visible[3, :, 4:].any(), "what becomes the region does not see it coming"
    assert (moved.backward_visible[3, :, :5] == 255).all()


def test_frames_are_painted_where_a_label_edit_begins_and_has_ended(tmp_path):
    mask = np.full((16, 16), 255, np.uint8)
    region = ResolvedEdit(103, 107, None, relabel=1)
    other = ResolvedEdit(0, 200, INDEX["sky"], relabel=1), ResolvedEdit(105, 110, None, ab=(1, 2))
    edits = _resolved(tmp_path, mask, region, *other)
    assert frames_to_paint(100, 116, False, None) == (0, 4, 8, 12)
    assert frames_to_paint(100, 116, True, None) == (0, 4, 8, 12, 15)
    assert frames_to_paint(100, 116, False, edits) == (0, 3, 4, 7, 8, 12)
    assert frames_to_paint(116, 132, False, edits) == (0, 4, 8, 12)
    nowhere = make_resolved(tmp_path, [region])
    assert frames_to_paint(100, 116, False, nowhere) == (0, 4, 8, 12), "an edit of nothing changes nothing"


def test_a_transfer_moves_means_and_spreads(tmp_path):
    rng = np.random.default_rng(0)
    ab = (rng.normal(0, 4, (1, 2, 64, 64)) + 10).astype(np.float16)
    transfer = ColorTransfer(0, 1, {INDEX["sky"]: ((10, 10), (-5, -20), (0.5, 2.0))})
    labels = (_labels("sky", (32, 32))[None] * 255).astype(np.uint8)
    control = _resolved(tmp_path, np.zeros((64, 64), np.uint8), transfers=(transfer,))
    a, b = control.finish(0, ab, labels)[0].flat()
    assert abs(a.mean() + 5) < 0.5 and abs(b.mean() + 20) < 0.5
    assert abs(a.std() - 2) < 0.3 and abs(b.std() - 8) < 0.5


@pytest.mark.slow
def test_the_python_interface_paints_a_span_a_still_and_a_map_as_the_whole_film(disc_film, tmp_path):
    """With an edit that begins inside the shot: all the state there is."""
    path, masks = disc_film
    film = semcolor.open_film(path)
    sheet = Sheet.model_validate(
        {
            "palette": {"wall": "#335577"},
            "edits": [
                {"frame": 40, "region": {"box": _disc_box(masks, 20)}, "action": {"label": "flower"}, "range": "32-42"},
                {"frame": 42, "region": {"point": [72, 48]}, "action": {"colour": "#aa2222"}, "range": "35-48"},
            ],
        }
    )
    look = semcolor.Look(size=64, sheet=sheet)
    from semcolor.pipeline.encode import choose_encoding

    lossless = choose_encoding(film, "ffv1")
    semcolor.colorize(film, tmp_path / "whole.mkv", look, encoding=lossless)
    semcolor.colorize(film, tmp_path / "spans.mkv", look, spans=[(2, 7), (33, 45)], encoding=lossless)
    whole, spans = pictures_of(tmp_path / "whole.mkv"), pictures_of(tmp_path / "spans.mkv")
    assert len(whole) == 60 and np.array_equal(spans, np.concatenate([whole[2:7], whole[33:45]]))
    assert np.array_equal(luma_planes(tmp_path / "whole.mkv"), luma_planes(path))
    still = semcolor.still(film, "1.4s", tmp_path / "still.png", look)  # frame 35; chroma is full size there
    # The film has one chroma sample for four pixels, so their means are compared.
    ours, theirs = (cv2.resize(p, (72, 48), interpolation=cv2.INTER_AREA).astype(int) for p in (still, whole[35]))
    assert np.abs(ours - theirs).mean() < 1.5
    read = cv2.imread(str(tmp_path / "still.png"))
    assert read is not None and np.array_equal(read[..., ::-1], still)
    assert (semcolor.label_map(film, 40, look, full=True)[masks[20]] == INDEX["flower"]).mean() > 0.7
    with pytest.raises(UserError, match=r"a picture cannot be written as \.mp4"):
        semcolor.still(film, 0, tmp_path / "still.mp4", look)


@pytest.mark.slow
def test_a_still_shows_an_edit_of_color_alone(disc_film, tmp_path):
    """Its masks are read only when the picture is composed."""
    path, masks = disc_film
    film = semcolor.open_film(path)
    edit = {"frame": 40, "region": {"box": _disc_box(masks, 20)}, "action": {"colour": "#aa2222"}}
    look = semcolor.Look(size=64, sheet=Sheet.model_validate({"edits": [edit]}))
    before, after = (
        semcolor.still(film, 40, tmp_path / f"{name}.png", one).astype(int)
        for name, one in (("before", semcolor.Look(size=64)), ("after", look))
    )
    redder = (after - before)[..., 0] - (after - before)[..., 2]
    assert redder[masks[20]].mean() > 20 and np.median(abs(redder[~masks[20]])) == 0


@pytest.mark.slow
def test_a_reference_brings_its_colors(tmp_path):
    """The film is grey, the reference the same photo with its colours turned round."""
    truth = shots((12,), (96, 128))
    film = open_film(make_film(tmp_path / "in.mkv", truth))
    turned = cv2.cvtColor(truth[0], cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]]  # red for blue, and each pixel keeps its luma
    turned = cv2.cvtColor(np.ascontiguousarray(turned), cv2.COLOR_YCrCb2RGB)
    cv2.imwrite(str(tmp_path / "photo.png"), turned[..., ::-1])
    sheet = read_sheet(str(_sheet(tmp_path, {"references": [{"photo": "photo.png"}]})))

    def mean(look: semcolor.Look) -> np.ndarray:
        picture = semcolor.still(film, 6, tmp_path / "s.png", look, overwrite=True).astype(np.float32) / 255
        return cv2.cvtColor(picture, cv2.COLOR_RGB2Lab)[..., 1:].mean((0, 1))

    wanted = cv2.cvtColor(turned.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[..., 1:].mean((0, 1))
    before, after = (np.abs(mean(semcolor.Look(size=96, sheet=s)) - wanted).sum() for s in (Sheet(), sheet))
    assert after < 0.4 * before


def test_what_the_network_is_unsure_of_is_hatched_and_has_no_name():
    """The left half is sky for certain; on the right, sky is likeliest by little."""
    labels = np.zeros((len(NAMES), 16, 24), np.uint8)
    labels[INDEX["sky"]] = 255
    sure = overlay(np.full((64, 96), 90, np.uint8), labels)
    labels[:, :, 12:] = 0
    labels[INDEX["sky"], :, 12:], labels[INDEX["water"], :, 12:] = 40, 39
    drawn = overlay(np.full((64, 96), 90, np.uint8), labels)
    darker = (drawn.max(2) < 0.5 * sure.max(2))[:, :768]
    named = (drawn.min(2) > 170)[:, :768]
    assert 0.2 < darker[:, 450:].mean() < 0.5 and not darker[:200, :250].any(), "below, a name has a dark outline"
    assert named[:, :384].any() and not named[:, 450:].any()
    assert (drawn[:, 768:] != sure[:, 768:]).any(), "the legend tells that some of the frame is unsure"
    chunk = Chunk(0, 0, 0, True, pts=(0,), durations=(1,), interlaced=(False,))
    sums = count(chunk, np.zeros((1, 64, 96), np.uint8), np.zeros((1, 2, 32, 48), np.float16), labels[None])
    assert sums["unsure"] == 12 * 16


def test_names_stand_in_wide_regions_of_the_overlay():
    labels = np.zeros((1, len(NAMES), 16, 24), np.uint8)[0]
    labels[INDEX["sky"], :8], labels[INDEX["grass"], 8:] = 255, 255
    labels[:, 4, 4] = 0
    labels[INDEX["bird"], 4, 4] = 255  # too small for a name
    thumb = np.full((64, 96), 90, np.uint8)
    drawn = overlay(thumb, labels)[:, :768].min(2) > 170  # the picture; the legend is to the right
    upper, lower = drawn[:256], drawn[256:]
    assert upper.sum() > 20 and lower.sum() > 20, "two names, in white"
    assert not drawn[100:190, 100:190].any(), "none at the bird"


def test_coverage_counts_what_people_chose(tmp_path):
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 255
    orders = (
        ResolvedEdit(0, 4, None, ab=(40.0, 8.0), strength=0.5),
        ResolvedEdit(0, 4, None, relabel=INDEX["sky"]),
        ResolvedEdit(1, 4, INDEX["wall"], ab=(1.0, 2.0), strength=0.2),
    )
    edits = make_resolved(tmp_path, orders, masks={(0, 0): mask, (0, 1): mask, (1, 0): 255 - mask, (1, 1): 255 - mask})
    key = key_bytes(np.zeros((2, 16, 16)), np.where(mask.T > 0, 0.3, 0.1))
    with zipfile.ZipFile(edits.masks, "a") as archive:
        archive.writestr(sure_name(0), json.dumps({"0": 1.0, "1": 0.2}))
        archive.writestr(key_name(1), key)
        archive.writestr(key_name(2), key_bytes(np.zeros((2, 16, 16)), np.where(mask > 0, 0.3, 0.05)))
        archive.writestr(key_name(3), key_bytes(np.zeros((2, 16, 16)), np.ones((16, 16))))
    edits = replace(edits, keyed=((1, 4),))
    labels = np.zeros((4, 62, 8, 8), np.uint8)
    labels[:, INDEX["wall"], :, :2], labels[:, INDEX["tree"], :, 2:] = 255, 255
    found = coverage(edits, 0, labels)
    assert found.dtype == np.uint8 and found.shape == (4, 16, 16)
    assert found[0, 8, 8] == 128 and found[0, 0, 0] == 0 == found[0, 0, 15], "half an edit; a label gives no colours"
    assert (found[1, 8, 8], found[1, 0, 0], found[1, 0, 15]) == (76, 51, 26), "the key frame, the label, the key frame"
    assert found[3].min() == 255 and not coverage(None, 0, labels).any()
    (least,) = weakest(edits)
    assert least[:3] == (1, 4, 2) and least.share == pytest.approx(0.25 * 0.3 + 0.75 * 0.05, abs=0.002)


def test_references_key_frames_the_palette_and_edits_come_in_this_order(tmp_path):
    """Each gives one quarter of the picture more; the later one wins."""
    sky, shape = INDEX["sky"], (16, 16)
    labels, ab = np.zeros((1, 62, 8, 8), np.uint8), np.full((1, 2, *shape), 3, np.float16)
    labels[:, sky, 4:], labels[:, INDEX["tree"], :4] = 255, 255  # the palette knows only the lower half
    known = np.zeros(shape, np.float32)
    known[:, :8] = 1  # the key frame only the left half
    mask = np.zeros(shape, np.uint8)
    mask[12:, :4] = 255
    changes = {label: ((3.0, 3.0), (-50.0, -50.0), (1.0, 1.0)) for label in (sky, INDEX["tree"])}
    orders = ResolvedEdit(0, 1, sky, ab=(20.0, 20.0)), ResolvedEdit(0, 1, None, ab=(60.0, 60.0))
    edits = make_resolved(tmp_path, orders, [ColorTransfer(0, 1, changes)], {(1, 0): mask})
    with zipfile.ZipFile(edits.masks, "a") as archive:
        archive.writestr(key_name(0), key_bytes(np.full((2, *shape), -20.0), known))
    (frame,) = replace(edits, keyed=((0, 1),)).finish(0, ab, labels)
    a = frame.flat()[0]
    assert np.allclose([a[2, 14], a[2, 2], a[9, 2], a[9, 14], a[14, 1]], [-50, -20, 20, 20, 60], atol=0.1)
