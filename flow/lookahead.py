"""Each frame's chroma averaged with the frames that follow it, so that the future counts as much as the past.

A filter that knows only the past believes a shot's first frames most, since they are part of every later mean. But
what enters the picture is read worst at first, when only a part of it is seen, at the border. So each frame is averaged
with those that follow before the past is averaged in (see `steady`). As the filter runs in both directions of time,
nothing lags (zero-phase filtering; Gustafsson, "Determining the Initial States in Forward-Backward Filtering", 1996).

This pass runs backwards in time. It takes the frames in blocks of `BLOCK`, counted from the shot's first frame, and
begins `LOOKAHEAD` frames behind each block. The ends of chunks are ends of blocks, so the result does not depend on
how the shot was cut into chunks.
"""

from __future__ import annotations

import cv2
import numpy as np

from .confidence import carried_share, common_error, ghost_suspicion, motion_edge
from .motion import Motion
from .planes import resize
from .warp import remap, sources

LOOKAHEAD = 5
"""Number of frames behind a block that its colours depend on. The last of them is painted; see `between`."""

BLOCK = 8
"""Number of frames that share the same last frame of lookahead."""

FIRST_LABELS = 2 * BLOCK
"""Number of frames that a shot's first labels are taken from."""

GHOST_RATIO = 4.0
"""A carried colour that differs by this many times the usual difference loses half of its weight."""


def horizon(begin: int, stop: int) -> int:
    """The frame before which everything lies that affects the colours of a shot's frames before `stop`.

    A shot's first labels are those of its first `FIRST_LABELS` frames.

    Args:
        begin: number of the shot's first frame.
        stop: number after the last frame that is wanted; the shot goes on there.

    Returns:
        A frame's number, at most 2 * BLOCK + LOOKAHEAD after `stop`; `stop` itself if the shot begins there.
    """
    if begin >= stop:
        return stop
    blocks = max(-(-(stop - begin) // BLOCK) * BLOCK, FIRST_LABELS)
    return begin + blocks + LOOKAHEAD


def average_ahead(
    ab: np.ndarray, motion: Motion, after: tuple[np.ndarray, Motion] | None, strength: float = 1.0
) -> np.ndarray:
    """The mean of each frame's chroma and that of the frames that follow, as far as they show the same.

    The following frames are carried back by the flow. All warping is bilinear: bicubic warping rings along an edge,
    more with each step, and the detail comes from the frame itself.

    Args:
        ab: (N, 2, h, w) float32, CIE Lab a and b. Frame 0 begins a block. N is a multiple of `BLOCK` unless the shot
            ends.
        motion: of the same N frames.
        after: ab (any float type) and motion of the frames that follow in the shot; None if the shot ends. `LOOKAHEAD`
            of them are used, or as many as there are.
        strength: share of its weight that the mean keeps from frame to frame, 0 to 1.

    Returns:
        (N, 2, h, w) float32.
    """
    frames, flows, visible = list(ab), list(motion.forward), list(motion.forward_visible)
    if after:
        frames += list(after[0][:LOOKAHEAD].astype(np.float32))
        flows += list(after[1].forward[:LOOKAHEAD])
        visible += list(after[1].forward_visible[:LOOKAHEAD])
    edges = [resize(motion_edge(flow), (ab.shape[3], ab.shape[2])) for flow in flows]  # each is used for two blocks
    means = ab.copy()
    for start in range(0, len(ab), BLOCK):
        stop = min(start + BLOCK, len(ab))
        last = min(stop + LOOKAHEAD, len(frames)) - 1
        mean, weight = frames[last], np.ones(ab.shape[2:], np.float32)
        for i in reversed(range(start, last)):
            seen, edge = visible[i + 1], edges[i + 1]  # between frame i and the next
            *carried, weight = cv2.split(remap(cv2.merge([*mean, weight]), sources(flows[i + 1])))
            weight *= carried_share(seen) * np.float32(strength)
            gap = frames[i] - np.stack(carried)
            weight /= 1 + ghost_suspicion(gap - common_error(gap, weight), weight, seen, edge, GHOST_RATIO)
            mean = frames[i] - gap * (weight / (weight + 1))
            weight += 1
            if i < stop:
                means[i] = mean
    return means
