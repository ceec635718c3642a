"""A sheet of edits, and a palette: JSON that people write. It is read strictly; a mistake is named by its JSON path.

    {"edits": [{"frame": 5, "region": {"box": [10, 20, 90, 120]}, "action": {"colour": "#8a3324"}}]}

Coordinates are pixels of the source, x to the right and y down. `Sheet.model_json_schema()` returns the JSON Schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
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
from ..wording import WORDS, told


def _color(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError(f"{text!r} is not a colour; write it like #8a3324")
    return text.lower()


def _label(name: str) -> str:
    if name not in INDEX:
        raise ValueError(f"{name!r} is not a label; semcolor-video --list-labels lists them")
    return name


def _moment(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError('write a frame number (250) or a time ("12.5s", "0:02:05.4")')
    if isinstance(value, int) and value < 0:
        raise ValueError("frames are counted from 0")
    parse_moment(value)
    return value


def _time(value: Any) -> Any:
    """A time as text; a number is seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return f"{value:f}s"
    if not isinstance(value, str) or isinstance(parse_moment(value), int):
        raise ValueError('write seconds (12.5) or a timecode ("0:02:05.4")')
    return value


Color = Annotated[str, AfterValidator(_color), Field(description="an sRGB colour, #rrggbb")]
"""An sRGB colour, `#rrggbb`."""

Label = Annotated[
    str, AfterValidator(_label), Field(description="name of a label; semcolor-video --list-labels lists them")
]
"""The name of a label, one of `models.labels.NAMES`."""

Moment = Annotated[int | str, BeforeValidator(_moment)]
"""A frame number or a time; see `timecode.Moment`."""

Time = Annotated[str, BeforeValidator(_time, json_schema_input_type=float | str)]
"""A time: seconds, or a timecode."""

Point = tuple[float, float]
"""x, y in pixels of the source."""


class _Strict(BaseModel):
    """A record without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _one_of(model: BaseModel, *names: str) -> None:
    """Raise ValueError unless exactly one of the fields is given."""
    given = [name for name in names if getattr(model, name) not in (None, False)]
    if len(given) != 1:
        raise ValueError(f"give one of {', '.join(names)}; given: {' and '.join(given) or 'none'}")


class Range(_Strict):
    """A range of frames: either `from` and `to`, or `shot`. The text "10s-14s" is short for `from` and `to`."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Moment | None = Field(
        None, alias="from", description='the first frame: a frame number (250) or a time ("12.5s", "0:02:05.4")'
    )
    to: Moment | None = Field(default=None, description="the last frame, included; written like `from`")
    shot: Moment | None = Field(
        None, description='a whole shot: its number (the first is 0), or a time in it ("12.5s")'
    )

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
    """A region: one of `box`, `polygon`, `strokes`, `point` or `label`.

    All but `label` describe the region in one frame; it is tracked through the frame's shot. Coordinates are pixels of
    the source, x to the right and y down.
    """

    box: tuple[float, float, float, float] | None = Field(
        None, description="a rectangle: x0, y0, x1, y1 with x0 < x1 and y0 < y1"
    )
    polygon: list[Point] | None = Field(default=None, min_length=3, description="the corners of a polygon, each x, y")
    strokes: list[Annotated[list[Point], Field(min_length=1)]] | None = Field(
        None, min_length=1, description="strokes of a brush, each a list of points x, y; needs `width`"
    )
    width: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="width of the brush of `strokes`, in pixels"
    )
    point: Point | None = Field(
        None, description="a point x, y: the region is the connected area around it that has the same label"
    )
    label: Label | None = Field(
        None, description="all pixels that the network reads as this label, in every frame of the range"
    )

    @model_validator(mode="after")
    def _one(self) -> Region:
        _one_of(self, "box", "polygon", "strokes", "point", "label")
        if (self.width is None) != (self.strokes is None):
            raise ValueError("strokes and width go together")
        if self.box and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError("box is x0, y0, x1, y1 with x0 < x1 and y0 < y1")
        return self


