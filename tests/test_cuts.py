"""Cuts on grey film: found where two films meet, not where the camera, the light or the damage changes."""

from __future__ import annotations

import numpy as np
import pytest
from films import PHOTOS, shot
from semcolor.pipeline.cuts import BEHIND, LOOK, CutFinder

SIZE = (256, 384)


def grey(pictures: np.ndarray) -> np.ndarray:
    return (pictures @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def find(thumbs: np.ndarray) -> list[int]:
    """Numbers of the frames that begin a shot, without the first."""
    finder = CutFinder()
    answers = [a for thumb in thumbs if (a := finder.push(thumb)) is not None] + finder.finish()
    assert len(answers) == len(thumbs)
    return [n for n, cut in enumerate(answers) if cut]


@pytest.fixture(scope="module")
def edit() -> tuple[np.ndarray, list[int]]:
    lengths = (30, 12, 40, 5, 25, 18)
    takes = [grey(shot(PHOTOS[n % len(PHOTOS)], length, SIZE)) for n, length in enumerate(lengths)]
    return np.concatenate(takes), np.cumsum(lengths)[:-1].tolist()


def test_hard_cuts(edit: tuple[np.ndarray, list[int]]) -> None:
    assert find(edit[0]) == edit[1]


def test_flicker_grain_and_darkness(edit: tuple[np.ndarray, list[int]]) -> None:
    thumbs, cuts = edit
    rng = np.random.default_rng(0)
    gain = rng.uniform(0.8, 1.2, len(thumbs))[:, None, None]
    old = thumbs * gain * 0.5 + rng.normal(0, 10, thumbs.shape) + 20
    assert find(np.clip(old, 0, 255).astype(np.uint8)) == cuts


def test_no_cut_on_flash() -> None:
    thumbs = grey(shot("chelsea", 40, SIZE))
    thumbs[[8, 20, 21]] = 255
    thumbs[30] = 0
    assert find(thumbs) == []


def test_no_cut_on_dirt() -> None:
    thumbs = grey(shot("coffee", 60, SIZE))
    rng = np.random.default_rng(1)
    for thumb in thumbs:
        for _ in range(rng.integers(0, 6)):
            y, x, r = rng.integers(0, SIZE[0]), rng.integers(0, SIZE[1]), rng.integers(3, 20)
            thumb[max(0, y - r) : y + r, max(0, x - r) : x + r] = rng.choice([0, 255])
    assert find(thumbs) == []


def test_no_cut_on_fast_pan() -> None:
    pan = grey(shot("rocket", 24, SIZE, (0.0, 0.5, 0.35), (1.0, 0.5, 0.35)))
    assert find(pan) == []


def test_no_cut_in_black_leader_dissolve_and_fade() -> None:
    rng = np.random.default_rng(2)
    leader = np.clip(16 + rng.normal(0, 5, (20, *SIZE)), 0, 255).astype(np.uint8)
    assert find(leader) == []
    a, b = grey(shot("coffee", 40, SIZE)), grey(shot("astronaut", 40, SIZE))
    mix = np.linspace(0, 1, 40)[:, None, None]
    assert find((a * (1 - mix) + b * mix).astype(np.uint8)) == []


def test_the_same_from_anywhere(edit: tuple[np.ndarray, list[int]]) -> None:
    thumbs, cuts = edit
    for start in range(BEHIND, len(thumbs) - LOOK, 7):
        found = [n + start - BEHIND for n in find(thumbs[start - BEHIND :])]
        assert [n for n in found if n >= start] == [n for n in cuts if n >= start]
