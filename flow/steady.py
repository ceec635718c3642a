"""Chroma and labels that hold still along a shot.

A confidence-weighted running estimate: what the shot has shown so far is carried to the present frame by the
backward flow, together with its weight (how many frames it stands for), and the network's new answer, averaged with
those that follow it (see `lookahead`), is averaged in. Where the present pixel was not visible before, the weight is
zero and the new answer counts alone: no ghosts.
The weight is capped, so that the estimate follows slow true changes, and a step is bounded where the estimate is
well founded, so that a change that lasts wins smoothly instead of popping. The idea is that of temporal filters for
rendered or per-frame processed video (Bonneel et al., "Blind Video Temporal Consistency", SIGGRAPH Asia 2015; Yang
et al., "A Survey of Temporal Antialiasing Techniques", 2020), with visibility in place of colour clamping, because
here the new frame is the unsteady one.

A mean of frames has less contrast in its colours than the frames: where they differ they cancel each other. How much
more each frame has is averaged too, one number, and what is shown is stretched by it away from a point a third of the
way from grey to the picture's mean colour: steady, but not washed out. That this is the same everywhere matters: where
readings differ most, a stronger colour would most often be a stronger mistake.

A shot's first frame shows what it and those that follow say of its colours, and the label that its first frames,
followed back to it, agree on.

All is float32 in a fixed order, frame by frame, so the result does not depend on how a shot was cut into chunks.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .confidence import motion_edge, shared, sight, suspicion
from .hysteresis import hold, pixels, total
from .lookahead import BLOCK, LOOKAHEAD, average_ahead
from .motion import Motion, one_thread
from .planes import halve, length, resize
from .warp import remap, sources

__all__ = ["STATE_VERSION", "Steadier"]

MEMORY = 24.0
"""Most frames that the past may stand for: about a second."""

STEP = 0.4
FOUNDED = 24.0
"""A colour that FOUNDED frames stand behind moves by at most STEP ab units a frame, slower than what the eye calls a
pop, and by a quarter of that unless the difference lasts; with fewer behind it, the bound is larger by their square."""

PERSISTENCE = 12.0
DRIFT = 2.5
"""Frames that differ from the past by DRIFT ab units on an average over about PERSISTENCE of them halve its memory,
by twice that they make it a fifth: a change that lasts is followed within about a second, flicker is not."""

SHARE = 0.2
"""A newly seen pixel takes the frame's colour at once, less so much of the error that its surroundings share."""

ODD = 2.5
"""How odd a colour must be beside the past for this to lose half of its weight; see `suspicion`."""

OTHER = 0.6
"""What ODD times the average is for colours, for labels: share of the probability that has gone to other labels."""

SURE = 8.0
"""A label is known after fewer frames than a colour: of those that stand behind a pixel each counts so many times, up
to MEMORY in all."""

KNOWN = 0.05
"""Frames that must stand behind a pixel for its label to be held against others."""

KEPT = 0.96
STRETCH = 1.11
BREATH = 10.0
"""The contrast of a mean of colours is raised to KEPT of that of the colours themselves, noise being contrast too, by
STRETCH at most, and follows them within about BREATH frames: one odd frame must not make the film breathe."""

STATE_VERSION = 4
"""Another one for whatever changes the colours of a shot that goes on: runs never mix two."""


@dataclass
class _Past:
    """What the shot has shown so far, as seen in its latest frame."""

    ab: np.ndarray  # (2, h/2, w/2) float32
    gain: np.floating  # float32: by what the contrast is to be raised, on average
    weight: np.ndarray  # (h/2, w/2) float32, 0..MEMORY: frames that stand behind it
    drift: np.ndarray  # (2, h/4, w/4) float32: what the frames' difference from it is on average
    labels: np.ndarray  # (h/4, w/4, L) float32: probabilities * 255
    held: np.ndarray  # (h/4, w/4) uint8: the label shown

    def shown(self) -> np.ndarray:
        """(2, h/2, w/2) float32: the colour of a frame."""
        fixed = _mean(self.ab) / 3
        return fixed + (self.ab - fixed) * np.maximum(self.gain, 1)


_Answer = tuple[np.ndarray, np.floating, np.ndarray]  # `ab`, `spread` and `labels` of `Steadier._step`


