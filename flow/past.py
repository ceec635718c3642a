"""The past of a shot: its mean colours and labels so far, and how one more frame is averaged into them.

`steady` explains the method and calls this module frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from .confidence import carried_share, common_error, ghost_suspicion, motion_edge
from .hysteresis import hold, label_sum, labels_last
from .planes import halve, length, resize
from .warp import remap, sources

MAX_WEIGHT = 24.0
"""Most frames that the past may stand for: about a second."""

MAX_STEP = 0.4
"""Most that a well-founded colour moves in one frame, in ab units: slower than what the eye calls a pop.

Only a lasting difference moves it so fast; any other one by at most a quarter of that (see FULL_STEP_HURRY)."""

WELL_FOUNDED = 24.0
"""Weight from which on a colour is well founded. Below it, the bound is larger by the square of the ratio."""

DRIFT_FRAMES = 12.0
"""Number of frames over which the difference from the past is averaged, about."""

LASTING_DRIFT = 2.5
"""Average difference, in ab units, that halves the past's memory; twice as much leaves a fifth of it.

So a change that lasts is followed within about a second, and flicker is not."""

FULL_STEP_HURRY = 4
"""Hurry (`hurry` in `_merge_colors`) from which on a step may be as large as MAX_STEP."""

COMMON_ERROR_SHARE = 0.2
"""For a newly visible pixel, this share of the surroundings' common error is subtracted from the frame's colour."""

GHOST_RATIO = 2.5
"""A past that differs by this many times the usual difference loses half of its weight; see `ghost_suspicion`."""

GHOST_LABEL_SHARE = 0.6
"""Share of the label probability that must change for the past to lose half of its weight on a motion edge: the label
counterpart of GHOST_RATIO."""

RELABELED_DOUBT = 0.75
"""Share of a frame's weight that is lost where all of its label probability differs from the past's."""

LABEL_WEIGHT = 8.0
"""A label is known after fewer frames than a colour: a pixel's weight counts this many times for labels, up to
MAX_WEIGHT in all."""

MIN_HELD_WEIGHT = 0.05
"""Weight from which on a pixel's label is held against other labels."""

KEPT_CONTRAST = 0.96
"""Averaging lowers the contrast of colours. It is restored to this share of a single frame's contrast. The rest is
noise."""

MAX_STRETCH = 1.11
"""Contrast is raised by at most this factor."""

STRETCH_FRAMES = 10.0
"""The factor follows the frames within about this many of them: one odd frame must not make the film breathe."""

PIVOT_DIVISOR = 3
"""Contrast is stretched away from the picture's mean colour divided by this."""

MIN_SPREAD = 0.1
"""Least contrast of colours, in ab units, so that the factor stays finite."""


@dataclass
class Past:
    """What the shot has shown so far, as seen in its latest frame. The field names are part of saved states."""

    ab: np.ndarray
    """(2, h/2, w/2) float32: mean colour."""
    gain: np.floating
    """float32: the average factor that the contrast is to be raised by."""
    weight: np.ndarray
    """(h/2, w/2) float32, 0 to MAX_WEIGHT: number of frames that the colour stands for."""
    drift: np.ndarray
    """(2, h/4, w/4) float32: average difference of the frames from the past."""
    labels: np.ndarray
    """(h/4, w/4, L) float32: label probabilities * 255."""
    held: np.ndarray
    """(h/4, w/4) uint8: the label shown."""

    def shown(self) -> np.ndarray:
        """(2, h/2, w/2) float32: the colours to show."""
        pivot = _mean_color(self.ab) / PIVOT_DIVISOR
        return pivot + (self.ab - pivot) * np.maximum(self.gain, 1)


class Answer(NamedTuple):
    """What the network says of one frame."""

    ab: np.ndarray
    """(2, h/2, w/2) float32: the frame's colours, averaged with those that follow."""
    spread: np.floating
    """Contrast of the frame's own colours."""
    labels: np.ndarray
    """(L, h/4, w/4) uint8: label probabilities * 255."""


@dataclass
class _Carried:
    """The past's colours, carried to the present frame, and the frame's difference from them."""

    prior: np.ndarray
    """(2, h/2, w/2) float32: mean colour."""
    weight: np.ndarray
    """(h/2, w/2) float32: number of frames that it still stands for."""
    edge: np.ndarray
    """(h/4, w/4) float32: motion edges."""
    gap: np.ndarray
    """(2, h/2, w/2) float32: the frame's colours minus `prior`."""
    common: np.ndarray
    """(2, h/2, w/2) float32: the part of `gap` that newly visible pixels take for an error."""
    small_where: np.ndarray
    """(h/4, w/4, 2) float32: each label pixel's place in the neighbouring frame."""


def begin(answer: Answer) -> tuple[Past, np.ndarray]:
    """A past of one frame, and the labels to show."""
    ab, spread, labels = answer
    weight, drift = np.ones(ab.shape[1:], np.float32), np.zeros((2, *labels.shape[1:]), np.float32)
    held = labels.argmax(0).astype(np.uint8)
    return Past(ab, _gain(spread, ab), weight, drift, labels_last(labels), held), labels


