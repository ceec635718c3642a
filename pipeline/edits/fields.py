"""What people write in a sheet of edits, field by field: colours, names, labels, moments, ranges."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextvars import ContextVar
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ...models.labels import INDEX
from ..timecode import parse_moment, parse_range

names_known: ContextVar[Collection[str] | None] = ContextVar("names_known", default=None)
"""The names in `colours` of the sheet that is being checked. None: no sheet is, and any name will do."""


def _color(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError(f"{text!r} is not a colour; write it like #8a3324")
    return text.lower()


def _color_or_name(text: str) -> str:
    names = names_known.get()
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


class Strict(BaseModel):
    """A record without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, revalidate_instances="always")


def one_of(model: BaseModel, *names: str) -> None:
    """Raise ValueError unless exactly one of the fields is given."""
    given = [name for name in names if getattr(model, name) not in (None, False)]
    if len(given) != 1:
        raise ValueError(f"give one of {', '.join(names)}; given: {' and '.join(given) or 'none'}")


class Range(Strict):
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
