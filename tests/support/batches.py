"""Batches as `semcolor-batch` plans them, without its command line."""

from __future__ import annotations

from pathlib import Path

from semcolor.jobs.batch.manifest import read_request
from semcolor.jobs.batch.plan import Plan, make_plan
from semcolor.jobs.batch.state import FOLDER, Records
from semcolor.jobs.batch.target import target_of


def make_batch_plan(folder: Path, *arguments: str | Path, output: str | None = None, **defaults: object) -> Plan:
    """The plan for sources `arguments` with outputs in `folder`/out, or as the template `output` says."""
    target = target_of(output or str(folder / "out"))
    request = read_request([str(a) for a in arguments], defaults)
    return make_plan(request, target, Records(Path(target.root) / FOLDER))
