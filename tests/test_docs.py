"""README and docs are true: links lead somewhere, options exist, JSON is valid, and the commands and programs run."""

from __future__ import annotations

import json
import os
import re
import shlex
from itertools import chain
from pathlib import Path
from typing import Any

import options
import pytest
import report_fields
import semcolor
import typer
from semcolor.jobs.batch.wish import Wish
from semcolor.jobs.commands import batch, video
from semcolor.models.training import model_card, pack
from semcolor.pipeline.edits.sheet import Palette, Sheet
from support.films import make_film, shots
from support.markdown import Block, anchors, blocks, links, shell_lines
from support.markdown import options as options_in
from support.scans import grey_pictures, make_scans

ROOT = Path(semcolor.__path__[0])
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

pytestmark = pytest.mark.skipif(not PAGES[0].exists(), reason="semcolor is installed here without its checkout")

SKIPPED = {
    "pip": "installs packages",
    "ssh": "needs another machine",
    "ray": "starts a cluster",
    "ffmpeg": "is a program of its own",
    "export": "is for the machines of a cluster",
    "semcolor-desk": "serves a page until it is stopped; tests/desk runs it",
    "semcolor-train": "trains for an hour",
    "python -m semcolor train": "needs a GPU",
    "python -m semcolor.models.training.regions": "needs training data",
    "python -m semcolor.models.training.pack": "needs training data",
    "python -m semcolor.models.training.model_card": "needs training data",
    "semcolor-video s3:": "needs an object store",
    "semcolor-batch s3:": "needs an object store",
    "semcolor-batch /archive": "needs a cluster",
    "semcolor-batch status /archive": "needs a cluster",
    "semcolor-video input.mp4 --weights runs": "needs weights of one's own",
}
"""How a command begins that is not run here, and why."""

OTHERS_OPTIONS = {
    "--head": "ray start",
    "--port": "ray start",
    "--no-wait": "ray job submit",
    "--runtime-env-json": "ray job submit",
    "--no-deps": "pip",
    "--shm-size": "docker run",
}
"""Options in the docs that are not ours, and the command that they belong to."""


def _blocks(*languages: str) -> list[Block]:
    return [b for b in chain.from_iterable(map(blocks, PAGES)) if b.language in languages]


def _named(block: Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "models/weights/README.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in links(page):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page.resolve()
        assert there.exists(), target
        assert there.is_relative_to(ROOT.resolve()), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_is_linked_from_the_readme_or_its_pages():
    reached = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links(page)}
    assert {page.resolve() for page in PAGES if page.name != "README.md"} <= reached


def test_the_fields_of_a_report_are_made_from_its_records():
    assert report_fields.PAGE.read_text(encoding="utf-8") == report_fields.page(), (
        "run python docs/examples/report_fields.py"
    )


def test_the_page_of_options_is_made_from_the_commands():
    assert options.PAGE.read_text(encoding="utf-8") == options.page(), "run python docs/examples/options.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_option_exists(page):
    tools = [typer.main.get_command(module.app) for module in (pack, model_card)]
    ours = set().union(*map(options.option_names, [*options.commands().values(), *tools]))
    assert options_in(page) <= ours | set(OTHERS_OPTIONS)


def test_every_module_is_in_the_picture_of_the_architecture():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    known = set(re.findall(r"`([\w/]+)`", text))
    floors = [ROOT / floor for floor in ("jobs", "pipeline", "models", "flow")]
    modules = {path.stem for floor in floors for path in floor.rglob("*.py")} - {"__init__", "__main__"}
    assert not modules - known


@pytest.mark.parametrize("block", _blocks("json"), ids=_named)
def test_json_is_valid(block):
    """An object of only labels and colours is a palette; everything else is a sheet of edits."""
    content = json.loads(block.text)
    if set(content) & set(Sheet.model_fields):
        Sheet.model_validate(content)
    else:
        from pydantic import TypeAdapter

        TypeAdapter(Palette).validate_python(content)


@pytest.mark.parametrize("block", _blocks("jsonl"), ids=_named)
def test_manifests_are_valid(block):
    for line in block.text.splitlines():
        Wish.model_validate(json.loads(line))


@pytest.mark.parametrize("block", _blocks("python"), ids=_named)
def test_python_compiles(block):
    compile(block.text, _named(block), "exec")


def test_nothing_is_skipped_that_the_docs_do_not_have():
    lines = [line for block in _blocks("sh") for line in shell_lines(block)]
    for start in SKIPPED:
        assert any(line.startswith(start) for line in lines), f"{start!r} is in no page any more"
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert all(option in text for option in OTHERS_OPTIONS)


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film of the docs: 320x240, 5 frames/s, 8 seconds, with cuts at 3 and 5.6 seconds."""
    pictures = shots((15, 13, 12), (240, 320))
    return make_film(tmp_path_factory.mktemp("reel") / "reel.mp4", pictures, rate=5, audio="aac")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of the film of the docs, where its content does not matter."""
    return make_film(tmp_path_factory.mktemp("short") / "short.mp4", shots((5,), (240, 320)), rate=5, audio="aac")


def _room(folder: Path, reel: Path, short: Path, page: Path) -> None:
    """All that the page's commands and programs find where they run."""
    os.link(reel, folder / "reel.mp4")
    for name in ("input.mp4", "films/a.mp4", "films/1921/b.mp4", "more/c.mkv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(short, folder / name)
    make_scans(folder / "scans", "dpx", 10, pictures=grey_pictures(5))
    (folder / "films.csv").write_text("source,size\nreel.mp4,128\n")
    sheets = [b.text for b in chain(blocks(page), blocks(ROOT / "docs/editing.md")) if '"edits": [' in b.text]
    (folder / "edits.json").write_text(sheets[0])


def _runs(line: str) -> bool:
    return not any(line.startswith(start) for start in SKIPPED)


def _with(language: str) -> list[Any]:
    """The pages that have such blocks; of shell pages, those with a command that is run here."""
    found = [p for p in PAGES if any(b.language == language for b in blocks(p))]
    if language == "sh":
        found = [p for p in found if any(_runs(x) for b in blocks(p) if b.language == "sh" for x in shell_lines(b))]
    return [pytest.param(page, id=page.name) for page in found]


@pytest.mark.slow
@pytest.mark.parametrize("page", _with("sh"))
def test_commands_run(page, reel, short, ray_running, tmp_path, monkeypatch, capsys):
    """The page's commands one after another, in one folder."""
    _room(tmp_path, reel, short, page)
    monkeypatch.chdir(tmp_path)
    programs = {"semcolor-video": video.run, "semcolor-batch": batch.run}
    for block in blocks(page):
        for line in shell_lines(block) if block.language == "sh" else []:
            if _runs(line):
                program, *arguments = shlex.split(line, comments=True)
                assert programs[program](arguments) == 0, f"{_named(block)}: {line}\n{capsys.readouterr().err}"


@pytest.mark.slow
@pytest.mark.parametrize("page", _with("python"))
def test_programs_run(page, reel, short, tmp_path, monkeypatch, capsys):
    """The page's Python blocks one after another, in one folder and one namespace."""
    _room(tmp_path, reel, short, page)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "docs"}
    for block in blocks(page):
        if block.language == "python":
            exec(compile(block.text, _named(block), "exec"), names)
    assert (tmp_path / "reel.color.mp4").is_file() and names["picture"].shape == (240, 320, 3)


def test_pictures_are_small():
    assert all(path.stat().st_size <= 200_000 for path in (ROOT / "docs").glob("*.jpg"))
