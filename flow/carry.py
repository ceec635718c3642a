"""Chroma of a shot's key frames, carried to its other frames.

A key frame's colours travel by motion, from frame to frame, in both directions of time. What is hidden on the way or
looks different there loses its confidence. A place that motion lost takes the colours of those places of the key frames
that look like it: their features are compared (Zhang et al., "Deep Exemplar-based Video Colorization", CVPR 2019,
compare features in the same way). Where neither is sure, the confidence stays low, and the caller's own colours show.

The silence of a partial key frame travels by motion, too. Likeness is coarse, so it gives no colours to a place that
motion leads to a silent place of a key frame.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from .confidence import carried_share
from .motion import estimate
from .warp import remap, sources

KEPT = 0.995
"""Share of its confidence that a colour keeps from frame to frame."""

SHARPNESS = 0.02
"""Difference of similarity by which one place of a key frame counts e times as much as another."""

ALIKE, SAME = 0.5, 0.8
"""Similarity (cosine) from which on places look alike, and from which on they count in full."""

MATCHED = 0.95
"""Confidence of a colour that comes from a place that looks the same."""


class Key(NamedTuple):
    """The colours of a key frame, on the chroma grid."""

    ab: np.ndarray
    """(2, h/2, w/2) float32, a and b of CIE Lab."""
    known: np.ndarray
    """(h/2, w/2) float32, 0 to 1: where the key frame speaks."""


class Carried(NamedTuple):
    """The colours that reach a frame, on the chroma grid."""

    frame: int
    ab: np.ndarray
    """(2, h/2, w/2) float32, a and b of CIE Lab."""
    known: np.ndarray
    """(h/2, w/2) float32, 0 to 1: how surely the colours belong there."""


Describe = Callable[[np.ndarray], tuple[np.ndarray, tuple[int, int]]]
"""Features of a thumb's cells: (n, C) float32 of length 1, and the cells' (rows, columns)."""


def carry(thumbs: np.ndarray, keys: Mapping[int, Key], describe: Describe) -> Iterator[Carried]:
    """Carry the colours of key frames through their shot.

    Args:
        thumbs: (N, h, w) uint8 luma of one shot, full range; h and w are multiples of 32.
        keys: number of a frame → its colours.
        describe: gives features of a thumb.

    Yields:
        The colours of every frame, from the last to the first.
    """
    return (carried for carried in carry_bit_by_bit(thumbs, keys, describe) if carried)


def carry_bit_by_bit(
    thumbs: Sequence[np.ndarray] | np.ndarray, keys: Mapping[int, Key], describe: Describe
) -> Iterator[Carried | None]:
    """As `carry`, for callers that do other things between two frames. Yields None after each frame of the way forth;
    the colours come on the way back. `thumbs` may be any sequence of (h, w) arrays, which is read frame by frame."""
    looks = _Looks(thumbs, keys, describe)
    height, width = (side // 2 for side in thumbs[0].shape)
    count = len(thumbs)
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as moved:
        forth = np.memmap(file, np.float16, "w+", shape=(count, 4, height, width))
        steps = _Steps(np.memmap(moved, np.float16, "w+", shape=(count, 3, height, width)))
        for frame, state in _one_way(thumbs, keys, looks, steps, range(count)):
            forth[frame] = state
            yield None
        for frame, state in _one_way(thumbs, keys, looks, steps, range(count - 1, -1, -1)):
            one, other = state, forth[frame].astype(np.float32)
            known = _unless_silent(one, other), _unless_silent(other, one)
            weights = np.square(known[0]) + np.float32(1e-6), np.square(known[1]) + np.float32(1e-6)
            ab = (one[:2] * weights[0] + other[:2] * weights[1]) / (weights[0] + weights[1])
            yield Carried(frame, ab, np.maximum(*known))


def _unless_silent(state: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The confidence of a state where motion in the other direction leads to a silent place of a key frame: only as far
    as motion leads to a place of a key frame in its own direction, too. Elsewhere its confidence as it is."""
    silence = np.maximum(other[3] - other[2], 0)
    return state[2] * np.maximum(state[3], 1 - silence)


