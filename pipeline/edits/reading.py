"""Sheets and palettes read from files and options, and what of a sheet affects the colours.

A mistake is named by its JSON path, such as edits[2].action.colour; all mistakes of a file are reported together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ...errors import InputError
from ..files import file_sha256
from ..wording import WORDS, told
from .sheet import KeyFrame, Palette, Reference, Sheet


def read_sheet(path: str | PathLike[str]) -> Sheet:
    """Read a sheet from a JSON file; the paths of its photos become absolute. Raises InputError."""
    sheet: Sheet = _read(path, TypeAdapter(Sheet))
    return located(sheet, Path(path).absolute().parent)


def located(sheet: Sheet, folder: Path) -> Sheet:
    """The same sheet with absolute paths of its photos and pictures, which are relative to `folder`."""
    photos = [r.model_copy(update={"photo": str(folder / r.photo)}) for r in sheet.references]
    keys = [k.model_copy(update={"picture": str(folder / k.picture)}) for k in sheet.keyframes]
    return sheet.model_copy(update={"references": photos, "keyframes": keys})


def read_palette(path: str | PathLike[str]) -> Palette:
    """Read a palette from a JSON file: {"label": "#rrggbb"}. Names of colours are not checked. Raises InputError."""
    return _read(path, TypeAdapter(Palette))


def gather(sheet: Path | None, palette: Path | None, photos: list[Path], keys: Sequence[str] = ()) -> Sheet:
    """Combine the files of the command's options into one sheet.

    Args:
        sheet: JSON file of a sheet, or None.
        palette: JSON file of a palette, or None. It may name colours of the sheet. The palette of the sheet takes
            precedence.
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
    frames = [_key(text) for text in keys] + result.keyframes
    colors = result.palette
    if palette:
        given = read_palette(palette)
        try:
            Sheet(colours=result.colours, palette=given)
        except ValidationError as error:
            raise InputError(f"{palette}: {_sentences(error)}.") from None
        colors = given | colors
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
    """The parts of a sheet that affect the colours, for JSON; photos by their SHA-256, colours without their names.
    None for no or an empty sheet.

    Raises InputError if a photo cannot be read.
    """
    if not sheet:
        return None
    sheet = sheet.plain()
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
