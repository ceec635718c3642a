"""Write the fields of a report into `docs/report.md`, from the records that define them.

    python docs/examples/report_fields.py

A test compares the page with the records, so whoever changes a record runs this again.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from semcolor.pipeline.report.records import Report

PAGE = Path(__file__).parents[1] / "report.md"

MARK = "<!-- The rest of this page is made by docs/examples/report_fields.py. -->\n"


def page() -> str:
    """The whole text of `docs/report.md`."""
    prose, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    return prose + mark + "\n" + "\n".join(_tables())


def _tables() -> Iterator[str]:
    schema = Report.model_json_schema()
    yield from _table("Report", schema)
    for name, record in schema["$defs"].items():
        yield ""
        yield from _table(name, record)


def _table(name: str, record: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield record["description"]
    yield ""
    yield "| field | type | |"
    yield "| --- | --- | --- |"
    for field, about in record["properties"].items():
        yield f"| `{field}` | {_type(about)} | {about.get('description', '').replace('|', '&#124;')} |"


def _type(about: dict[str, Any]) -> str:
    """The type of a field in words, with a link to its record."""
    if ref := about.get("$ref"):
        name = ref.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if choices := about.get("anyOf"):
        return " or ".join(map(_type, choices))
    if values := about.get("enum"):
        return ", ".join(f"`{value}`" for value in values)
    if "const" in about:
        return f"`{about['const']}`"
    kind = about.get("type", "any")
    if kind == "array":
        items = about.get("items") or {"anyOf": [{"type": "number"}]}
        return f"list of {_type(items)}"
    if kind == "object" and isinstance(values := about.get("additionalProperties"), dict):
        return f"object of {_type(values)}"
    return kind


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