def _one_way(
    thumbs: Sequence[np.ndarray] | np.ndarray, keys: Mapping[int, Key], looks: _Looks, steps: _Steps, way: range
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (frame, state) of the frames of `way`; a state is (4, h/2, w/2) float32: a, b, confidence, and how surely
    motion leads to a place of a key frame, whether it speaks there or not."""
    height, width = (side // 2 for side in thumbs[0].shape)
    state, before = np.zeros((4, height, width), np.float32), None
    for frame in way:
        thumb = np.array(thumbs[frame])
        if before is not None and state[2:].any():
            flow, visible = steps.into(frame, before, thumb, way.step)
            where = sources(flow)
            state = np.stack([remap(plane, where, cubic=n < 2) for n, plane in enumerate(state)])
            state[2:] *= carried_share(visible) * np.float32(KEPT)
        if frame in keys:
            key = keys[frame]
            state[:2] += (key.ab - state[:2]) * key.known
            state[2] = np.maximum(state[2] * state[3], key.known)
            state[3] = 1
        else:
            ab, known = looks.matched(frame, thumb)
            share = known * (1 - np.maximum(state[2], state[3]))
            total = state[2] + share
            state[:2] = (state[:2] * state[2] + ab * share) / np.maximum(total, np.float32(1e-6))
            state[2] = total
        before = thumb
        yield frame, state.copy()


class _Steps:
    """The motion between neighbouring frames. It is measured once, on the way forth, for both directions of time."""

    def __init__(self, kept: np.ndarray) -> None:
        """`kept`: (N, 3, h/2, w/2) float16, where the way forth leaves the motion for the way back."""
        self._kept = kept
        self._known: set[int] = set()

    def into(self, frame: int, before: np.ndarray, thumb: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Where the pixels of a frame were in the frame before it on the way: the flow (h/2, w/2, 2) float32 in pixels
        of this grid, and how surely each pixel is visible there (h/2, w/2) uint8.

        Args:
            frame: number of the frame.
            before: (h, w) uint8, the frame before it on the way.
            thumb: (h, w) uint8, the frame.
            step: 1 on the way forth, -1 on the way back.
        """
        if step < 0 and frame in self._known:
            x, y, visible = self._kept[frame].astype(np.float32)
            return np.stack([x, y], -1), visible.astype(np.uint8)
        motion = estimate(np.stack([before, thumb]), None)
        if step > 0:
            self._kept[frame - 1] = *motion.forward[1].transpose(2, 0, 1), motion.forward_visible[1]
            self._known.add(frame - 1)
        return motion.backward[1], motion.backward_visible[1]


class _Looks:
    """What the key frames' places look like, and their colours."""

    def __init__(self, thumbs: Sequence[np.ndarray] | np.ndarray, keys: Mapping[int, Key], describe: Describe) -> None:
        self._describe = describe
        self._found: dict[int, np.ndarray] = {}
        """Number of a frame → a, b and confidence of its cells: both directions of time need them."""
        vectors, colors = [], []
        for frame, key in keys.items():
            described, shape = describe(np.array(thumbs[frame]))
            size = shape[::-1]
            a, b, known = (
                cv2.resize(plane, size, interpolation=cv2.INTER_AREA).reshape(-1) for plane in (*key.ab, key.known)
            )
            vectors.append(described)
            # Where a key frame is silent, so are the places that look like that.
            colors.append(np.stack([a * known, b * known, known], 1))
        self._vectors, self._colors = np.concatenate(vectors), np.concatenate(colors)

    def matched(self, frame: int, thumb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The colours (2, h/2, w/2) of the places that look like those of a frame, and their confidence (h/2, w/2)."""
        if frame not in self._found:
            vectors, shape = self._describe(thumb)
            alike = vectors @ self._vectors.T
            best = alike.max(1)
            shares = np.exp((alike - best[:, None]) * np.float32(1 / SHARPNESS))
            a, b, spoken = (shares @ self._colors / shares.sum(1, keepdims=True)).T
            known = np.float32(MATCHED) * spoken * np.clip((best - ALIKE) / (SAME - ALIKE), 0, 1)
            a, b = (plane / np.maximum(spoken, np.float32(1e-6)) for plane in (a, b))
            self._found[frame] = np.stack([plane.reshape(shape) for plane in (a, b, known)]).astype(np.float32)
        size = thumb.shape[1] // 2, thumb.shape[0] // 2
        a, b, known = (cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in self._found[frame])
        return np.stack([a, b]), known
