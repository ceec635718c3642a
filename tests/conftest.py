"""Fixtures that several tests use, and the marks that follow from them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from semcolor.jobs.cluster import connected
from support.events import Events, caught_events
from support.films import make_film, shot, shots
from support.terminal import Terminal

MARKS = {"ray_running": "ray", "ray_with_store": "ray", "cluster": "ray", "wheel": "slow"}
"""Fixture → the mark of all tests that use it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKS:
                item.add_marker(MARKS[fixture])
    # Last, so that the others find no Ray at work: some start one of their own.
    items.sort(key=lambda item: "ray_running" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def ray_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One embedded Ray for all tests, with room for three artists and the tasks of the command itself."""
    with connected(None, 4, 256 << 20, tmp_path_factory.mktemp("spill")):
        yield


@pytest.fixture
def events() -> Iterator[Events]:
    """The events of the runs in this test."""
    with caught_events() as events:
        yield events


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 120 columns, for `contextlib.redirect_stderr`: pytest sets stderr anew after fixtures."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return Terminal()


@pytest.fixture(scope="session")
def film_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="session")
def short_film(film_folder: Path) -> Path:
    """Grey MP4, 128x96, 48 frames of one shot, with AAC sound, chapters and a title."""
    return make_film(
        film_folder / "short.mp4", shot("coffee", 48), audio="aac", chapters=True, metadata={"title": "Coffee"}
    )


@pytest.fixture(scope="session")
def cut_film(film_folder: Path) -> Path:
    """Grey MKV, 128x96, four shots of 40, 25, 100 and 50 frames; sound, subtitles, an attachment, chapters."""
    return make_film(
        film_folder / "cut.mkv",
        shots((40, 25, 100, 50)),
        audio="pcm_s16le",
        subtitles=True,
        attachment=True,
        chapters=True,
        metadata={"title": "Four shots"},
    )


@pytest.fixture(scope="session")
def long_film(film_folder: Path) -> Path:
    """Grey MP4, 64x48, shots of 300, 20, 250, 10 and 60 frames: several parts."""
    return make_film(film_folder / "long.mp4", shots((300, 20, 250, 10, 60), (48, 64)), options={"g": "50"})


@pytest.fixture(scope="session")
def parts_film(film_folder: Path) -> Path:
    """Grey MP4, 64x48, shots of 120 and 140 frames: two parts."""
    return make_film(film_folder / "parts.mp4", shots((120, 140), (48, 64)), options={"g": "50"})


@pytest.fixture(scope="session")
def vfr_film(film_folder: Path) -> Path:
    """Grey MP4 whose frames last 1, 2 or 5 hundredths of a second and which begins at 0.30 s."""
    pts, steps = [30], (1, 2, 5)
    while len(pts) < 40:
        pts.append(pts[-1] + steps[len(pts) % 3])
    return make_film(film_folder / "vfr.mp4", shot("chelsea", 40), time_base=Fraction(1, 100), pts=pts, audio="aac")
