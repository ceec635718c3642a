"""The measures of steadiness, compared with cases whose answer is known."""

import numpy as np
import pytest
from semcolor.flow import Motion, estimate
from semcolor.flow.metrics import chroma_distribution_consistency, chroma_warp_error, label_churn
from support.motions import pan


def moving_right(frames: int, size: tuple[int, int] = (32, 48)) -> Motion:
    """Everything moves to the right by two pixels a frame; the two leftmost columns were not visible."""
    backward = np.zeros((frames, *size, 2), np.float32)
    backward[..., 0] = -2
    visible = np.full((frames, *size), 255, np.uint8)
    visible[..., :2] = 0
    return Motion(backward, -backward, visible, visible)


def test_warp_error_is_zero_for_chroma_that_moves_along():
    rng = np.random.default_rng(0)
    picture = rng.normal(0, 20, (2, 32, 48)).astype(np.float32)
    ab = np.stack([np.roll(picture, 2 * i, 2) for i in range(4)])
    motion = moving_right(4)
    assert chroma_warp_error(ab, motion) < 1e-3
    ab[1::2, 0] += 3  # one of the two channels
    assert chroma_warp_error(ab, motion) == pytest.approx(1.5, abs=1e-3)
    assert np.isnan(chroma_warp_error(ab[:1], motion))


def test_warp_error_leaves_out_invisible_pixels():
    ab = np.zeros((2, 2, 32, 48), np.float32)
    ab[1, :, :, :2] = 90
    assert chroma_warp_error(ab, moving_right(2)) == 0


def test_warp_error_with_measured_motion():
    pictures = pan(4, 4, 0)
    motion = estimate(pictures, None)
    luma = pictures[:, None, ::2, ::2].astype(np.float32)
    moves = np.concatenate([luma, luma], 1)
    assert chroma_warp_error(moves, motion) < 0.3 * chroma_warp_error(moves[[0, 2, 1, 3]], motion)


def test_churn_counts_changed_labels():
    labels = np.zeros((3, 16, 24), np.uint8)
    labels[:, :, 8:] = 7
    labels[1:, :, 8:9] = 0  # moves by one pixel of this grid, then stays
    motion = moving_right(3)
    # In the third frame the border should have moved on: one column of 23 visible ones in one of two pairs.
    assert label_churn(labels, motion) == pytest.approx(1 / 23 / 2)
    one_hot = np.eye(8)[labels].transpose(0, 3, 1, 2)
    assert label_churn(one_hot, motion) == label_churn(labels, motion)


def test_cdc_against_its_definition():
    entropy = pytest.importorskip("scipy.spatial.distance").jensenshannon
    pictures = np.random.default_rng(0).integers(0, 256, (6, 3, 20, 30)).astype(np.uint8)
    histograms = [[np.bincount(c.ravel(), minlength=256) / 600 for c in picture] for picture in pictures]
    expected = []
    for distance in (1, 2, 4):
        pairs = zip(histograms[:-distance], histograms[distance:], strict=True)
        expected.append(np.mean([entropy(p, q) ** 2 for one, two in pairs for p, q in zip(one, two, strict=True)]))
    assert chroma_distribution_consistency(pictures) == pytest.approx(np.mean(expected))


def test_cdc_of_extremes():
    same = np.full((5, 2, 8, 8), 100, np.uint8)
    assert chroma_distribution_consistency(same) == 0
    other = same.copy()
    other[1] = 101
    assert chroma_distribution_consistency(other[:2]) == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="uint8"):
        chroma_distribution_consistency(same.astype(np.float32))
