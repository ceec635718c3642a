"""Resolve a sheet of edits for a film, so that `apply` can apply it.

Moments become frames, regions become masks in every frame of their shot, and photos become colour statistics. Only the
shots that edits touch are read.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ...errors import UserError
from ...flow.carry import Key
from ...flow.snap import snap
from ...flow.track import track
from ...models.labels import INDEX
from ...models.memory import RegionMemory
from ...models.sight import Sight
from ..files import move_into_place
from ..film import Film
from ..following import FOLLOWED, lost_since, thumbs_of
from ..overlay import likeliest
from ..reader import thumb_size
from ..shots import numbered_shots, shot_around
from ..timecode import parse_moment
from . import sheet as edits
from .apply import ColorTransfer, ResolvedEdit, ResolvedEdits, chroma_of, mask_name
from .keys import Paint, carry_keys, read_key
from .references import ColorSums, color_changes, read_photo

SUPERSAMPLED = 4
"""Factor by which a region is drawn larger in each direction, before it is reduced to the size of its mask."""

SAMPLES = 24
"""Number of frames of a range in which the network's own colours are measured, to be replaced by a reference's."""


def resolve(
    film: Film,
    sheet: edits.Sheet,
    size: int,
    painter: Callable[[], Paint],
    folder: Path,
    key: str,
    *,
    weights: Path | None = None,
    within: tuple[int, int] | None = None,
    shown: tuple[int, int] | None = None,
) -> ResolvedEdits:
    """Resolve a sheet for a film.

    The result is kept in a file in `folder`; the next call with the same key reads it. A result of another sheet is
    replaced, but regions that both sheets contain are not tracked again. So a folder serves one film, one size and one
    set of weights.

    Args:
        film: the source.
        sheet: the sheet.
        size: short side of the networks' input picture.
        painter: makes the networks; called only if a region or a reference needs them.
        folder: where the result is kept.
        key: identifies all that the result depends on.
        weights: the file of the networks that follow regions; None: the one that ships.
        within: pair (first, stop) of the frames to process; None: the whole film.
        shown: pair (first, stop) of the frames that will be output; the others of `within` only warm up the steadier.
            None: all of them.

    Raises:
        UserError: if edits do not fit the film. The message names all such mistakes.
    """
    path = folder / f"masks-{key}.zip"
    if path.exists():
        return _read(path)[0]
    temporary = path.with_suffix(".tmp")
    whole = (0, film.frames)
    resolver = Resolver(film, size, painter, weights, within or whole, shown or within or whole)
    kept = {of: known for other in folder.glob("masks-*.zip") for of, known in _taken_over(other).items()}
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        orders = [ResolvedEdit(0, film.frames, INDEX[label], ab=chroma_of(c)) for label, c in sheet.palette.items()]
        active = {number: edit for number, edit in enumerate(sheet.edits) if not edit.off}
        place = {"frame", "time", "range", "region"}
        asked = [
            json.dumps([edit.model_dump(mode="json", include=place), resolver.reach(edit)]) for edit in active.values()
        ]
        origins: list[str | None] = [*(None for _ in orders), *asked]
        places, mistakes = [], []
        for (number, edit), origin in zip(active.items(), asked, strict=True):
            try:
                places.append(kept.get(origin) or resolver.locate(edit, f"edits[{number}]"))
            except UserError as error:
                mistakes.append(str(error).removesuffix("."))
        if mistakes:
            raise UserError("; ".join(mistakes) + ".")
        for (place, edit), found in zip(active.items(), places, strict=True):
            if isinstance(found, _Known):
                _copy(found, archive, len(orders))
                lost = found.order.lost
            else:
                lost = resolver.track(edit, found, archive, len(orders))
            orders.append(replace(found.order, lost=lost, name=f"edits[{place}]", **order_fields(edit)))
        transfers = resolver.transfers(sheet.references)
        keyed = resolver.carry_keys(sheet.keyframes, transfers, archive)
        resolved = ResolvedEdits(tuple(orders), tuple(transfers), path, keyed)
        plain = {"orders": list(map(asdict, orders)), "transfers": list(map(asdict, transfers)), "origins": origins}
        plain["keyed"] = keyed
        archive.writestr("plan.json", json.dumps(plain))
    move_into_place(temporary, path)
    for other in folder.glob("masks-*"):
        if other != path:
            other.unlink()
    return resolved


def order_fields(edit: edits.Edit) -> dict[str, Any]:
    """The action of an edit, as fields of `ResolvedEdit`."""
    action = edit.action
    return {
        "strength": edit.strength,
        "relabel": None if action.label is None else INDEX[action.label],
        "ab": (0.0, 0.0) if action.neutral else chroma_of(action.colour) if action.colour else None,
    }


def _read(path: Path) -> tuple[ResolvedEdits, list[str | None]]:
    """Read a result, and for each of its orders the place asked for in the sheet (as JSON); None for the palette's."""
    with zipfile.ZipFile(path) as archive:
        kept = json.loads(archive.read("plan.json"))
    orders = [
        ResolvedEdit(**order | {"ab": order["ab"] and tuple(order["ab"]), "lost": tuple(order["lost"])})
        for order in kept["orders"]
    ]
    transfers = [
        ColorTransfer(**t | {"changes": {int(k): v for k, v in t["changes"].items()}}) for t in kept["transfers"]
    ]
    keyed = tuple((first, stop) for first, stop in kept["keyed"])
    return ResolvedEdits(tuple(orders), tuple(transfers), path, keyed), kept["origins"]


