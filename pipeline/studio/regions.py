"""Regions of an open film, followed frame by frame, and changed on their way where people have drawn in them again.

Masks are those of `edits.resolver`: they come from the same functions. What was followed is kept by what decides it, so
a stroke in a later frame costs nothing before that frame.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from hashlib import sha256
from weakref import WeakValueDictionary

import numpy as np

from ...flow.track import Place
from ..edits.mending import one_way
from ..edits.resolver import Extent, Resolver
from ..edits.sheet import Edit
from ..following import LOST_CONFIDENCE
from .source import Source

Drawn = tuple[tuple[int, np.ndarray], ...]
"""The frames in which a region was drawn on its way, and its masks there on the chroma grid of a large thumb."""

Route = list[tuple[int, str]]
"""The frames in which a region is drawn in one direction of time, and the keys of the legs from there."""

WAYS = -1, 1
"""The directions of time: to earlier frames, and to later ones."""


class Leg:
    """A region on its way from a frame in which it is drawn, in one direction of time, as far as it is known.

    Edits whose regions come this way share it, however they go on. One thread follows it, others may read.
    """

    def __init__(self, key: str, drawn: Drawn, way: int, shot: tuple[int, int], resolver: Resolver) -> None:
        """
        Args:
            key: names the region and all that has changed it so far.
            drawn: where it was drawn so far.
            way: one of `WAYS`.
            shot: (first frame, number after the last).
            resolver: has the networks that follow regions.
        """
        self.key, self.drawn, self.way = key, drawn, way
        self.start, mask = drawn[-1]
        self.end = self.start
        """The farthest frame that is known."""
        self.own = resolver.reduced(mask)
        """The mask in its first frame, (h/2, w/2) uint8 on the film's chroma grid."""
        self.confidence: dict[int, float] = {self.start: 1.0}
        """How sure the region's place is, 0 to 1, in each frame that is known."""
        self._shot, self._resolver = shot, resolver
        self._found: dict[int, bytes] = {}
        self._masks: dict[int, bytes] = {}
        self._going: Iterator[Place] | None = None
        self._keep(self.start, mask)

    def mask(self, frame: int) -> bytes:
        """The bytes of a mask, (h/2, w/2) uint8 on the film's chroma grid; b"" for an empty or unknown one."""
        kept = self._masks.get(frame)
        return zlib.decompress(kept) if kept else b""

    def arrived(self, frame: int) -> np.ndarray | None:
        """A mask as it was followed, on the chroma grid of a large thumb; None if it is not known yet."""
        kept = self._found.get(frame)
        return np.frombuffer(zlib.decompress(kept), np.uint8).reshape(self.drawn[0][1].shape) if kept else None

    def step(self, source: Source) -> None:
        """Follow the region one frame farther."""
        if self._going is None:
            self._going = one_way(source.large_thumb, self._shot, self.drawn, self.way, self._resolver.remember)
        frame, found, confidence = next(self._going)
        self.confidence[frame] = confidence
        self._keep(frame, found)
        self.end = frame

    def _keep(self, frame: int, found: np.ndarray) -> None:
        mask = self._resolver.reduced(found)
        self._masks[frame] = zlib.compress(mask.tobytes(), 1) if mask.any() else b""
        self._found[frame] = zlib.compress(found.tobytes(), 1)


class Legs:
    """The legs of all regions of a film, by their keys, as long as somebody uses them.

    Args:
        resolver: has the networks that follow regions.
        source: the frames; for the thread that makes regions.
    """

    def __init__(self, resolver: Resolver, source: Source) -> None:
        self._resolver, self._source = resolver, source
        self._made: WeakValueDictionary[str, Leg] = WeakValueDictionary()

    def region(self, edit: Edit, extent: Extent, place: str) -> Region:
        """The region of an edit, known in its own frame at least.

        Args:
            edit: the edit; its region is not a label.
            extent: from `Resolver.locate`.
            place: names the edit's region and range.
        """
        assert extent.frame is not None
        told = edit.region.model_dump(mode="json", exclude={"then"})
        routes = tuple(_route(json.dumps([extent.frame, told]), extent, way) for way in WAYS)
        firsts = [leg for route in routes if (leg := self._made.get(route[0][1]))]
        if len(firsts) < len(routes):
            thumb = self._source.large_thumb(extent.frame)
            mask = self._resolver.mask(edit.region, extent.changes.get(extent.frame, ()), thumb)
            drawn = ((extent.frame, mask),)
            firsts = [self._leg(route[0][1], drawn, way, extent) for route, way in zip(routes, WAYS, strict=True)]
        region = Region(extent, firsts, routes, place, self)
        region.grow(self._source)
        return region

    def onward(self, leg: Leg, frame: int, key: str, extent: Extent, source: Source) -> Leg | None:
        """The leg after another one, from a frame in which the region changes; None while it has not arrived there."""
        made, arrived = self._made.get(key), leg.arrived(frame)
        if made or arrived is None:
            return made
        mask = self._resolver.mended(arrived, source.large_thumb(frame), extent.changes[frame])
        return self._leg(key, (*leg.drawn, (frame, mask)), leg.way, extent)

    def _leg(self, key: str, drawn: Drawn, way: int, extent: Extent) -> Leg:
        return self._made.setdefault(key, Leg(key, drawn, way, extent.shot, self._resolver))


