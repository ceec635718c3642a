"""Chroma and labels that hold still along a shot.

A confidence-weighted running estimate: what the shot has shown so far is carried to the present frame by the
backward flow, together with its weight (how many frames it stands for), and the network's new answer is averaged
in. Where the present pixel was not visible before, the weight is zero and the new answer counts alone: no ghosts.
The weight is capped, so that the estimate follows slow true changes, and a step is bounded where the estimate is
well founded, so that a change that lasts wins smoothly instead of popping. The idea is that of temporal filters for
rendered or per-frame processed video (Bonneel et al., "Blind Video Temporal Consistency", SIGGRAPH Asia 2015; Yang
et al., "A Survey of Temporal Antialiasing Techniques", 2020), with visibility in place of colour clamping, because
here the new frame is the unsteady one.

The first frame does not decide alone: a shot begins with a pass backwards over its first `LOOKAHEAD` frames.

All is float32 in a fixed order, frame by frame, so the result does not depend on how a shot was cut into chunks,
provided the first chunk holds the look-ahead (or the whole shot).
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np

from .motion import Motion, one_thread
from .warp import halve_flow, remap, sources

__all__ = ["LOOKAHEAD", "Steadier"]

LOOKAHEAD = 12
"""Frames at a shot's beginning that decide together on its first."""

MEMORY = 48.0
"""Most frames that the past may stand for: about two seconds."""

FRESH = 3.0
"""Frames that the first sight of a pixel stands for, since its surroundings correct it (`_shared`); falls to 1 at
MEMORY."""

STEP = 0.5
FOUNDED = 24.0
"""A colour that FOUNDED frames stand behind moves by at most STEP ab units a frame, slower than what the eye calls a
pop, and by a quarter of that unless the difference lasts; with fewer behind it, the bound is larger by their square."""

PERSISTENCE = 12.0
DRIFT = 5.0
"""Frames that differ from the past by DRIFT ab units on an average over about PERSISTENCE of them halve its memory,
by twice that they make it a fifth: a change that lasts is followed within about a second, flicker is not."""

SHARE = 8.0
NEAR = 2.0
"""The error that a new pixel's surroundings share is believed by SHARE / (1 + SHARE); they reach as far as a
Gaussian of standard deviation NEAR, in units of 8 pixels of network size."""

ODD = 8.0
"""Where things move against each other, a pixel that differs by this much (ab units) more than its surroundings
halves its past's weight, twice as much leaves a seventeenth: flow is least exact there, and a colour left behind
would be a ghost."""

OTHER = 0.6
"""The same for labels: share of the probability that has gone to other labels."""

MARGIN = 0.1
"""How much more probable another label must be before it takes a pixel over."""

STATE_VERSION = 1


@dataclass
class _Past:
    """What the shot has shown so far, as seen in its latest frame."""

    ab: np.ndarray  # (2, h/2, w/2) float32
    weight: np.ndarray  # (h/2, w/2) float32, 0..MEMORY: frames that stand behind it
    drift: np.ndarray  # (2, h/4, w/4) float32: what the frames' difference from it is on average
    kinds: np.ndarray  # (K,) int64, ascending: the labels that occur at all; most of the 62 do not
    labels: np.ndarray  # (h/4, w/4, K) float32: their probabilities * 255
    held: np.ndarray  # (h/4, w/4) uint8: the label shown


