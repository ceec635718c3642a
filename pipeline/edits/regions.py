"""Regions as people describe them in a sheet of edits. Coordinates are pixels of the source, x to the right, y down."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from .fields import Label, Point, Strict, Time, one_of


class Shape(Strict):
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
    """A shape that is added to a region, or taken away from it, in the frame of the edit or in another one of its shot.

    In another frame it changes the region that was followed to there, which is then followed on from there.
    """

    away: bool = Field(default=False, description="true: the shape is taken away from the region")
    frame: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="number of the frame in which the shape is drawn; the region changes from there on, away from the "
        "frame of the edit. Without it: the frame of the edit",
    )
    time: Time | None = Field(default=None, description="time of this frame, instead of `frame`")

    @model_validator(mode="after")
    def _one(self) -> Change:
        one_of(self, "box", "polygon", "strokes")
        if self.frame is not None and self.time is not None:
            raise ValueError("give frame or time, not both")
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
        one_of(self, "box", "polygon", "strokes", "point", "label")
        if self.then and self.label is not None:
            raise ValueError("a label cannot be changed by shapes; draw the region instead")
        return self
