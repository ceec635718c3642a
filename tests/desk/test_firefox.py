"""The desk in Firefox: the same pixels, pointer, keys and player. `test_page` plays all of the page in Chromium."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from semcolor.pipeline.edits.reading import read_sheet
from semcolor.pipeline.film import open_film
from semcolor.pipeline.inprocess import still
from semcolor.pipeline.look import Look
from support.desks import PIXELS, Desk
from support.films import make_film, shots

pytest.importorskip("starlette", reason="the desk's packages are not installed")
pytest.importorskip("websockets", reason="websockets is not installed")

from support.firefox import FIREFOX, Firefox  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FIREFOX, reason="there is no Firefox here")]

SIZE = 96
ENTER, ESCAPE, RIGHT = "\ue007", "\ue00c", "\ue014"
"""Keys as WebDriver names them."""


@pytest.fixture
def desk(tmp_path: Path):
    make_film(tmp_path / "reel.mp4", shots((16, 12), (240, 320)), audio="aac")
    desk = Desk(tmp_path, "reel.mp4", "--size", str(SIZE))
    yield desk
    assert desk.end() == 0


@pytest.fixture
def firefox(tmp_path: Path):
    (tmp_path / "profile").mkdir()
    firefox = Firefox(tmp_path / "profile")
    yield firefox
    firefox.close()


def _pixels(firefox: Firefox, frame: int) -> np.ndarray:
    """(H, W, 3) uint8: the picture of a frame that the page holds."""
    firefox.until(f"document.querySelector('#state[data-final=true][data-frame=\"{frame}\"]')")
    width, height, data = firefox.evaluate(f"({PIXELS})(['colour', {frame}])")
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]


def test_a_stroke_is_painted_followed_and_played_in_firefox(desk: Desk, firefox: Firefox, tmp_path: Path):
    def made(frame: int) -> np.ndarray:
        sheet = read_sheet(tmp_path / "reel.semcolor.json")
        look = Look(size=SIZE, sheet=sheet)
        return still(open_film(tmp_path / "reel.mp4"), frame, tmp_path / "still.png", look, overwrite=True)

    firefox.open(desk.address)
    before = _pixels(firefox, 0)
    x, y, width, height = firefox.box("#stage")
    firefox.press("b")
    firefox.drag(*((x + u * width, y + v * height) for u, v in ((0.4, 0.7), (0.5, 0.72), (0.6, 0.7))))
    firefox.click("#way-colour")
    firefox.until("document.querySelector('#given').childElementCount === 3")
    x, y, width, height = firefox.box("#disc")
    firefox.drag((x + 0.6 * width, y + 0.4 * height), (x + 0.65 * width, y + 0.35 * height))
    firefox.until("document.querySelector('#tab-edits').textContent === 'Edits (1)'")
    after = _pixels(firefox, 0)
    change = np.abs(after.astype(int) - before).max(2)
    assert change[155:175, 130:190].mean() > 8 and change[:110].max() == 0, "painted where it was drawn, not elsewhere"
    assert np.array_equal(after, made(0))
    firefox.press(ESCAPE + 3 * RIGHT)
    assert np.array_equal(_pixels(firefox, 3), made(3)), "and in the shot"
    firefox.click("#preview")
    firefox.until("document.querySelector('#video').currentTime > 0.1")
    assert firefox.wrong == []