class Action(_Strict):
    """The action on a region: one of `label`, `colour`, `keep` or `neutral`.

    The texts "keep" and "neutral" are short for {"keep": true} and {"neutral": true}.
    """

    label: Label | None = Field(
        default=None, description="treat the region as this label; the network paints it accordingly"
    )
    colour: Color | None = Field(
        None, description="paint the region in the chroma of this colour; luma stays the source's"
    )
    keep: bool = Field(
        False, description="keep the colours that the network paints, without reference, palette or earlier edits"
    )
    neutral: bool = Field(default=False, description="make the region grey")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in ("keep", "neutral"):
            raise ValueError(f'{value!r} is not an action; write "keep", "neutral", {{"label": …}} or {{"colour": …}}')
        return {value: True} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> Action:
        _one_of(self, "label", "colour", "keep", "neutral")
        return self


class Edit(_Strict):
    """An action on a region.

    Without `range`, the edit applies to the shot of its frame. A region `label` needs no frame; without frame and
    range, the edit applies to the whole film.
    """

    frame: Annotated[int, Field(ge=0)] | None = Field(
        None, description="number of the frame in which the region is described, counted from 0"
    )
    time: Time | None = Field(
        None, description='time of this frame, instead of `frame`: seconds (12.5), or a timecode ("0:02:05.4")'
    )
    range: Range | None = Field(default=None, description="the frames to which the edit applies")
    region: Region
    action: Action
    strength: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1, description="share of the action: 1 replaces what was there, 0.5 is halfway"
    )
    off: bool = Field(default=False, description="an edit that is off has no effect")
    name: str = Field(default="", description="a name for people, which has no effect")
    note: str = Field(default="", description="a comment, which has no effect")

    @model_validator(mode="after")
    def _placed(self) -> Edit:
        if self.frame is not None and self.time is not None:
            raise ValueError("give frame or time, not both")
        if self.region.label is None and self.frame is None and self.time is None:
            raise ValueError("say in which frame the region is (frame or time)")
        return self


class Reference(_Strict):
    """A photo. The labels that it shares with the film get its colours, in a range or in the whole film."""

    photo: str = Field(description="path of the photo, relative to the sheet's folder")
    range: Range | None = Field(default=None, description="the frames to which the reference applies")
    off: bool = Field(default=False, description="a reference that is off has no effect")


class KeyFrame(_Strict):
    """A frame that was coloured elsewhere. Its colours are carried through its shot."""

    frame: Annotated[int, Field(ge=0)] | None = Field(default=None, description="number of the frame, counted from 0")
    time: Time | None = Field(default=None, description="time of the frame, instead of `frame`")
    picture: str = Field(
        description="path of the picture, relative to the sheet's folder; of the film's size. Where it is transparent, "
        "it says nothing"
    )
    off: bool = Field(default=False, description="a key frame that is off has no effect")

    @model_validator(mode="after")
    def _one(self) -> KeyFrame:
        if (self.frame is None) == (self.time is None):
            raise ValueError("give frame or time")
        return self


Palette = dict[Label, Color]
"""Label → its colour."""


class Sheet(_Strict):
    """A sheet of edits.

    References apply first, then key frames, the palette, and the edits in their order; a later one wins. Edits of
    labels apply before colouring, so before all of these.
    """

    edits: list[Edit] = Field(default=[], description="edits of regions, in order")
    palette: Palette = Field(default={}, description="a colour for each of some labels, in the whole film")
    references: list[Reference] = Field(default=[], description="photos whose colours the film gets")
    keyframes: list[KeyFrame] = Field(default=[], description="frames that were coloured elsewhere")

    def __bool__(self) -> bool:
        """Whether the sheet contains anything."""
        return self != Sheet()


def read_sheet(path: str | PathLike[str]) -> Sheet:
    """Read a sheet from a JSON file; the paths of its photos become absolute. Raises InputError."""
    sheet: Sheet = _read(path, TypeAdapter(Sheet))
    folder = Path(path).absolute().parent
    photos = [r.model_copy(update={"photo": str(folder / r.photo)}) for r in sheet.references]
    keys = [k.model_copy(update={"picture": str(folder / k.picture)}) for k in sheet.keyframes]
    return sheet.model_copy(update={"references": photos, "keyframes": keys})