def step(past: Past, answer: Answer, flow: np.ndarray, visible: np.ndarray, strength: float) -> tuple[Past, np.ndarray]:
    """The past carried to the present frame, and the frame averaged in.

    Args:
        past: as seen in the neighbouring frame.
        answer: of the present frame.
        flow: (h/2, w/2, 2) float32, from the present frame to the neighbour.
        visible: (h/2, w/2) uint8, how surely each pixel is visible in the neighbour.
        strength: share of its weight that the past keeps, 0 to 1.

    Returns:
        The past as seen in the present frame, and the labels to show, like `answer.labels`.
    """
    carried = _carry_past(past, answer.ab, flow, visible, strength)
    changed, labels, held, shown = _merge_labels(past, answer.labels, carried)
    ab, weight, drift = _merge_colors(past, carried, changed)
    gain = past.gain + (_gain(answer.spread, ab) - past.gain) * np.float32(1 / STRETCH_FRAMES)
    return Past(ab, gain, weight, drift, labels, held), shown


def _carry_past(past: Past, ab: np.ndarray, flow: np.ndarray, visible: np.ndarray, strength: float) -> _Carried:
    """Carry the past's colours to the present frame, whose colours are `ab`; weight is lost where they look like a
    ghost."""
    where = sources(flow)
    # One remap of three channels takes less time than three of one.
    *linear, weight = cv2.split(remap(cv2.merge([*past.ab, past.weight]), where))
    weight *= carried_share(visible) * np.float32(strength)

    edge = motion_edge(flow)
    wide_edge = resize(edge, ab.shape[:0:-1])
    # Bicubic warping keeps detail, but where the past is warped along an edge for long, it would ring.
    prior = np.stack([remap(plane, where, cubic=True) for plane in past.ab])
    prior += (np.stack(linear) - prior) * wide_edge
    gap = ab - prior
    common = common_error(gap, weight) * np.float32(COMMON_ERROR_SHARE)
    weight /= 1 + ghost_suspicion(gap - common, weight, visible, wide_edge, GHOST_RATIO)
    return _Carried(prior, weight, edge, gap, common, sources(halve(flow) * np.float32(0.5)))


def _merge_labels(
    past: Past, labels: np.ndarray, carried: _Carried
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The frame's labels averaged with the past's. `carried.weight` falls on motion edges where labels changed.

    Args:
        past: as seen in the neighbouring frame.
        labels: (L, h/4, w/4) uint8, the network's answer for the frame.
        carried: the past's colours, carried to the present frame.

    Returns:
        Four arrays: the share of label probability that changed, (h/4, w/4) float32, 0 (the same labels) to 1 (all
        others); the new `labels` and `held` of `Past`; and the labels to show, like `labels`.
    """
    small = labels.shape[:0:-1]
    old, new = remap(past.labels, carried.small_where), labels_last(labels)
    new -= old
    # What one label loses another one gains, so half of the sum of changes has changed.
    changed = np.minimum(label_sum(np.abs(new)) * np.float32(0.5 / 255), 1)
    # On a motion edge, another label is one more sign that the past is another thing's.
    other = np.square(np.square(changed * np.float32(1 / GHOST_LABEL_SHARE)))
    carried.weight *= resize(1 / (1 + carried.edge * other), carried.weight.shape[::-1])
    weight = resize(carried.weight, small)
    new *= (1 / (1 + np.minimum(weight * np.float32(LABEL_WEIGHT), np.float32(MAX_WEIGHT))))[..., None]
    new += old
    held = cv2.remap(past.held, carried.small_where, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    shown, held = hold(new, held, weight >= MIN_HELD_WEIGHT)
    return changed, new, held, shown


def _merge_colors(past: Past, carried: _Carried, changed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The frame's colours averaged with the past's.

    Args:
        past: as seen in the neighbouring frame.
        carried: the past's colours, carried to the present frame.
        changed: (h/4, w/4) float32, the share of label probability that changed.

    Returns:
        The new `ab`, `weight` and `drift` of `Past`.
    """
    weight, gap = carried.weight, carried.gap
    size, small = weight.shape[::-1], changed.shape[::-1]
    # Where the frame's labels differ from the past's, its colour is doubtful.
    worth = 1 - RELABELED_DOUBT * resize(changed, size)
    drift = np.stack([remap(plane, carried.small_where) for plane in past.drift])
    known = np.minimum(weight, 1)
    drift += (np.stack([resize(plane * known, small) for plane in gap]) - drift) * np.float32(1 / DRIFT_FRAMES)
    # By this factor a lasting difference shortens the past's memory.
    hurry = 1 + resize(np.square(drift).sum(0), size) * np.float32(1 / LASTING_DRIFT**2)

    young, rate = 1 - weight * np.float32(1 / MAX_WEIGHT), worth / (worth + weight / hurry)
    step = (gap - carried.common * young) * rate
    bound = MAX_STEP * np.minimum(hurry / FULL_STEP_HURRY, 1)
    bound *= np.square(np.maximum(WELL_FOUNDED / np.maximum(weight, 1e-3), 1))
    step *= bound / np.maximum(bound, length(*step))
    return carried.prior + step, np.minimum(weight + worth, np.float32(MAX_WEIGHT)), drift


def _mean_color(ab: np.ndarray) -> np.ndarray:
    """(2, H, W) float32 -> (2, 1, 1): the picture's mean colour."""
    return ab.mean((1, 2), keepdims=True)


def spread_of(ab: np.ndarray) -> np.float32:
    """Contrast of colours (2, H, W) float32: their mean distance from their mean colour, at least MIN_SPREAD."""
    return np.maximum(length(*(ab - _mean_color(ab))).mean(), np.float32(MIN_SPREAD))


def _gain(spread: np.floating, ab: np.ndarray) -> np.floating:
    """The factor that raises the contrast of `ab` to KEPT_CONTRAST of `spread`, within MAX_STRETCH."""
    gain = spread / spread_of(ab) * np.float32(KEPT_CONTRAST)
    return np.clip(gain, np.float32(2 - MAX_STRETCH), np.float32(MAX_STRETCH))
