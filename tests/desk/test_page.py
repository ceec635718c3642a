"""The desk as people use it: a real browser opens the page of a real film, looks, corrects, undoes and renders."""

from __future__ import annotations

import io
import itertools
import os
import shutil
import signal
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from semcolor.pipeline.edits.reading import read_sheet
from semcolor.pipeline.film import open_film
from semcolor.pipeline.inprocess import still
from semcolor.pipeline.look import Look
from support.desks import PIXELS, Desk
from support.films import make_film, pictures_of, shots

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytest.importorskip("starlette", reason="the desk's packages are not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here")]

SIZE = 96
PATIENCE = 60_000
"""Milliseconds for what takes a second on a quiet machine."""

CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [.2126, .7152, .0722][n], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if ((colour[3] ?? 1) > .9) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const e of document.querySelectorAll('button, h1, h2, p, label, span, small, b, li, select, input, dt, dd')) {
    if (!e.checkVisibility() || e.disabled || e.closest('.unseen, #stage')) continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) && !e.value) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) weak.push(`${e.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return weak;
}"""
"""Texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, AA)."""

NAMELESS = """() => [...document.querySelectorAll('button, input, select, textarea, canvas[tabindex], [role=slider]')]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length || e.title))
  .map((e) => e.outerHTML.slice(0, 100))"""
"""Controls that a screen reader cannot name."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the film `reel.mp4`: shots of 16, 20 and 12 frames, 320x240, with sound."""
    folder = tmp_path_factory.mktemp("desk")
    make_film(folder / "reel.mp4", shots((16, 20, 12), (240, 320)), audio="aac")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Where the screenshots go: $SEMCOLOR_SCREENSHOTS, or a temporary folder."""
    given = os.environ.get("SEMCOLOR_SCREENSHOTS")
    place = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    place.mkdir(parents=True, exist_ok=True)
    return place


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as library:
        browser = library.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


SLOW = """() => {
  const real = window.fetch, late = (path, given) => path === '/api/sheet' && given?.method === 'POST';
  window.fetch = async (path, given) => {
    if (late(path, given)) await new Promise((done) => setTimeout(done, 700));
    return real(path, given);
  };
}"""
"""Changes of the sheet take a while, as on a busy machine."""


class Open:
    """The desk that is open, and what its browser needs to come back. Tests share it, unless one has closed it."""

    desk: Desk | None = None
    cookies: Any = None


@pytest.fixture(scope="module")
def opened() -> Iterator[Open]:
    opened = Open()
    yield opened
    if opened.desk and opened.desk.process.poll() is None:
        opened.desk.end()


@pytest.fixture
def desk(folder: Path, opened: Open) -> Desk:
    """The desk with the film, without a sheet."""
    for left in [*folder.glob("reel.semcolor*"), *folder.glob("reel.color*")]:
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    if opened.desk is None or opened.desk.process.poll() is not None:
        for history in folder.glob("cache/*/*/history*"):
            history.unlink()
        opened.desk, opened.cookies = Desk(folder, "reel.mp4", "--size", str(SIZE)), None
    return opened.desk


@pytest.fixture
def page(desk: Desk, opened: Open, browser):
    known = {"storage_state": opened.cookies} if opened.cookies else {}
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark", **known)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.goto(desk.address.partition("?")[0] if opened.cookies else desk.address)
    opened.cookies = context.storage_state()
    _saved(page, 0)  # the desk has seen that the sheet is gone
    _settled(page)
    yield page
    assert not [text for text in wrong if "net::ERR" not in text]
    context.close()


def _settled(page) -> None:
    page.wait_for_selector("#state[data-final=true]")


def _until(page, expression: str) -> None:
    """Wait until a JavaScript expression holds; the page's policy forbids `wait_for_function`."""
    began = time.monotonic()
    while not page.evaluate(expression):
        assert time.monotonic() - began < PATIENCE / 1000, expression
        page.wait_for_timeout(50)


def _pixels(page, frame: int, kind: str = "colour") -> np.ndarray:
    """(H, W, 3) uint8: the picture that the page holds."""
    page.wait_for_selector(f"#state[data-final=true][data-frame='{frame}']")
    width, height, data = page.evaluate(PIXELS, [kind, frame])
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]


def _still(folder: Path, frame: int, edits: bool = True) -> np.ndarray:
    sheet = folder / "reel.semcolor.json"
    if not edits or not sheet.exists():
        return _plain_still(folder, frame)
    look = Look(size=SIZE, sheet=read_sheet(sheet))
    return still(open_film(folder / "reel.mp4"), frame, folder / "still.png", look, overwrite=True)


@cache
def _plain_still(folder: Path, frame: int) -> np.ndarray:
    return still(open_film(folder / "reel.mp4"), frame, folder / "still.png", Look(size=SIZE), overwrite=True)


def _draw(page, *points: tuple[float, float]) -> None:
    """Draw a line with the mouse; points are shares of the picture."""
    stage, (width, height) = page.locator("#stage").bounding_box(), (320, 240)
    scale = min(stage["width"] / width, stage["height"] / height)
    left, top = stage["x"] + (stage["width"] - scale * width) / 2, stage["y"] + (stage["height"] - scale * height) / 2
    places = [(left + x * scale * width, top + y * scale * height) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def _paint(page, colour: str) -> None:
    """Give the drawn region a colour."""
    page.click("#way-colour")
    page.fill("#hex", colour)
    with page.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith("/api/sheet")):
        page.press("#hex", "Enter")


def _saved(page, edits: int) -> None:
    page.wait_for_selector(f"#tab-edits:has-text('({edits})')" if edits else "#tab-edits:text-is('Edits')")


@pytest.mark.ray
def test_the_whole_way_from_a_film_to_a_corrected_one(desk, page, folder, pictures):
    # See: the very pixels of a still, and the label under the pointer.
    before = _pixels(page, 0)
    assert np.array_equal(before, _still(folder, 0))
    page.wait_for_selector(".shot >> nth=2")
    assert page.locator(".shot").count() == 3
    _draw(page, (0.2, 0.2), (0.5, 0.5))  # with the tool that points: only where it went down
    page.wait_for_selector("#tip:has-text('%')")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.wait_for_selector("#legend li:has-text('clothes')")
    page.screenshot(path=pictures / "labels.png")
    page.keyboard.press("c")
    # Correct: paint with the brush. It changes there, and nowhere else.
    page.keyboard.press("b")
    _draw(page, (0.35, 0.75), (0.6, 0.75))
    page.wait_for_selector("button:has-text('Drop')")
    _paint(page, "#b03a2e")
    _saved(page, 1)
    after = _pixels(page, 0)
    change = np.abs(after.astype(int) - before).max(2)
    assert change[170:190, 120:180].mean() > 8, "it changed where it was painted"
    assert change[:120].max() == 0 and change[:, :60].max() == 0 and change[:, 260:].max() == 0, "and not elsewhere"
    page.screenshot(path=pictures / "corrected.png")
    # The shot follows, and every frame is that of a still.
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    shown = _pixels(page, 5)
    assert np.array_equal(shown, _still(folder, 5)) and not np.array_equal(shown, _still(folder, 5, edits=False))
    # Undo and redo.
    page.keyboard.press("Control+z")
    _saved(page, 0)
    assert np.array_equal(_pixels(page, 5), _still(folder, 5, edits=False))
    page.keyboard.press("Control+Shift+z")
    _saved(page, 1)
    assert np.array_equal(_pixels(page, 5), shown)
    # Loaded again, it is where it was.
    page.reload()
    _settled(page)
    _saved(page, 1)
    assert page.input_value("#frame") == "5" and np.array_equal(_pixels(page, 5), shown)
    # Rendered, the film has the colours that the page showed.
    page.click("#render")
    page.wait_for_selector("#render-text:has-text('is finished')")
    rendered = pictures_of(folder / "reel.color.mp4")
    assert len(rendered) == 48
    small = [
        cv2.resize(picture, (40, 30), interpolation=cv2.INTER_AREA).astype(int) for picture in (rendered[5], shown)
    ]
    assert np.abs(small[0] - small[1]).mean() < 2, "x264 and 4:2:0 lie between"
    with av.open(str(folder / "reel.color.mp4")) as made:
        assert made.streams.audio
    page.screenshot(path=pictures / "rendered.png")
    assert desk.end() == 0, "Ctrl-C is the way to close it"
    page.wait_for_selector("#banner:has-text('Nothing is lost')")


def test_a_killed_desk_loses_nothing(desk, page, folder, browser):
    page.keyboard.press("r")
    _draw(page, (0.3, 0.6), (0.7, 0.9))
    page.wait_for_selector("button:has-text('Drop')")
    page.fill("#search", "sky")
    page.press("#search", "Enter")
    _saved(page, 1)
    _paint(page, "#22447a")
    # The colour gets a name; a second region is the same, and both change with it.
    page.fill("#colour-name", "her coat")
    page.press("#colour-name", "Enter")
    page.wait_for_selector("button[aria-pressed=true]:has-text('her coat')")
    page.keyboard.press("Escape")
    _draw(page, (0.1, 0.1), (0.3, 0.3))
    page.wait_for_selector("button:has-text('Drop')")
    page.click("button.label:has-text('her coat')")
    _saved(page, 2)
    page.click("#tab-film")
    page.wait_for_selector("small:has-text('used 2 times')")
    page.fill("[aria-label='Colour of her coat']", "#7a2244")
    page.wait_for_selector("small:has-text('#7a2244')")
    desk.end(signal.SIGKILL)
    kept = read_sheet(folder / "reel.semcolor.json")
    assert [edit.action.colour for edit in kept.plain().edits] == ["#7a2244", "#7a2244"]
    assert kept.edits[0].action.colour == "her coat"
    again = Desk(folder, "reel.mp4", "--size", str(SIZE))
    try:
        other = browser.new_page()
        other.goto(again.address)
        _settled(other)
        _saved(other, 2)
        for _ in range(5):
            other.click("#undo")
        other.click("#tab-edits")
        other.wait_for_selector("b:has-text('read as sky')")
        other.close()
    finally:
        again.end()


def test_the_keyboard_alone_will_do(desk, page, folder):
    page.keyboard.press("ArrowRight")
    for _ in range(3):
        page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Enter")  # points at the cross
    page.wait_for_selector("button:has-text('Drop')")
    page.keyboard.press("/")
    page.wait_for_selector("#search:focus")
    page.keyboard.type("gras")
    page.keyboard.press("Enter")
    _saved(page, 1)
    (edit,) = read_sheet(folder / "reel.semcolor.json").edits
    assert edit.action.label == "grass" and edit.frame == 1 and edit.region.point
    assert np.array_equal(_pixels(page, 1), _still(folder, 1))
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement !== document.body")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open] dt:has-text('Esc')")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog:not([open])", state="attached")


def test_everything_can_be_read_and_named(desk, page, pictures):
    page.keyboard.press("p")
    for place in ((0.3, 0.3), (0.6, 0.35), (0.5, 0.7)):
        _draw(page, place)
    page.keyboard.press("Enter")
    page.wait_for_selector("button:has-text('Drop')")
    screens = ((1280, 800), (1024, 768), (768, 1024))
    for scheme, (width, height) in itertools.product(("dark", "light"), screens):
        page.emulate_media(color_scheme=scheme)
        page.evaluate("scheme => { document.documentElement.dataset.theme = scheme; }", scheme)
        page.set_viewport_size({"width": width, "height": height})
        for panel in ("#tab-edits", "#tab-film", "#tab-correct", "#way-label", "#way-colour"):
            page.click(panel)
            page.wait_for_timeout(100)
            assert page.evaluate(CONTRAST) == [] and page.evaluate(NAMELESS) == [], (scheme, width, panel)
        page.wait_for_timeout(300)
        page.screenshot(path=pictures / f"{scheme}-{width}.png")
        for name in ("#stage", "#strip", "#side", "#render"):
            box = page.locator(name).bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width + 1 and box["y"] + box["height"] <= height + 1
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("#help")
    assert page.evaluate(CONTRAST) == [] and page.evaluate(NAMELESS) == []
    page.keyboard.press("Escape")
    page.click("#tools [data-id=point]")
    # A tablet: one finger draws, two zoom and move.
    touch = page.context.new_cdp_session(page)
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})
    box = page.locator("#stage").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def fingers(kind: str, *apart: tuple[float, float]) -> None:
        points = [{"x": middle[0] + x, "y": middle[1] + y, "id": n} for n, (x, y) in enumerate(apart)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    camera = "import('/page/stage.js').then(({ camera }) => [camera.scale, camera.x, camera.y])"
    before = page.evaluate(camera)
    fingers("touchStart", (-40, 0))
    fingers("touchStart", (-40, 0), (40, 0))
    for apart in (50, 60, 70, 80):
        fingers("touchMove", (-apart, 0), (apart, 0))
    # The browser hands touches on with its next frame, so the last one may still be on its way.
    twice = 2 * before[0]
    _until(page, f"{camera}.then(([scale]) => Math.abs(scale / {twice} - 1) < 0.05)")
    for way in (10, 20, 30):
        fingers("touchMove", (way - 80, 0), (way + 80, 0))
    fingers("touchEnd")
    assert page.evaluate(camera)[0] == pytest.approx(twice, rel=0.05)
    page.wait_for_selector("#panel-correct h2:has-text('Polygon')")  # what was drawn before is untouched
    page.click("#zoom-fit")
    page.click("#tools [data-id=box]")
    fingers("touchStart", (-60, -40))
    for x, y in ((-20, 0), (20, 20), (60, 40)):
        fingers("touchMove", (x, y))
    fingers("touchEnd")
    page.wait_for_selector("#panel-correct h2:has-text('Box')")


def test_a_frame_leaves_for_another_program_and_comes_back_as_a_key_frame(desk, page, folder, pictures):
    page.click("#tab-film")
    with page.expect_download() as download:
        page.click("button:has-text('Save frame 0')")
    assert download.value.suggested_filename == "reel.000000.png"
    key = folder / "key.png"
    download.value.save_as(key)
    exported = cv2.imread(str(key))
    assert np.array_equal(exported[..., ::-1], _still(folder, 0))
    exported[:, :160] = (170, 60, 60)  # B'G'R'
    opacity = np.full((240, 320, 1), 255, np.uint8)
    opacity[120:] = 0
    cv2.imwrite(str(key), np.dstack([exported, opacity]))
    page.set_input_files("#key-file", key)
    page.wait_for_selector("#panel-film b:has-text('frame 0')")
    keyed = _pixels(page, 0)
    assert np.array_equal(keyed, _still(folder, 0)) and not np.array_equal(keyed, _still(folder, 0, edits=False))
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert np.array_equal(_pixels(page, 6), _still(folder, 6)), "it leads the shot"
    page.screenshot(path=pictures / "keyed.png")
    page.click("#panel-film [aria-label='Remove key frame 0']")
    page.wait_for_selector("#panel-film b:has-text('frame 0')", state="detached")
    assert np.array_equal(_pixels(page, 6), _still(folder, 6, edits=False))
    page.keyboard.press("Control+z")
    page.wait_for_selector("#panel-film b:has-text('frame 0')")
    assert np.array_equal(_pixels(page, 6), _still(folder, 6))


def test_a_preview_plays_with_the_film_s_sound(desk, page, folder):
    page.click("#preview")
    page.wait_for_selector("#video:not([hidden])")
    _until(page, "document.querySelector('#video').currentTime > 0.1 || document.querySelector('#video').hidden")
    data = page.request.get(desk.address.partition("?")[0] + "api/previews/1.mp4").body()
    with av.open(io.BytesIO(data)) as made:
        assert len(list(made.decode(made.streams.video[0]))) == 16
    with av.open(io.BytesIO(data)) as made:
        sound = [frame.to_ndarray() for frame in made.decode(made.streams.audio[0])]
    heard = np.concatenate(sound, 1)
    assert abs(heard.shape[1] / 48000 - 16 / 25) < 0.05 and np.abs(heard).max() > 0.2, "the tone of 440 Hz"
    # Space plays what is painted, with the film's sound; K stops.
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    with page.expect_response(lambda answer: answer.url.endswith("/api/sound/0.wav") and answer.ok):
        page.keyboard.press("Space")
    _until(page, "Number(document.querySelector('#frame').value) >= 5")
    page.keyboard.press("k")
    page.wait_for_selector("#play[aria-label=Play]")
    there = int(page.input_value("#frame"))
    page.keyboard.press("j")
    _until(page, f"Number(document.querySelector('#frame').value) < {there}")
    page.wait_for_selector("#play[aria-label=Play]")


def test_a_region_is_drawn_in_several_bits_and_dragged_on_the_timeline(desk, page, folder):
    page.keyboard.press("r")
    _draw(page, (0.2, 0.5), (0.8, 0.9))
    page.wait_for_selector("button:has-text('Drop')")
    page.keyboard.press("x")
    _draw(page, (0.3, 0.6), (0.3, 0.8))
    page.keyboard.press("r")
    page.keyboard.down("Alt")
    _draw(page, (0.6, 0.5), (0.8, 0.9))
    page.keyboard.up("Alt")
    page.keyboard.press("b")
    page.keyboard.down("Shift")
    _draw(page, (0.1, 0.2), (0.2, 0.2))
    page.keyboard.up("Shift")
    page.wait_for_selector("button:has-text('Drop')")
    _paint(page, "#b03a2e")
    _saved(page, 1)
    (edit,) = read_sheet(folder / "reel.semcolor.json").edits
    assert edit.region.box and [change.away for change in edit.region.then] == [True, True, False]
    assert np.array_equal(_pixels(page, 0), _still(folder, 0))
    # The bar of the edit is dragged at its end: the range changes, in one step of undo.
    bar, top = page.locator("#timeline").bounding_box(), 16 + 3 + 3
    place = lambda frame: (bar["x"] + bar["width"] * frame / 16, bar["y"] + top)  # noqa: E731
    page.mouse.move(place(16)[0] - 2, place(16)[1])
    page.mouse.down()
    page.mouse.move(*place(12), steps=4)
    page.mouse.move(*place(10), steps=4)
    page.mouse.up()
    page.wait_for_selector("#range-to")
    (edit,) = read_sheet(folder / "reel.semcolor.json").edits
    assert (edit.range.from_, edit.range.to) == (0, 9)
    page.keyboard.press("Control+z")
    page.wait_for_selector("#range-to", state="detached")
    assert read_sheet(folder / "reel.semcolor.json").edits[0].range is None
    # In another frame the brush mends the same edit, from there on.
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    before = _pixels(page, 4)
    page.keyboard.press("b")
    page.evaluate(SLOW)
    _draw(page, (0.85, 0.25), (0.95, 0.25))
    _draw(page, (0.85, 0.35), (0.95, 0.35))  # while the first one is on its way
    page.wait_for_selector("#again-4")
    drawn = "import('/page/state.js').then(({ state }) => state.sheet.edits[0].region.then.at(-1).strokes.length)"
    _until(page, f"{drawn}.then((strokes) => strokes === 2)")
    (edit,) = read_sheet(folder / "reel.semcolor.json").edits
    assert edit.region.then[-1].frame == 4 and [change.frame for change in edit.region.then[:-1]] == [None] * 3
    mended = _pixels(page, 4)
    change = np.abs(mended.astype(int) - before).max(2)
    assert change[50:70, 275:300].mean() > 5 and change[150:].max() == 0
    assert np.array_equal(mended, _still(folder, 4))
    page.click("#not-again-4")
    page.wait_for_selector("#again-4", state="detached")
    assert len(read_sheet(folder / "reel.semcolor.json").edits[0].region.then) == 3
    assert np.array_equal(_pixels(page, 4), before)


def test_quick_edits_do_not_queue_up(desk, page, folder):
    page.keyboard.press("b")
    _draw(page, (0.35, 0.75), (0.6, 0.75))
    page.wait_for_selector("button:has-text('Drop')")
    _paint(page, "#b03a2e")
    began = time.monotonic()
    for n in range(20):
        page.evaluate(
            "async ([n]) => { const { apply } = await import('/page/correct.js'); await apply({ colour: '#' + n }); }",
            [f"{8 * n:02x}4422"],
        )
    wanted = _still(folder, 0)
    while not np.array_equal(_pixels(page, 0), wanted):
        assert time.monotonic() - began < 60, "the last edit is not the one that is shown"
        page.wait_for_timeout(200)
    assert read_sheet(folder / "reel.semcolor.json").edits[0].action.colour == "#984422"
    page.keyboard.press("Control+z")
    for _ in range(100):  # a busy machine takes its time
        if read_sheet(folder / "reel.semcolor.json").edits[0].action.colour != "#984422":
            break
        page.wait_for_timeout(100)
    assert read_sheet(folder / "reel.semcolor.json").edits[0].action.colour == "#b03a2e", "dragging is one step"