class Steadier:
    """Steadies the chunks of a film, given in order.

    Args:
        strength: 0 (every frame as the network gave it) to 1.
    """

    def __init__(self, strength: float = 1.0) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"strength is 0 to 1, not {strength}")
        self.strength = strength
        self._past: _Past | None = None

    def blend(
        self, ab: np.ndarray, labels: np.ndarray, motion: Motion, shot_start: int, ends_shot: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Steady colours and labels of the next chunk.

        Args:
            ab: (N, 2, h/2, w/2) float16, CIE Lab a and b of each frame.
            labels: (N, L, h/4, w/4) uint8, label probabilities * 255.
            motion: of the same N frames; its entry 0 leads back to the previous chunk's last frame.
            shot_start: the chunk's first frame, counted from the shot's first; 0 forgets the past.
            ends_shot: whether the shot ends with this chunk; the past is forgotten then.

        Returns:
            The same shapes and types as `ab` and `labels`.
        """
        _check(ab, labels, motion, shot_start)
        if self.strength == 0:
            return ab.copy(), labels.copy()
        if shot_start == 0:
            self._past = None
        elif self._past is None:
            raise ValueError(f"the chunk goes on at frame {shot_start} of a shot of which nothing is known")
        steady_ab, steady_labels = np.empty_like(ab), np.empty_like(labels)
        with one_thread():
            for i in range(len(ab)):
                if self._past is None:
                    self._past, steady_labels[i] = self._look_ahead(ab, labels, motion)
                else:
                    flow, visible = motion.backward[i], motion.backward_visible[i]
                    self._past, steady_labels[i] = self._step(self._past, ab[i], labels[i], flow, visible)
                steady_ab[i] = self._past.ab
        if ends_shot:
            self._past = None
        return steady_ab, steady_labels

    def _look_ahead(self, ab: np.ndarray, labels: np.ndarray, motion: Motion) -> tuple[_Past, np.ndarray]:
        """The first frames of a shot, followed back to the first one."""
        last = min(LOOKAHEAD, len(ab)) - 1
        past, shown = _begin(ab[last], labels[last])
        for i in reversed(range(last)):
            # Backwards in time, the frame that follows is the past.
            flow, visible = motion.forward[i + 1], motion.forward_visible[i + 1]
            past, shown = self._step(past, ab[i], labels[i], flow, visible)
        return past, shown

    def _step(
        self, past: _Past, ab: np.ndarray, labels: np.ndarray, flow: np.ndarray, visible: np.ndarray
    ) -> tuple[_Past, np.ndarray]:
        """The past carried to the present frame and the frame averaged in.

        Args:
            past: as seen in the neighbouring frame.
            ab: (2, h/2, w/2) float16; labels: (L, h/4, w/4) uint8: the network's answer for the present frame.
            flow, visible: (h/2, w/2, 2) and (h/2, w/2): from the present frame to the neighbour.

        Returns:
            The past as seen in the present frame, and the labels to show: like `labels`.
        """
        small_flow = halve_flow(flow)
        where, small_where = sources(flow), sources(small_flow)
        # Visibility 0.8 and above is whole, 0.4 and below none.
        trust = np.clip((visible.astype(np.float32) - 102) / 102, 0, 1)
        weight = remap(past.weight, where) * (trust * np.float32(self.strength))
        size, small = ab.shape[:0:-1], labels.shape[:0:-1]  # (width, height) of chroma and of labels

        edge = _motion_edge(small_flow)

        prior = np.stack([remap(plane, where, cubic=True) for plane in past.ab])
        gap = ab.astype(np.float32) - prior
        shared = _shared(gap, weight)
        # At the edges of moving things an odd colour or another label means that the past is another thing's.
        odd = np.square(gap - shared).sum(0) * np.float32(1 / ODD**2)
        weight *= 1 / (1 + _resize(edge, size) * odd * odd)

        kinds = np.union1d(past.kinds, _kinds(labels))
        new = _pixels(labels, kinds)
        old = remap(_spread(past.labels, past.kinds, kinds), small_where).reshape(new.shape)
        agreement = np.minimum(np.einsum("ijk->ij", np.minimum(old, new)) * np.float32(1 / 255), 1)
        kept = 1 / (1 + edge * np.square(np.square((1 - agreement) * np.float32(1 / OTHER))))
        weight *= _resize(kept, size)
        small_weight = _resize(weight, small)
        new -= old
        new *= (1 / (1 + small_weight))[..., None]
        new += old
        held = cv2.remap(past.held, small_where, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        shown, held = _hold(new, kinds, held, small_weight >= 1, len(labels))
        alive = np.isin(kinds, _kinds(shown))
        if not alive.all():
            kinds, new = kinds[alive], np.ascontiguousarray(new[..., alive])

        # Where the frame reads the picture otherwise than the past did, its colour is doubtful.
        worth = 0.25 + 0.75 * _resize(agreement, size)
        drift = np.stack([remap(plane, small_where) for plane in past.drift])
        known = np.minimum(weight, 1)
        drift += (np.stack([_resize(plane * known, small) for plane in gap]) - drift) * np.float32(1 / PERSISTENCE)
        hurry = 1 + _resize(np.square(drift).sum(0), size) * np.float32(1 / DRIFT**2)

        young = 1 - weight * np.float32(1 / MEMORY)
        step = (gap - shared * young) * (worth / (worth + weight / hurry))
        bound = STEP * np.minimum(hurry / 4, 1) * np.square(np.maximum(FOUNDED / np.maximum(weight, 1e-3), 1))
        step *= bound / np.maximum(bound, cv2.magnitude(step[0], step[1]))
        weight = np.minimum(weight + worth * (1 + (FRESH - 1) * young), np.float32(MEMORY))
        return _Past(prior + step, weight, drift, kinds, new, held), shown

    def state(self) -> bytes:
        """What is remembered, for `restore`: a NumPy archive without pickles, the same bytes for the same past."""
        arrays = {"version": np.int64(STATE_VERSION), "strength": np.float64(self.strength)}
        if self._past is not None:
            arrays |= vars(self._past)
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    def restore(self, state: bytes) -> None:
        """Go on from a `state()`, exactly. A state of another version or strength is refused with ValueError."""
        with np.load(io.BytesIO(state), allow_pickle=False) as arrays:
            if arrays["version"] != STATE_VERSION:
                raise ValueError(f"steadier's state has version {arrays['version']}, expected {STATE_VERSION}")
            if arrays["strength"] != self.strength:
                raise ValueError(f"steadier's state has strength {arrays['strength']}, not {self.strength}")
            names = _Past.__dataclass_fields__
            self._past = _Past(**{name: arrays[name] for name in names}) if "ab" in arrays else None


def _motion_edge(flow: np.ndarray) -> np.ndarray:
    """Where things move against each other nearby: (h, w, 2) flow -> (h, w) float32, 0 no, 1 surely."""
    kernel = np.ones((7, 7), np.uint8)
    spread = cv2.dilate(flow, kernel) - cv2.erode(flow, kernel)
    return np.clip((spread.max(2) - np.float32(0.15)) * np.float32(1 / 0.35), 0, 1)


def _shared(gap: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The smooth part of the frame's difference from the past, wherever it is known, spread to where it is not.

    A per-frame network errs by whole regions. What pixels with a past say of this frame's error holds for a newly
    seen pixel beside them too: it takes the frame's colour at once, less the error that its surroundings share.

    Args:
        gap: (2, H, W) float32, frame minus past; weight: (H, W) float32, how well founded the past is.

    Returns:
        (2, H, W) float32, smaller where little is known around.
    """
    height, width = weight.shape
    small = (width // 4, height // 4)
    known = _blur(_resize(weight, small))
    spread = [_blur(_resize(plane * weight, small)) * (SHARE / ((1 + SHARE) * (known + 1))) for plane in gap]
    return np.stack([_resize(plane, (width, height)) for plane in spread])


def _blur(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), NEAR, borderType=cv2.BORDER_REPLICATE)


def _resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) to (width, height): averaged down or linear up."""
    smaller = size[0] < picture.shape[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _begin(ab: np.ndarray, labels: np.ndarray) -> tuple[_Past, np.ndarray]:
    """A past of one frame, and the labels to show."""
    kinds = _kinds(labels)
    weight, held = np.ones(ab.shape[1:], np.float32), labels.argmax(0).astype(np.uint8)
    drift = np.zeros((2, *labels.shape[1:]), np.float32)
    return _Past(ab.astype(np.float32), weight, drift, kinds, _pixels(labels, kinds), held), labels


def _kinds(labels: np.ndarray) -> np.ndarray:
    """The labels that occur in (L, H, W) uint8; label 0 always counts, so that there is one."""
    occurs = np.array([plane.any() for plane in labels])
    occurs[0] = True
    return np.flatnonzero(occurs)


def _pixels(labels: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """(L, H, W) uint8 -> (H, W, K) float32 of the chosen ones."""
    return cv2.transpose(labels[kinds].reshape(len(kinds), -1)).reshape(*labels.shape[1:], -1).astype(np.float32)


def _spread(labels: np.ndarray, kinds: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(H, W, K) of `kinds` as (H, W, K') of `wanted`, a superset of them."""
    if len(kinds) == len(wanted):
        return labels
    spread = np.zeros((*labels.shape[:2], len(wanted)), np.float32)
    spread[..., np.searchsorted(wanted, kinds)] = labels
    return spread