class Extent(NamedTuple):
    """The frames and the region to which an edit applies."""

    order: ResolvedEdit
    """The edit without its action."""
    frame: int | None
    """Number of the frame in which its region is described; None for a label in all frames."""
    shot: tuple[int, int]
    """(first frame, number after the last) of the shot of `frame`; of the whole film if `frame` is None."""


class _Known(NamedTuple):
    """An order of an earlier result."""

    order: ResolvedEdit
    """The order."""
    number: int
    """Its number in the earlier result; see `mask_name`."""
    path: Path
    """File of the earlier result, with its masks."""


def _taken_over(path: Path) -> dict[str, _Known]:
    """The orders of an earlier result: the place asked for in its sheet (as JSON) → the order."""
    resolved, origins = _read(path)
    both = enumerate(zip(resolved.orders, origins, strict=True))
    return {of: _Known(order, number, path) for number, (order, of) in both if of}


def _copy(known: _Known, archive: zipfile.ZipFile, number: int) -> None:
    """Copy the masks of an earlier order into the archive, as those of order `number`."""
    with zipfile.ZipFile(known.path) as source:
        for frame in range(known.order.first, known.order.stop + 1):
            if mask_name(known.number, frame) in source.NameToInfo:
                archive.writestr(mask_name(number, frame), source.read(mask_name(known.number, frame)))


