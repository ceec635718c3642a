"""Edits at work while they change: regions are followed step by step, nearest frames first.

What `edits.resolve` does for a whole film before it is painted, this does for a film that a person looks at: an edit
acts in its own frame at once, and in the other frames of its shot as soon as the region has been followed there. The
masks are those of `resolve`: they come from the same functions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...models.labels import INDEX
from ...models.memory import describe
from ..edits.apply import ResolvedEdits
from ..edits.fields import Range
from ..edits.keys import Paint
from ..edits.orders import ResolvedEdit, chroma_of
from ..edits.resolve import order_fields
from ..edits.resolver import Extent, Resolver
from ..edits.sheet import Edit, Sheet
from ..film import Film
from ..timecode import parse_moment
from .keyed import KeyedShot, KeyFrames
from .regions import Legs, Region
from .source import Shots, Source

KEPT = 40
"""Number of places of earlier edits that are kept, so that what is undone is there at once."""


class Locator(Resolver):
    """Finds places of edits with the shots and frames of an open film."""

    def __init__(self, film: Film, size: int, paint: Paint, weights: Path | None, shots: Shots, source: Source) -> None:
        super().__init__(film, size, lambda: paint, weights, (0, film.frames), (0, film.frames))
        self._shots, self._legs = shots, Legs(self, source)

    def shot(self, frame: int) -> tuple[int, int]:
        return self._shots.around(frame)

    def span(self, span: Range, where: str) -> tuple[int, int]:
        known = self._shots.known()
        number = None if span.shot is None else parse_moment(span.shot)
        if isinstance(number, int) and number < len(known):
            return known[number]
        return super().span(span, where)

    def describe(self, thumb: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """What the cells of a thumb look like; see `flow.carry.Describe`."""
        return describe(self._sight, thumb)

    def knows(self, edit: Edit) -> bool:
        """Whether the shots that the edit names are known."""
        if edit.range and edit.range.shot is not None and not self._shots.complete:
            return False
        moment = edit.frame if edit.frame is not None else edit.time
        try:
            return moment is None or self._shots.of(self.film.frame_at(moment)) is not None
        except UserError:
            return True  # `locate` says what is wrong

    def place(self, edit: Edit, where: str) -> Region | Extent:
        """The extent of an edit of a label; or the region of any other edit, known in its own frame. Raises UserError,
        which begins with `where`."""
        extent = self.locate(edit, where)
        if extent.frame is None or edit.region.label is not None:
            return extent
        return self._legs.region(edit, extent, place_of(edit))


def place_of(edit: Edit) -> str:
    """The frame, the range and the region of an edit, as JSON. Edits of the same place have the same masks."""
    return json.dumps(edit.model_dump(mode="json", include={"frame", "time", "range", "region"}))


@dataclass(frozen=True)
class LiveEdits(ResolvedEdits):
    """Edits whose masks are being found. An edit acts where its mask is known."""

    regions: tuple[Region | None, ...] = ()
    """The region of each order; None for orders of labels."""
    shots: tuple[KeyedShot, ...] = ()
    """The shots that have key frames, as far as they are known."""
    silent: tuple[KeyedShot, ...] = ()
    """Those of them of which it is not known yet what they say of labels."""
    waiting: bool = False
    """Whether the colours of a reference are still being measured."""

    def _read(self, number: int, frame: int) -> bytes:
        region = self.regions[number]
        return region.mask(frame) if region else b""

    def _carried(self, frame: int) -> bytes:
        return next((shot.data(frame) for shot in self.shots if shot.first <= frame < shot.stop), b"")

    def settled(self, frame: int) -> bool:
        """Whether all edits that hold in a frame are known there."""
        silent = any(shot.first <= frame < shot.stop for shot in self.silent)
        if self.waiting or silent or not all(shot.known(frame) for shot in self.shots):
            return False
        both = zip(self.orders, self.regions, strict=True)
        return all(r is None or not order.holds(frame) or r.known(frame) for order, r in both)

    def labels_settled(self, first: int, stop: int) -> bool:
        """Whether all label edits are known in the frames `first` .. `stop` - 1."""
        asked = [region for order, region in zip(self.orders, self.regions, strict=True) if order.ab is None and region]
        return all(region.known(frame) for region in asked for frame in range(first, stop))

    def key(self, frame: int) -> str:
        """A text that changes with everything that edits do to a frame."""
        found = [
            (
                order.label,
                order.relabel,
                order.ab,
                order.strength,
                region and (region.key(frame, frame + 1), region.known(frame)),
            )
            for order, region in zip(self.orders, self.regions, strict=True)
            if order.holds(frame)
        ]
        moved = [sorted(transfer.changes.items()) for transfer in self.transfers if transfer.holds(frame)]
        keyed = [(shot.place, shot.known(frame)) for shot in self.shots if shot.first <= frame < shot.stop]
        return sha256(repr((found, moved, keyed)).encode()).hexdigest()[:16] if found or moved or keyed else "-"

    def label_key(self, first: int, stop: int) -> str:
        """A text that changes with everything that label edits do to the frames `first` .. `stop` - 1."""
        found = [
            (max(order.first, first - 1), min(order.stop, stop + 1), order.label, order.relabel, order.strength)
            + ((region.key(first - 1, stop + 1),) if region else ())
            for order, region in zip(self.orders, self.regions, strict=True)
            if order.ab is None and order.first < stop and order.stop >= first
        ]
        return sha256(repr(found).encode()).hexdigest()[:16] if found else "-"


NO_EDITS = LiveEdits((), (), Path())
"""No edits at all."""


class Editing:
    """Turns each version of a sheet into live edits, and keeps what was followed for earlier ones."""

    def __init__(self, locator: Locator, keys: KeyFrames) -> None:
        self._locator, self._keys = locator, keys
        self._places: dict[str, Region | Extent] = {}
        self._most = KEPT
        self.transfers: dict[str, tuple] = {}
        """References and their ranges, as JSON → their transfers."""
        self.mistake = ""
        """What is wrong with the references."""

    def check(self, edit: Edit) -> None:
        """Raise UserError if an edit does not fit the film."""
        self._place(edit, "The edit")

    def mask(self, edit: Edit) -> np.ndarray | None:
        """The mask of an edit's region in its own frame, (h/2, w/2) uint8; None for a label. Raises UserError."""
        place = self._place(edit, "The edit")
        return place.own if isinstance(place, Region) else None

    def live(self, sheet: Sheet) -> tuple[LiveEdits, dict[str, str]]:
        """The edits of a sheet at work, and the mistakes in them: place in the sheet (edits[2]) → a sentence.

        An edit with a mistake has no effect, nor has one whose shot is not known yet: its region stays in that shot.
        """
        sheet, whole = sheet.plain(), (0, self._locator.film.frames)
        self._most = KEPT + len(sheet.edits)
        orders = [ResolvedEdit(*whole, INDEX[label], ab=chroma_of(color)) for label, color in sheet.palette.items()]
        regions: list[Region | None] = [None for _ in orders]
        mistakes: dict[str, str] = {}
        for number, edit in enumerate(sheet.edits):
            if edit.off:
                continue
            try:
                place = self._place(edit, f"edits[{number}]", later=True)
            except UserError as error:
                mistakes[f"edits[{number}]"] = str(error)
                continue
            if place is None:
                continue
            region = place if isinstance(place, Region) else None
            extent = place.extent if isinstance(place, Region) else place
            orders.append(replace(extent.order, **order_fields(edit)))
            regions.append(region)
        asked = [reference for reference in sheet.references if not reference.off]
        key = json.dumps([reference.model_dump(mode="json") for reference in asked])
        transfers = self.transfers.get(key) if asked else ()
        shots = self._keys.live(sheet.keyframes, lambda where, error: mistakes.update({where: str(error)}))
        self._keys.forget(shots)
        said = {shot: shot.said[0] for shot in shots if shot.said}
        live = LiveEdits(
            tuple(orders),
            (*(transfers or ()), *filter(None, said.values())),
            Path(),
            keyed=tuple((shot.first, shot.stop) for shot in shots),
            regions=tuple(regions),
            shots=tuple(shots),
            silent=tuple(shot for shot in shots if shot not in said),
            waiting=transfers is None,
        )
        return live, mistakes

    def measure(self, sheet: Sheet) -> None:
        """Measure the colours of a sheet's references. Raises UserError; then they have no effect."""
        self.mistake = ""
        asked = [reference for reference in sheet.references if not reference.off]
        key = json.dumps([reference.model_dump(mode="json") for reference in asked])
        self.transfers[key] = ()
        self.transfers[key] = tuple(self._locator.transfers(asked))

    def _place(self, edit: Edit, where: str, later: bool = False) -> Region | Extent | None:
        """The place of an edit; None if `later` and its shot is not known. Raises UserError."""
        place = place_of(edit)
        found = self._places.pop(place, None)
        if found is None:
            if later and not self._locator.knows(edit):
                return None
            found = self._locator.place(edit, where)
        self._places[place] = found  # the one that was used last comes last
        while len(self._places) > self._most:
            del self._places[next(iter(self._places))]
        return found
