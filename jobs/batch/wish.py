"""The settings of one film of a batch, as a line of a manifest states them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from ...pipeline.defaults import CODEC, CRF, PRESET, SCENES, SIZE, STEADY, VIVID, KeepColour
from ...pipeline.files import is_utf8
from ...pipeline.look import Look
from ...pipeline.selection import Selection, parse_names, parse_selection
from ...pipeline.sequences.names import Transfer
from ...pipeline.timecode import parse_rate
from ...pipeline.wording import WORDS, told

PRESETS = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"
]
"""Values of `--preset`."""


def _file_name(value: Any, check: ValidatorFunctionWrapHandler) -> str:
    """A name that is not UTF-8 as it is, which pydantic would refuse; any other value as pydantic takes it."""
    if isinstance(value, str) and "\0" in value:
        raise ValueError("a name of a file cannot have a byte of value 0")
    return value if isinstance(value, str) and not is_utf8(value) else check(value)


def _rate(value: Any) -> Any:
    """A frame rate in its shortest form, as text; other values as they are, for pydantic to refuse."""
    return str(parse_rate(value)) if isinstance(value, str | int | float) else value


def _streams(value: Any) -> Any:
    """Names of streams, as a text or a list, in their shortest form; other values as they are."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        value = ",".join(value)
    return parse_names(value) if isinstance(value, str) else value


StreamNames = Annotated[str | None, BeforeValidator(_streams)]
"""Names of streams: ``data:0,subtitle``."""

FileName = Annotated[str, WrapValidator(_file_name)]
"""Name of a file, or template of one. Bytes that are not UTF-8 are kept as Python's surrogate escapes."""


class Wish(BaseModel):
    """The settings of one film: a line of a manifest. The fields are named after the command's options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: FileName = Field(min_length=1)
    output: FileName | None = None
    """Template of the output's path; None: that of the command."""
    labels: FileName | None = None
    """Template of the label film's path; None: no label film."""
    report: FileName | None = None
    """Template of the report's path; None: no report."""
    record: FileName | None = None
    """Template of the record's path; None: no record."""
    fps: Annotated[str | None, BeforeValidator(_rate)] = None
    """Frames per second of a film without time stamps, for instance ``24000/1001``."""
    track: int | None = Field(None, ge=0)
    """Video track to colorize; see `pipeline.film.open_film`."""
    strict: bool = False
    """Whether a film that is damaged is refused. It does not change the output's bytes."""
    drop: StreamNames = None
    """Streams that are left out; see `pipeline.selection`."""
    only: StreamNames = None
    """The only streams that are kept besides the pictures; None: all."""
    size: int = Field(SIZE, ge=64, le=1024, multiple_of=32)
    codec: str = CODEC
    pix_fmt: str | None = None
    """Pixel format of the colour film; None: chosen from the film and the codec."""
    crf: float = Field(CRF, ge=0, le=63, allow_inf_nan=False)
    preset: PRESETS = PRESET
    steady: float = Field(STEADY, ge=0, le=1, allow_inf_nan=False)
    scenes: float = Field(SCENES, ge=0, le=1, allow_inf_nan=False)
    vivid: float = Field(VIVID, ge=0, le=2, allow_inf_nan=False)
    keep_colour: KeepColour = "never"
    weights: FileName | None = None
    workers: int | None = Field(None, ge=1)
    """Number of artists; None: the scheduler decides. It does not change the output's bytes."""

    transfer: Transfer | None = None
    """Meaning of a sequence's code values; see `pipeline.film.open_film`."""

    @property
    def look(self) -> Look:
        """The settings that decide the film's colours."""
        weights = Path(self.weights) if self.weights else None
        return Look(
            size=self.size,
            steady=self.steady,
            scenes=self.scenes,
            vivid=self.vivid,
            weights=weights,
            keep_colour=self.keep_colour,
        )

    @property
    def reading(self) -> dict[str, Any]:
        """The settings that decide how the film is read: keywords of `pipeline.film.open_film`."""
        return {"fps": self.fps, "track": self.track, "transfer": self.transfer, "strict": self.strict}

    @property
    def coding(self) -> dict[str, Any]:
        """The settings that decide how the colour film is encoded: keywords of `pipeline.outputs.prepared`."""
        own = {name: getattr(self, name) for name in ("codec", "crf", "preset", "keep_colour")}
        return own | {"pix_fmt": self.pix_fmt or ""}

    @property
    def selection(self) -> Selection:
        """The other streams that are kept."""
        return parse_selection(self.drop, self.only)

    def decisive(self) -> dict[str, Any]:
        """The settings that decide the output's bytes, besides the source and the program."""
        return self.model_dump(exclude={"source", "output", "labels", "report", "record", "strict", "workers"})


def mistakes_in(error: ValidationError) -> Iterator[str]:
    """The mistakes in a film's settings: a sentence for each field."""
    for mistake in error.errors(include_url=False):
        name = ".".join(map(str, mistake["loc"]))
        if mistake["type"] == "extra_forbidden":
            yield f"there is no setting {name!r}; settings are {', '.join(Wish.model_fields)}."
        elif mistake["type"] == "missing":
            yield f"{name} is missing."
        elif mistake["type"] in WORDS:
            yield f"{name} {told(mistake)}, not {mistake['input']!r}."
        else:
            yield f"{name} {mistake['input']!r}: {told(mistake)}."
