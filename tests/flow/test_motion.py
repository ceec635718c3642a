"""Flow, visibility and warping, compared with motions that are known."""

import cv2
import numpy as np
import pytest
from semcolor.flow import Motion, estimate
from semcolor.flow.motion import equalize, one_thread
from semcolor.flow.warp import warp
from support.motions import disc, pan, same, shifted, texture, worn


def test_warp_undoes_a_known_motion():
    picture = np.stack([texture(64, 96, seed) for seed in range(2)])
    moved = np.stack([shifted(plane, 2.5, -1.25) for plane in picture])
    flow = np.broadcast_to(np.array([2.5, -1.25], np.float32), (64, 96, 2))
    inside = np.s_[:, 8:-8, 8:-8]
    assert np.abs(warp(moved, flow, cubic=True) - picture)[inside].mean() < 1
    assert np.abs(warp(moved, flow) - picture)[inside].mean() < 2.5
    assert np.abs(moved - picture)[inside].mean() > 15


def test_warp_of_many_channels_is_warp_of_each():
    rng = np.random.default_rng(0)
    picture = rng.random((62, 32, 48), dtype=np.float32)
    flow = cv2.GaussianBlur(rng.normal(size=(32, 48, 2)).astype(np.float32) * 9, (0, 0), 4)
    together = warp(picture, flow)
    for plane, expected in zip(picture, together, strict=True):
        # Above four channels OpenCV rounds positions to a 32nd of a pixel.
        np.testing.assert_allclose(warp(plane, flow), expected, atol=0.04)


def test_warp_agrees_with_kornia():
    torch = pytest.importorskip("torch")
    remap = pytest.importorskip("kornia.geometry.transform").remap
    picture = np.stack([texture(48, 64, seed) for seed in range(3)])
    flow = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(48, 64, 2)).astype(np.float32) * 30, (0, 0), 8)
    y, x = np.mgrid[:48, :64].astype(np.float32)
    where = torch.from_numpy(np.stack([x + flow[..., 0], y + flow[..., 1]]))[:, None]
    expected = remap(torch.from_numpy(picture)[None], where[0], where[1], padding_mode="border", align_corners=True)
    np.testing.assert_allclose(warp(picture, flow), expected[0].numpy(), atol=1.5)


@pytest.mark.parametrize("x, y", [(0.0, 0.0), (3.0, -2.0), (-5.5, 1.5)])
def test_a_pan_is_measured(x, y):
    motion = estimate(pan(3, x, y), None)
    inside = np.s_[1:, 8:-8, 8:-8]
    for flow, sign in ((motion.backward, -1), (motion.forward, 1)):
        error = flow[inside].astype(np.float32) - sign * np.array([x / 2, y / 2])
        assert np.hypot(error[..., 0], error[..., 1]).mean() < 0.1
    assert (motion.backward_visible[inside] >= 128).mean() > 0.99
    assert (motion.forward_visible[inside] >= 128).mean() > 0.99


def test_pixels_that_enter_the_frame_were_not_visible():
    motion = estimate(pan(2, 12, 0), None)
    assert (motion.backward_visible[1, :, :4] < 128).mean() > 0.95


def test_background_uncovered_by_a_disc_was_not_visible():
    pictures, masks = disc(2, step=14)
    visible = estimate(pictures, None).backward_visible[1] >= 128
    masks = masks[:, ::2, ::2]
    uncovered, background = (
        masks[0] & ~masks[1],
        ~cv2.dilate(masks.any(0).astype(np.uint8), np.ones((9, 9))).astype(bool),
    )
    assert visible[uncovered].mean() < 0.3
    assert visible[background].mean() > 0.98


def test_a_still_flat_picture_stands_still():
    rng = np.random.default_rng(0)
    pictures = np.clip(120 + rng.normal(0, 4, (4, 128, 192)), 0, 255).astype(np.uint8)
    motion = estimate(pictures, None)
    assert np.abs(motion.backward[1:].astype(np.float32)).mean() < 0.1
    assert (motion.backward_visible[1:] >= 128).mean() > 0.98


def test_dust_and_scratches_are_not_motion():
    pictures, _ = worn(texture(128, 192), 8, flicker=0.1)
    motion = estimate(pictures, None)
    assert np.abs(motion.backward[1:]).mean() < 0.05
    assert (motion.backward_visible[1:] >= 128).mean() > 0.97


def test_flicker_is_not_motion():
    pictures = pan(3, 4, 0).astype(np.float32)
    pictures[1] = pictures[1] * 1.2 + 5
    motion = estimate(np.clip(pictures, 0, 255).astype(np.uint8), None)
    inside = np.s_[1:, 8:-8, 8:-8]
    assert np.abs(motion.backward[inside].astype(np.float32) - np.array([-2, 0], np.float32)).mean() < 0.1
    assert (motion.backward_visible[inside] >= 128).mean() > 0.97


def test_equalize_stays_within_range():
    dark = np.full((32, 32), 2, np.uint8)
    bright = texture(32, 32).clip(0, 255).astype(np.uint8)
    assert abs(float(equalize(dark, bright).mean()) - float(bright.mean())) < 2
    assert equalize(bright, dark).max() < 100


def test_motion_depends_only_on_the_two_frames():
    pictures, _ = disc(9, step=5)
    whole = estimate(pictures, None)
    assert same(whole[4:9], estimate(pictures[4:], pictures[3]))
    assert same(whole[8:9], estimate(pictures[8:], pictures[7]))


def test_motion_does_not_depend_on_the_number_of_threads():
    pictures, _ = disc(3, step=5)
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(4)
        many = estimate(pictures, None)
        assert cv2.getNumThreads() == 4
    finally:
        cv2.setNumThreads(threads)
    with one_thread():
        assert same(many, estimate(pictures, None))


def test_without_a_frame_before_nothing_is_visible():
    motion = estimate(pan(2, 1, 0), None)
    assert len(motion) == 2 and motion.backward.shape == (2, 64, 96, 2) and motion.backward.dtype == np.float32
    assert not motion.backward_visible[0].any() and not motion.backward[0].any()


class Pan:
    """An estimator that knows the answer and takes pairs in batches."""

    batch = 3

    def __call__(self, first, second):
        assert len(first) == len(second) <= self.batch
        size = (len(first), first.shape[1] // 2, first.shape[2] // 2, 1)
        return np.tile(np.array([2, 0], np.float32), size), np.tile(np.array([-2, 0], np.float32), size)


def test_another_estimator_can_take_batches():
    motion = estimate(pan(6, 4, 0), None, Pan())
    assert np.abs(motion.backward[1:].astype(np.float32) - np.array([-2, 0], np.float32)).max() < 0.05
    assert (motion.backward_visible[1:, :, 8:] >= 128).mean() > 0.98


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="even"):
        estimate(np.zeros((2, 31, 32), np.uint8), None)
    with pytest.raises(ValueError, match="before"):
        estimate(np.zeros((2, 32, 32), np.uint8), np.zeros((32, 64), np.uint8))
    with pytest.raises(ValueError, match="visibility"):
        Motion(*(np.zeros((2, 4, 4, 2), np.float32),) * 2, *(np.zeros((3, 4, 4)),) * 2)
    with pytest.raises(ValueError, match="float16"):
        Motion(*(np.zeros((2, 4, 4, 2), np.float16),) * 2, *(np.zeros((2, 4, 4)),) * 2)
    with pytest.raises(ValueError, match="differ"):
        warp(np.zeros((2, 8, 8), np.float32), np.zeros((8, 9, 2), np.float32))
