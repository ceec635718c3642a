"""Colours and labels of frames that were not painted, on motions that are known."""

import numpy as np
import pytest
from semcolor.flow import LOOKAHEAD, STRIDE, Answers, Motion, Steadier, complete

SIZE = 32, 48


def shifting(frames: int, speed: int = 2) -> tuple[np.ndarray, np.ndarray, Motion]:
    """ab, labels and motion of a ramp that moves to the right by `speed` pixels of the chroma grid a frame."""
    x = np.arange(SIZE[1])[None] - speed * np.arange(frames)[:, None]
    ab = np.broadcast_to(x[:, None, None], (frames, 2, *SIZE)).astype(np.float16)
    labels = np.zeros((frames, 62, SIZE[0] // 2, SIZE[1] // 2), np.uint8)
    labels[:, 3] = (128 + x[:, None, ::2]).clip(0, 255)
    labels[:, 9] = 255 - labels[:, 3]
    forward = np.zeros((frames, *SIZE, 2), np.float32)
    forward[..., 0] = speed
    seen = np.full((frames, *SIZE), 255, np.uint8)
    return ab, labels, Motion(-forward, forward, seen, seen)


def some(ab: np.ndarray, labels: np.ndarray, at: list[int]) -> Answers:
    return Answers(ab[at], labels[at], at)


def test_what_moves_is_carried_along():
    ab, labels, motion = shifting(9)
    found, found_labels, after = complete(some(ab, labels, [0, 4, 8]), motion)
    assert after is None and found.dtype == np.float16 and found_labels.dtype == np.uint8
    for frame in (0, 4, 8):
        np.testing.assert_array_equal(found[frame], ab[frame])
        np.testing.assert_array_equal(found_labels[frame], labels[frame])
    inner = np.s_[..., 8:-8]  # at the borders the ramp comes from outside
    np.testing.assert_allclose(found[inner], ab[inner], atol=0.01)
    inner = np.s_[..., 4:-4]
    np.testing.assert_allclose(found_labels[inner].astype(int), labels[inner], atol=1)


def test_the_nearer_painted_frame_counts_more_and_one_that_shows_a_pixel_alone():
    _, labels, motion = shifting(5, speed=0)
    ab = np.zeros((5, 2, *SIZE), np.float16)
    ab[4] = 40
    hidden = motion.forward_visible.copy()
    hidden[3, :, :10] = 0  # what frame 2 has there, frame 3 does not show
    motion = Motion(motion.backward, motion.forward, motion.backward_visible, hidden)
    found, _, _ = complete(some(ab, labels, [0, 4]), motion)
    np.testing.assert_allclose(found[1:4, 0, 16, 24], [10, 20, 30], atol=0.05)
    np.testing.assert_allclose(found[1:4, 0, 16, 2], [0, 0, 30], atol=0.2)


def test_behind_the_last_painted_frame_all_comes_from_it():
    ab, labels, motion = shifting(7, speed=0)
    ab = ab + np.arange(7, dtype=np.float16)[:, None, None, None]
    found, found_labels, _ = complete(some(ab, labels, [0, 4]), motion)
    np.testing.assert_array_equal(found[5], ab[4])
    np.testing.assert_array_equal(found_labels[6], labels[4])


@pytest.mark.parametrize("chunk", [16, 24])
def test_frames_do_not_depend_on_chunks(chunk):
    rng = np.random.default_rng(0)
    ab, labels, motion = shifting(52, speed=1)
    ab = ab + rng.normal(size=ab.shape).astype(np.float16)
    at = [*range(0, 52, STRIDE), 51]
    whole = Steadier().blend(*complete(some(ab, labels, at), motion)[:2], motion, 0, None)
    steadier, done = Steadier(), []
    for start in range(0, 52, chunk):
        spans = [(first, min(first + chunk, 52)) for first in (start, start + chunk) if first < 52]
        own, *following = [
            (Answers(ab[these], labels[these], [n - first for n in these]), motion[first:stop])
            for first, stop in spans
            if (these := [n for n in at if first <= n < stop])
        ]
        colors, read, after = complete(*own, *following)
        assert after is None or len(after[1]) == min(LOOKAHEAD, 52 - start - chunk)
        done.append(steadier.blend(colors, read, own[1], start, after))
    for one, parts in zip(whole, zip(*done, strict=True), strict=True):
        np.testing.assert_array_equal(one, np.concatenate(parts))


@pytest.mark.parametrize("at", [[1, 4], [0, 0], [4, 0], [0, 9], [0]])
def test_numbers_that_do_not_fit_are_refused(at):
    ab, labels, motion = shifting(9)
    with pytest.raises(ValueError, match="painted frames of 9"):
        complete(Answers(ab[:2], labels[:2], at), motion)
