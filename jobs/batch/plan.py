"""Turn a batch request into a plan: output paths, films already finished, and all mistakes at once.

This looks only at the names, sizes and times of files, so that ten thousand films are planned in seconds.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from ...errors import UserError
from ...models import is_weights
from ...pipeline.containers import output_format
from ...pipeline.defaults import CODEC
from ...pipeline.encode import check_codec
from ...pipeline.extras import check_record_name, check_report_name
from ...pipeline.files import file_sha256, unwritable
from ...pipeline.sequences.names import is_pattern
from ...pipeline.sequences.names import target as target_pattern
from ...pipeline.storage import Location, check_target, is_url, join, parent
from ...pipeline.suffixes import output_suffix, why_other
from ..film.workdir import work_folder
from .manifest import Asked, Request
from .records import PlannedFilm, Record, file_stat, key_of
from .state import Records
from .target import Target, check_placeholders

UNREADABLE = (0, 0)
"""Size and time of a file that was found but is not there, such as a link to nothing. Its film fails by itself."""


@dataclass
class Plan:
    """What a batch does with each film that it is asked for."""

    to_do: list[PlannedFilm] = field(default_factory=list)
    """Films to make, largest source first. A large film at the end would keep the other workers idle."""
    finished: list[PlannedFilm] = field(default_factory=list)
    """Films that an earlier run has made. Their outputs and records exist, and source and settings have not changed."""
    mistakes: list[str] = field(default_factory=list)
    """All mistakes of the request, as whole sentences."""
    left_out: list[str] = field(default_factory=list)
    """Files in folders that are left out, and why, as whole sentences."""
    renamed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(suffix that {suffix} stands for, why it is not the source's) → number of films."""


def make_plan(
    request: Request, target: Target, records: Records, overwrite: bool = False, work: Path | None = None
) -> Plan:
    """Plan a batch.

    Args:
        request: the films that are asked for.
        target: the place of the outputs.
        records: the batch's state files.
        overwrite: replace outputs that exist.
        work: folder for the films' work folders; see `film.job.Settings.work`.
    """
    return _Planner(target, records, overwrite, work).plan(request)


