"""The parts of a sheet in one film: frames of moments, masks of regions, colours of photos and key frames."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ...errors import UserError
from ...flow.carry import Key
from ...flow.snap import snap
from ...models.labels import INDEX
from ...models.memory import RegionMemory
from ...models.sight import Sight
from ..film import Film
from ..following import FOLLOWED, LOST_CONFIDENCE, lost_since, thumbs_of
from ..overlay import likeliest
from ..reader import thumb_size
from ..scenes import LOOKS, spread_out
from ..shots import numbered_shots, shot_around
from ..timecode import parse_moment
from . import sheet as edits
from .again import Look, follow_again
from .archive import mask_name, sure_name
from .fields import Range
from .keys import CarriedShot, Paint, carry_keys, origin_of, read_key
from .mending import follow_drawn, mended
from .orders import ColorTransfer, ResolvedEdit
from .references import ColorSums, color_changes, read_photo
from .regions import Change, Region, Shape

SUPERSAMPLED = 4
"""Factor by which a region is drawn larger in each direction, before it is reduced to the size of its mask."""

SAMPLES = 24
"""Number of frames of a range in which the network's own colours are measured, to be replaced by a reference's."""


class Extent(NamedTuple):
    """The frames and the region to which an edit applies."""

    order: ResolvedEdit
    """The edit without its action."""
    frame: int | None
    """Number of the frame in which its region is described; None for a label in all frames."""
    shot: tuple[int, int]
    """(first frame, number after the last) of the shot of `frame`; of the whole film if `frame` is None."""
    changes: Mapping[int, tuple[Change, ...]] = {}
    """Number of a frame → the shapes that are added to the region there, or taken away from it."""


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
        shot = self.shot(frame) if frame is not None else (0, film.frames)
        changes = self.changes(region, frame, shot, f"{where}.region") if frame is not None else {}
        self.check(region, changes.get(frame, ()) if frame is not None else (), f"{where}.region")
        first, stop = self.span(edit.range, f"{where}.range") if edit.range else shot
        if region.label is None and (first < shot[0] or stop > shot[1]):
            raise UserError(
                f"{where}.range: frames {first} to {stop - 1} are not all in the shot of frame {frame} "
                f"({shot[0]} to {shot[1] - 1}), and a region is followed through its shot only; write an edit "
                f"for each shot, or use a label as region."
            )
        order = ResolvedEdit(first, stop, None if region.label is None else INDEX[region.label])
        return Extent(order, frame, shot, changes)

    def changes(self, region: Region, frame: int, shot: tuple[int, int], where: str) -> dict[int, tuple[Change, ...]]:
        """The shapes of `then` by the frames in which they are drawn; see `Extent`. Raises UserError."""
        found: dict[int, tuple[Change, ...]] = {}
        for n, change in enumerate(region.then or ()):
            moment, name = (change.time, "time") if change.frame is None else (change.frame, "frame")
            at = frame if moment is None else self.film.frame_at(moment, f"{where}.then[{n}].{name}")
            if not shot[0] <= at < shot[1]:
                raise UserError(
                    f"{where}.then[{n}].{name}: frame {at} is not in the shot of frame {frame} ({shot[0]} to "
                    f"{shot[1] - 1}); write an edit for each shot."
                )
            self.check(change, (), f"{where}.then[{n}]")
            found[at] = (*found.get(at, ()), change)
        return found

    def reach(self, edit: edits.Edit) -> tuple[int, int]:
        """(first, stop) of the frames that need an edit; of a label edit, also those that only warm up the steadier."""
        return self.within if edit.action.label else self.shown

    def track(
        self,
        edit: edits.Edit,
        extent: Extent,
        archive: zipfile.ZipFile,
        number: int,
        looks: list[Look] | None = None,
    ) -> tuple[int, ...]:
        """Track the region of an edit through its frames and store its masks. A region `label` has none.

        Args:
            edit: the edit.
            extent: its frames, from `locate`.
            archive: the archive of the result.
            number: number of the order that owns the masks.
            looks: if given, frames from the whole shot are added to it, those where the region is sure.

        Returns:
            The frames from which on the region is lost, see `lost_since`.
        """
        order, frame, shot, changes = extent
        if edit.region.label is not None or frame is None:
            return ()
        begin, end = self.reach(edit)
        # One frame more: `ResolvedEdits.forget` needs the mask where the edit ends.
        wanted = max(order.first, begin), min(order.stop + 1, shot[1], end)
        if wanted[0] >= wanted[1] and looks is None:
            return ()
        first, stop = (min(wanted[0], frame), max(wanted[1], frame + 1)) if looks is None else shot
        looked_at = {frame, *(shot[0] + n for n in spread_out(shot[1] - shot[0], LOOKS))}
        sure: dict[int, float] = {}
        with thumbs_of(self.film, first, stop, FOLLOWED) as thumbs:

            def read(n: int) -> np.ndarray:
                return thumbs[n - first]

            mask = self.mask(edit.region, changes.get(frame, ()), read(frame))
            mends = {n: partial(self.mended, changes=shapes) for n, shapes in changes.items()}
            for n, found, confidence in follow_drawn(read, (first, stop), frame, mask, mends, self.remember):
                if looks is not None and n in looked_at and confidence >= LOST_CONFIDENCE and found.any():
                    looks.append(Look(np.array(read(n)), found))
                if wanted[0] <= n < wanted[1]:
                    sure[n] = confidence
                    self._store(archive, number, n, found)
        self._store_sure(archive, number, sure)
        return lost_since(sure, min([frame, *changes]), max([frame, *changes]))

    def track_again(
        self, edit: edits.Edit, shot: tuple[int, int], looks: Sequence[Look], archive: zipfile.ZipFile, number: int
    ) -> None:
        """Find the region of an edit again in another shot, and store its masks there.

        Args:
            edit: the edit.
            shot: (first frame, number after the last) of the other shot.
            looks: frames in which the region is known.
            archive: the archive of the result.
            number: number of the order that owns the masks.
        """
        begin, end = self.reach(edit)
        sure: dict[int, float] = {}
        for n, found, confidence in follow_again(self.film, shot, looks, self._sight, (begin, end)):
            if begin <= n < end:
                sure[n] = confidence
                self._store(archive, number, n, found)
        if sure:
            self._store_sure(archive, number, sure)

    def _store(self, archive: zipfile.ZipFile, number: int, frame: int, found: np.ndarray) -> None:
        """Store the mask of an order, as it was followed."""
        mask = self.reduced(found)
        if mask.any():
            archive.writestr(mask_name(number, frame), mask.tobytes())

    def _store_sure(self, archive: zipfile.ZipFile, number: int, sure: Mapping[int, float]) -> None:
        """Store how sure the place of an order's region is in its frames."""
        rounded = {n: round(confidence, 3) for n, confidence in sorted(sure.items())}
        archive.writestr(sure_name(number), json.dumps(rounded))

    def shot(self, frame: int) -> tuple[int, int]:
        """(first frame, number after the last) of the shot of a frame."""
        if not self._shot[0] <= frame < self._shot[1]:
            self._shot = shot_around(self.film, frame, self.size)
        return self._shot

    def span(self, span: Range, where: str) -> tuple[int, int]:
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

    def check(self, region: Shape, changes: Sequence[Change], where: str) -> None:
        """Raise UserError if a region, or a shape, is outside of the picture or too small.

        Args:
            region: as it is described.
            changes: the shapes that change it in the same frame.
            where: begins the message.
        """
        width, height = self.film.width, self.film.height
        if isinstance(region, Region) and region.point:
            if not (0 <= region.point[0] < width and 0 <= region.point[1] < height):
                raise UserError(f"{where}.point: the point is outside of the picture, {width}x{height} pixels.")
        elif not isinstance(region, Region) or region.label is None:
            drawn = self.drawn(region, self.grid)
            if drawn.max() < 128:
                raise UserError(
                    f"{where}: the region is outside of the picture, {width}x{height} pixels, or too small."
                )
            if self.changed(drawn, changes).max() < 128:
                raise UserError(f"{where}.then: all of the region is taken away; leave more of it.")

    @property
    def grid(self) -> tuple[int, int]:
        """(h/2, w/2): the size of a mask."""
        height, width = thumb_size(self.film, self.size)
        return height // 2, width // 2

    def reduced(self, mask: np.ndarray) -> np.ndarray:
        """A mask that was followed, on the grid of the film's chroma."""
        return cv2.resize(mask, self.grid[::-1], interpolation=cv2.INTER_AREA)

    def mask(self, region: Region, changes: Iterable[Change], thumb: np.ndarray) -> np.ndarray:
        """The mask of a region in the frame in which it is described, (h/2, w/2) uint8; 255 inside.

        Args:
            region: as it is described.
            changes: the shapes that change it in this frame.
            thumb: (h, w) uint8, the frame at any size.
        """
        mask = self.under(region.point, thumb) if region.point else self.drawn(region, thumb.shape)
        return snap(self.changed(mask, changes), thumb)

    def mended(self, arrived: np.ndarray, thumb: np.ndarray, changes: Iterable[Change]) -> np.ndarray:
        """A region that was followed to a frame, changed there by shapes; see `mending.mended`."""
        mask = cv2.resize(arrived, thumb.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return mended(arrived, self.changed(mask, changes), thumb)

    def changed(self, mask: np.ndarray, changes: Iterable[Change]) -> np.ndarray:
        """A mask, uint8 of any size, to which shapes are added, or from which they are taken away."""
        for change in changes:
            drawn = self.drawn(change, mask.shape)
            mask = cv2.min(mask, 255 - drawn) if change.away else cv2.max(mask, drawn)
        return mask

    def drawn(self, region: Shape, shape: tuple[int, int]) -> np.ndarray:
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
        self,
        asked: Sequence[edits.KeyFrame],
        kept: Mapping[str, CarriedShot],
        archive: zipfile.ZipFile,
        leaders: Collection[tuple[int, int]] = (),
    ) -> list[CarriedShot]:
        """Carry key frames through their shots.

        Args:
            asked: the key frames of the sheet.
            kept: origin → a shot of an earlier result, which is not carried again.
            archive: the archive of the result.
            leaders: shots whose colours are taken by others that are shown.

        Returns:
            The shots that have key frames and are shown, or whose colours are taken, in order.
        """
        shots: dict[tuple[int, int], dict[int, Key]] = {}
        pictures: dict[tuple[int, int], dict[int, Path]] = {}
        for n, key in enumerate(asked):
            if key.off:
                continue
            moment = key.frame if key.frame is not None else key.time
            assert moment is not None
            frame = self.film.frame_at(moment, f"keyframes[{n}].{'time' if key.frame is None else 'frame'}")
            shots.setdefault(self.shot(frame), {})[frame] = read_key(self.film, Path(key.picture), self.size)
            pictures.setdefault(self.shot(frame), {})[frame] = Path(key.picture)
        first, stop = self.shown
        carried = []
        for shot in sorted(shots):
            if shot in leaders or (shot[0] < stop and first < shot[1]):
                origin = origin_of(shot, pictures[shot])
                if origin in kept:
                    kept[origin].copy(archive)
                    said = kept[origin].said
                else:
                    said = carry_keys(self.film, shot, shots[shot], self.size, self.paint, self._sight, archive)
                carried.append(CarriedShot(shot, origin, said))
        return carried

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
