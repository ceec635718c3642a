"""Each damage leaves a picture of the same shape, is a function of its generator, and does what its name says."""

import numpy as np
import pytest
from semcolor.models.training.degradations import DAMAGES, age, bars


@pytest.fixture
def gray() -> np.ndarray:
    """(48, 64) float32: a ramp from 0.2 to 0.8."""
    return np.tile(np.linspace(0.2, 0.8, 64, dtype=np.float32), (48, 1))


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_changes_the_picture_and_depends_on_its_generator_alone(name, gray):
    before = gray.copy()
    once, again, other = (DAMAGES[name](gray, np.random.default_rng(seed), 0.7) for seed in (1, 1, 2))
    assert np.array_equal(gray, before), "the picture itself stays as it is"
    assert once.shape == gray.shape and np.isfinite(once).all()
    assert np.array_equal(once, again) and not np.array_equal(once, other)
    assert not np.allclose(once, gray, atol=1e-3)


@pytest.mark.parametrize("name", ["fade", "grain", "flicker", "vignette"])
def test_strength_0_is_no_damage(name, gray):
    damaged = DAMAGES[name](gray, np.random.default_rng(0), 0.0)
    assert np.allclose(damaged, gray, atol=1e-6)


def test_what_the_damages_do(gray):
    def damaged(name: str, seed: int = 0) -> np.ndarray:
        return DAMAGES[name](gray, np.random.default_rng(seed), 1.0)

    flat = np.full((48, 64), 0.5, np.float32)
    corner, middle = (DAMAGES["vignette"](flat, np.random.default_rng(0), 1.0)[at] for at in ((0, 0), (24, 32)))
    assert corner < middle <= 0.5
    edge = (gray > 0.5).astype(np.float32)
    assert np.abs(np.diff(DAMAGES["blur"](edge, np.random.default_rng(0), 1.0))).max() < 0.7
    assert abs((damaged("grain") - gray).mean()) < 0.01 < (damaged("grain") - gray).std()
    touched = np.abs(damaged("scratches") - gray) > 0.05
    assert 0 < touched.any(0).sum() < 40 and touched.sum() > 20
    assert np.isin(np.round(damaged("dust")[np.abs(damaged("dust") - gray) > 0.3], 1), (0, 0.1, 0.9, 1)).mean() > 0.5


def test_aged_pictures_stay_between_black_and_white(gray):
    for seed in range(20):
        aged = age(gray, np.random.default_rng(seed))
        assert aged.dtype == np.float32 and aged.shape == gray.shape and 0 <= aged.min() <= aged.max() <= 1


def test_bars_are_at_two_opposite_edges():
    kinds = set()
    for seed in range(20):
        mask = bars((40, 80), np.random.default_rng(seed))
        rows, columns = mask.all(1), mask.all(0)
        assert rows.any() != columns.any() and not mask[20, 40]
        line = rows if rows.any() else columns
        assert np.array_equal(line, line[::-1]) and 0.04 <= line.mean() / 2 <= 0.27
        kinds.add(bool(rows.any()))
    assert kinds == {True, False}
