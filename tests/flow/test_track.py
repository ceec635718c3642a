"""A region followed through a shot in which its true place is known."""

from functools import cache

import numpy as np
import pytest
from semcolor.flow import estimate
from semcolor.flow.metrics import chroma_warp_error
from semcolor.flow.planes import halve
from semcolor.flow.track import track
from semcolor.models.memory import RegionMemory
from semcolor.models.sight import Sight
from support.motions import disc, grainy, pan


def follow(thumbs: np.ndarray, mask: np.ndarray, at: int) -> dict[int, np.ndarray]:
    """The region's mask in every frame."""
    sight = Sight()
    return {place.frame: place.mask for place in track(thumbs, mask, at, lambda: RegionMemory(sight))}


def _truth(masks: np.ndarray) -> list[np.ndarray]:
    """The true region in each frame, on the chroma grid, bool."""
    return [halve(mask.astype(np.float32)) > 0.5 for mask in masks]


def _overlaps(thumbs: np.ndarray, masks: np.ndarray, at: int) -> np.ndarray:
    """Intersection over union in every frame."""
    truth = _truth(masks)
    return _shared(follow(thumbs, truth[at].astype(np.uint8) * 255, at), truth)


def _shared(found: dict[int, np.ndarray], truth: list[np.ndarray]) -> np.ndarray:
    assert sorted(found) == list(range(len(truth)))
    return np.array([((found[n] >= 128) & t).sum() / ((found[n] >= 128) | t).sum() for n, t in enumerate(truth)])


@cache
def _overlaps_of_a_disc(at: int, flat: bool) -> np.ndarray:
    """In the 41 frames in which a disc crosses the picture."""
    return _overlaps(*disc(41, 4, 48, (192, 320), flat=flat), at)


@pytest.mark.slow
@pytest.mark.parametrize("flat", [False, True], ids=["textured", "flat"])
@pytest.mark.parametrize("at", [0, 20, 40])
def test_a_moving_disc_is_followed_over_forty_frames(at, flat):
    assert _overlaps_of_a_disc(at, flat).min() >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 40])
def test_the_border_is_drawn_to_the_luma_edges(at):
    """Little of the background that the disc uncovers is taken for the disc, since there is an edge between them."""
    assert _overlaps_of_a_disc(at, False).mean() >= 0.965


@pytest.mark.slow
def test_a_region_of_a_panned_picture_is_followed_and_leaves_the_frame():
    thumbs = pan(41, -2.5, 0.6)
    masks = np.zeros(thumbs.shape, bool)
    for n, mask in enumerate(masks):
        left, top = round(60 - 2.5 * n), round(40 + 0.6 * n)
        mask[top : top + 40, max(0, left) : max(0, left + 50)] = True
    found = follow(thumbs, _truth(masks)[0].astype(np.uint8) * 255, 0)
    assert _shared(found, _truth(masks))[:36].min() >= 0.8
    assert (found[40] >= 128)[:, 25:].mean() < 0.01


@pytest.mark.slow
def test_a_region_is_followed_through_flicker_and_grain():
    thumbs, masks = disc(31, 3, 40, (160, 256))
    assert _overlaps(grainy(thumbs, 5), masks, 10).min() >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("grain", [0, 5])
def test_the_border_is_as_steady_as_the_true_one(grain):
    """A film painted inside the mask flickers hardly more than one painted where the disc really is."""
    thumbs, masks = disc(31, 3, 40, (160, 256))
    if grain:
        thumbs = grainy(thumbs, grain)
    truth = [halve(mask.astype(np.float32)) for mask in masks]
    found = follow(thumbs, (truth[10] > 0.5).astype(np.uint8) * 255, 10)
    motion = estimate(thumbs, None)
    true, ours = (
        chroma_warp_error(np.stack([[shown, shown] for shown in painted]) * np.float32(33), motion)
        for painted in (truth, [found[n] / np.float32(255) for n in range(31)])
    )
    assert ours < 1.1 * true


@pytest.mark.slow
def test_a_thing_that_passes_in_front_is_outside_the_region():
    """A disc passes in front of a marked part of the background and is not taken for a part of it."""
    thumbs, masks = disc(31, 4, 28, (128, 192))
    mask = np.zeros((64, 96), np.uint8)
    mask[:, 40:70] = 255
    for n, found in follow(thumbs, mask, 0).items():
        core = _truth(masks)[n]
        if n and (core & (mask > 0)).any():
            assert (found >= 128)[core & (mask > 0)].mean() < 0.3
    # The background that it uncovers belongs to the region again.
    assert (found[:, 44:52] >= 128).all()


def test_wrong_arguments_are_refused():
    thumbs = np.zeros((3, 64, 64), np.uint8)
    with pytest.raises(ValueError, match="no frame 3"):
        follow(thumbs, np.zeros((32, 32), np.uint8), 3)
    with pytest.raises(ValueError, match="the mask is"):
        follow(thumbs, np.zeros((64, 64), np.uint8), 0)