class Resolver:
    """Resolves the edits of one film. See `resolve` for the arguments."""

    def __init__(
        self,
        film: Film,
        size: int,
        painter: Callable[[], Paint],
        weights: Path | None,
        within: tuple[int, int],
        shown: tuple[int, int],
    ) -> None:
        self.film, self.size, self._painter, self.within, self.shown = film, size, painter, within, shown
        self._weights = weights
        self._shot = 0, 0  # the last shot found: edits of one shot often follow one another
        self._paint: Paint | None = None

    def paint(self, thumbs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Like `Painter.paint`; the first call makes the networks."""
        if self._paint is None:
            self._paint = self._painter()
        return self._paint(thumbs)

    def locate(self, edit: edits.Edit, where: str) -> Extent:
        """Find the frames to which an edit applies. Raises UserError, which begins with `where`."""
        film, region = self.film, edit.region
        frame = None
        if edit.frame is not None or edit.time is not None:
            moment = edit.frame if edit.frame is not None else edit.time
            assert moment is not None
            frame = film.frame_at(moment, f"{where}.{'time' if edit.frame is None else 'frame'}")
        self.check(region, f"{where}.region")
        shot = self.shot(frame) if frame is not None else (0, film.frames)
        first, stop = self.span(edit.range, f"{where}.range") if edit.range else shot
        if region.label is None and (first < shot[0] or stop > shot[1]):
            raise UserError(
                f"{where}.range: frames {first} to {stop - 1} are not all in the shot of frame {frame} "
                f"({shot[0]} to {shot[1] - 1}), and a region is followed through its shot only; write an edit "
                f"for each shot, or use a label as region."
            )
        return Extent(ResolvedEdit(first, stop, None if region.label is None else INDEX[region.label]), frame, shot)

    def reach(self, edit: edits.Edit) -> tuple[int, int]:
        """(first, stop) of the frames that need an edit; of a label edit, also those that only warm up the steadier."""
        return self.within if edit.action.label else self.shown

    def track(self, edit: edits.Edit, extent: Extent, archive: zipfile.ZipFile, number: int) -> tuple[int, ...]:
        """Track the region of an edit through its frames and store its masks. A region `label` has none.

        Args:
            edit: the edit.
            extent: its frames, from `locate`.
            archive: the archive of the result.
            number: number of the order that owns the masks.

        Returns:
            The frames from which on the region is lost, see `lost_since`.
        """
        order, frame, shot = extent
        if edit.region.label is not None or frame is None:
            return ()
        begin, end = self.reach(edit)
        # One frame more: `ResolvedEdits.forget` needs the mask where the edit ends.
        wanted = max(order.first, begin), min(order.stop + 1, shot[1], end)
        if wanted[0] >= wanted[1]:
            return ()
        first, stop = min(wanted[0], frame), max(wanted[1], frame + 1)
        sure: dict[int, float] = {}
        with thumbs_of(self.film, first, stop, FOLLOWED) as thumbs:
            mask = self.mask(edit.region, thumbs[frame - first])
            for n, found, confidence in track(thumbs, mask, frame - first, self.remember):
                if wanted[0] <= first + n < wanted[1]:
                    sure[first + n] = confidence
                    mask = self.reduced(found)
                    if mask.any():
                        archive.writestr(mask_name(number, first + n), mask.tobytes())
        return lost_since(sure, frame)

    def shot(self, frame: int) -> tuple[int, int]:
        """(first frame, number after the last) of the shot of a frame."""
        if not self._shot[0] <= frame < self._shot[1]:
            self._shot = shot_around(self.film, frame, self.size)
        return self._shot

    def span(self, span: edits.Range, where: str) -> tuple[int, int]:
        """(first frame, number after the last) of a range. Raises UserError, which begins with `where`."""
        if span.shot is None:
            assert span.from_ is not None and span.to is not None
            return self.film.frames_between(span.from_, span.to, where)
        number = parse_moment(span.shot)
        if isinstance(number, int):
            return numbered_shots(self.film, {number}, self.size, f"{where}: ")[number]
        return self.shot(self.film.frame_at(span.shot, where))

    @cached_property
    def _sight(self) -> Sight:
        return Sight(self._weights)

    def remember(self) -> RegionMemory:
        """A new memory for a region."""
        return RegionMemory(self._sight)

    def check(self, region: edits.Region, where: str) -> None:
        """Raise UserError if a region is outside of the picture or too small."""
        width, height = self.film.width, self.film.height
        if region.point:
            if not (0 <= region.point[0] < width and 0 <= region.point[1] < height):
                raise UserError(f"{where}.point: the point is outside of the picture, {width}x{height} pixels.")
        elif region.label is None and self.drawn(region, self.grid).max() < 128:
            raise UserError(f"{where}: the region is outside of the picture, {width}x{height} pixels, or too small.")

    @property
    def grid(self) -> tuple[int, int]:
        """(h/2, w/2): the size of a mask."""
        height, width = thumb_size(self.film, self.size)
        return height // 2, width // 2

    def reduced(self, mask: np.ndarray) -> np.ndarray:
        """A mask that was followed, on the grid of the film's chroma."""
        return cv2.resize(mask, self.grid[::-1], interpolation=cv2.INTER_AREA)

    def mask(self, region: edits.Region, thumb: np.ndarray) -> np.ndarray:
        """The mask of a region in the frame in which it is described, (h/2, w/2) uint8; 255 inside.

        Args:
            region: as it is described.
            thumb: (h, w) uint8, the frame at any size.
        """
        return snap(self.under(region.point, thumb) if region.point else self.drawn(region, thumb.shape), thumb)

    def drawn(self, region: edits.Region, shape: tuple[int, int]) -> np.ndarray:
        """A box, polygon or strokes as drawn, (rows, columns) uint8; 255 inside."""
        height, width = (SUPERSAMPLED * side for side in shape)
        scale = np.array([width / self.film.width, height / self.film.height])
        canvas = np.zeros((height, width), np.uint8)
        if region.strokes:
            brush = max(1, round(float((region.width or 1) * scale.mean())))
            for stroke in region.strokes:
                points = np.rint(np.array(stroke) * scale).astype(np.int32)
                cv2.polylines(canvas, [np.concatenate([points, points[-1:]])], False, 255, brush)
        else:
            x0, y0, x1, y1 = region.box or (0, 0, 0, 0)
            corners = region.polygon or [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
            # Corners are between pixels, so a pixel is drawn if its middle is inside.
            cv2.fillPoly(canvas, [np.rint((np.array(corners) * scale - 0.5) * 16).astype(np.int32)], 255, shift=4)
        return cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_AREA)

    def under(self, point: tuple[float, float], thumb: np.ndarray) -> np.ndarray:
        """The connected area around a point that has the same label, (h, w) uint8; 255 inside."""
        height, width = thumb_size(self.film, self.size)
        seen = cv2.resize(thumb, (width, height), interpolation=cv2.INTER_AREA)
        x, y = int(point[0] / self.film.width * width), int(point[1] / self.film.height * height)
        label = likeliest(self.paint(seen[None])[1][0], (height, width))
        area = cv2.floodFill(label, None, (x, y), 255)[1] // 255 * 255
        return cv2.resize(area, thumb.shape[::-1], interpolation=cv2.INTER_LINEAR)

    def carry_keys(
        self, asked: Sequence[edits.KeyFrame], transfers: list[ColorTransfer], archive: zipfile.ZipFile
    ) -> tuple[tuple[int, int], ...]:
        """Carry key frames through their shots, and add to `transfers` what they say of labels.

        Args:
            asked: the key frames of the sheet.
            transfers: those of the references.
            archive: the archive of the result.

        Returns:
            Pairs (first frame, number after the last) of the shots that have key frames and are shown.
        """
        shots: dict[tuple[int, int], dict[int, Key]] = {}
        for n, key in enumerate(asked):
            if key.off:
                continue
            moment = key.frame if key.frame is not None else key.time
            assert moment is not None
            frame = self.film.frame_at(moment, f"keyframes[{n}].{'time' if key.frame is None else 'frame'}")
            shots.setdefault(self.shot(frame), {})[frame] = read_key(self.film, Path(key.picture), self.size)
        first, stop = self.shown
        keyed = [shot for shot in sorted(shots) if shot[0] < stop and first < shot[1]]
        for shot in keyed:
            said = carry_keys(self.film, shot, shots[shot], self.size, self.paint, self._sight, archive)
            transfers += [said] if said else []
        return tuple(keyed)

    def transfers(self, references: Sequence[edits.Reference]) -> list[ColorTransfer]:
        """The colours of all references. Photos of the same range make one transfer."""
        ranges: dict[tuple[int, int], list[str]] = {}
        for n, reference in enumerate(references):
            if reference.off:
                continue
            span = self.span(reference.range, f"references[{n}].range") if reference.range else (0, self.film.frames)
            ranges.setdefault(span, []).append(reference.photo)
        return [self.transfer(*span, photos) for span, photos in ranges.items()]

    def transfer(self, first: int, stop: int, photos: list[str]) -> ColorTransfer:
        """The colours of photos, for the frames `first` .. `stop` - 1. Raises UserError."""
        wanted, found = ColorSums(), ColorSums()
        for photo in photos:
            thumb, ab = read_photo(Path(photo), self.size)
            wanted.add(ab, self.paint(thumb[None])[1][0])
        for n in np.unique(np.linspace(first, stop - 1, SAMPLES).astype(int)):
            with thumbs_of(self.film, int(n), int(n) + 1, self.size) as thumbs:
                ab, labels = self.paint(np.array(thumbs))
            found.add(ab[0].astype(np.float32), labels[0])
        changes = color_changes(wanted, found)
        if not changes:
            raise UserError(f"{', '.join(photos)}: no label of the photo occurs in the film; give another photo.")
        return ColorTransfer(first, stop, changes)
