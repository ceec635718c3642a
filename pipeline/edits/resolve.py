"""From a sheet of edits to what `apply` applies: moments to frames, regions to masks in every frame of their shot,
photos to colour statistics. Only the shots that edits touch are looked at.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ...errors import InputError, UserError
from ...flow.snap import snap
from ...flow.track import follow
from ...models.labels import INDEX, NAMES
from ..chunk import Resume
from ..files import move_into_place
from ..film import Film
from ..overlay import likeliest
from ..reader import FilmReader, thumb_size
from ..shots import numbered_shots, shot_around
from ..timecode import parse_moment
from . import sheet as edits
from .apply import ColorTransfer, ResolvedEdit, ResolvedEdits, chroma_of, label_shares, mask_name

Paint = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""`Painter.paint`."""

SUPERSAMPLED = 4
"""Regions are drawn so many times as fine as they are wanted in each direction."""

SAMPLES = 24
"""Frames of a range on which the network's own colours are measured, before a reference's are put in their place."""

ENOUGH = 0.003
"""Share of the pixels that a label must have, in photo and film, for its colours to mean something."""

STRETCH = (0.5, 2.0)
"""Least and most by which colours are drawn away from their mean."""


def resolve(
    film: Film,
    sheet: edits.Sheet,
    size: int,
    painter: Callable[[], Paint],
    folder: Path,
    key: str,
    *,
    within: tuple[int, int] | None = None,
    shown: tuple[int, int] | None = None,
) -> ResolvedEdits:
    """Prepare a sheet for a film at network size `size`; for the frames within[0] .. within[1] - 1 only, if given, of
    which the frames shown[0] .. shown[1] - 1 are looked at and the others only remembered.

    The result is kept in `folder` under `key`, which stands for all that it depends on: the second time it is read.
    From that of another sheet, the places are taken that both have in common; so a folder is for one film, size and
    weights, and one result stays there. `painter` makes the networks, if a region or reference needs them. Raises
    UserError for what does not fit the film, with all such mistakes of the edits.
    """
    path = folder / f"masks-{key}.zip"
    if path.exists():
        return _read(path)[0]
    temporary = path.with_suffix(".tmp")
    resolver = _Resolver(film, size, painter, within or (0, film.frames), shown or within or (0, film.frames))
    kept = {of: known for other in folder.glob("masks-*.zip") for of, known in _taken_over(other).items()}
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        orders = [ResolvedEdit(0, film.frames, INDEX[label], ab=chroma_of(c)) for label, c in sheet.palette.items()]
        asked = [
            json.dumps([edit.model_dump(mode="json", exclude={"note", "action"}), resolver.reach(edit)])
            for edit in sheet.edits
        ]
        origins: list[str | None] = [*(None for _ in orders), *asked]
        places, mistakes = [], []
        for number, (edit, origin) in enumerate(zip(sheet.edits, asked, strict=True)):
            try:
                places.append(kept.get(origin) or resolver.locate(edit, f"edits[{number}]"))
            except UserError as error:
                mistakes.append(str(error).removesuffix("."))
        if mistakes:
            raise UserError("; ".join(mistakes) + ".")
        for edit, found in zip(sheet.edits, places, strict=True):
            if isinstance(found, _Known):
                _copy(found, archive, len(orders))
            else:
                resolver.track(edit, found, archive, len(orders))
            orders.append(replace(found.order, **_wanted(edit.action)))
        transfers = resolver.transfers(sheet.references)
        control = ResolvedEdits(tuple(orders), tuple(transfers), path)
        plain = {"orders": list(map(asdict, orders)), "transfers": list(map(asdict, transfers)), "origins": origins}
        archive.writestr("plan.json", json.dumps(plain))
    move_into_place(temporary, path)
    for other in folder.glob("masks-*"):
        if other != path:
            other.unlink()
    return control


def _wanted(action: edits.Action) -> dict[str, Any]:
    """What an order is to do, as its fields."""
    return {
        "relabel": None if action.label is None else INDEX[action.label],
        "ab": (0.0, 0.0) if action.neutral else chroma_of(action.colour) if action.colour else None,
    }


def _read(path: Path) -> tuple[ResolvedEdits, list[str | None]]:
    """A result, and for each of its orders the place that was asked for; None for the palette's."""
    with zipfile.ZipFile(path) as archive:
        kept = json.loads(archive.read("plan.json"))
    orders = [ResolvedEdit(**order | {"ab": order["ab"] and tuple(order["ab"])}) for order in kept["orders"]]
    transfers = [
        ColorTransfer(**t | {"changes": {int(k): v for k, v in t["changes"].items()}}) for t in kept["transfers"]
    ]
    return ResolvedEdits(tuple(orders), tuple(transfers), path), kept["origins"]


