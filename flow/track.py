"""A region of one frame followed through its shot, both ways.

Motion measured from frame to frame drifts: a tenth of a pixel a frame is four after forty. So every frame is matched
with an anchor, the frame where the region was last known well: the places found so far, carried one frame on, are
where the matching starts. A pixel whose match is sure (it goes there and back, and looks the same there) is in the
region if its match is. What is not sure (uncovered since, turned, new in the picture) keeps what it was taken for in
the frame before, or by its surroundings if it was not seen there, and is taken more and more for what moves and looks
like it: what a moving thing uncovers holds still with the background. What covers the region is outside of it, since
it comes from outside. Of all that, the border is drawn to the luma edges near it, as a drawn outline is, but only where
the match is not sure: a region may well end where there is no edge, and a sure match knows.

Seen so, frame by frame, a border wavers, and paint shows it. So the region is also carried from frame to frame with its
own motion, which near its border is taken from inside it, and what each frame says is averaged in.

The motion of `estimate` is not used: it is settled to hold still where in doubt, which is right for blending and
would leave a slow region behind. A region that is hidden for long is found again only by its surroundings.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from .motion import equalise, one_thread
from .planes import halve, length
from .snap import walk
from .warp import remap, sources

__all__ = ["follow"]

ANCHOR = 20
"""Frames after which the present frame becomes the anchor."""

GAP = 1.5
"""Pixels of the chroma grid by which there and back may miss for a match to be half sure."""

LOOKS, SLOPE = 6.0, 0.7
"""Difference in luma that makes a match half sure: so many levels, and so much of the slope."""

DOUBTED = 0.05
"""Least that a pixel of a new anchor counts, however little is known of it."""

LIKE = 0.3
"""Difference in motion, pixels a frame, that tells the region from what is around it."""

FAITH = 0.85
"""Share that what a pixel was taken for in the frame before has against its surroundings now."""

GRAIN = 36.0
"""Variance of luma (levels squared) that says nothing."""

FEW = np.float32(1e-4)  # keeps means of nothing finite

WIDE, NEAR, LOCAL = 41, 9, 21
"""Sides of the windows for the motion of region and surroundings, for a pixel's surroundings, and for the motion that
the region is carried with; chroma grid."""

ASTRAY = 0.03
"""How far the region's border may have drifted off a luma edge, of the picture's height."""

MEMORY, GUESSED = 12.0, 0.5
"""Most frames that the region's past stands for, and what a frame adds where its match is not sure, instead of 1."""

APART = 0.6
"""Difference from the region's own motion, pixels a frame, that makes half sure that a pixel is not of it: it covers
the region, and the past says nothing of it."""


