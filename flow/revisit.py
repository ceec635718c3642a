"""The colours that a place had in one shot, in another shot that shows it again.

Some frames of the later shot, about every half second, become keys: they take the colours of the earlier shot's frames,
where both show the same. The key that fits the earlier shot best is the first one. From key to key, colours go on along
the shot, and the earlier shot fills in the places that come into view. So the whole shot takes one colour for a place,
even where the earlier shot wavered, and a moving camera may go on where the earlier shot never was.

Every frame takes its colours from the keys before and after it, and from nothing else. So it does not matter how the
shot was cut into chunks.

A frame's features find how it lies to another one (see `scenes`). The other one is moved by this transform, and its
motion to the frame is measured, as between two neighbours of a shot. So colours reach a frame with pixel accuracy, and
visibility tells where both show the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .motion import one_thread
from .scenes import FADE, LEAST_SHARE, Fit, Seen, fit, likeness, moved

LEAST_SEEN = 0.3
"""Share of what is alike in two frames that is to be visible in both, for the colours to count in full. (Below `FADE`
times this part, and this part of `scenes.LEAST_SHARE`, they do not count. So colours do not switch on and off.)"""

NEAREST = 4
"""Power of the share of agreeing cells by which a frame that fits better counts more."""

SOURCES = 3
"""Most frames of the earlier shot from which a key takes colours: those that fit best."""


class Colored(NamedTuple):
    """A frame and its colours."""

    seen: Seen
    ab: np.ndarray
    """(2, h/2, w/2) float32, a and b of CIE Lab."""
    known: np.ndarray
    """(h/2, w/2) float32, 0 to 1: where they are known."""


class Taken(NamedTuple):
    """Colours that reached a frame."""

    ab: np.ndarray
    """(2, h/2, w/2) float32, a and b of CIE Lab."""
    known: np.ndarray
    """(h/2, w/2) float32, 0 to 1: how surely they belong there."""


class Revisit:
    """A shot that takes the colours of an earlier one."""

    def __init__(self, frames: Mapping[int, Seen], earlier: Sequence[Colored]) -> None:
        """
        Args:
            frames: number of a frame → some frames of the shot, in order.
            earlier: frames of the earlier shot.
        """
        self._keys = _keys(frames, earlier)
        self._numbers = sorted(self._keys)

    def taken(self, number: int, frame: Seen) -> Taken | None:
        """The colours that a frame of the shot takes; None if it takes none. `number` is the frame's number."""
        place = bisect_left(self._numbers, number)
        around = self._numbers[max(place - 1, 0) : place + 1]
        if number in self._keys:
            around = [number]
        found, weights = [], []
        for key in around:
            colored = self._keys[key]
            if not colored.known.any():
                continue
            came = Taken(colored.ab, colored.known) if key == number else carried(frame, colored)
            if came:
                found.append(came)
                weights.append(1 / (1 + abs(number - key)))
        return _mixed(found, weights) if found else None


def _keys(frames: Mapping[int, Seen], earlier: Sequence[Colored]) -> dict[int, Colored]:
    """The keys of a shot, by the numbers of their frames; see `Revisit`."""
    order = sorted(frames)
    fits = {number: _fits(frames[number], earlier) for number in order}
    keys: dict[int, Colored] = {}
    while len(keys) < len(order):
        beside = {n: [m for m in order[max(p - 1, 0) : p + 2] if m in keys] for p, n in enumerate(order)}
        reach = {
            n: max([*(found.share for found, _ in fits[n][:1]), *(float(keys[m].known.mean()) for m in beside[n]), 0.0])
            for n in order
            if n not in keys
        }
        number = max(reach, key=reach.__getitem__)
        frame = frames[number]
        own = [came for m in beside[number] if (came := carried(frame, keys[m]))]
        found, weights = [], []
        for how, colored in fits[number]:
            if came := carried(frame, colored, how):
                found.append(came)
                weights.append((how.share / fits[number][0][0].share) ** NEAREST)
        grid = frame.thumb.shape[0] // 2, frame.thumb.shape[1] // 2
        ab, known = np.zeros((2, *grid), np.float32), np.zeros(grid, np.float32)
        for several, its in ((own, [1.0] * len(own)), (found, weights)):  # what goes on in the shot comes first
            if several:
                more = _mixed(several, its)
                share = more.known * (1 - known)
                total = known + share
                ab = (ab * known + more.ab * share) / np.maximum(total, np.float32(1e-6))
                known = total
        keys[number] = Colored(frame, ab, known)
    return keys


def _fits(frame: Seen, earlier: Sequence[Colored]) -> list[tuple[Fit, Colored]]:
    """The frames that fit a frame best, the best first."""
    found = [(how, colored) for colored in earlier if (how := fit(frame, colored.seen))]
    return sorted(found, key=lambda each: -each[0].share)[:SOURCES]


def carried(frame: Seen, source: Colored, how: Fit | None = None) -> Taken | None:
    """The colours of one frame, carried to another that shows the same; None if it does not.

    Args:
        frame: the frame that takes the colours.
        source: the frame that has them.
        how: how both fit, if that is known.
    """
    how = how or fit(frame, source.seen)
    if how is None or how.share <= FADE * LEAST_SHARE:
        return None
    with one_thread():
        trust = likeness(how, frame, source.seen)
        if not trust.any():
            return None
        planes, visible = moved(source.seen.thumb, np.stack([*source.ab, source.known]), frame.thumb, how.way)
    seen = float((visible * trust).sum() / trust.sum())
    full = min(_full(how.share / LEAST_SHARE), _full(seen / LEAST_SEEN))
    return Taken(planes[:2], visible * trust * planes[2] * np.float32(full)) if full else None


def _full(part: float) -> float:
    """How far a frame takes colours, 0 to 1, if it has this part of what a sure frame has."""
    return min(max((part - FADE) / (1 - FADE), 0.0), 1.0)


def _mixed(several: Sequence[Taken], weights: Sequence[float]) -> Taken:
    """The mean of several answers; those that are surer count more."""
    shares = [np.square(each.known) * np.float32(weight) for each, weight in zip(several, weights, strict=True)]
    total = np.maximum(sum(shares), np.float32(1e-6))
    ab = sum((each.ab * share for each, share in zip(several, shares, strict=True)), np.zeros_like(several[0].ab))
    return Taken(ab / total, np.maximum.reduce([each.known for each in several]))
