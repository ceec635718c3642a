"""What follows a frame has as much of a say in its colours as what came before.

A filter that knows the past alone believes the first readings most, since they are in every mean from then on, and
what comes into the picture is read worst at first, in part and at the border. So each frame is averaged with those
that follow before the past is averaged in: filtered both ways, nothing lags (zero-phase filtering; Gustafsson,
"Determining the Initial States in Forward-Backward Filtering", 1996).

The pass runs backwards in time, in blocks of `BLOCK` frames counted from the shot's first one, and begins `LOOKAHEAD`
frames behind each. As the ends of chunks are ends of blocks, the result does not depend on how the shot was cut.
"""

from __future__ import annotations

import cv2
import numpy as np

from .confidence import motion_edge, shared, sight, suspicion
from .motion import Motion
from .planes import resize
from .warp import remap, sources

__all__ = ["BLOCK", "LOOKAHEAD", "average_ahead"]

LOOKAHEAD = 8
"""Frames behind a block that have a say in its colours."""

BLOCK = 8
"""Frames that look ahead to the same last one."""

ODD = 4.0
"""How odd a colour that is carried back must be to lose half of its weight; see `suspicion`."""


def average_ahead(
    ab: np.ndarray, motion: Motion, after: tuple[np.ndarray, Motion] | None, strength: float = 1.0
) -> np.ndarray:
    """The mean of each frame and those that follow, carried back to it by the flow while they are in sight.

    All warping is bilinear: along an edge, cubic rings more with each step, and the frame itself has the detail.

    Args:
        ab, motion: (N, 2, h, w) float32 and its motion; frame 0 begins a block. Only at the shot's end N need not be a
            multiple of `BLOCK`.
        after: the same of the frames that follow in the shot, any float type: `LOOKAHEAD` of them are used, or as many
            as there are; None: the shot ends.
        strength: what part of its weight the mean keeps from frame to frame, 0 to 1.

    Returns:
        (N, 2, h, w) float32.
    """
    frames, flows, visible = list(ab), list(motion.forward), list(motion.forward_visible)
    if after:
        frames += list(after[0][:LOOKAHEAD].astype(np.float32))
        flows += list(after[1].forward[:LOOKAHEAD])
        visible += list(after[1].forward_visible[:LOOKAHEAD])
    edges = [resize(motion_edge(flow), (ab.shape[3], ab.shape[2])) for flow in flows]  # for two blocks each
    means = ab.copy()
    for start in range(0, len(ab), BLOCK):
        stop = min(start + BLOCK, len(ab))
        last = min(stop + LOOKAHEAD, len(frames)) - 1
        mean, weight = frames[last], np.ones(ab.shape[2:], np.float32)
        for i in reversed(range(start, last)):
            seen, edge = visible[i + 1], edges[i + 1]  # between frame i and the next
            *carried, weight = cv2.split(remap(cv2.merge([*mean, weight]), sources(flows[i + 1])))
            weight *= sight(seen) * np.float32(strength)
            gap = frames[i] - np.stack(carried)
            weight /= 1 + suspicion(gap - shared(gap, weight), weight, seen, edge, ODD)
            mean = frames[i] - gap * (weight / (weight + 1))
            weight += 1
            if i < stop:
                means[i] = mean
    return means
