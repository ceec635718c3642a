"""A region of one frame, followed through its shot in both directions of time.

Two things are known of the region in the next frame: motion says where it went, and memory says what looks like it.

Motion measured from frame to frame drifts: a tenth of a pixel a frame is four pixels after forty frames. So every frame
is matched with an anchor, a frame before in which the region was known well (see `anchor`).

- Where the match is sure (it leads there and back, and the pixel looks the same there), a pixel is in the region if its
  match is.
- Where the match is not sure (the pixel was uncovered since, has turned, or is new in the picture), the pixel keeps
  what it was taken for in the frame before, or takes what its surroundings are if it was not seen there. From frame to
  frame it is then taken more and more for the side, region or surroundings, that moves and looks like it: what a moving
  thing uncovers holds still with the background. A thing that covers the region counts as outside, since it comes from
  outside.
- Where the match is not sure, the border is also moved to the luma edges near it, as a drawn outline is (see `snap`).
  Where the match is sure it stays: a region may end without a luma edge, and the match is then the better evidence.

A border that is found frame by frame wavers, and the paint shows it. So the region is also carried from frame to frame
along its own motion, and each frame's answer is averaged in. Near the border that motion is taken from inside the
region.

The motion of `estimate` is not used. It is settled to hold still where it is in doubt, which is right for blending but
would leave a slow region behind.

Memory (see `models.memory`) never drifts, and it finds the region again after it was hidden, but it is coarse. A
network sees both, how sure the match is, and the luma, and draws the outline. It is asked as soon as the matches around
the region are no longer sure. What was found is remembered, so that the memory knows the region as it looks now. Where
neither motion nor memory speaks for the region, nothing is drawn: a region that is lost fades, it does not scatter.

What does not depend on the region, the matches and the features of a frame, is found one frame ahead in another thread.
The result is the same with one thread.

Measured by tests/benchmarks/regions.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np

from .anchor import Match, Matcher
from .motion import one_thread
from .planes import halve, length, local_mean
from .sides import MODEL_WINDOW, NEAR_WINDOW, TINY, guess
from .snap import walk
from .warp import inside, remap, sources

MIN_KNOWN = 0.05
"""Least weight that a pixel of a new anchor has, however little is known of it."""

SHARPENING = 1.5
"""A mask's contrast about one half is raised by this factor, so that what is nearly sure is sure."""

ENTERING = 0.75
"""Chance that what enters at the picture's border continues what was there."""

BORDER_DRIFT = 0.03
"""How far the border may have drifted off a luma edge, as a share of the picture's height."""

OWN_WINDOW, OWN_FAR_SHARE = 21, 0.02
"""Side of the window from which the region takes the motion that it is carried with (chroma grid), and the weight of
the mean over MODEL_WINDOW, which tells only where this one knows nothing."""

FOREIGN_MOTION = 0.6
"""Difference from the region's own motion, pixels a frame, that makes it half sure that a pixel is not of the region.
Such a pixel covers the region, and the past does not tell what it is."""

MAX_WEIGHT = 12.0
"""Most frames that the region's past may stand for."""

GUESS_WEIGHT = 0.5
"""Weight that a frame adds where its match is not sure; a sure match adds 1."""

REACH = 0.1
"""How far a piece of a region may be from where the region was a frame before, as a share of the picture's height."""

MIN_HEALTH, FULL_HEALTH = 0.5, 0.65
"""Mean trust in the region and just around it from which on motion counts, and from which on it alone counts. Motion is
exact as long as it is sure: it stays above .67 on DAVIS' slow swan, and falls below .3 on clips that it loses."""

MIN_OWN_WEIGHT = 1e-5
"""Weight below which the region's own motion counts as unknown."""


class Memory(Protocol):
    """What a region looks like; see `models.memory.RegionMemory`."""

    def give(self, thumb: np.ndarray, mask: np.ndarray) -> None:
        """Remember a frame in which the region is given."""
        ...

    def see(self, thumb: np.ndarray) -> Any:
        """What `tell` takes of a picture (h, w). It may run in another thread than all the rest."""
        ...

    def tell(self, seen: Any) -> np.ndarray:
        """The log odds (h/2, w/2) that the places of a picture look like the region."""
        ...

    def outline(self, before: np.ndarray, sure: np.ndarray) -> np.ndarray:
        """The region's mask in this picture, from the mask of the frame before, moved along, and its sureness."""
        ...

    def learn(self, mask: np.ndarray) -> None:
        """Remember where the region is in this picture."""
        ...


