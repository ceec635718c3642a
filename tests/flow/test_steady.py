"""Properties of steady colours and labels, on motions that are known."""

import cv2
import numpy as np
import pytest
from semcolor.flow import BLOCK, LOOKAHEAD, Motion, Steadier, estimate
from semcolor.flow.lookahead import FIRST_LABELS
from semcolor.flow.metrics import chroma_warp_error, label_churn
from semcolor.models.painter import Painter
from support.films import photo
from support.motions import disc, pan, worn

LABELS = 62


def smooth(rng: np.random.Generator, size: tuple[int, int], reach: float = 8) -> np.ndarray:
    """(2, h, w) float32 random fields of standard deviation 1."""
    planes = [cv2.GaussianBlur(rng.normal(size=size).astype(np.float32), (0, 0), reach) for _ in range(2)]
    return np.stack([plane / plane.std() for plane in planes])


def two_labels(share: np.ndarray, one: int = 3, other: int = 40) -> np.ndarray:
    """(N, h/2, w/2) share of a label -> (N, 62, h/4, w/4) uint8 probabilities * 255."""
    labels = np.zeros((len(share), LABELS, share.shape[1] // 2, share.shape[2] // 2), np.uint8)
    for i, plane in enumerate(share):
        small = cv2.resize(plane.astype(np.float32), labels.shape[:1:-1], interpolation=cv2.INTER_AREA)
        labels[i, one] = np.rint(255 * np.clip(small, 0, 1))
    labels[:, other] = 255 - labels[:, one]
    return labels


def flickering(frames: int = 40, sigma: float = 4):
    """A pan with two colours on it, as a flickering network sees it.

    Returns truth (N, 2, h, w) float32, ab (N, 2, h, w) float16, labels and motion.
    """
    rng = np.random.default_rng(0)
    pictures = pan(frames, 2, 0)
    height, width = pictures.shape[1] // 2, pictures.shape[2] // 2
    x = np.arange(width)[None, :] - np.arange(frames)[:, None]  # one pixel of this grid a frame
    share = np.broadcast_to(((x // 24) % 2)[:, None, :], (frames, height, width)).astype(np.float32)
    truth = np.stack([40 * share - 10, 15 - 30 * share], 1)
    noise = np.stack([smooth(rng, (height, width)) for _ in range(frames)])
    labels = two_labels(0.2 + 0.6 * share + 0.2 * noise[:, 0])
    return truth, (truth + sigma * noise).astype(np.float16), labels, estimate(pictures, None)


def blend(ab, labels, motion, chunk=24, steadier=None):
    """A whole shot, steadied in chunks."""
    steadier = steadier or Steadier()
    done = []
    for start in range(0, len(ab), chunk):
        end = min(start + chunk, len(ab))
        piece = ab[start:end], labels[start:end], motion[start:end]
        done.append(steadier.blend(*piece, start, following(ab, motion, end)))
    return tuple(np.concatenate(arrays) for arrays in zip(*done, strict=True))


def following(ab, motion, end):
    """The argument `after` of `Steadier.blend` for a chunk that ends before frame `end`."""
    stop = min(end + LOOKAHEAD, len(ab))
    return (ab[end:stop], motion[end:stop]) if end < stop else None


def still(frames: int, size: tuple[int, int] = (32, 48)) -> Motion:
    """Motion of a picture that stands still."""
    visible = np.full((frames, *size), 255, np.uint8)
    visible[0] = 0
    flow = np.zeros((frames, *size, 2), np.float32)
    return Motion(flow, flow, visible, visible)


def plain(frames: int, size: tuple[int, int] = (32, 48), a: float = 0, b: float = 0):
    """One colour and one label everywhere."""
    ab = np.empty((frames, 2, *size), np.float16)
    ab[:, 0], ab[:, 1] = a, b
    return ab, two_labels(np.ones((frames, *size)))


def distance(ab: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N, h, w) mean of |a| and |b| errors."""
    return np.abs(ab.astype(np.float32) - truth).mean(1)


def test_flicker_goes_and_color_stays():
    truth, ab, labels, motion = flickering()
    steady, steady_labels = blend(ab, labels, motion)
    assert steady.dtype == np.float16 and steady_labels.dtype == np.uint8
    assert chroma_warp_error(steady, motion) < 0.2 * chroma_warp_error(ab, motion)
    assert distance(steady, truth).mean() < 0.6 * distance(ab, truth).mean()
    assert np.hypot(*steady.astype(np.float32).swapaxes(0, 1)).mean() > 0.97 * np.hypot(*truth.swapaxes(0, 1)).mean()
    assert label_churn(steady_labels, motion) < 0.3 * label_churn(labels, motion)
    sums = steady_labels.sum(1, dtype=np.int64)
    assert abs(sums - 255).max() <= 3


def test_detail_survives_a_long_pan():
    truth, _, labels, motion = flickering(frames=80)
    steady, _ = blend(truth.astype(np.float16), labels, motion)
    contrast = [frames[-1, 0, :, 16:-16].std() for frames in (steady.astype(np.float32), truth)]
    assert contrast[0] > 0.97 * contrast[1]


@pytest.mark.parametrize("chunk", [32, 48])
def test_steady_frames_do_not_depend_on_chunks(chunk):
    _, ab, labels, motion = flickering(frames=56)
    for one, two in zip(blend(ab, labels, motion, 24), blend(ab, labels, motion, chunk), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_restored_state_continues_exactly():
    _, ab, labels, motion = flickering(frames=48)
    whole = Steadier()
    whole.blend(ab[:24], labels[:24], motion[0:24], 0, following(ab, motion, 24))
    state = whole.state()
    assert whole.state() == state
    other = Steadier()
    other.restore(state)
    assert other.state() == state
    rest = ab[24:], labels[24:], motion[24:48], 24, None
    for one, two in zip(whole.blend(*rest), other.blend(*rest), strict=True):
        np.testing.assert_array_equal(one, two)
    assert whole.state() == Steadier().state()  # the shot has ended


def test_an_empty_state_is_restored_too():
    steadier = Steadier()
    ab, labels = plain(16)
    steadier.blend(ab, labels, still(16), 0, (ab, still(16)))
    steadier.restore(Steadier().state())
    with pytest.raises(ValueError, match="nothing is known"):
        steadier.blend(ab, labels, still(16), 16, None)


def test_a_state_of_another_strength_is_refused():
    with pytest.raises(ValueError, match="strength"):
        Steadier(0.5).restore(Steadier().state())


def test_a_cut_forgets():
    _, ab, labels, motion = flickering(frames=24)
    steadier = Steadier()
    steadier.blend(*plain(16, ab.shape[2:], 50, -50), still(16, ab.shape[2:]), 0, None)
    after = steadier.blend(ab, labels, motion, 0, None)
    for one, two in zip(after, blend(ab, labels, motion), strict=True):
        np.testing.assert_array_equal(one, two)


def test_hues_that_differ_do_not_wash_out():
    """The mean of different hues is duller than each of them, so contrast has to be restored."""
    rng = np.random.default_rng(0)
    hue = np.radians(60 + 25 * np.stack([smooth(rng, (64, 96))[0] for _ in range(40)]))
    ab = (30 * np.stack([np.cos(hue), np.sin(hue)], 1)).astype(np.float16)
    steady = blend(ab, plain(40, (64, 96))[1], still(40, (64, 96)))[0].astype(np.float32)
    assert np.hypot(*steady.swapaxes(0, 1)).mean() > 0.97 * 30
    assert chroma_warp_error(steady, still(40, (64, 96))) < 0.05 * chroma_warp_error(ab, still(40, (64, 96)))


@pytest.mark.slow
def test_strength_0_changes_nothing_and_half_lies_between():
    _, ab, labels, motion = flickering()
    errors, churns = [], []
    for strength in (0, 0.25, 0.5, 0.9, 1):
        steady, steady_labels = blend(ab, labels, motion, steadier=Steadier(strength))
        errors.append(chroma_warp_error(steady, motion))
        churns.append(label_churn(steady_labels, motion))
        if strength == 0:
            np.testing.assert_array_equal(steady, ab)
            np.testing.assert_array_equal(steady_labels, labels)
    for figures in (errors, churns):
        assert figures == sorted(figures, reverse=True)
        assert figures[-1] + 0.02 * figures[0] < figures[2] < 0.6 * figures[0]


@pytest.mark.parametrize("sigma", [1, 3])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("step", [2, 6, 12])
def test_no_ghosts(step, flat, sigma):
    """Background has the new frame's colour as soon as the disc uncovers it, even if the labels are the same.

    Background that the disc covers next keeps its own colour until then.
    """
    pictures, masks = disc(14, step, flat=flat)
    rng = np.random.default_rng(0)
    share = np.stack([cv2.resize(mask.astype(np.float32), (96, 64), interpolation=cv2.INTER_AREA) for mask in masks])
    truth = np.stack([50 * share - 10, 55 * share - 30], 1)
    ab = (truth + sigma * np.stack([smooth(rng, (64, 96)) for _ in masks])).astype(np.float16)
    uncovered = np.zeros(share.shape, bool)
    uncovered[1:] = (share[:-1] > 0.99) & (share[1:] < 0.01)
    covered = np.zeros(share.shape, bool)
    covered[:-1] = (share[:-1] < 0.01) & (share[1:] > 0.99)
    motion = estimate(pictures, None)
    for labels in (two_labels(share), two_labels(np.ones_like(share))):
        steady, steady_labels = blend(ab, labels, motion)
        assert distance(steady, truth)[uncovered].mean() <= distance(ab, truth)[uncovered].mean()
        assert distance(steady, truth)[covered].mean() <= distance(ab, truth)[covered].mean() + 0.6
        small = uncovered.reshape(len(share), 32, 2, 48, 2).all((2, 4))
        assert (steady_labels.argmax(1) == labels.argmax(1))[small].all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coffee", "rocket"])
def test_a_still_scene_on_a_worn_print_holds_still(name):
    """The shipped network colours a print with exposure flicker, grain, scratches and dust."""
    picture = cv2.cvtColor(cv2.resize(photo(name), (288, 192), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    thumbs, _ = worn(picture, 30)
    ab, labels = Painter().paint(thumbs)
    steady, _ = blend(ab, labels, estimate(thumbs, None))
    assert ab.astype(np.float32).std(0).mean() > 0.3
    assert steady.astype(np.float32).std(0).mean() <= 0.5


@pytest.mark.slow
def test_color_does_not_breathe_with_the_exposure():
    picture = cv2.cvtColor(cv2.resize(photo("rocket"), (192, 192)), cv2.COLOR_RGB2GRAY)
    thumbs, exposure = worn(picture, 30, grain=0, damage=False)
    ab, labels = Painter().paint(thumbs)
    chroma = [
        np.hypot(*x.astype(np.float32).swapaxes(0, 1)).mean((1, 2))
        for x in (ab, blend(ab, labels, still(30, (96, 96)))[0])
    ]
    per_frame, steady = (abs(np.polyfit(exposure, c, 1)[0]) for c in chroma)  # ab units for twice the exposure
    assert per_frame > 0.5
    assert steady < 0.1 * per_frame


def test_the_first_frame_does_not_decide_alone():
    ab, labels = plain(24, a=20)
    ab[0] = -20
    steady, _ = blend(ab, labels, still(24))
    assert steady[0, 0].mean() > 5
    assert np.abs(np.diff(steady[:, 0].astype(np.float32).mean((1, 2)))).max() < 10
    assert FIRST_LABELS <= 16, "a first chunk holds what the first labels are taken from"


@pytest.mark.parametrize("start", [13, 30, 50])
def test_a_color_that_lasts_wins_without_a_pop(start):
    """A thing in a static picture is read as grey at first and then in its own colour; its surroundings stay."""
    ab, labels = plain(start + 70, a=-10)
    thing = np.s_[:, 0, 8:24, 12:36]
    ab[thing][start:] = 20
    steady = blend(ab, labels, still(len(ab)))[0].astype(np.float32)
    mean = steady[thing].mean((1, 2))
    assert np.abs(np.diff(mean)).max() <= 0.5
    assert mean[-1] > 18
    if start >= BLOCK + LOOKAHEAD:  # the first frame looks no further ahead
        assert mean[0] < -9.8
    assert np.abs(steady[:, 0, :2] + 10).max() < 1


@pytest.mark.parametrize("place", range(BLOCK))
def test_a_color_of_two_frames_hardly_shows(place):
    """Wherever in its block it appears."""
    ab, labels = plain(60)
    ab[40 + place : 42 + place, 0] = 30
    assert blend(ab, labels, still(60))[0].max() <= 2.6


def test_a_label_holds_until_another_is_clearly_more_probable():
    share = np.full((60, 32, 48), 0.6)
    share[20:40] = 0.47  # the other label leads, by less than the margin
    ab = plain(60)[0]
    assert (blend(ab, two_labels(share), still(60))[1].argmax(1) == 3).all()
    share[20:] = 0.2
    assert (blend(ab, two_labels(share), still(60))[1][-1].argmax(0) == 40).all()


def test_unusual_labels_are_accepted():
    """Frames have one label only, no label at all, and one that vanishes."""
    ab = plain(20)[0]
    labels = np.zeros((20, LABELS, 16, 24), np.uint8)
    assert not blend(ab, labels, still(20))[1].any()
    labels[:3, 5] = 255
    shown = blend(ab, labels, still(20))[1]
    assert shown[0, 5].all() and not np.delete(shown, 5, 1).any()


@pytest.mark.slow
def test_results_do_not_depend_on_addresses_in_memory():
    """Vectorised functions may round differently at other addresses, which would change a film's bytes."""
    _, ab, labels, motion = flickering(frames=16)
    pictures = pan(16, 2, 0)
    expected = blend(ab, labels, motion)
    held = []
    for offset in range(0, 64, 4):
        held.append(np.empty(1000 + 4100 * offset, np.uint8))  # so that the next arrays come to lie elsewhere
        moved = [displaced(array, offset) for array in (ab, labels, *vars(motion).values())]
        for one, two in zip(blend(moved[0], moved[1], Motion(*moved[2:])), expected, strict=True):
            np.testing.assert_array_equal(one, two)
        for one, two in zip(
            vars(estimate(displaced(pictures, offset), None)).values(), vars(motion).values(), strict=True
        ):
            np.testing.assert_array_equal(one, two)


def displaced(array: np.ndarray, offset: int) -> np.ndarray:
    """A copy that begins `offset` bytes after a multiple of 64."""
    room = np.empty(array.nbytes + 128, np.uint8)
    start = -room.ctypes.data % 64 + offset
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def test_read_only_arrays_are_accepted():
    """Arrays that come from shared memory are read-only."""
    _, ab, labels, motion = flickering(frames=16)
    expected = blend(ab, labels, motion)
    for array in (ab, labels, *vars(motion).values()):
        array.flags.writeable = False
    for one, two in zip(blend(ab, labels, motion), expected, strict=True):
        np.testing.assert_array_equal(one, two)


def test_wrong_shapes_are_refused():
    ab, labels = plain(16)
    steadier = Steadier()
    with pytest.raises(ValueError, match="ab has shape"):
        steadier.blend(ab[:15], labels, still(16), 0, None)
    with pytest.raises(ValueError, match="labels have shape"):
        steadier.blend(ab, labels[:, :, 1:], still(16), 0, None)
    with pytest.raises(ValueError, match="float16"):
        steadier.blend(ab.astype(np.float32), labels, still(16), 0, None)
    with pytest.raises(ValueError, match="strength"):
        Steadier(1.5)