class _Extent(NamedTuple):
    """Where an edit holds."""

    order: ResolvedEdit
    frame: int | None
    """In which its region lies; None: everywhere."""
    shot: tuple[int, int]


class _Known(NamedTuple):
    """An order of an earlier result, and where its masks are."""

    order: ResolvedEdit
    number: int
    path: Path


def _taken_over(path: Path) -> dict[str, _Known]:
    """The place that was asked for → what was found."""
    control, origins = _read(path)
    both = enumerate(zip(control.orders, origins, strict=True))
    return {of: _Known(order, number, path) for number, (order, of) in both if of}


def _copy(known: _Known, archive: zipfile.ZipFile, number: int) -> None:
    with zipfile.ZipFile(known.path) as source:
        for frame in range(known.order.first, known.order.stop + 1):
            if mask_name(known.number, frame) in source.NameToInfo:
                archive.writestr(mask_name(number, frame), source.read(mask_name(known.number, frame)))


class _Resolver:
    def __init__(
        self,
        film: Film,
        size: int,
        painter: Callable[[], Paint],
        within: tuple[int, int],
        shown: tuple[int, int],
    ) -> None:
        self.film, self.size, self._painter, self.within, self.shown = film, size, painter, within, shown
        self._shot = 0, 0  # the last one asked for: edits of one shot often come together
        self._paint: Paint | None = None

    def paint(self, thumbs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._paint is None:
            self._paint = self._painter()
        return self._paint(thumbs)

    def locate(self, edit: edits.Edit, where: str) -> _Extent:
        """Where the edit holds. Raises UserError."""
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
        return _Extent(ResolvedEdit(first, stop, None if region.label is None else INDEX[region.label]), frame, shot)

    def reach(self, edit: edits.Edit) -> tuple[int, int]:
        """The frames that an edit is needed in: labels are remembered, colours are not."""
        return self.within if edit.action.label else self.shown

    def track(self, edit: edits.Edit, extent: _Extent, archive: zipfile.ZipFile, number: int) -> None:
        """Put the masks of the wanted frames into the archive."""
        order, frame, shot = extent
        if edit.region.label is not None or frame is None:
            return
        begin, end = self.reach(edit)
        # One frame more than wanted, where the edit's end must be forgotten.
        wanted = max(order.first, begin), min(order.stop + 1, shot[1], end)
        if wanted[0] >= wanted[1]:
            return
        first, stop = min(wanted[0], frame), max(wanted[1], frame + 1)
        with self.thumbs(first, stop) as thumbs:
            thumb = thumbs[frame - first]
            for n, found in follow(thumbs, self.mask(edit.region, thumb), frame - first):
                if wanted[0] <= first + n < wanted[1] and found.any():
                    archive.writestr(mask_name(number, first + n), found.tobytes())

    def shot(self, frame: int) -> tuple[int, int]:
        if not self._shot[0] <= frame < self._shot[1]:
            self._shot = shot_around(self.film, frame, self.size)
        return self._shot

    def span(self, span: edits.Range, where: str) -> tuple[int, int]:
        """(first frame, number after the last)."""
        if span.shot is None:
            assert span.from_ is not None and span.to is not None
            return self.film.frames_between(span.from_, span.to, where)
        number = parse_moment(span.shot)
        if isinstance(number, int):
            return numbered_shots(self.film, {number}, self.size, f"{where}: ")[number]
        return self.shot(self.film.frame_at(span.shot, where))

    @contextmanager
    def thumbs(self, first: int, stop: int):
        """(N, h, w) uint8 of these frames, in a file: a shot may be long."""
        with tempfile.TemporaryFile() as file:
            shape = (stop - first, *thumb_size(self.film, self.size))
            held = np.memmap(file, np.uint8, "w+", shape=shape)
            for picture, _ in FilmReader(self.film, size=self.size, start=Resume(frame=first)).pictures():
                if picture.number >= stop:
                    break
                if picture.number >= first:
                    held[picture.number - first] = picture.thumb
            yield held

    def check(self, region: edits.Region, where: str) -> None:
        """Raise UserError if there is nothing of a region in the picture."""
        width, height = self.film.width, self.film.height
        if region.point:
            if not (0 <= region.point[0] < width and 0 <= region.point[1] < height):
                raise UserError(f"{where}.point: lies outside of the picture, {width}x{height} pixels.")
        elif region.label is None and self.drawn(region, self.grid).max() < 128:
            raise UserError(
                f"{where}: there is nothing of it in the picture of {width}x{height} pixels, or it is too small."
            )

    @property
    def grid(self) -> tuple[int, int]:
        """(h/2, w/2)"""
        height, width = thumb_size(self.film, self.size)
        return height // 2, width // 2

    def mask(self, region: edits.Region, thumb: np.ndarray) -> np.ndarray:
        """(h/2, w/2) uint8, 255 inside."""
        return snap(self.under(region.point, thumb) if region.point else self.drawn(region, thumb.shape), thumb)

    def drawn(self, region: edits.Region, shape: tuple[int, int]) -> np.ndarray:
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
            # A pixel is drawn if its middle is inside: corners lie between pixels.
            cv2.fillPoly(canvas, [np.rint((np.array(corners) * scale - 0.5) * 16).astype(np.int32)], 255, shift=4)
        return cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_AREA)

    def under(self, point: tuple[float, float], thumb: np.ndarray) -> np.ndarray:
        """The connected region of the label that is read at a point, (h, w) uint8."""
        height, width = thumb.shape
        x, y = int(point[0] / self.film.width * width), int(point[1] / self.film.height * height)
        label = likeliest(self.paint(thumb[None])[1][0], (height, width))
        return cv2.floodFill(label, None, (x, y), 255)[1] // 255 * 255

    def transfers(self, references: Sequence[edits.Reference]) -> list[ColorTransfer]:
        """Photos of the same range are taken together."""
        ranges: dict[tuple[int, int], list[str]] = {}
        for n, reference in enumerate(references):
            span = self.span(reference.range, f"references[{n}].range") if reference.range else (0, self.film.frames)
            ranges.setdefault(span, []).append(reference.photo)
        return [self.transfer(*span, photos) for span, photos in ranges.items()]

    def transfer(self, first: int, stop: int, photos: list[str]) -> ColorTransfer:
        wanted, found = _ColorSums(), _ColorSums()
        for photo in photos:
            thumb, ab = _photo(Path(photo), self.size)
            wanted.add(ab, self.paint(thumb[None])[1][0])
        for n in np.unique(np.linspace(first, stop - 1, SAMPLES).astype(int)):
            with self.thumbs(int(n), int(n) + 1) as thumbs:
                ab, labels = self.paint(np.array(thumbs))
            found.add(ab[0].astype(np.float32), labels[0])
        changes = {}
        for label in range(len(NAMES)):
            if min(wanted.share(label), found.share(label)) >= ENOUGH:
                (mean, spread), (new, new_spread) = found.statistics(label), wanted.statistics(label)
                stretch = np.clip((new_spread + 1) / (spread + 1), *STRETCH)
                changes[label] = tuple(tuple(map(float, x)) for x in (mean, new, stretch))
        if not changes:
            raise UserError(f"{', '.join(photos)}: no label of the photo occurs in the film; give another photo.")
        return ColorTransfer(first, stop, changes)