def _hold(
    labels: np.ndarray, kinds: np.ndarray, held: np.ndarray, known: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Let the label that a pixel already shows keep it until another one is more probable by MARGIN.

    The held label and the most probable one exchange their probabilities, so that they still sum to the same.

    Args:
        labels: (H, W, K) float32, probabilities * 255; kinds: (K,) which labels these are, of `count`.
        held: (H, W) uint8, the label shown before; known: (H, W) bool, where there is one.

    Returns:
        (count, H, W) uint8 probabilities * 255 whose most probable label is the one shown, and that label, (H, W)
        uint8.
    """
    flat = cv2.convertScaleAbs(labels.reshape(-1, len(kinds)))
    pixels, best = np.arange(len(flat)), flat.argmax(1)
    # A held label that occurs nowhere any more has no column; it has lost.
    own_column = np.minimum(np.searchsorted(kinds, held.ravel()), len(kinds) - 1)
    top, own = flat[pixels, best], flat[pixels, own_column]
    keep = known.ravel() & (kinds[own_column] == held.ravel()) & (top - own <= round(255 * MARGIN))
    keep &= own_column != best
    rows, winner, loser = pixels[keep], own_column[keep], best[keep]
    # One more than an equal one: a label must not win a tie by its place in the list.
    flat[rows, winner], flat[rows, loser] = top[keep] + (top[keep] == own[keep]), own[keep]
    best[keep] = winner
    shown = np.zeros((count, len(flat)), np.uint8)
    shown[kinds] = cv2.transpose(flat)
    return shown.reshape(count, *held.shape), kinds[best].astype(np.uint8).reshape(held.shape)


def _check(ab: np.ndarray, labels: np.ndarray, motion: Motion, shot_start: int) -> None:
    grid = motion.backward_visible.shape
    if ab.shape != (grid[0], 2, *grid[1:]):
        raise ValueError(f"ab has shape {ab.shape}, its motion {grid}")
    if labels.ndim != 4 or (labels.shape[0], *labels.shape[2:]) != (grid[0], grid[1] // 2, grid[2] // 2):
        raise ValueError(f"labels have shape {labels.shape}, ab {ab.shape}")
    if ab.dtype != np.float16 or labels.dtype != np.uint8:
        raise ValueError(f"ab is float16 and labels uint8, not {ab.dtype} and {labels.dtype}")
    if shot_start < 0:
        raise ValueError(f"a chunk starts at frame {shot_start} of its shot")
