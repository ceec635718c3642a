"""The record of a film: how it was made, so that others can judge it, and make it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..edits.sheet import Sheet
from ..files import file_sha256, size_on_disk
from ..film import Film
from ..look import Look
from ..provenance import DIGITAL_SOURCE_TYPE, SENTENCE
from ..storage import Location
from .build import versions
from .media import digest_of, plain_name
from .records import OtherFile, Settings

FORMAT = 1
"""Version of the record's form. It rises when a field is removed or changes its meaning."""


class Record(BaseModel):
    """The record of a film."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = FORMAT
    statement: str = Field(description="what was done, in a sentence")
    digital_source_type: str = Field(description="the same as a code of the IPTC's list")
    made: str = Field(description="end of the work, UTC, ISO 8601; the film itself holds no date")
    source: OtherFile = Field(description="the source")
    outputs: list[OtherFile] = Field(description="the colour film, and what was written besides")
    settings: dict[str, Any] = Field(description="what decides the film's bytes, besides source, sheet and versions")
    sheet: dict[str, Any] = Field(
        description="the sheet of edits as it was written, with notes and names of colours; files without their folders"
    )
    pictures: list[OtherFile] = Field(description="the pictures that the sheet names: references and key frames")
    versions: dict[str, str] = Field(description="semcolor, Python, PyAV, FFmpeg and its libraries, other packages")


def write_record(
    file: Path,
    film: Film,
    look: Look,
    settings: Settings,
    files: Mapping[str, tuple[Path, Location, str]],
) -> None:
    """Write the record of a finished film as JSON.

    Args:
        file: where it is written.
        film: the source.
        look: what decided the colours.
        settings: all settings.
        files: kind of result → the finished file, its place, and its SHA-256.
    """
    sheet = look.sheet or Sheet()
    record = Record(
        statement=SENTENCE,
        digital_source_type=DIGITAL_SOURCE_TYPE,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        source=OtherFile(kind="source", name=plain_name(film.path), **digest_of(film)),
        outputs=[
            OtherFile(kind=kind, name=plain_name(where), bytes=size_on_disk(path), sha256=digest)
            for kind, (path, where, digest) in files.items()
        ],
        settings=settings.model_dump(exclude={"edits", "sheet"}),
        sheet=_written(sheet),
        pictures=[
            *(_picture("reference", reference.photo) for reference in sheet.references),
            *(_picture("key frame", key.picture) for key in sheet.keyframes),
        ],
        versions=versions(),
    )
    file.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _written(sheet: Sheet) -> dict[str, Any]:
    """A sheet as JSON, without the folders of its files."""
    references = [r.model_copy(update={"photo": plain_name(r.photo)}) for r in sheet.references]
    keys = [key.model_copy(update={"picture": plain_name(key.picture)}) for key in sheet.keyframes]
    named = sheet.model_copy(update={"references": references, "keyframes": keys})
    return named.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _picture(kind: str, path: str) -> OtherFile:
    """A picture that a sheet names. One that is off may be missing."""
    file = Path(path)
    found = file.is_file()
    size, digest = (size_on_disk(file), file_sha256(file)) if found else (0, "")
    return OtherFile(kind=kind, name=plain_name(path), bytes=size, sha256=digest)
