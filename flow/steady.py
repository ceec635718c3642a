"""Chroma and labels that hold still along a shot.

A confidence-weighted running estimate: what the shot has shown so far is carried to the present frame by the
backward flow, together with its weight (how many frames it stands for), and the network's new answer is averaged
in. Where the present pixel was not visible before, the weight is zero and the new answer counts alone: no ghosts.
The weight is capped, so that the estimate follows slow true changes, and a step is bounded where the estimate is
well founded, so that a change that lasts wins smoothly instead of popping. The idea is that of temporal filters for
rendered or per-frame processed video (Bonneel et al., "Blind Video Temporal Consistency", SIGGRAPH Asia 2015; Yang
et al., "A Survey of Temporal Antialiasing Techniques", 2020), with visibility in place of colour clamping, because
here the new frame is the unsteady one.

A mean of frames has less contrast in its colours than the frames: where they differ they cancel each other. How much
more each frame has is averaged too, one number, and what is shown is stretched by it away from a point half way
between grey and the picture's mean colour: steady, but not washed out. That this is the same everywhere matters: where
readings differ most, a stronger colour would most often be a stronger mistake.

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
from .warp import halve, length, remap, sources

__all__ = ["LOOKAHEAD", "Steadier"]

LOOKAHEAD = 12
"""Frames at a shot's beginning that decide together on its first."""

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

SHARE = 2.0
NEAR = 2.0
"""The error that a new pixel's surroundings share is believed by SHARE / (1 + SHARE); they reach as far as a
Gaussian of standard deviation NEAR, in units of 8 pixels of network size."""

ODD = 3.0
"""Where things move against each other, a pixel that differs by ODD times as much as this frame's pixels do on an
average halves its past's weight, twice as much leaves a seventeenth: flow is least exact there, and a colour left
behind would be a ghost. Measured by the frame itself, since networks differ in how much they flicker."""

QUIET = 0.4
"""Least (ab units) that the pixels count as differing on an average, however quiet the network."""

OTHER = 0.6
"""What ODD times the average is for colours, for labels: share of the probability that has gone to other labels."""

SURE = 8.0
"""A label is known after fewer frames than a colour: of those that stand behind a pixel each counts so many times, up
to MEMORY in all."""

MARGIN, KNOWN = 0.1, 0.05
"""How much more probable another label must be before it takes over a pixel that so many frames have shown."""

KEPT = 0.97
STRETCH = 1.1
"""The contrast of a mean of colours is raised to KEPT of that of the colours themselves, noise being contrast too, and
by STRETCH at most."""

STATE_VERSION = 3


@dataclass
class _Past:
    """What the shot has shown so far, as seen in its latest frame."""

    ab: np.ndarray  # (2, h/2, w/2) float32
    contrast: np.floating  # float32: that of the frames' colours by that of the mean, on average
    weight: np.ndarray  # (h/2, w/2) float32, 0..MEMORY: frames that stand behind it
    drift: np.ndarray  # (2, h/4, w/4) float32: what the frames' difference from it is on average
    labels: np.ndarray  # (h/4, w/4, L) float32: probabilities * 255
    held: np.ndarray  # (h/4, w/4) uint8: the label shown

    def shown(self) -> np.ndarray:
        """(2, h/2, w/2) float32: the colour of a frame."""
        fixed = _mean(self.ab) / 2
        return fixed + (self.ab - fixed) * np.clip(self.contrast * np.float32(KEPT), 1, np.float32(STRETCH))


