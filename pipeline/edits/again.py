"""The region of an edit, found again in another shot that shows the same place.

It is looked for in a few frames of the other shot that fit one of its own shot. Two things tell where it is, as they do
from frame to frame (see `flow.track`): how both frames lie to each other, and what the region looks like. From the
frame where it is found most surely, it is followed through the other shot. Where it is not found surely, or much larger
or smaller, it is not there: a colour on a wrong thing is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ...flow.motion import one_thread
from ...flow.scenes import FADE, LEAST_SHARE, Fit, Seen, fit, likeness, moved
from ...flow.track import Memory, Place, reached, track
from ...models.memory import RegionMemory
from ...models.sight import Sight
from ..film import Film
from ..following import FOLLOWED, thumbs_of
from ..scenes import LOOKS, seen_by, spread_out

TRIED = 3
"""Number of frames of the other shot in which the region is looked for: those that fit best."""

LEAST_CONFIDENCE = 0.8
"""Least confidence with which the region is found again. Measured on DAVIS' six clips, cut in two: it is .86 and above
in frames that show the thing, and at most .69 where it was painted over (and .89 once, with half of its size)."""

LARGER = 2.0
"""Greatest factor by which the region may be larger or smaller than it was."""


class Found(NamedTuple):
    """A region that was found again."""

    frame: int
    """Number of the frame."""
    mask: np.ndarray
    """(h/2, w/2) uint8, 255 inside."""
    confidence: float
    """0 to 1: how much like the region it looks, less where it is larger or smaller."""


class Look(NamedTuple):
    """A frame in which a region is known."""

    thumb: np.ndarray
    """(h, w) uint8, with a short side of `FOLLOWED`."""
    mask: np.ndarray
    """(h/2, w/2) uint8, 255 inside."""


def follow_again(
    film: Film, shot: tuple[int, int], looks: Sequence[Look], sight: Sight, wanted: tuple[int, int] | None = None
) -> Iterator[Place]:
    """A region in the frames of another shot of its place; nothing if it is not found there.

    Args:
        film: the source.
        shot: (first frame, number after the last) of the other shot.
        looks: frames in which the region is known.
        sight: the networks.
        wanted: (first frame, number after the last) of the frames that are wanted; None: all of the shot.

    Yields:
        The region's place in a frame, numbered as in the film, from the frame where it is found on and then back.
    """

    def remember() -> Memory:
        memory = RegionMemory(sight)
        for look in looks:
            memory.give(look.thumb, look.mask.astype(np.float32) / 255)
        return memory

    first, stop = shot
    with thumbs_of(film, first, stop, FOLLOWED) as thumbs:
        known = [(seen_by(sight, look.thumb), look.mask) for look in looks]
        frames = {n: seen_by(sight, thumbs[n]) for n in spread_out(stop - first, LOOKS)}
        if found := find_again(known, frames, remember):
            begin, end = wanted or shot
            begin = min(max(begin - first, 0), found.frame)
            end = max(min(end, stop) - first, found.frame + 1)
            for place in track(thumbs[begin:end], found.mask, found.frame - begin, remember):
                yield place._replace(frame=first + begin + place.frame)


def find_again(
    known: Sequence[tuple[Seen, np.ndarray]], frames: Mapping[int, Seen], remember: Callable[[], Memory]
) -> Found | None:
    """Where a region is in one of some frames; None if it is surely in none of them.

    Args:
        known: frames in which the region is known, each with its mask there, (h/2, w/2) uint8, 255 inside.
        frames: number of a frame of another shot → the frame.
        remember: makes a memory that knows the region in these frames.
    """
    fits: list[tuple[float, int, Fit, int]] = []
    for number, frame in frames.items():
        each = [(how.share, -n, how) for n, (other, _) in enumerate(known) if (how := fit(frame, other))]
        if each and (best := max(each, key=lambda one: one[:2]))[0] > FADE * LEAST_SHARE:
            fits.append((best[0], number, best[2], -best[1]))
    found: Found | None = None
    for _, number, how, n in sorted(fits, key=lambda one: (-one[0], one[1]))[:TRIED]:
        (other, mask), frame = known[n], frames[number]
        memory = remember()
        looks = 1 / (1 + np.exp(-memory.tell(memory.see(frame.thumb))))
        with one_thread():
            (place,), visible = moved(other.thumb, mask[None].astype(np.float32) / 255, frame.thumb, how.way)
            drawn = in_one_place(memory.outline(place, visible * likeness(how, frame, other)))
        inside = np.maximum(2 * drawn - 1, 0)
        if inside.sum() < 1:
            continue
        confidence, size = float((inside * looks).sum() / inside.sum()), float(drawn.sum() / (mask.sum() / 255))
        if confidence < LEAST_CONFIDENCE or not 1 / LARGER <= size <= LARGER:
            continue
        confidence *= min(size, 1 / size)
        if found is None or confidence > found.confidence:
            found = Found(number, np.rint(drawn * 255).astype(np.uint8), confidence)
    return found


def in_one_place(drawn: np.ndarray) -> np.ndarray:
    """A region (h, w) float32, 0 to 1, without the pieces that lie far from its largest one: other things that look
    like it."""
    count, pieces, sizes, _ = cv2.connectedComponentsWithStats((drawn > 0.5).astype(np.uint8))
    if count < 2:
        return drawn
    largest = 1 + int(sizes[1:, cv2.CC_STAT_AREA].argmax())
    return reached(drawn, (pieces == largest).astype(np.float32))