class Place(NamedTuple):
    """A region in one frame."""

    frame: int
    """Number of the frame."""
    mask: np.ndarray
    """(h/2, w/2) uint8 on the chroma grid, 255 inside, 0 outside."""
    confidence: float
    """How sure the place is, 0 to 1: how much like the region what is inside the mask looks; 0 where nothing is."""


def track(thumbs: np.ndarray, mask: np.ndarray, at: int, remember: Callable[[], Memory]) -> Iterator[Place]:
    """The place of one frame's region in all other frames of the shot.

    Args:
        thumbs: (N, h, w) uint8 luma of one shot, full range; h and w are multiples of 32. Two are held at once, so a
            memory map will do.
        mask: (h/2, w/2) uint8 on the chroma grid, 255 inside, 0 outside, of frame `at`.
        at: number of the frame that `mask` belongs to.
        remember: makes a memory for a region.

    Yields:
        The region's place in a frame. First come the frames `at` + 1 to N - 1, then `at` - 1 to 0, then `at` itself.

    Raises:
        ValueError: there is no frame `at`, or the mask does not fit the thumbs.
    """
    if not 0 <= at < len(thumbs):
        raise ValueError(f"there is no frame {at} among {len(thumbs)}")
    if mask.shape != (thumbs[at].shape[0] // 2, thumbs[at].shape[1] // 2) or mask.dtype != np.uint8:
        raise ValueError(f"the mask is {mask.dtype} {mask.shape}, the thumbs {thumbs[at].shape}")
    with ThreadPoolExecutor(1, thread_name_prefix="track") as ahead:
        for way in (range(at + 1, len(thumbs)), range(at - 1, -1, -1)):
            if not way:
                continue
            follower = _Follower(thumbs[at], mask.astype(np.float32) / 255, remember())
            with one_thread():
                seen = follower.see(thumbs[way[0]])
            for frame in way:
                # OpenCV's threads are set for the process, so nothing runs while the caller has the turn.
                with one_thread():
                    coming = ahead.submit(follower.see, thumbs[frame + way.step]) if frame != way[-1] else None
                    found, confidence = follower.step(seen)
                    seen = coming.result() if coming else seen
                yield Place(frame, np.rint(found * 255).astype(np.uint8), confidence)
    yield Place(at, mask, 1.0)


class _Seen(NamedTuple):
    """What is known of a frame before the region is looked for in it."""

    picture: np.ndarray
    """(h, w) uint8 luma on the chroma grid."""
    match: Match
    look: Any
    """What the memory sees of the frame."""


class _Follower:
    """A region that is followed in one direction of time.

    All arrays are on the chroma grid. Pictures are (h, w) uint8 luma, masks and weights (h, w) float32, flows
    (h, w, 2) float32.
    """

    def __init__(self, thumb: np.ndarray, mask: np.ndarray, memory: Memory) -> None:
        self._memory = memory
        memory.give(thumb, mask)
        self._matcher = Matcher(halve(thumb))
        self._mask = mask
        """The region in the frame before."""
        self._weight = np.full_like(mask, MAX_WEIGHT)
        """How many frames the mask stands for, at each pixel."""
        self._anchor(np.ones_like(mask))

    def _anchor(self, known: np.ndarray) -> None:
        """Keep the region as that of the anchor; `known` (h, w) says how sure it is, 0 to 1."""
        self._known = known
        self._region = _sharpened(self._mask)  # since matching blurs

    def see(self, thumb: np.ndarray) -> _Seen:
        """Look at the next frame, (2h, 2w) uint8. It may run in another thread than `step`."""
        picture = halve(thumb)
        return _Seen(picture, self._matcher.match(picture), self._memory.see(thumb))

    def step(self, seen: _Seen) -> tuple[np.ndarray, float]:
        """The region in the next frame, (h, w), and how sure that is, 0 to 1."""
        likeness = 1 / (1 + np.exp(-self._memory.tell(seen.look)))
        mask, sure = self._moved(seen.picture, seen.match)
        trust = np.clip(2 * sure - 0.5, 0, 1)
        health = _health(mask, trust)
        if health < 1:
            drawn = reached(self._memory.outline(mask, trust), mask)
            mask = drawn + (mask - drawn) * np.float32(health)
        self._mask = mask
        self._memory.learn(mask)
        if seen.match.new_anchor:
            self._anchor(np.clip(2 * sure, MIN_KNOWN, 1))
        within = np.maximum(2 * mask - 1, 0)
        total = float(within.sum())
        return mask, float((within * likeness).sum()) / total if total >= 1 else 0.0

    def _moved(self, picture: np.ndarray, match: Match) -> tuple[np.ndarray, np.ndarray]:
        """The region in a picture (h, w) uint8 as motion tells it, and how sure each pixel's match is."""
        sure = match.sure * remap(self._known, match.at_anchor)
        matched = remap(self._region, match.at_anchor)
        seen = np.clip(2 - 2 * match.gap, 0, 1)  # 1 up to half a pixel, 0 from one pixel on
        seen = ENTERING + (seen - ENTERING) * _inside(match.where)
        luma, before = picture.astype(np.float32), remap(self._mask, match.where)
        side = guess(matched, sure, match.past, luma, before, seen)
        trust = np.clip(2 * sure - 0.5, 0, 1)
        mask = side + (matched - side) * trust
        mask += (walk(mask, picture, BORDER_DRIFT * len(picture)) - mask) * (1 - trust)
        return self._steady(mask, trust, match.past), sure

    def _steady(self, mask: np.ndarray, trust: np.ndarray, flow: np.ndarray) -> np.ndarray:
        """The present frame's mask averaged with the past's mask, which is carried along the region's own motion.

        Args:
            mask: (h, w), the present frame's.
            trust: (h, w), how sure each pixel's match is, 0 to 1.
            flow: (h, w, 2), from the present frame to the frame before.
        """
        core = cv2.erode(np.clip(2 * mask - 1, 0, 1), np.ones((5, 5), np.uint8))[..., None]
        weighted = np.dstack([flow * core, core])
        total = local_mean(weighted, OWN_WINDOW) + np.float32(OWN_FAR_SHARE) * local_mean(weighted, MODEL_WINDOW)
        known = total[..., 2:]
        own = np.where(known > MIN_OWN_WEIGHT, total[..., :2] / np.maximum(known, TINY), flow)
        where = sources(own)
        carried = np.clip(remap(self._mask, where, cubic=True), 0, 1)
        foreign = np.clip(length(*cv2.split(flow - own)) * np.float32(1 / FOREIGN_MOTION) - 0.5, 0, 1)
        weight = remap(self._weight, where) * _inside(where) * (1 - carried * foreign)
        new = GUESS_WEIGHT + (1 - GUESS_WEIGHT) * trust
        self._weight = np.minimum(weight + new, MAX_WEIGHT)
        return (weight * carried + new * mask) / (weight + new)


def reached(drawn: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """What was drawn, (h, w), without the pieces that lie far from where the region was (`moved`): other things that
    look like it. A region that was nowhere may come back anywhere."""
    side = 2 * round(REACH * len(moved)) + 1
    near = cv2.dilate((moved > 0.5).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    if not near.any():
        return drawn
    count, pieces = cv2.connectedComponents((drawn > 0.25).astype(np.uint8))
    kept = np.zeros(count, bool)
    kept[np.unique(pieces[near > 0])] = True
    return drawn * kept[pieces]


def _health(moved: np.ndarray, trust: np.ndarray) -> float:
    """How far motion alone is to be believed, 0 to 1: by the mean `trust` in the region `moved` and just around it."""
    near = cv2.dilate((moved > 0.5).astype(np.uint8), np.ones((NEAR_WINDOW, NEAR_WINDOW), np.uint8))
    mean = float(trust[near > 0].mean()) if near.any() else 0.0
    return float(np.clip((mean - MIN_HEALTH) / (FULL_HEALTH - MIN_HEALTH), 0, 1))


def _sharpened(mask: np.ndarray) -> np.ndarray:
    """(h, w) float32, 0 to 1: a mask with more contrast about one half, see SHARPENING."""
    return np.clip(SHARPENING * mask - (SHARPENING - 1) / 2, 0, 1)


def _inside(where: np.ndarray) -> np.ndarray:
    """(h, w) float32: 1 where a place of `where` (h, w, 2) lies in the picture, else 0."""
    return inside(where).astype(np.float32) / 255