class Steadier:
    """Steadies the chunks of a film, given in order.

    Args:
        strength: 0 (every frame as the network gave it, exactly) to 1. In between, the past loses part of its weight
            with each frame: at 0.5 a colour stands for about two frames, and flickers a fifth to a third as much as
            the network's; at 0.9 it is nearly as steady as at 1.
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
                steady_ab[i] = self._past.shown()
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
        planes = [halve(plane) for plane in cv2.split(flow)]
        where, small_where = sources(flow), sources(cv2.merge(planes) * np.float32(0.5))
        size, small = ab.shape[:0:-1], labels.shape[:0:-1]  # (width, height) of chroma and of labels
        # One remap of three channels takes less time than three of one.
        *linear, weight = cv2.split(remap(cv2.merge([*past.ab, past.weight]), where))
        # Visibility 0.8 and above is whole, 0.4 and below none.
        seen = visible.astype(np.float32) * np.float32(1 / 204)
        weight *= np.clip(2 * seen - 1, 0, 1) * np.float32(self.strength)

        edge = _motion_edge(planes)
        wide_edge = _resize(edge, size)
        # Bicubic keeps detail; but where the past is warped along an edge for long, it would ring.
        prior = np.stack([remap(plane, where, cubic=True) for plane in past.ab])
        prior += (np.stack(linear) - prior) * wide_edge
        ab = ab.astype(np.float32)
        gap = ab - prior
        shared = _shared(gap, weight)
        # At the edges of moving things an odd colour or another label means that the past is another thing's; where the
        # picture leaves a doubt, a colour twice as odd does.
        odd = length(*(gap - shared))
        usual = max(cv2.mean(odd, (weight >= 1).view(np.uint8))[0], QUIET)
        suspect = np.maximum(wide_edge, np.clip(5 - 4 * seen, 0, 1) / 16)
        weight /= 1 + suspect * np.square(np.square(odd * np.float32(1 / (ODD * usual))))

        old, new = remap(past.labels, small_where), _pixels(labels)
        new -= old
        changed = np.minimum(_sum(np.abs(new)) * np.float32(0.5 / 255), 1)  # 0 the same labels .. 1 all others
        weight *= _resize(1 / (1 + edge * np.square(np.square(changed * np.float32(1 / OTHER)))), size)
        small_weight = _resize(weight, small)
        new *= (1 / (1 + np.minimum(small_weight * np.float32(SURE), np.float32(MEMORY))))[..., None]
        new += old
        held = cv2.remap(past.held, small_where, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        shown, held = _hold(new, held, small_weight >= KNOWN)

        # Where the frame reads the picture otherwise than the past did, its colour is doubtful.
        worth = 1 - 0.75 * _resize(changed, size)
        drift = np.stack([remap(plane, small_where) for plane in past.drift])
        known = np.minimum(weight, 1)
        drift += (np.stack([_resize(plane * known, small) for plane in gap]) - drift) * np.float32(1 / PERSISTENCE)
        hurry = 1 + _resize(np.square(drift).sum(0), size) * np.float32(1 / DRIFT**2)

        young, rate = 1 - weight * np.float32(1 / MEMORY), worth / (worth + weight / hurry)
        step = (gap - shared * young) * rate
        bound = STEP * np.minimum(hurry / 4, 1) * np.square(np.maximum(FOUNDED / np.maximum(weight, 1e-3), 1))
        step *= bound / np.maximum(bound, length(*step))
        weight = np.minimum(weight + worth, np.float32(MEMORY))
        steady = prior + step
        contrast = past.contrast + (_spread(ab) / _spread(steady) - past.contrast) * rate.mean()
        return _Past(steady, contrast, weight, drift, new, held), shown

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


def _motion_edge(flow: list[np.ndarray]) -> np.ndarray:
    """Where things move against each other nearby: x and y of a flow, (h, w) float32 -> (h, w), 0 no .. 1 surely."""
    kernel = np.ones((7, 7), np.uint8)
    spread = np.maximum(*(cv2.dilate(plane, kernel) - cv2.erode(plane, kernel) for plane in flow))
    return np.clip((spread - np.float32(0.3)) * np.float32(1 / 0.7), 0, 1)


def _shared(gap: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The smooth part of the frame's difference from the past, wherever it is known, spread to where it is not.

    A per-frame network errs by whole regions. What pixels with a past say of this frame's error holds for a newly
    seen pixel beside them too: it takes the frame's colour at once, less the error that its surroundings share.

    Args:
        gap: (C, H, W) float32, frame minus past; weight: (H, W) float32, how well founded the past is.

    Returns:
        (C, H, W) float32, smaller where little is known around.
    """
    height, width = weight.shape
    small = (width // 4, height // 4)
    known = _blur(_resize(weight, small))
    spread = [_blur(_resize(plane * weight, small)) * (SHARE / ((1 + SHARE) * (known + 1))) for plane in gap]
    return np.stack([_resize(plane, (width, height)) for plane in spread])


def _mean(ab: np.ndarray) -> np.ndarray:
    """(2, H, W) float32 -> (2, 1, 1): the picture's mean colour."""
    return ab.mean((1, 2), keepdims=True)


def _spread(ab: np.ndarray) -> np.float32:
    """Contrast of colours (2, H, W) float32: their mean distance from the picture's mean colour, at least a tenth."""
    return np.maximum(length(*(ab - _mean(ab))).mean(), np.float32(0.1))


def _blur(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), NEAR, borderType=cv2.BORDER_REPLICATE)