def read_palette(path: str | PathLike[str]) -> Palette:
    """Read a palette from a JSON file: {"label": "#rrggbb"}. Raises InputError."""
    return _read(path, TypeAdapter(Palette))


def gather(sheet: Path | None, palette: Path | None, photos: list[Path], keys: Sequence[str] = ()) -> Sheet:
    """Combine the files of the command's options into one sheet.

    Args:
        sheet: JSON file of a sheet, or None.
        palette: JSON file of a palette, or None. The palette of the sheet takes precedence.
        photos: references for the whole film.
        keys: key frames, each FRAME=PICTURE.

    Raises:
        InputError: if a file is missing or holds mistakes.
    """
    result = read_sheet(sheet) if sheet else Sheet()
    for photo in photos:
        if not photo.is_file():
            raise InputError(f"--reference {photo}: there is no such file.")
    references = [Reference(photo=str(photo.absolute())) for photo in photos] + result.references
    colors = (read_palette(palette) if palette else {}) | result.palette
    frames = [_key(text) for text in keys] + result.keyframes
    return result.model_copy(update={"references": references, "palette": colors, "keyframes": frames})


def _key(text: str) -> KeyFrame:
    """A key frame of the command line, FRAME=PICTURE. Raises InputError."""
    moment, _, picture = text.partition("=")
    if not moment or not picture:
        raise InputError(f"--keyframe {text}: write FRAME=PICTURE, such as 310=310.png.")
    if not Path(picture).is_file():
        raise InputError(f"--keyframe {text}: there is no file {picture}.")
    place = {"frame": int(moment)} if moment.isdecimal() else {"time": moment}
    try:
        return KeyFrame.model_validate(place | {"picture": str(Path(picture).absolute())})
    except ValidationError as error:
        raise InputError(f"--keyframe {text}: {_sentences(error)}.") from None


def identity(sheet: Sheet | None) -> dict[str, Any] | None:
    """The parts of a sheet that affect the colours, for JSON; photos by their SHA-256. None for no or an empty sheet.

    Raises InputError if a photo cannot be read.
    """
    if not sheet:
        return None
    references = [reference for reference in sheet.references if not reference.off]
    keys = [key for key in sheet.keyframes if not key.off]
    named = [("reference", reference.photo) for reference in references] + [("key frame", k.picture) for k in keys]
    photos = []
    for kind, path in named:
        try:
            photos.append(file_sha256(Path(path)))
        except OSError as error:
            raise InputError(f"the {kind} {path} cannot be read: {error.strerror}.") from error
    edits = [edit.model_copy(update={"name": "", "note": ""}) for edit in sheet.edits if not edit.off]
    kept = sheet.model_copy(update={"edits": edits, "references": references, "keyframes": keys})
    return kept.model_dump(mode="json", exclude_defaults=True) | {"photos": photos} if kept else None


def checked(content: Any) -> Sheet:
    """JSON as a sheet; the paths of its photos stay as they are. Raises InputError, which names all mistakes."""
    try:
        return Sheet.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{_sentences(error)}.") from None


def _read(path: str | PathLike[str], kind: TypeAdapter) -> Any:
    """Read a JSON file as a value of the given type. Raises InputError, which names all mistakes."""
    try:
        return kind.validate_python(json.loads(Path(path).read_text(encoding="utf-8")))
    except ValidationError as error:
        raise InputError(f"{path}: {_sentences(error)}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path} is not JSON: it breaks at {where} ({error.msg}).") from error
    except (ValueError, RecursionError) as error:  # invalid UTF-8, or lists in lists without end
        raise InputError(f"{path} is not JSON: {error}.") from error


def _sentences(error: ValidationError) -> str:
    """All mistakes, each with its place."""
    return "; ".join(_sentence(mistake) for mistake in error.errors())


def _sentence(mistake: Mapping[str, Any]) -> str:
    """The place of a mistake, and what is wrong there. `mistake`: as for `wording.told`."""
    between = " " if mistake["type"] in WORDS else ": "
    return f"{_place(mistake['loc'])}{between}{told(mistake)}"


def _place(steps: tuple[int | str, ...]) -> str:
    """The JSON path of a mistake, such as edits[0].region.box."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps if step != "[key]")
    return text.removeprefix(".") or "the whole file"
