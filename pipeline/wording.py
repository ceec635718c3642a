"""Mistakes in what people write (sheets of edits, manifests) in plain words; pydantic's own are for programmers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here; check its spelling",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be an object in braces",
    "model_type": "must be an object in braces",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "string_too_short": "must not be empty",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
}
"""Kind of a mistake, as pydantic names it → what is wrong, with pydantic's values in braces."""


def told(mistake: Mapping[str, Any]) -> str:
    """What is wrong with a value, as words that follow its name.

    Args:
        mistake: an item of `pydantic.ValidationError.errors()`.
    """
    if words := WORDS.get(mistake["type"]):
        return words.format_map({name: _plain(value) for name, value in mistake.get("ctx", {}).items()})
    return mistake["msg"].removeprefix("Value error, ")


def _plain(value: Any) -> Any:
    """A number as people write it: 1 instead of 1.0."""
    return f"{value:g}" if isinstance(value, float) else value