class _ColorSums:
    """Sums of a, b and their squares for each label, weighted by how surely a pixel has it."""

    def __init__(self) -> None:
        self._sums = np.zeros((len(NAMES), 5))  # weight, a, b, a², b²

    def add(self, ab: np.ndarray, labels: np.ndarray) -> None:
        """ab (2, h/2, w/2) float32, labels (62, h/4, w/4)."""
        small = np.stack([cv2.resize(p, labels.shape[:0:-1], interpolation=cv2.INTER_AREA) for p in ab])
        rows = np.concatenate([np.ones((1, *small.shape[1:])), small, np.square(small)])
        self._sums += np.tensordot(label_shares(labels), rows, ((1, 2), (1, 2)))

    def share(self, label: int) -> float:
        return float(self._sums[label, 0] / max(self._sums[:, 0].sum(), 1e-9))

    def statistics(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of a and b."""
        mean, square = (self._sums[label, 1:] / self._sums[label, 0]).reshape(2, 2)
        return mean, np.sqrt(np.maximum(square - mean * mean, 0))


def _photo(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Luma (h, w) uint8 at network size, and the true a, b (2, h/2, w/2) float32. Raises InputError."""
    from ...models import network_size

    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"--reference {path} cannot be read: {error.strerror}.") from error
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if picture is None:
        raise InputError(f"--reference {path} is not a photo (JPEG, PNG, …).")
    height, width = network_size(picture.shape[1] / picture.shape[0], size)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    half = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(half, cv2.COLOR_BGR2Lab)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.ascontiguousarray(lab[..., 1:].transpose(2, 0, 1))