def follow(thumbs: np.ndarray, mask: np.ndarray, at: int) -> Iterator[tuple[int, np.ndarray]]:
    """Where a region of one frame is in the frames around it.

    Args:
        thumbs: (N, h, w) uint8 luma of one shot, full range; three are held at once, so a memory map will do.
        mask: (h/2, w/2) uint8 on the chroma grid, 255 inside, 0 outside, of frame `at`.

    Yields:
        (frame, mask like `mask`) for all N: first `at` + 1 to N - 1, then `at` - 1 to 0, then `at` itself.
    """
    if not 0 <= at < len(thumbs):
        raise ValueError(f"there is no frame {at} among {len(thumbs)}")
    if mask.shape != (thumbs[at].shape[0] // 2, thumbs[at].shape[1] // 2) or mask.dtype != np.uint8:
        raise ValueError(f"the mask is {mask.dtype} {mask.shape}, the thumbs {thumbs[at].shape}")
    for way in (range(at + 1, len(thumbs)), range(at - 1, -1, -1)):
        follower = _Follower(halve(thumbs[at]), mask.astype(np.float32) / 255)
        for frame in way:
            with one_thread():
                present = follower.step(halve(thumbs[frame]))
            # What is nearly sure is quite so, lest a colour shimmer inside the region.
            yield frame, np.rint(np.clip(1.5 * present - 0.25, 0, 1) * 255).astype(np.uint8)
    yield at, mask


class _Follower:
    """A region on its way in one direction of time. All is on the chroma grid; pictures uint8, the rest float32."""

    def __init__(self, picture: np.ndarray, mask: np.ndarray) -> None:
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(0)
        self._before, self._mask = picture, mask  # of the frame before
        self._weight = np.full_like(mask, MEMORY)  # frames that stand behind it
        self._drop_anchor(np.ones_like(mask))

    def _drop_anchor(self, known: np.ndarray) -> None:
        """The frame before becomes the anchor; `known` (h, w): how sure its mask is."""
        self._anchor, self._known, self._age = self._before, known, 0
        self._region = np.clip(1.5 * self._mask - 0.25, 0, 1)  # matching blurs
        self._there = np.zeros((*known.shape, 2), np.float32)  # from the frame before to the anchor
        self._back = self._there  # and from the anchor to it

    def step(self, picture: np.ndarray) -> np.ndarray:
        """The next frame (h, w) uint8 → the region in it, (h, w) 0..1."""
        like_before, like_anchor = equalise(picture, self._before), equalise(picture, self._anchor)
        past, next_ = self._flow(like_before, self._before), self._flow(self._before, like_before)
        where = sources(past)
        there = self._flow(like_anchor, self._anchor, past + remap(self._there, where))
        back = self._flow(self._anchor, like_anchor, self._back + remap(next_, sources(self._back)))
        at_anchor = sources(there)
        sure = self._sure(like_anchor, there, back) * remap(self._known, at_anchor)
        matched = remap(self._region, at_anchor)
        seen = np.clip(2 - 2 * length(*cv2.split(past + remap(next_, where))), 0, 1)
        # What comes in at the picture's border continues what was there, more likely than not.
        seen = 0.75 + (seen - 0.75) * _inside(where)
        guess = self._guess(matched, sure, past, picture.astype(np.float32), remap(self._mask, where), seen)
        trust = np.clip(2 * sure - 0.5, 0, 1)
        mask = guess + (matched - guess) * trust
        mask = self._steady(mask + (walk(mask, picture, ASTRAY * len(picture)) - mask) * (1 - trust), trust, past)

        self._before, self._mask, self._there, self._back = picture, mask, there, back
        self._age += 1
        if self._age == ANCHOR:
            self._drop_anchor(np.clip(2 * sure, DOUBTED, 1))
        return mask

    def _steady(self, mask: np.ndarray, trust: np.ndarray, flow: np.ndarray) -> np.ndarray:
        """The present frame's mask averaged with the past's, carried along; `trust` (h, w): how sure each pixel is."""
        inside = cv2.erode(np.clip(2 * mask - 1, 0, 1), np.ones((5, 5), np.uint8))[..., None]
        weighted = np.dstack([flow * inside, inside])
        total = _mean(weighted, LOCAL) + np.float32(0.02) * _mean(weighted, WIDE)
        known = total[..., 2:]
        own = np.where(known > 1e-5, total[..., :2] / np.maximum(known, np.float32(1e-6)), flow)
        where = sources(own)
        carried = np.clip(remap(self._mask, where, cubic=True), 0, 1)
        other = np.clip(length(*cv2.split(flow - own)) * np.float32(1 / APART) - 0.5, 0, 1)
        weight = remap(self._weight, where) * _inside(where) * (1 - carried * other)
        new = GUESSED + (1 - GUESSED) * trust
        self._weight = np.minimum(weight + new, MEMORY)
        return (weight * carried + new * mask) / (weight + new)

    def _flow(self, present: np.ndarray, other: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        begin = None if start is None else np.ascontiguousarray(start)
        return self._dis.calc(present, other, begin)  # type: ignore[arg-type]  # None: nothing to start from

    def _sure(self, picture: np.ndarray, there: np.ndarray, back: np.ndarray) -> np.ndarray:
        """How sure each pixel's match in the anchor is: 1 quite, 0.5 on the threshold."""
        where = sources(there)
        gap = length(*cv2.split(there + remap(back, where)))
        change = picture - remap(self._anchor.astype(np.float32), where)
        # A smooth difference is exposure, of which a bounded share is believed; see `visibility`.
        window = (picture.shape[0] // 4 | 1, picture.shape[0] // 4 | 1)
        smooth = np.clip(cv2.blur(change, window, borderType=cv2.BORDER_REFLECT), -10, 10)
        change = cv2.blur(cv2.absdiff(change, smooth), (3, 3))
        x, y = (cv2.Sobel(picture, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
        change /= LOOKS + np.float32(SLOPE) * cv2.blur(length(x, y), (3, 3))
        doubt = np.square(gap * np.float32(1 / GAP)) + np.square(change)
        return np.exp(doubt * np.float32(-np.log(2))) * _inside(where)

    @staticmethod
    def _guess(
        matched: np.ndarray, sure: np.ndarray, flow: np.ndarray, luma: np.ndarray, before: np.ndarray, seen: np.ndarray
    ) -> np.ndarray:
        """The region where the anchor does not tell.

        `before` is the frame before's mask seen from here, `seen` how sure a pixel is seen there.
        """
        within, without = sure * matched, sure * (1 - matched)
        known = _mean(sure, NEAR) + np.float32(0.01) * _mean(sure, 4 * NEAR + 1) + np.float32(1e-6)
        around = (_mean(within, NEAR) + np.float32(0.01) * _mean(within, 4 * NEAR + 1)) / known
        prior = np.clip(around + (before - around) * (seen * np.float32(FAITH)), 0.01, 0.99)

        # What is known of region and surroundings hereabouts: their motion, their luma and how that varies.
        seen_as = np.dstack([flow, luma, luma * luma])
        unlike = []
        for weight in (within, without):
            x, y, mean, square = cv2.split(
                _mean(seen_as * weight[..., None], WIDE) / (_mean(weight, WIDE)[..., None] + FEW)
            )
            spread = square - mean * mean + np.float32(GRAIN)
            motion = np.square(flow[..., 0] - x) + np.square(flow[..., 1] - y)
            unlike.append((motion * np.float32(1 / LIKE**2), np.square(luma - mean) / spread + np.log(spread)))
        enough = np.clip(50 * np.minimum(_mean(within, WIDE), _mean(without, WIDE)), 0, 1)
        moves, looks = (np.clip((out - in_) * enough, -2, 2) for in_, out in zip(*unlike, strict=True))
        evidence = moves + np.float32(0.5) * looks
        return 1 / (1 + np.exp(-np.clip(np.log(prior / (1 - prior)) + evidence, -4, 4)))


def _mean(picture: np.ndarray, side: int) -> np.ndarray:
    return cv2.blur(picture, (side, side))


def _inside(where: np.ndarray) -> np.ndarray:
    """(h, w) float32: 1 where a place (h, w, 2) lies in the picture, else 0."""
    height, width = where.shape[:2]
    return cv2.inRange(where, (-0.5, -0.5), (width - 0.5, height - 0.5)).astype(np.float32) / 255
