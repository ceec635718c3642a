"""Matches of a frame with the frame before it and with an anchor, a frame that may lie many frames back.

Matching with the anchor starts from the places found so far, carried one frame on. So it does not drift, as motion from
frame to frame does, and is not lost where things have moved far.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .motion import equalize
from .planes import length, slope
from .visibility import appearance_change
from .warp import inside, remap, sources

ANCHOR_FRAMES = 20
"""Frames after which the present frame becomes the anchor."""

MATCH_GAP = 1.5
"""Forward-backward gap, in pixels of the chroma grid, that makes a match half sure."""

STRIDE = 5
"""Pixels between the patches of DIS. With 3, its preset, a flow takes twice the time, and J of six clips is .789, here
.790; with 6 it is .788."""

REFINEMENTS = 1
"""Rounds of variational refinement of the flow from frame to frame. With none, the border of a made disc holds less
well; more, or any in the matches with the anchor, change nothing."""

DESCENTS = 16, 8
"""Rounds of gradient descent of DIS, from frame to frame and in the matches with the anchor, which start near their
end. With 25, its preset, they take a tenth more time, and J of three clips is .792, as here."""


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
    new_anchor: bool
    """Whether this frame is the anchor of the matches that follow."""


class Matcher:
    """Matches frame after frame. Pictures are (h, w) uint8 luma."""

    def __init__(self, picture: np.ndarray) -> None:
        """Begin with the first frame, which is the first anchor."""
        self._before = picture
        self._near, self._far = _estimator(REFINEMENTS, DESCENTS[0]), _estimator(0, DESCENTS[1])
        self._renew()

    def _renew(self) -> None:
        """Make the frame that was matched last the anchor."""
        self._anchor, self._age = self._before, 0
        self._there = self._back = np.zeros((*self._before.shape, 2), np.float32)
        """Flow from the frame before to the anchor, and from the anchor to the frame before."""

    def match(self, picture: np.ndarray) -> Match:
        """Match the next frame."""
        like_before, like_anchor = equalize(picture, self._before), equalize(picture, self._anchor)
        past = self._near.calc(like_before, self._before, None)  # type: ignore[arg-type]  # None is allowed: no start
        following = self._near.calc(self._before, like_before, None)  # type: ignore[arg-type]
        where = sources(past)
        there = self._far.calc(like_anchor, self._anchor, past + remap(self._there, where))
        back = self._far.calc(self._anchor, like_anchor, self._back + remap(following, sources(self._back)))
        self._there, self._back = there, back
        self._before = picture
        at_anchor = sources(there)
        seen = remap(self._anchor.astype(np.float32), at_anchor)
        doubt = np.square(round_trip(there, back, at_anchor) * np.float32(1 / MATCH_GAP))
        doubt += np.square(appearance_change(like_anchor, seen, slope(like_anchor)))
        sure = np.exp(doubt * np.float32(-np.log(2))) * (inside(at_anchor).astype(np.float32) / 255)
        self._age += 1
        new_anchor = self._age == ANCHOR_FRAMES
        if new_anchor:
            self._renew()
        return Match(past, where, round_trip(past, following, where), at_anchor, sure, new_anchor)


def _estimator(refinements: int, descents: int) -> cv2.DISOpticalFlow:
    """DIS for pictures of the chroma grid's size, with rounds of variational refinement and of gradient descent."""
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setPatchStride(STRIDE)
    dis.setVariationalRefinementIterations(refinements)
    dis.setGradientDescentIterations(descents)
    return dis


def round_trip(flow: np.ndarray, back: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(h, w) float32, in pixels: the forward-backward gap of `flow`, which leads to the places `where`."""
    return length(*cv2.split(flow + remap(back, where)))
