"""A sheet of edits, and a palette: JSON that people write. It is read strictly.

    {"edits": [{"frame": 5, "region": {"box": [10, 20, 90, 120]}, "action": {"colour": "#8a3324"}}]}

`fields` and `regions` have its parts. `Sheet.model_json_schema()` returns the JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from ...errors import InputError
from .fields import Color, ColorOrName, Label, Name, Range, Strict, Time, names_known, one_of
from .regions import Region


class Action(Strict):
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
        one_of(self, "label", "colour", "keep", "neutral")
        return self


class Edit(Strict):
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


class Reference(Strict):
    """A photo. The labels that it shares with the film get its colours, in a range or in the whole film."""

    photo: str = Field(description="path of the photo, relative to the sheet's folder")
    range: Range | None = Field(default=None, description="the frames to which the reference applies")
    off: bool = Field(default=False, description="a reference that is off has no effect")


class KeyFrame(Strict):
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


class NamedColor(Strict):
    """A colour that edits and the palette name. The text "#6b2430" is short for {"colour": "#6b2430"}."""

    colour: Color
    note: str = Field(default="", description="a comment, such as where the colour comes from; it has no effect")

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"colour": value} if isinstance(value, str) else value


Palette = dict[Label, ColorOrName]
"""Label → its colour."""


class Sheet(Strict):
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
        token = names_known.set([str(name) for name in found] if isinstance(found, dict) else ())
        try:
            return check(value)
        finally:
            names_known.reset(token)

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
