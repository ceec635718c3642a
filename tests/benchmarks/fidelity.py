"""What a film keeps: small films of every container, codec and property are made, colorized and compared.

`support.matrix` has the cells, `support.probes` the comparison. With --write the tables go into a page of the docs.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from common import Results, Row, options, run
from support.matrix import CODECS, CONTAINERS, PROPERTIES, Outcome, all_cells, outcomes
from support.probes import has_ffmpeg

KEPT, UNWRITABLE = "✓", "·"
"""Signs of the tables."""


def measure(given: argparse.Namespace, results: Results) -> None:
    if not has_ffmpeg():
        results.skip("what FFmpeg's commands say, which are not installed; PyAV reads the films instead")
    found: list[Outcome] = []
    for outcome in outcomes(cell for cell in all_cells() if not given.rows or cell.row in given.rows):
        if outcome.state == "fault":
            print(f"{outcome.cell.suffix} {outcome.cell.row} ({outcome.output}): {outcome.detail}", flush=True)
        found.append(outcome)
    notes: dict[str, str] = {}
    same, lossless = ([o for o in found if o.output == output] for output in ("same", "lossless"))
    tables = {
        "Codecs, written into the same container": table(same, CODECS, notes),
        "Codecs, written without loss into .mkv": table(lossless, CODECS, notes),
        "Properties, written into the same container": table(same, PROPERTIES, notes),
    }
    for title, rows in tables.items():
        results.add(title, rows)
    results.add("Notes", [{"note": note, "why": why} for why, note in notes.items()])
    results.add("Films", counts(found))
    if given.write:
        given.write.write_text(page(results), encoding="utf-8")


def table(found: Iterable[Outcome], names: Iterable[str], notes: dict[str, str]) -> list[Row]:
    """A row for each codec or property, a column for each container. New reasons are added to `notes`."""
    signs: dict[str, dict[str, str]] = defaultdict(dict)
    for outcome in found:
        signs[outcome.cell.row][outcome.cell.suffix] = sign(outcome, notes)
    return [
        {"": name} | {f".{suffix}": signs[name].get(suffix, UNWRITABLE) for suffix in CONTAINERS}
        for name in names
        if name in signs
    ]


def sign(outcome: Outcome, notes: dict[str, str]) -> str:
    """The sign of an outcome. A reason gets a letter, the reason of a fault a letter with an exclamation mark."""
    if outcome.state in ("kept", "unwritable"):
        return KEPT if outcome.state == "kept" else UNWRITABLE
    why = reason(outcome.detail)
    letter = notes.setdefault(why, chr(ord("a") + len(notes)) if len(notes) < 26 else f"a{len(notes)}")
    return letter if outcome.state == "refused" else f"{letter}!"


def reason(detail: str) -> str:
    """A sentence without the names of files and without advice."""
    text = re.sub(r"\b(film|same\.color|lossless)\.(\w+)", r".\2", detail)
    text = re.sub(r"\.\w+: (\.\w+) ", "", text, count=1)
    text = re.sub(r"; (choose|use|copy|convert|try) .*", "", text).strip()
    text = re.sub(r"cannot carry this film \([^)]*\) whole: ", "cannot hold it: ", text)
    return re.sub(r"-?\d+\.\d+ s", "… s", text).rstrip(".")


def counts(found: list[Outcome]) -> list[Row]:
    """How many films were kept, refused before the work, at fault, or could not be made by FFmpeg."""
    rows = []
    for output in ("same", "lossless"):
        states = Counter(o.state for o in found if o.output == output)
        rows.append({"output": output} | {s: states[s] for s in ("kept", "refused", "fault", "unwritable")})
    return rows


HEAD = """# What a film keeps

Made by `tests/benchmarks/fidelity.py`, which `make bench` runs. It makes a small film of every kind, colorizes
it with a fixed colour, and compares source and output with FFmpeg's own commands: number of frames, time
stamps, luma (identical in the lossless outputs), colour tags, pixel aspect, rotation, fields, packets of all
other streams, languages, dispositions, chapters and title. What a container cannot hold, such as a rotation in
`.ts`, is not in the source either, so it counts as kept.

| sign | |
| --- | --- |
| ✓ | everything is kept |
| a, b, … | refused in one sentence before the work; the notes say why |
| a!, b!, … | a fault; the notes say which |
| · | FFmpeg writes no such film |
"""


def page(results: Results) -> str:
    """The page of the docs."""
    from common import markdown

    parts = [HEAD]
    for title, rows in results.tables.items():
        parts.append(f"## {title}\n\n{markdown(rows)}\n" if rows else "")
    return "\n".join(parts)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--rows", nargs="*", metavar="ROW", help="only these codecs and properties")
    parser.add_argument("--write", type=Path, metavar="PATH", help="write the tables into this page")
    run(parser, measure)


if __name__ == "__main__":
    main()
