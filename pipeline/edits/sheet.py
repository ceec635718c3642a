"""What people write to steer the colours: a sheet of edits (JSON), a palette. Read strictly, mistakes named by path.

    {"edits": [{"frame": 5, "region": {"box": [10, 20, 90, 120]}, "action": {"colour": "#8a3324"}}]}

Coordinates are the source's pixels, x to the right and y down. The schema: `Sheet.model_json_schema()`.
"""

from __future__ import annotations

import json
import re
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from ...errors import InputError
from ...models.labels import INDEX
from ..files import file_sha256
from ..timecode import parse_moment, parse_range


def _colour(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError(f"{text!r} is no colour; write it like #8a3324")
    return text.lower()


def _label(name: str) -> str:
    if name not in INDEX:
        raise ValueError(f"{name!r} is no label; semcolor-video --list-labels lists them")
    return name


def _moment(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError('write a frame\'s number (250) or a time ("12.5s", "0:02:05.4")')
    if isinstance(value, int) and value < 0:
        raise ValueError("frames are counted from 0")
    parse_moment(value)
    return value


def _time(value: Any) -> Any:
    """Bare numbers are seconds here."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return f"{value:f}s"
    if not isinstance(value, str) or isinstance(parse_moment(value), int):
        raise ValueError('write seconds (12.5) or a timecode ("0:02:05.4")')
    return value


Colour = Annotated[str, AfterValidator(_colour), Field(description="sRGB, #rrggbb")]
Label = Annotated[str, AfterValidator(_label), Field(description="one of semcolor-video --list-labels")]
Moment = Annotated[int | str, BeforeValidator(_moment), Field(description='frame 250, or "12.5s", "0:02:05.4"')]
Time = Annotated[str, BeforeValidator(_time, json_schema_input_type=float | str)]
Point = tuple[float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _one_of(model: BaseModel, *names: str) -> None:
    given = [name for name in names if getattr(model, name) not in (None, False)]
    if len(given) != 1:
        raise ValueError(f"give one of {', '.join(names)}, not {' and '.join(given) or 'none'}")


class Range(_Strict):
    """Frames `from` … `to`, both included; or a shot, by its number or by any time within. Or "10s-14s"."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Moment | None = Field(None, alias="from")
    to: Moment | None = None
    shot: Moment | None = Field(None, description="its number (the first is 0), or a time within it")

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return dict(zip(("from", "to"), parse_range(value), strict=True)) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> Range:
        if (self.from_ is None) != (self.to is None) or (self.shot is None) == (self.from_ is None):
            raise ValueError("give either from and to, or shot")
        return self


class Region(_Strict):
    """One of five; all but `label` are of one frame, and are followed through its shot."""

    box: tuple[float, float, float, float] | None = Field(None, description="x0, y0, x1, y1")
    polygon: list[Point] | None = Field(None, min_length=3)
    strokes: list[Annotated[list[Point], Field(min_length=1)]] | None = Field(None, min_length=1)
    width: Annotated[float, Field(gt=0)] | None = Field(None, description="of the brush of `strokes`, pixels")
    point: Point | None = Field(None, description="the connected region of the label that is read there")
    label: Label | None = Field(None, description="whatever is read as this label, in all frames of the range")

    @model_validator(mode="after")
    def _one(self) -> Region:
        _one_of(self, "box", "polygon", "strokes", "point", "label")
        if (self.width is None) != (self.strokes is None):
            raise ValueError("strokes and width go together")
        if self.box and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError("box is x0, y0, x1, y1 with x0 < x1 and y0 < y1")
        return self


class Action(_Strict):
    """One of four; "keep" and "neutral" may stand alone."""

    label: Label | None = Field(None, description="read the region as this; its colour follows")
    colour: Colour | None = Field(None, description="the chroma of this colour; luma stays the source's")
    keep: bool = Field(False, description="as the network paints it: no reference, palette or earlier edit")
    neutral: bool = Field(False, description="grey")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in ("keep", "neutral"):
            raise ValueError(f'{value!r} is no action; write "keep", "neutral", {{"label": …}} or {{"colour": …}}')
        return {value: True} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> Action:
        _one_of(self, "label", "colour", "keep", "neutral")
        return self


class Edit(_Strict):
    """What to do with a region. Without a range it holds for the shot of its frame (a label without a frame: for the
    whole film)."""

    frame: Annotated[int, Field(ge=0)] | None = Field(None, description="counted from 0")
    time: Time | None = Field(None, description="instead of frame: seconds, or a timecode")
    range: Range | None = None
    region: Region
    action: Action
    note: str = ""

    @model_validator(mode="after")
    def _placed(self) -> Edit:
        if self.frame is not None and self.time is not None:
            raise ValueError("give frame or time, not both")
        if self.region.label is None and self.frame is None and self.time is None:
            raise ValueError("say in which frame (frame or time) the region lies")
        return self


class Reference(_Strict):
    """A photo whose colours the same labels shall have, in a range or the whole film."""

    photo: str = Field(description="path, from the sheet's folder")
    range: Range | None = None


Palette = dict[Label, Colour]
"""A colour for each of some labels."""


class Sheet(_Strict):
    """References come first, then the palette, then the edits in their order: the later wins. Label edits are done
    before colouring and so before all of these."""

    edits: list[Edit] = []
    palette: Palette = {}
    references: list[Reference] = []

    def __bool__(self) -> bool:
        """Whether the sheet asks for anything."""
        return self != Sheet()


def read_sheet(path: str | PathLike[str]) -> Sheet:
    """The sheet in a JSON file, with the photos' paths made absolute. Raises InputError."""
    sheet: Sheet = _read(path, TypeAdapter(Sheet))
    folder = Path(path).absolute().parent
    photos = [r.model_copy(update={"photo": str(folder / r.photo)}) for r in sheet.references]
    return sheet.model_copy(update={"references": photos})


def read_palette(path: str | PathLike[str]) -> Palette:
    """The palette in a JSON file: {"label": "#rrggbb"}. Raises InputError."""
    return _read(path, TypeAdapter(Palette))


def gather(sheet: Path | None, palette: Path | None, photos: list[Path]) -> Sheet:
    """One sheet of a sheet's file, a palette's, whose colours the sheet's own replace, and photos for the whole film.
    Raises InputError."""
    result = read_sheet(sheet) if sheet else Sheet()
    for photo in photos:
        if not photo.is_file():
            raise InputError(f"--reference {photo}: there is no such file.")
    references = [Reference(photo=str(photo.absolute())) for photo in photos] + result.references
    colours = (read_palette(palette) if palette else {}) | result.palette
    return result.model_copy(update={"references": references, "palette": colours})


def identity(sheet: Sheet | None) -> dict[str, Any] | None:
    """What the colours depend on, photos by their content; None for no or an empty sheet. Raises InputError."""
    if not sheet:
        return None
    photos = []
    for reference in sheet.references:
        try:
            photos.append(file_sha256(Path(reference.photo)))
        except OSError as error:
            raise InputError(f"the reference {reference.photo} cannot be read: {error.strerror}.") from error
    kept = sheet.model_copy(update={"edits": [edit.model_copy(update={"note": ""}) for edit in sheet.edits]})
    return kept.model_dump(mode="json", exclude_defaults=True) | {"photos": photos}


def _read(path: str | PathLike[str], kind: TypeAdapter) -> Any:
    try:
        return kind.validate_python(json.loads(Path(path).read_text(encoding="utf-8")))
    except ValidationError as error:
        mistakes = "; ".join(f"{_place(m['loc'])}: {m['msg'].removeprefix('Value error, ')}" for m in error.errors())
        raise InputError(f"{path}: {mistakes}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # of JSON and of the text's coding
        raise InputError(f"{path} is not JSON: {error}.") from error


def _place(steps: tuple[int | str, ...]) -> str:
    """edits[0].region.box"""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps if step != "[key]")
    return text.removeprefix(".") or "the whole"