def _route(base: str, extent: Extent, way: int) -> Route:
    """The route of a region that is described by `base`."""
    assert extent.frame is not None
    frames = [n for n in sorted(extent.changes, reverse=way < 0) if (n - extent.frame) * way > 0]
    route, said = [], [base, way]
    for frame in (extent.frame, *frames):
        shapes = extent.changes.get(frame, ())
        said += [frame, [shape.model_dump(mode="json", exclude={"frame", "time"}) for shape in shapes]]
        route.append((frame, sha256(json.dumps(said).encode()).hexdigest()[:24]))
    return route


class Region:
    """The masks of one edit's region, as far as they are known. One thread follows it, others may read."""

    def __init__(self, extent: Extent, firsts: list[Leg], routes: tuple[Route, ...], place: str, legs: Legs) -> None:
        """
        Args:
            extent: the frames to which the edit applies.
            firsts: the legs to earlier and to later frames, from the edit's own.
            routes: its routes to earlier and to later frames.
            place: names the edit's region and range.
            legs: makes further legs.
        """
        assert extent.frame is not None
        self.extent, self.frame, self.place = extent, extent.frame, place
        self.first = extent.order.first
        # One frame more: `ResolvedEdits.forget` needs the mask where the edit ends.
        self.stop = min(extent.order.stop + 1, extent.shot[1])
        self._legs, self._routes, self._more = [[leg] for leg in firsts], routes, legs

    @property
    def own(self) -> np.ndarray:
        """The mask in the region's own frame, (h/2, w/2) uint8 on the film's chroma grid."""
        return self._legs[0][0].own

    @property
    def ends(self) -> tuple[int, int]:
        """Masks are known from the first of these frames to the one before the second."""
        return self._end(0), self._end(1) + 1

    def _end(self, side: int) -> int:
        legs = self._legs[side]
        ahead = self._routes[side][len(legs) :]
        bounds = [legs[-1].end, *(frame - legs[-1].way for frame, _ in ahead[:1])]
        return min(bounds) if side else max(bounds)

    def leg(self, frame: int) -> Leg:
        """The leg on which the region comes to a frame that is known."""
        side = int(frame > self.frame)
        return next(leg for leg in reversed(self._legs[side]) if (frame - leg.start) * leg.way >= 0)

    def mask(self, frame: int) -> bytes:
        """The bytes of a mask; b"" for an empty one and for one that is not known yet."""
        first, stop = self.ends
        return self.leg(frame).mask(frame) if first <= frame < stop else b""

    def key(self, first: int, stop: int) -> str:
        """A text that changes with everything that decides the masks of the frames `first` .. `stop` - 1."""
        found: list[str] = []
        for route, way in zip(self._routes, WAYS, strict=True):
            ends = [frame for frame, _ in route[1:]] + [stop if way > 0 else first - 1]
            for (begin, key), end in zip(route, ends, strict=True):
                lowest, highest = (begin, end - 1) if way > 0 else (end + 1, begin)
                if lowest < stop and highest >= first:
                    found.append(key)
        return " ".join(found)

    def known(self, frame: int) -> bool:
        """Whether the mask of a frame is known, or the edit does not reach the frame."""
        return self.ends[0] <= frame < self.ends[1] or not self.first <= frame < self.stop

    @property
    def unsure(self) -> list[tuple[int, int]]:
        """Where the region's place is unsure: (first frame, number after the last) of each stretch."""
        first, stop = max(self.ends[0], self.first), min(self.ends[1], self.stop)
        return unsure_spans({n: self.leg(n).confidence[n] for n in range(first, stop)})

    @property
    def done(self) -> bool:
        """Whether all masks are known."""
        return self.ends[0] <= self.first and self.ends[1] >= self.stop

    def grow(self, source: Source) -> None:
        """Change the region in the frames where it has arrived."""
        for legs, route in zip(self._legs, self._routes, strict=True):
            for frame, key in route[len(legs) :]:
                leg = self._more.onward(legs[-1], frame, key, self.extent, source)
                if leg is None:
                    break
                legs.append(leg)

    def step(self, source: Source, towards: int) -> None:
        """Follow the region one frame farther, towards a frame if its mask is not known there."""
        self.grow(source)
        ends = self.ends
        side = 0 if towards < ends[0] else 1
        if (ends[0] <= self.first) if side == 0 else (ends[1] >= self.stop):
            side = 1 - side
        if not self.done:
            self._legs[side][-1].step(source)
            self.grow(source)


def unsure_spans(confidence: Mapping[int, float]) -> list[tuple[int, int]]:
    """Where a region's place is unsure: (first frame, number after the last) of each stretch.

    Args:
        confidence: number of a frame → how sure the place is there, 0 to 1; frames in order.
    """
    spans: list[tuple[int, int]] = []
    for frame in (n for n, sure in confidence.items() if sure < LOST_CONFIDENCE):
        if spans and spans[-1][1] == frame:
            spans[-1] = spans[-1][0], frame + 1
        else:
            spans.append((frame, frame + 1))
    return spans
