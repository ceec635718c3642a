"""A sheet of edits, and a palette: JSON that people write. It is read strictly.

    {"edits": [{"frame": 5, "region": {"box": [10, 20, 90, 120]}, "action": {"colour": "#8a3324"}}]}

Coordinates are pixels of the source, x to the right and y down. `Sheet.model_json_schema()` returns the JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextvars import ContextVar
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    model_validator,
)

from ...errors import InputError
from ...models.labels import INDEX
from ..timecode import parse_moment, parse_range

_names: ContextVar[Collection[str] | None] = ContextVar("_names", default=None)
"""The names in `colours` of the sheet that is being checked. None: no sheet is, and any name will do."""


def _color(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError(f"{text!r} is not a colour; write it like #8a3324")
    return text.lower()


def _color_or_name(text: str) -> str:
    names = _names.get()
    if text.startswith("#"):
        return _color(text)
    if names is not None and text not in names:
        known = f", or one of the names in colours: {', '.join(names)}" if names else ", or define it in colours"
        raise ValueError(f"{text!r} is not a colour; write it like #8a3324{known}")
    return text


def _name(text: str) -> str:
    if not text.strip() or text.startswith("#"):
        raise ValueError(f"{text!r} is not a name; write a word that does not begin with #")
    return text


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

ColorOrName = Annotated[
    str, AfterValidator(_color_or_name), Field(description="an sRGB colour, #rrggbb, or one of the names in `colours`")
]
"""An sRGB colour, or one of the names in `Sheet.colours`."""

Name = Annotated[str, AfterValidator(_name), Field(description="the name of a colour")]
"""The name of a colour."""

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

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, revalidate_instances="always")


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


class Shape(_Strict):
    """Something drawn in a frame: one of `box`, `polygon` or `strokes`."""

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

    @model_validator(mode="after")
    def _drawn(self) -> Shape:
        if (self.width is None) != (self.strokes is None):
            raise ValueError("strokes and width go together")
        if self.box and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError("box is x0, y0, x1, y1 with x0 < x1 and y0 < y1")
        return self


class Change(Shape):
    """A shape that is added to a region, or taken away from it."""

    away: bool = Field(default=False, description="true: the shape is taken away from the region")

    @model_validator(mode="after")
    def _one(self) -> Change:
        _one_of(self, "box", "polygon", "strokes")
        return self


class Region(Shape):
    """A region: one of `box`, `polygon`, `strokes`, `point` or `label`.

    All but `label` describe the region in one frame; it is tracked through the frame's shot. Coordinates are pixels of
    the source, x to the right and y down.
    """

    point: Point | None = Field(
        None, description="a point x, y: the region is the connected area around it that has the same label"
    )
    label: Label | None = Field(
        None, description="all pixels that the network reads as this label, in every frame of the range"
    )
    then: list[Change] | None = Field(
        default=None, min_length=1, description="shapes that are added to the region or taken away from it, in order"
    )

    @model_validator(mode="after")
    def _one(self) -> Region:
        _one_of(self, "box", "polygon", "strokes", "point", "label")
        if self.then and self.label is not None:
            raise ValueError("a label cannot be changed by shapes; draw the region instead")
        return self


class Action(_Strict):
    """The action on a region: one of `label`, `colour`, `keep` or `neutral`.

    The texts "keep" and "neutral" are short for {"keep": true} and {"neutral": true}.
    """

    label: Label | None = Field(
        default=None, description="treat the region as this label; the network paints it accordingly"
    )
    colour: ColorOrName | None = Field(
        None,
        description="paint the region in the chroma of this colour, #rrggbb or one of the names in `colours`; luma "
        "stays the source's",
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


class NamedColor(_Strict):
    """A colour that edits and the palette name. The text "#6b2430" is short for {"colour": "#6b2430"}."""

    colour: Color
    note: str = Field(default="", description="a comment, such as where the colour comes from; it has no effect")

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"colour": value} if isinstance(value, str) else value


Palette = dict[Label, ColorOrName]
"""Label → its colour."""


class Sheet(_Strict):
    """A sheet of edits.

    References apply first, then key frames, the palette, and the edits in their order; a later one wins. Edits of
    labels apply before colouring, so before all of these.
    """

    colours: dict[Name, NamedColor] = Field(
        default={}, description="colours with names, which edits and the palette use; a colour alone has no effect"
    )
    edits: list[Edit] = Field(default=[], description="edits of regions, in order")
    palette: Palette = Field(default={}, description="a colour for each of some labels, in the whole film")
    references: list[Reference] = Field(default=[], description="photos whose colours the film gets")
    keyframes: list[KeyFrame] = Field(default=[], description="frames that were coloured elsewhere")

    @model_validator(mode="wrap")
    @classmethod
    def _names_known(cls, value: Any, check: ModelWrapValidatorHandler[Sheet]) -> Sheet:
        """Check a sheet; its edits and its palette may name only its own colours."""
        found = value.colours if isinstance(value, Sheet) else value.get("colours") if isinstance(value, dict) else ()
        token = _names.set([str(name) for name in found] if isinstance(found, dict) else ())
        try:
            return check(value)
        finally:
            _names.reset(token)

    def __bool__(self) -> bool:
        """Whether the sheet asks for anything."""
        return self.model_copy(update={"colours": {}}) != Sheet()

    def plain(self) -> Sheet:
        """The same sheet with colours instead of their names. So it depends on the colours that are used alone.

        Raises:
            InputError: a name is not defined. This happens only to a sheet that was put together without checks.
        """
        edits = [
            edit.model_copy(update={"action": edit.action.model_copy(update={"colour": self._color(text)})})
            if (text := edit.action.colour)
            else edit
            for edit in self.edits
        ]
        palette = {label: self._color(text) for label, text in self.palette.items()}
        return self.model_copy(update={"colours": {}, "edits": edits, "palette": palette})

    def _color(self, text: str) -> str:
        """The colour, #rrggbb, of a text that is one or names one."""
        if not text.startswith("#") and text not in self.colours:
            raise InputError(f"{text!r} is not among the names in colours.")
        return text if text.startswith("#") else self.colours[text].colour
