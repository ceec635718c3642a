"""Matches of a frame with the frame before it and with an anchor, a frame that may lie many frames back.

Matching with the anchor starts from the places found so far, carried one frame on. So it does not drift, as motion from
frame to frame does, and is not lost where things have moved far. The flows are measured in two threads; the result is
the same with one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from .motion import equalize
from .planes import length, slope
from .visibility import appearance_change
from .warp import inside, remap, sources

MATCH_GAP = 1.5
"""Forward-backward gap, in pixels of the chroma grid, that makes a match half sure."""

REFINEMENTS = 2
"""Variational refinements of DIS. With 5, its default, regions are no better (J of two clips .940 and .947, against
.939 and .947), and a flow takes a third longer."""


@dataclass(frozen=True)
class Match:
    """A frame's matches. Flows are (h, w, 2) float32."""

    past: np.ndarray
    """Flow from the frame to the frame before."""
    where: np.ndarray
    """The places in the frame before, as `warp.remap` takes them."""
    gap: np.ndarray
    """(h, w) float32, in pixels: how far the flow there and back ends from where it began."""
    at_anchor: np.ndarray
    """The places in the anchor."""
    sure: np.ndarray
    """(h, w) float32: how sure each pixel's match in the anchor is: 1 is quite sure, 0.5 is on the threshold."""


class Matcher:
    """Matches frame after frame. Pictures are (h, w) uint8 luma."""

    def __init__(self, picture: np.ndarray, pool: ThreadPoolExecutor) -> None:
        """
        Args:
            picture: the first frame, which is the first anchor.
            pool: of two threads.
        """
        self._pool, self._before = pool, picture
        self._estimators = [cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM) for _ in range(2)]
        for dis in self._estimators:
            dis.setFinestScale(0)
            dis.setVariationalRefinementIterations(REFINEMENTS)
        self.drop_anchor()

    def drop_anchor(self) -> None:
        """Make the frame that was matched last the anchor."""
        self._anchor = self._before
        self._there = self._back = np.zeros((*self._before.shape, 2), np.float32)
        """Flow from the frame before to the anchor, and from the anchor to the frame before."""

    def match(self, picture: np.ndarray) -> Match:
        """Match the next frame."""
        like_before, like_anchor = equalize(picture, self._before), equalize(picture, self._anchor)
        past, following = self._both(like_before, self._before)
        where = sources(past)
        start = past + remap(self._there, where), self._back + remap(following, sources(self._back))
        self._there, self._back = there, back = self._both(like_anchor, self._anchor, *start)
        self._before = picture
        at_anchor = sources(there)
        seen = remap(self._anchor.astype(np.float32), at_anchor)
        doubt = np.square(round_trip(there, back, at_anchor) * np.float32(1 / MATCH_GAP))
        doubt += np.square(appearance_change(like_anchor, seen, slope(like_anchor)))
        sure = np.exp(doubt * np.float32(-np.log(2))) * (inside(at_anchor).astype(np.float32) / 255)
        return Match(past, where, round_trip(past, following, where), at_anchor, sure)

    def _both(
        self, one: np.ndarray, other: np.ndarray, there: np.ndarray | None = None, back: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Flow from a picture to another, and back. Matching starts from the flows `there` and `back`, if given."""
        jobs = [(one, other, there), (other, one, back)]
        flows = [
            self._pool.submit(dis.calc, first, second, None if start is None else np.ascontiguousarray(start))
            for dis, (first, second, start) in zip(self._estimators, jobs, strict=True)
        ]
        return flows[0].result(), flows[1].result()


def round_trip(flow: np.ndarray, back: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(h, w) float32, in pixels: the forward-backward gap of `flow`, which leads to the places `where`."""
    return length(*cv2.split(flow + remap(back, where)))
