"""Named colours of a sheet: made, changed everywhere, renamed and taken away."""

from __future__ import annotations

from typing import Any

from ...errors import UserError


def change_color(content: dict[str, Any], name: str, color: str | None, note: str | None, to: str | None) -> None:
    """Change a named colour in place; a new name is added.

    Args:
        content: a sheet as JSON.
        name: the colour's name.
        color: the colour, ``#rrggbb``; None takes the name away, and what used it keeps the colour itself.
        note: a comment; None leaves it as it is.
        to: a new name for it; None leaves the name.

    Raises:
        UserError: if there is a colour of the new name already.
    """
    colors: dict[str, Any] = content.setdefault("colours", {})
    found = colors.get(name, {})
    before = {"colour": found} if isinstance(found, str) else found
    if color is None:
        colors.pop(name, None)
        _rename(content, name, before.get("colour"))
        return
    if to not in (None, name) and to in colors:
        raise UserError(f"There is a colour {to!r} already.")
    new = {"colour": color, "note": before.get("note", "") if note is None else note}
    colors[name] = {key: value for key, value in new.items() if value}
    if to not in (None, name):
        content["colours"] = {to if old == name else old: value for old, value in colors.items()}
        _rename(content, name, to)


def _rename(content: dict[str, Any], name: str, to: str | None) -> None:
    """Write something else wherever a sheet has the name of a colour."""
    for edit in content.get("edits", []):
        if isinstance(edit["action"], dict) and edit["action"].get("colour") == name:
            edit["action"]["colour"] = to
    palette = content.get("palette", {})
    palette.update({label: to for label, color in palette.items() if color == name})