class _Planner:
    """Plans films one by one; each common check is made once."""

    def __init__(self, target: Target, records: Records, overwrite: bool, work: Path | None) -> None:
        self.target, self.records, self.overwrite, self.work = target, records, overwrite, work
        self.known = records.keys()
        """Keys of the films that have a record."""
        self.checked: set[tuple[str, str]] = set()
        """(kind, value) of the checks that have passed; see `_check_once`."""
        self.digests: dict[str, str] = {}
        """File of weights → its digest."""

    def plan(self, request: Request) -> Plan:
        """The plan for a request."""
        plan = Plan(left_out=list(request.left_out))
        # Films with the paths of their outputs, and mistakes, in the order of the request.
        placed: list[tuple[Asked, dict[str, str | None]] | str] = []
        makers: dict[str, Asked] = {}  # output → film whose output it is
        for asked in request.asked:
            if isinstance(asked, str):
                placed.append(asked)
                continue
            try:
                paths = self._paths(asked)
            except UserError as error:
                placed.append(f"{asked.origin}: {error}")
                continue
            placed.append((asked, paths))
            for path in filter(None, paths.values()):
                makers.setdefault(path, asked)
        taken: dict[str, str] = {}  # output → origin of the film that it belongs to
        sources: set[str] = set()
        own_outputs = 0
        for entry in placed:
            if isinstance(entry, str):
                plan.mistakes.append(entry)
                continue
            asked, paths = entry
            source = str(asked.source)
            maker = makers.get(source, asked)
            if asked.found and maker is not asked:  # the file is an output, in a folder of sources
                own_outputs += 1
                continue
            if asked.found and source in sources:  # a folder and a glob may both find a film
                continue
            sources.add(source)
            try:
                if maker is not asked:
                    raise UserError(f"{source} is the output of {maker.origin}.")
                planned = self._planned(asked, paths)
                for path in planned.targets:
                    if path in taken:
                        raise UserError(f"{path} is the output of {taken[path]} as well; use placeholders in -o.")
            except UserError as error:
                plan.mistakes.append(f"{asked.origin}: {error}")
                continue
            taken |= dict.fromkeys(planned.targets, asked.origin)
            suffix, ours = PurePath(source).suffix, output_suffix(PurePath(source).suffix, asked.wish.codec)
            if ours != suffix and not is_pattern(source) and "{suffix}" in (asked.wish.output or self.target.template):
                plan.renamed[ours, why_other(suffix, asked.wish.codec)] += 1
            (plan.finished if self._finished(planned) else plan.to_do).append(planned)
        if own_outputs:
            plan.left_out.append(f"{own_outputs} files are this batch's own outputs.")
        plan.to_do.sort(key=lambda planned: -planned.source_stat[0])  # stable: films of the same size keep their order
        return plan

    def _paths(self, asked: Asked) -> dict[str, str | None]:
        """The paths of a film's outputs. Raises UserError."""
        wish = asked.wish
        return {
            "output": self._path(asked, wish.output or self.target.template, wish.codec),
            "labels": self._path(asked, wish.labels, CODEC) if wish.labels else None,
            "report": self._path(asked, wish.report, wish.codec) if wish.report else None,
            "record": self._path(asked, wish.record, wish.codec) if wish.record else None,
        }

    def _path(self, asked: Asked, template: str, codec: str) -> str:
        """A template, filled in for a film that is coded with `codec`. Raises UserError."""
        check_placeholders(template)
        source = asked.source
        name = PurePath(source)
        values = {
            "stem": name.stem,
            "suffix": output_suffix(name.suffix, codec),
            "tree": asked.tree,
            "parent": str(parent(source)),
        }
        if is_pattern(source):  # the folder stands for the film
            its_folder = parent(source)
            values |= {"stem": PurePath(its_folder).name, "suffix": f"/{name.name}", "parent": str(parent(its_folder))}
        named = template.format(**values)
        if named.endswith("/"):
            raise UserError(f"{named} is a folder's name; end it with {{stem}}.color{{suffix}}.")
        # Outputs named in a manifest are relative to the batch's root; the command's own template is relative to the
        # current folder.
        base: Location = self.target.root if template is not self.target.template else Path.cwd()
        if is_url(named):
            scheme, _, named = named.partition("://")
            base = f"{scheme}://"
        return str(join(base, named))

    def _planned(self, asked: Asked, paths: dict[str, str | None]) -> PlannedFilm:
        """The film, checked and planned. Raises UserError for the first mistake."""
        wish, source = asked.wish, asked.source
        found = asked.stat or file_stat(source)
        if found is None and asked.found:
            found = UNREADABLE
        if found is None:
            raise UserError(f"{source}: no such file.")
        if isinstance(source, Path) and source.is_dir():
            raise UserError(f"{source} is a folder; give one film (a video file).")
        output, labels, report, record = str(paths["output"]), paths["labels"], paths["report"], paths["record"]
        if labels == output:
            raise UserError(f"labels {labels} is also the path of the colour film; give another path.")
        if report:
            check_report_name(report)
        if record:
            check_record_name(record)
        self._check_once("--codec", wish.codec, lambda: check_codec(wish.codec))
        made_with = wish.decisive()
        if wish.weights:
            made_with["weights"] = self._digest(wish.weights)
        for path in filter(None, (output, labels)):
            check = target_pattern if path is output and is_pattern(path) else output_format
            self._check_once("suffix", Path(path).suffix, lambda path=path, check=check: check(path))
        for path in filter(None, (output, labels, report, record)):
            if is_url(path):
                work_folder(path, self.work)  # raises UserError if there is no --work
                self._check_once(
                    "folder", str(parent(path)), lambda path=path: check_target(source, path, overwrite=True)
                )
            else:
                self._check_once("folder", os.path.dirname(path), lambda path=path: _check_writable(path))
        own = {"work": self.work, "report": report, "record": record}
        planned = PlannedFilm(key_of(output), str(source), output, labels, wish, made_with, found, asked.origin, **own)
        return self._with_outputs(planned)

    def _check_once(self, kind: str, value: str, check: Callable[[], Any]) -> None:
        """Call `check` the first time that `value` comes. Thousands of films share a codec, a suffix or a folder."""
        if (kind, value) not in self.checked:
            check()
            self.checked.add((kind, value))

    def _digest(self, weights: str) -> str:
        """Digest of a file of weights. Raises UserError if the file has none."""

        def check() -> None:
            if not is_weights(Path(weights)):
                raise UserError(f"--weights {weights} is not a file of semcolor's networks.")
            self.digests[weights] = file_sha256(Path(weights))

        self._check_once("weights", weights, check)
        return self.digests[weights]

    def _with_outputs(self, planned: PlannedFilm) -> PlannedFilm:
        """The film, with its way of handling existing outputs: our own finished work is checked, other files are
        replaced or refused. Raises UserError."""
        existing = {path: found for path in planned.targets if (found := file_stat(path))}
        if not existing:
            return planned
        for path in existing:
            if path == planned.source or _same_file(path, planned.source):
                raise UserError(f"{path} is the input itself; use placeholders in -o.")
            if not is_url(path) and os.path.isdir(path):
                raise UserError(f"{path} is a folder.")
        record = self._record(planned)
        same = record is not None and record.wish == planned.made_with and _beside(record) == _beside(planned)
        if record and same and len(existing) == len(planned.targets):
            if record.state == "done":
                ours = record.outputs == existing
            else:  # the run was killed before it could record that the film is finished
                ours = all(record.before.get(path) != found for path, found in existing.items())
            if ours:
                return replace(planned, check=True, overwrite=self.overwrite)
        if self.overwrite:
            return replace(planned, overwrite=True)
        if record and same and all(record.outputs.get(path) == found for path, found in existing.items()):
            return replace(planned, overwrite=True)  # one of our outputs is gone, the others are as we left them
        path = next(iter(existing))
        if record and not same:
            raise UserError(f"{path} exists already, made with other settings; use --overwrite to replace it.")
        if record and record.state != "done" and record.before.get(path) != existing[path]:
            return replace(planned, overwrite=True)  # the run was killed after it delivered one of two outputs
        raise UserError(f"{path} exists already; use --overwrite to replace it.")

    def _record(self, planned: PlannedFilm) -> Record | None:
        """The film's record; None if it has none."""
        return self.records.read(planned.key) if planned.key in self.known else None

    def _finished(self, planned: PlannedFilm) -> bool:
        """Whether an earlier run has made this film from the same source."""
        if not planned.check:
            return False
        record = self._record(planned)
        return record is not None and record.state == "done" and record.source_stat == planned.source_stat


def _same_file(path: str, source: str) -> bool:
    """Whether two paths lead to one file. URLs and patterns of pictures lead to none."""
    return os.path.exists(path) and os.path.exists(source) and os.path.samefile(path, source)


def _beside(film: Record | PlannedFilm) -> tuple[str | None, str | None, str | None]:
    """Paths of a film's outputs besides the colour film."""
    return film.labels, film.report, film.record


def _check_writable(path: str) -> None:
    """Raise UserError if a folder cannot be written. It may be missing if the batch can make it."""
    parent = next(p for p in Path(path).parents if p.exists())
    if not parent.is_dir():
        raise UserError(f"{path} cannot be written: {parent} is not a folder; choose another one with -o.")
    if reason := unwritable(parent):
        raise UserError(f"{path} cannot be written: {parent}: {reason}.")
