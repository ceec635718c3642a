"""Resolve a sheet of edits for a film, so that `apply` can apply it.

Moments become frames, regions become masks in every frame of their shot, and photos become colour statistics. Only the
shots that edits touch are read.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import UserError
from ...models.labels import INDEX
from ..files import move_into_place
from ..film import Film
from ..scenes import Scenes
from . import sheet as edits
from .again import Look
from .apply import ResolvedEdits
from .archive import mask_name, sure_name
from .keys import CarriedShot, Paint
from .orders import ColorTransfer, ResolvedEdit, chroma_of
from .resolver import Extent, Resolver


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
    scenes: Scenes | None = None,
) -> ResolvedEdits:
    """Resolve a sheet for a film.

    The result is kept in a file in `folder`; the next call with the same key reads it. A result of another sheet is
    replaced, but regions that both sheets contain are not tracked again, and shots with the same key frames are not
    carried again. So a folder serves one film, one size and one
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
        scenes: the scenes of the film.

    Raises:
        UserError: if edits do not fit the film. The message names all such mistakes.
    """
    sheet, path = sheet.plain(), folder / f"masks-{key}.zip"
    links = scenes.links if scenes else ()
    linked = tuple((link.first, link.stop, link.sources) for link in links)
    if path.exists():
        return replace(_read(path)[0], linked=linked)
    temporary = path.with_suffix(".tmp")
    whole = (0, film.frames)
    resolver = Resolver(film, size, painter, weights, within or whole, shown or within or whole)
    kept = {of: known for other in folder.glob("masks-*.zip") for of, known in _taken_over(other).items()}
    keyed_shots = {shot.origin: shot for other in folder.glob("masks-*.zip") for shot in _carried(other)}
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        orders = [ResolvedEdit(0, film.frames, INDEX[label], ab=chroma_of(c)) for label, c in sheet.palette.items()]
        active = {number: edit for number, edit in enumerate(sheet.edits) if not edit.off}
        place = {"frame", "time", "range", "region"}
        asked = [
            json.dumps([edit.model_dump(mode="json", include=place), resolver.reach(edit)]) for edit in active.values()
        ]
        places: list[Extent | _Known] = []
        mistakes: list[str] = []
        for (number, edit), origin in zip(active.items(), asked, strict=True):
            try:
                places.append(kept.get(origin) or resolver.locate(edit, f"edits[{number}]"))
            except UserError as error:
                mistakes.append(str(error).removesuffix("."))
        if mistakes:
            raise UserError("; ".join(mistakes) + ".")
        planned = _planned(active, places, asked, scenes, resolver)
        origins = [*(None for _ in orders), *(one.origin for one in planned)]
        numbers = {one: number for number, one in enumerate(planned, len(orders))}
        made: dict[int, ResolvedEdit] = {}
        for (place, edit), found, origin in zip(active.items(), places, asked, strict=True):
            others = [one for one in planned if one.place == place and one.shot]
            looks: list[Look] | None = [] if any(one.origin not in kept for one in others) else None
            number = numbers[_Planned(place, None, origin)]
            fields: dict[str, Any] = {"name": f"edits[{place}]", **order_fields(edit)}
            if isinstance(found, _Known) and looks is None:
                _copy(found, archive, number)
                lost = found.order.lost
            else:
                extent = resolver.locate(edit, f"edits[{place}]") if isinstance(found, _Known) else found
                lost = resolver.track(edit, extent, archive, number, looks)
            made[number] = replace(found.order, lost=lost, **fields)
            for one in others:
                assert one.shot
                if known := kept.get(one.origin):
                    _copy(known, archive, numbers[one])
                else:
                    resolver.track_again(edit, one.shot, looks or [], archive, numbers[one])
                made[numbers[one]] = ResolvedEdit(*one.shot, None, again=True, **fields)
        orders += [made[number] for number in sorted(made)]
        transfers = resolver.transfers(sheet.references)
        leaders = {link.leader for link in links if link.first < resolver.shown[1] and resolver.shown[0] < link.stop}
        carried = resolver.carry_keys(sheet.keyframes, keyed_shots, archive, leaders)
        transfers += [shot.said for shot in carried if shot.said]
        keyed = tuple(shot.shot for shot in carried)
        resolved = ResolvedEdits(tuple(orders), tuple(transfers), path, keyed, linked)
        plain = {"orders": list(map(asdict, orders)), "transfers": list(map(asdict, transfers)), "origins": origins}
        plain["keyed"] = keyed
        plain["carried"] = [[shot.shot, shot.origin, shot.said and asdict(shot.said)] for shot in carried]
        archive.writestr("plan.json", json.dumps(plain))
    move_into_place(temporary, path)
    for other in folder.glob("masks-*"):
        if other != path:
            other.unlink()
    return resolved


class _Planned(NamedTuple):
    """An order that is to be made of an edit."""

    place: int
    """Number of the edit in the sheet."""
    shot: tuple[int, int] | None
    """The other shot in which its region is found again; None: its own frames."""
    origin: str
    """What is asked for, as JSON."""


def _planned(
    active: Mapping[int, edits.Edit],
    places: Sequence[Extent | _Known],
    asked: Sequence[str],
    scenes: Scenes | None,
    resolver: Resolver,
) -> list[_Planned]:
    """The orders of edits, as they act. A region that comes from another shot comes before all that was drawn in a shot
    itself, so that each shot shows what was drawn there.

    Args:
        active: number in the sheet → edit.
        places: where each applies.
        asked: what each asks for, as JSON.
        scenes: the scenes of the film.
        resolver: knows which frames are wanted.
    """
    spans = {place: (found.order.first, found.order.stop) for place, found in zip(active, places, strict=True)}
    drawn = {place: span for place, span in spans.items() if active[place].region.label is None}
    planned: list[tuple[tuple[int, ...], _Planned]] = []
    for place, origin in zip(active, asked, strict=True):
        planned.append(((place, 1), _Planned(place, None, origin)))
        edit = active[place]
        begin, end = resolver.reach(edit)
        for shot in scenes.others(spans[place]) if scenes and place in drawn and edit.range is None else ():
            if shot[0] < end and begin < shot[1]:
                own = [other for other, span in drawn.items() if shot[0] <= span[0] and span[1] <= shot[1]]
                one = _Planned(place, shot, json.dumps([origin, shot]))
                planned.append(((min([place, *own]), 0, place), one))
    return [one for _, one in sorted(planned)]


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
    transfers = [_transfer(plain) for plain in kept["transfers"]]
    keyed = tuple((first, stop) for first, stop in kept["keyed"])
    return ResolvedEdits(tuple(orders), tuple(transfers), path, keyed), kept["origins"]


def _transfer(plain: dict[str, Any]) -> ColorTransfer:
    """A transfer, from JSON."""
    changes: dict[int, Any] = {int(label): tuple(map(tuple, change)) for label, change in plain["changes"].items()}
    return ColorTransfer(plain["first"], plain["stop"], changes)


def _carried(path: Path) -> list[CarriedShot]:
    """The shots with key frames of an earlier result."""
    with zipfile.ZipFile(path) as archive:
        kept = json.loads(archive.read("plan.json"))
    return [
        CarriedShot((first, stop), origin, said and _transfer(said), path)
        for (first, stop), origin, said in kept.get("carried", [])
    ]


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
        frames = range(known.order.first, known.order.stop + 1)
        names = {mask_name(known.number, frame): mask_name(number, frame) for frame in frames}
        for name, new in (names | {sure_name(known.number): sure_name(number)}).items():
            if name in source.NameToInfo:
                archive.writestr(new, source.read(name))
