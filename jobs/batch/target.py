"""Where the outputs of a batch go: a folder, or a template of their paths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from ...errors import UserError
from ...pipeline.containers import output_format
from ...pipeline.storage import Location, is_url
from ..film.workdir import work_folder
from .state import FOLDER

NAMES = {
    "stem": "the source's name without its suffix; of a sequence, the name of its folder",
    "suffix": "the source's suffix with its dot, or another one if such a file cannot hold the colour film; "
    "of a sequence, a slash and the pattern of its names",
    "tree": "the source's folder below the folder that was given",
    "parent": "the source's folder",
}
"""Placeholder of a template → its meaning."""


@dataclass(frozen=True)
class Target:
    """The place of a batch's outputs."""

    root: Location
    """Leading part of the template without placeholders. The state folder is here, and a manifest's outputs are
    relative to it."""
    template: str
    """Path of an output, with placeholders."""


def target_of(output: str) -> Target:
    """The place that `-o` names: a template, or a folder whose films keep their names with .color added. Raises
    UserError."""
    if "{" not in output and "}" not in output:
        if is_url(output):
            root = output.rstrip("/")
            return Target(root, f"{_escaped(root)}/{{tree}}/{{stem}}.color{{suffix}}")
        if Path(output).suffix and not Path(output).is_dir():
            _check_not_a_film(output)
        root = Path(output).absolute()
        return Target(root, f"{_escaped(root)}/{{tree}}/{{stem}}.color{{suffix}}")
    check_placeholders(output)
    if is_url(output):
        return Target(output[: output.index("{")].rpartition("/")[0], output)
    fixed: list[str] = []
    for part in Path(output).parts:
        if "{" in part:
            break
        fixed.append(part)
    return Target(Path(*fixed).absolute(), output)


def _check_not_a_film(output: str) -> None:
    """Raise UserError if `output` has the suffix of a film."""
    try:
        output_format(output)
    except UserError:
        return
    raise UserError(f"-o {output} is the name of one film; give a folder, or a template such as {{stem}}.color.mkv.")


def _escaped(path: Location) -> str:
    """The path as a template without placeholders."""
    return str(path).replace("{", "{{").replace("}", "}}")


def check_placeholders(template: str) -> None:
    """Raise UserError if a template is malformed or has an unknown placeholder."""
    try:
        names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise UserError(f"{template}: {error}; write {{{{ for a brace in a name.") from None
    for name in names:
        if name not in NAMES:
            raise UserError(f"{template}: there is no {{{name}}}; use {', '.join(f'{{{n}}}' for n in NAMES)}.")


def state_folder(target: Target, state: str | None, work: Path | None = None) -> Path:
    """The folder of the state files: `state`, or beside the outputs, or in `work`. Raises UserError if it can be in
    none of them."""
    if state:
        return Path(state).absolute()
    if isinstance(target.root, Path):
        return target.root / FOLDER
    return (work or work_folder(target.root)) / FOLDER
