"""Outlines drawn by hand move to the luma edges near them, and nowhere else."""

import cv2
import numpy as np
import pytest
import skimage.data
from semcolor.flow.planes import halve
from semcolor.flow.snap import snap
from support.motions import texture

SIZE = 160, 240  # 2 % of the height are 3.2 pixels


def _petals(size: tuple[int, int] = SIZE, more: float = 0, x: float = 0) -> np.ndarray:
    """(h, w) uint8: a flower of five round petals, drawn `more` pixels too large and `x` too far to the right."""
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    radius = 48 + 12 * np.cos(5 * turn) + more
    points = np.stack([1.2 * radius * np.cos(turn) + size[1] / 2 + x, radius * np.sin(turn) + size[0] / 2], 1)
    canvas = np.zeros(size, np.uint8)
    cv2.fillPoly(canvas, [np.rint(points * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return canvas


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.minimum(a, b).sum(dtype=float) / np.maximum(a, b).sum(dtype=float))


def _photo(name: str) -> np.ndarray:
    gray = cv2.cvtColor(getattr(skimage.data, name)(), cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, SIZE[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)


def _placed(thing: np.ndarray, ground: np.ndarray) -> np.ndarray:
    share = cv2.GaussianBlur(_petals(), (0, 0), 0.7).astype(np.float32) / 255
    return np.clip(thing * share + ground * (1 - share), 0, 255).astype(np.uint8)


def _grainy(value: float, seed: int) -> np.ndarray:
    return value + np.random.default_rng(seed).normal(0, 3, SIZE).astype(np.float32)


THINGS = {
    "plain": lambda: _placed(_grainy(100, 0), _grainy(140, 1)),
    "textured": lambda: _placed(0.6 * texture(*SIZE, 0, 4) + 15, 0.6 * texture(*SIZE, 1, 4) + 75),
    "photos": lambda: _placed(_photo("coffee"), _photo("chelsea")),
}


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("off", [{"more": 3}, {"more": -3}, {"x": 3}, {"x": -3}], ids=["+", "-", "right", "left"])
def test_an_outline_that_is_off_is_drawn_to_the_edges(thing, off):
    """The outline is off by nearly as much as is allowed; at most a known share of the error is left."""
    rough, truth = _petals(**off), halve(_petals())
    before, after = _iou(halve(rough), truth), _iou(snap(rough, THINGS[thing]()), truth)
    assert before < 0.93 and 1 - after < {"plain": 0.4, "textured": 0.5, "photos": 0.7}[thing] * (1 - before)


@pytest.mark.parametrize("thing", THINGS)
def test_an_outline_that_is_right_stays(thing):
    assert _iou(snap(_petals(), THINGS[thing]()), halve(_petals())) > 0.97


@pytest.mark.parametrize("ground", ["flat", "ramp", "textured", "photo", "faint"])
@pytest.mark.parametrize("more", [-3, 0, 3])
def test_without_a_clear_edge_it_stays_as_drawn(ground, more):
    picture = {
        "flat": lambda: _grainy(110, 2),
        "ramp": lambda: _grainy(0, 3) + np.linspace(60, 190, SIZE[1], dtype=np.float32),
        "textured": lambda: 0.5 * texture(*SIZE, 4, 5) + 60,
        "photo": lambda: _photo("chelsea"),
        "faint": lambda: _placed(_grainy(110, 5), _grainy(113, 6)),
    }[ground]()
    drawn = _petals(more=more)
    assert _iou(snap(drawn, np.clip(picture, 0, 255).astype(np.uint8)), halve(drawn)) > 0.95


def test_an_edge_on_one_side_alone_does_not_pull_the_other():
    ground = np.where(np.arange(SIZE[1]) < SIZE[1] // 2, 110, 160).astype(np.float32)
    rough = _petals(more=3)
    after = snap(rough, _placed(_grainy(110, 0), ground + _grainy(0, 1)))
    left, right = np.s_[:, : SIZE[1] // 4 - 4], np.s_[:, SIZE[1] // 4 + 4 :]
    assert _iou(after[left], halve(rough)[left]) > 0.96
    assert _iou(after[right], halve(_petals())[right]) > 0.96 > _iou(halve(rough)[right], halve(_petals())[right])


def test_thin_things_are_not_lost():
    """The thing is a pole eight pixels wide; its outline is drawn two pixels to the side."""
    picture = np.full(SIZE, 150, np.uint8)
    picture[20:140, 100:108] = 60
    drawn, truth = (np.zeros(SIZE, np.uint8) for _ in range(2))
    drawn[20:140, 102:110], truth[20:140, 100:108] = 255, 255
    assert _iou(snap(drawn, picture), halve(truth)) > 0.98 > 0.7 > _iou(halve(drawn), halve(truth))


def test_only_the_sides_of_a_box_that_are_near_an_edge_move():
    picture = np.full(SIZE, 60, np.uint8)
    picture[40:120, 80:160] = 200
    box, wanted = (np.zeros(SIZE, np.uint8) for _ in range(2))
    box[42:150, 77:163], wanted[40:150, 80:160] = 255, 255  # three of its sides are the square's
    after = snap(box, picture)
    assert _iou(after[:58], halve(wanted)[:58]) > 0.98 > _iou(halve(box)[:58], halve(wanted)[:58])
    assert _iou(after[64:], halve(box)[64:]) > 0.97


def test_a_region_without_an_outline_stays():
    for value in (0, 255):
        assert (snap(np.full((64, 96), value, np.uint8), np.zeros((64, 96), np.uint8)) == value).all()
    with pytest.raises(ValueError, match="the region is"):
        snap(np.zeros((32, 48), np.uint8), np.zeros((64, 96), np.uint8))