class Steadier:
    """Steadies the chunks of a film, given in order.

    Args:
        strength: 0 (every frame as the network gave it, exactly) to 1. In between, the past loses part of its weight
            with each frame: at 0.5 a colour stands for about two frames each way, and flickers a third to two thirds
            as much as the network's; at 0.9 it is nearly as steady as at 1.
    """

    def __init__(self, strength: float = 1.0) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"strength is 0 to 1, not {strength}")
        self.strength = strength
        self._past: _Past | None = None

    def blend(
        self,
        ab: np.ndarray,
        labels: np.ndarray,
        motion: Motion,
        shot_start: int,
        after: tuple[np.ndarray, Motion] | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Steady colours and labels of the next chunk.

        Args:
            ab: (N, 2, h/2, w/2) float16, CIE Lab a and b of each frame.
            labels: (N, L, h/4, w/4) uint8, label probabilities * 255.
            motion: of the same N frames; its entry 0 leads back to the previous chunk's last frame.
            shot_start: the chunk's first frame, counted from the shot's first; 0 forgets the past.
            after: ab and motion of the frames that follow in the shot, at least `LOOKAHEAD` of them or all there are;
                None: the shot ends with this chunk, and the past is forgotten. N is a multiple of `BLOCK` otherwise.

        Returns:
            The same shapes and types as `ab` and `labels`.
        """
        _check(ab, labels, motion, shot_start, after)
        if self.strength == 0:
            return ab.copy(), labels.copy()
        if shot_start == 0:
            self._past = None
        elif self._past is None:
            raise ValueError(f"the chunk goes on at frame {shot_start} of a shot of which nothing is known")
        steady_ab, steady_labels = np.empty_like(ab), np.empty_like(labels)
        with one_thread():
            frames = ab.astype(np.float32)
            means = average_ahead(frames, motion, after, self.strength)
            answers = [(means[i], _spread(frames[i]), labels[i]) for i in range(len(ab))]
            for i, answer in enumerate(answers):
                if self._past is None:
                    self._past, steady_labels[i] = self._first(answers[: BLOCK + LOOKAHEAD], motion)
                else:
                    flow, visible = motion.backward[i], motion.backward_visible[i]
                    self._past, steady_labels[i] = self._step(self._past, *answer, flow, visible)
                steady_ab[i] = self._past.shown()
        if after is None:
            self._past = None
        return steady_ab, steady_labels

    def _first(self, answers: list[_Answer], motion: Motion) -> tuple[_Past, np.ndarray]:
        """The first frames of a shot, followed back to the first one, which has its own colours."""
        past, shown = _begin(*answers[-1])
        for i in reversed(range(len(answers) - 1)):
            # Backwards in time, the frame that follows is the past.
            flow, visible = motion.forward[i + 1], motion.forward_visible[i + 1]
            past, shown = self._step(past, *answers[i], flow, visible)
        return replace(past, ab=answers[0][0]), shown

    def _step(
        self,
        past: _Past,
        ab: np.ndarray,
        spread: np.floating,
        labels: np.ndarray,
        flow: np.ndarray,
        visible: np.ndarray,
    ) -> tuple[_Past, np.ndarray]:
        """The past carried to the present frame and the frame averaged in.

        Args:
            past: as seen in the neighbouring frame.
            ab: (2, h/2, w/2) float32, the present frame averaged with those that follow.
            spread: contrast of the frame's own colours.
            labels: (L, h/4, w/4) uint8, the network's answer for the frame.
            flow, visible: (h/2, w/2, 2) and (h/2, w/2): from the present frame to the neighbour.

        Returns:
            The past as seen in the present frame, and the labels to show: like `labels`.
        """
        where, small_where = sources(flow), sources(halve(flow) * np.float32(0.5))
        size, small = ab.shape[:0:-1], labels.shape[:0:-1]  # (width, height) of chroma and of labels
        # One remap of three channels takes less time than three of one.
        *linear, weight = cv2.split(remap(cv2.merge([*past.ab, past.weight]), where))
        weight *= sight(visible) * np.float32(self.strength)

        edge = motion_edge(flow)
        wide_edge = resize(edge, size)
        # Bicubic keeps detail; but where the past is warped along an edge for long, it would ring.
        prior = np.stack([remap(plane, where, cubic=True) for plane in past.ab])
        prior += (np.stack(linear) - prior) * wide_edge
        gap = ab - prior
        common = shared(gap, weight) * np.float32(SHARE)
        weight /= 1 + suspicion(gap - common, weight, visible, wide_edge, ODD)

        # Where things move against each other, another label means as well that the past is another thing's.
        old, new = remap(past.labels, small_where), pixels(labels)
        new -= old
        changed = np.minimum(total(np.abs(new)) * np.float32(0.5 / 255), 1)  # 0 the same labels .. 1 all others
        weight *= resize(1 / (1 + edge * np.square(np.square(changed * np.float32(1 / OTHER)))), size)
        small_weight = resize(weight, small)
        new *= (1 / (1 + np.minimum(small_weight * np.float32(SURE), np.float32(MEMORY))))[..., None]
        new += old
        held = cv2.remap(past.held, small_where, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        shown, held = hold(new, held, small_weight >= KNOWN)

        # Where the frame reads the picture otherwise than the past did, its colour is doubtful.
        worth = 1 - 0.75 * resize(changed, size)
        drift = np.stack([remap(plane, small_where) for plane in past.drift])
        known = np.minimum(weight, 1)
        drift += (np.stack([resize(plane * known, small) for plane in gap]) - drift) * np.float32(1 / PERSISTENCE)
        hurry = 1 + resize(np.square(drift).sum(0), size) * np.float32(1 / DRIFT**2)

        young, rate = 1 - weight * np.float32(1 / MEMORY), worth / (worth + weight / hurry)
        step = (gap - common * young) * rate
        bound = STEP * np.minimum(hurry / 4, 1) * np.square(np.maximum(FOUNDED / np.maximum(weight, 1e-3), 1))
        step *= bound / np.maximum(bound, length(*step))
        weight = np.minimum(weight + worth, np.float32(MEMORY))
        steady = prior + step
        gain = past.gain + (_gain(spread, steady) - past.gain) * np.float32(1 / BREATH)
        return _Past(steady, gain, weight, drift, new, held), shown

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


def _mean(ab: np.ndarray) -> np.ndarray:
    """(2, H, W) float32 -> (2, 1, 1): the picture's mean colour."""
    return ab.mean((1, 2), keepdims=True)


def _spread(ab: np.ndarray) -> np.float32:
    """Contrast of colours (2, H, W) float32: their mean distance from the picture's mean colour, at least a tenth."""
    return np.maximum(length(*(ab - _mean(ab))).mean(), np.float32(0.1))


def _gain(spread: np.floating, ab: np.ndarray) -> np.floating:
    """What raises the contrast of `ab` to KEPT of `spread`, within STRETCH."""
    return np.clip(spread / _spread(ab) * np.float32(KEPT), np.float32(2 - STRETCH), np.float32(STRETCH))


def _begin(ab: np.ndarray, spread: np.floating, labels: np.ndarray) -> tuple[_Past, np.ndarray]:
    """A past of one frame, and the labels to show."""
    weight, drift = np.ones(ab.shape[1:], np.float32), np.zeros((2, *labels.shape[1:]), np.float32)
    return _Past(ab, _gain(spread, ab), weight, drift, pixels(labels), labels.argmax(0).astype(np.uint8)), labels


def _check(
    ab: np.ndarray, labels: np.ndarray, motion: Motion, shot_start: int, after: tuple[np.ndarray, Motion] | None
) -> None:
    for colours, its in ((ab, motion), *([after] if after else [])):
        count, *grid = its.backward_visible.shape
        if colours.shape != (count, 2, *grid):
            raise ValueError(f"ab has shape {colours.shape}, its motion {(count, *grid)}")
        if colours.dtype != np.float16:
            raise ValueError(f"ab is float16, not {colours.dtype}")
    if labels.ndim != 4 or (len(labels), *labels.shape[2:]) != (len(ab), ab.shape[2] // 2, ab.shape[3] // 2):
        raise ValueError(f"labels have shape {labels.shape}, ab {ab.shape}")
    if labels.dtype != np.uint8:
        raise ValueError(f"labels are uint8, not {labels.dtype}")
    if shot_start < 0 or shot_start % BLOCK:
        raise ValueError(f"a chunk starts at a multiple of {BLOCK} frames of its shot, not at {shot_start}")
    if after and len(ab) % BLOCK:
        raise ValueError(f"{len(ab)} frames that do not end their shot are no multiple of {BLOCK}")