def _resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) to (width, height): averaged down or linear up."""
    smaller = size[0] < picture.shape[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _begin(ab: np.ndarray, labels: np.ndarray) -> tuple[_Past, np.ndarray]:
    """A past of one frame, and the labels to show."""
    ab = ab.astype(np.float32)
    weight, drift = np.ones(ab.shape[1:], np.float32), np.zeros((2, *labels.shape[1:]), np.float32)
    return _Past(ab, np.float32(1), weight, drift, _pixels(labels), labels.argmax(0).astype(np.uint8)), labels


def _pixels(labels: np.ndarray) -> np.ndarray:
    """(L, H, W) uint8 -> (H, W, L) float32."""
    return cv2.transpose(labels.reshape(len(labels), -1)).astype(np.float32).reshape(*labels.shape[1:], -1)


def _sum(labels: np.ndarray) -> np.ndarray:
    """(H, W, L) float32 -> (H, W): over all labels."""
    return cv2.reduce(labels.reshape(-1, labels.shape[2]), 1, cv2.REDUCE_SUM).reshape(labels.shape[:2])


def _hold(labels: np.ndarray, held: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Let the label that a pixel already shows keep it until another one is more probable by MARGIN.

    The held label and the most probable one exchange their probabilities, so that they still sum to the same.

    Args:
        labels: (H, W, L) float32, probabilities * 255.
        held: (H, W) uint8, the label shown before; known: (H, W) bool, where there is one.

    Returns:
        (L, H, W) uint8 probabilities * 255 whose most probable label is the one shown, and that label, (H, W)
        uint8.
    """
    flat = cv2.transpose(cv2.convertScaleAbs(labels.reshape(-1, labels.shape[2])))  # (L, H * W)
    shown, pixels = held.ravel(), np.arange(held.size)
    best, top = _most_probable(flat)
    own = flat[shown, pixels]
    keep = known.ravel() & (top - own <= round(255 * MARGIN))
    swap = np.flatnonzero(keep & (best != shown))
    # One more than an equal one: a label must not win a tie by its place in the list.
    flat[shown[swap], swap] = (top + (top == own))[swap]
    flat[best[swap], swap] = own[swap]
    return flat.reshape(-1, *held.shape), np.where(keep, shown, best).reshape(held.shape)


def _most_probable(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(L, n) uint8 -> the most probable label of each column, the first of equals, and its probability; (n,) uint8.

    Like `argmax` and `max` along axis 0, in a third of the time.
    """
    rank = labels.astype(np.uint16) << 8
    rank |= np.arange(255, 255 - len(labels), -1, dtype=np.uint16)[:, None]
    best = rank.max(0)
    return (255 - (best & 255)).astype(np.uint8), (best >> 8).astype(np.uint8)


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
