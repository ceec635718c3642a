"""`semcolor-batch --dry-run` and files that were merely found: no Ray, no networks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from semcolor.jobs.batch import estimate
from semcolor.jobs.commands import batch
from support.streams import Recipe, Sound, brew


def _dry(*arguments: str | Path) -> int:
    return batch.run([*(str(a) for a in arguments), "--dry-run"])


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good film, films that only some containers hold, and what is no film."""
    folder = tmp_path / "in"
    folder.mkdir()
    brew(folder / "good.mkv", Recipe(sounds=[Sound()]))
    brew(folder / "wma.wmv", Recipe(codec="wmv2", sounds=[Sound("wmav2")]))
    brew(folder / "vp9.webm", Recipe(codec="libvpx-vp9"))
    (folder / "junk.mp4").write_bytes(b"\0\1\2\3" * 500)
    (folder / "empty.mov").touch()
    (folder / "dangling.mkv").symlink_to("nowhere.mkv")
    latin = os.fsencode(folder) + b"/caf\xe9.mkv"
    try:
        os.link(folder / "good.mkv", latin)
    except OSError:  # file systems that take only UTF-8
        os.link(folder / "good.mkv", folder / "cafe.mkv")
    monkeypatch.setattr(estimate, "estimate", lambda films, device, address: f"{len(films)} films are estimated")
    return folder


def test_a_dry_run_tries_what_the_run_tries(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _dry(films, "-o", films.parent / "out") == 1
    said = capsys.readouterr()
    assert "4 films to do" in said.out and "3 would fail" in said.out and "4 films are estimated" in said.out
    failing = [line for line in said.err.splitlines() if "would fail" in line]
    assert [Path(line.split(": ")[1]).name for line in sorted(failing)] == ["dangling.mkv", "empty.mov", "junk.mp4"]
    assert "wma.color.mkv" in said.out and "vp9.color.mkv" in said.out
    assert "1 colour film gets the suffix .mkv, because .webm files cannot hold libx264." in said.err
    assert not (films.parent / "out").exists()


def test_a_dry_run_finds_what_a_container_cannot_hold(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = films.parent / "out" / "{stem}.mp4"
    assert _dry(films / "wma.wmv", "-o", template) == 1
    assert "would fail" in (said := capsys.readouterr().err) and "--drop audio:0" in said
    assert _dry(films / "wma.wmv", "-o", template, "--drop", "audio:0") == 0
    assert _dry(films / "wma.wmv", "-o", template, "--only", "subtitle") == 0


def test_manifests_choose_streams(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (
        '{"source": "wma.wmv", "drop": ["audio:0"]}',
        '{"source": "good.mkv", "only": "audio", "output": "b.mkv"}',
        '{"source": "good.mkv", "drop": "sound", "output": "c.mkv"}',
    )
    (films / "films.jsonl").write_text("\n".join(lines[:2]))
    assert _dry(films / "films.jsonl", "-o", films.parent / "out" / "{stem}.mp4") == 0
    (films / "films.jsonl").write_text("\n".join(lines))
    assert _dry(films / "films.jsonl", "-o", films.parent / "out" / "{stem}.mp4") == 2
    assert "films.jsonl:3: drop 'sound'" in capsys.readouterr().err


def test_what_the_user_names_himself_stays_a_mistake(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _dry(films / "dangling.mkv", "-o", films.parent / "out") == 2
    assert "dangling.mkv: no such file" in capsys.readouterr().err
