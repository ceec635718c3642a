"""The addresses of the desk: what the page may ask, and what becomes of nonsense."""

from __future__ import annotations

import io
import json
import struct
import time
import zlib
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="the desk's packages are not installed")
from PIL import Image
from semcolor.jobs.batch.records import Record, Try
from semcolor.jobs.batch.state import Records
from semcolor.jobs.commands import desk as command
from semcolor.jobs.desk.api import app
from semcolor.jobs.desk.films import Films
from semcolor.jobs.desk.rendering import Rendering
from semcolor.jobs.desk.session import Superseded
from semcolor.jobs.desk.work import Task
from semcolor.pipeline.edits.reading import read_sheet
from semcolor.pipeline.film import open_film
from semcolor.pipeline.inprocess import still
from semcolor.pipeline.look import Look
from starlette.testclient import TestClient
from support.batches import make_batch_plan
from support.films import make_film, photo, shot, shots

SIZE = 64
EDIT = {"frame": 3, "region": {"box": [20, 20, 60, 50]}, "action": {"colour": "#8a3324"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with `reel.mp4`: shots of 10 and 12 frames, 80x60."""
    folder = tmp_path_factory.mktemp("api")
    make_film(folder / "reel.mp4", shots((10, 12), (60, 80)))
    return folder


@pytest.fixture(scope="module")
def films(folder):
    task = Task(open_film(folder / "reel.mp4"), Look(size=SIZE), folder / "reel.semcolor.json", folder / "out.mp4")
    films = Films(folder / "cache", task)
    yield films
    films.close()


@pytest.fixture
def client(films, folder):
    """The page, without the guard, with an empty sheet."""
    with TestClient(app(films)) as client:
        client.post("/api/sheet", json={"do": "go", "to": 0})
        yield client


def _frame(client, frame: int, kind: str = "colour") -> np.ndarray:
    """A frame once it is settled, (H, W, 3) uint8."""
    for _ in range(2000):
        answer = client.get(f"/api/frames/{frame}/{kind}")
        if answer.headers["x-settled"] == "1":
            picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
            return picture[..., ::-1]
        time.sleep(0.02)
    pytest.fail("the frame was never settled")


@pytest.mark.slow
def test_a_frame_is_sent_once_and_has_the_pixels_of_a_still(client, folder):
    new = client.post("/api/sheet", json={"do": "add", "item": EDIT, "title": "brown"}).json()
    assert new["edits"] == [{"id": new["new"], **EDIT}] and new["history"][-1]["title"] == "brown"
    sheet = read_sheet(folder / "reel.semcolor.json")
    wanted = still(
        open_film(folder / "reel.mp4"), 5, folder / "still.png", Look(size=SIZE, sheet=sheet), overwrite=True
    )
    assert np.array_equal(_frame(client, 5), wanted)
    tag = client.get("/api/frames/5/colour").headers["etag"]
    assert client.get("/api/frames/5/colour", headers={"if-none-match": tag}).status_code == 304
    followed = client.get("/api/frames/5/followed").json()
    assert len(followed) == 1 and followed[0]["known"] and followed[0]["outline"]
    labels = _frame(client, 5, "labels")
    told = client.get("/api/frames/5/probe?x=40&y=30").json()["labels"]
    names = [label["name"] for label in client.get("/api/film").json()["labels"]]
    index, sure = labels[labels.shape[0] // 2, labels.shape[1] // 2, :2]
    assert names[index] == told[0][0] and abs(sure / 255 - told[0][1]) < 0.15


def test_the_region_tells_what_it_can_carry(client):
    told = client.post("/api/region", json={"frame": 3, "region": EDIT["region"]}).json()
    low, middle, high = told["lumas"]
    assert 0 <= low <= middle <= high <= 255 and told["labels"] and told["outline"]
    given = client.post("/api/given", json={"colour": "#ff2010", "lumas": told["lumas"]}).json()["given"]
    for luma, colour in zip(told["lumas"], given, strict=True):
        red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
        assert abs(0.299 * red + 0.587 * green + 0.114 * blue - luma) < 3 and red >= max(green, blue)
    answer = client.get(f"/api/picker/{middle}.png")
    disc = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    inside = disc[..., 3] == 255
    luma = disc[..., :3].astype(float) @ [0.114, 0.587, 0.299]
    assert 0.05 < inside.mean() < 0.95 and np.abs(luma[inside] - middle).max() < 6, "all of it has the region's luma"


NONSENSE = [
    ("GET", "/api/frames/22/colour", None, 400),
    ("GET", "/api/frames/99999999999999999999/colour", None, 400),
    ("GET", "/api/frames/-1/colour", None, 404),
    ("GET", "/api/frames/1/../../film/colour", None, 404),
    ("GET", "/api/frames/1/secret", None, 404),
    ("GET", "/api/frames/1/probe?x=80&y=0", None, 400),
    ("GET", "/api/frames/1/probe?x=nan&y=0", None, 400),
    ("GET", "/api/shots/77.jpg", None, 404),
    ("GET", "/api/picker/256.png", None, 404),
    ("GET", "/api/previews/1.mp4", None, 404),
    ("GET", "/api/pictures/i99.png", None, 404),
    ("GET", "/api/pictures/reel.mp4.png", None, 404),
    ("GET", "/api/pictures/..%2Freel.mp4.png", None, 404),
    ("GET", "/api/pictures/%2Fetc%2Fpasswd.png", None, 404),
    ("GET", "/page/../api.py", None, 404),
    ("GET", "/page/%2e%2e/api.py", None, 404),
    ("GET", "/page/..%2fapi.py", None, 404),
    ("POST", "/api/region", {"frame": 3, "region": {"box": [1]}}, 400),
    ("POST", "/api/region", {"frame": True, "region": {}}, 400),
    ("POST", "/api/region", {"frame": 3, "region": {"point": [900, 3]}}, 422),
    ("POST", "/api/given", {"colour": "url(x)", "lumas": [1]}, 400),
    ("POST", "/api/given", {"colour": "#123456", "lumas": [1] * 10}, 400),
    ("POST", "/api/sheet", {"do": "format"}, 400),
    ("POST", "/api/sheet", {"do": "add", "list": "palette", "item": {}}, 400),
    ("POST", "/api/sheet", {"do": "add", "item": {**EDIT, "path": "/etc"}}, 422),
    ("POST", "/api/sheet", {"do": "add", "item": {**EDIT, "frame": 900}}, 422),
    ("POST", "/api/sheet", {"do": "add", "list": "keyframes", "item": {"frame": 3, "picture": "gone.png"}}, 422),
    ("POST", "/api/sheet", {"do": "add", "list": "keyframes", "item": {"frame": 900, "picture": "key.png"}}, 422),
    ("POST", "/api/sheet", {"do": "add", "list": "keyframes", "item": {"frame": 3, "picture": 5}}, 422),
    ("POST", "/api/sheet", {"do": "add", "list": "keyframes", "item": {"frame": 3, "picture": "/dev/zero"}}, 422),
    ("POST", "/api/sheet", {"do": "update", "id": "i999", "fields": {}}, 422),
    ("POST", "/api/sheet", {"do": "colour", "name": "coat", "colour": 7}, 400),
    ("POST", "/api/sheet", {"do": "colour", "name": "coat", "colour": "red"}, 422),
    ("POST", "/api/sheet", {"do": "colour", "name": "#coat", "colour": "#aa2211"}, 422),
    ("POST", "/api/sheet", {"do": "go", "to": 999}, 422),
    ("GET", "/api/sound/22.wav", None, 400),
    ("GET", "/api/sound/1.wav", None, 404),
    ("POST", "/api/previews", {"from": 5, "to": 3}, 422),
    ("POST", "/api/previews", {"from": 5, "to": 22}, 400),
    ("POST", "/api/open", {"key": "x"}, 422),
]


@pytest.mark.parametrize("method, path, body, status", NONSENSE)
def test_nonsense_is_refused(client, folder, method, path, body, status):
    before = client.get("/api/sheet").json()
    answer = client.request(method, path, json=body)
    assert answer.status_code == status and b"Traceback" not in answer.content
    assert client.get("/api/sheet").json() == before


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_refused(client, body):
    assert client.post("/api/sheet", content=body).status_code == 400


def _encoded(kind: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo("coffee", (40, 60))).save(file, kind, **options)
    return file.getvalue()


def test_a_photo_is_written_anew_without_what_else_it_carries(client, folder):
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    answer = client.post("/api/photos", content=_encoded("JPEG", exif=exif) + b"<script>").json()
    kept = (folder / answer["photo"]).read_bytes()
    assert b"secret" not in kept and b"script" not in kept and Image.open(io.BytesIO(kept)).size == (60, 40)
    new = client.post("/api/sheet", json={"do": "add", "list": "references", "item": {"photo": answer["photo"]}}).json()
    assert read_sheet(folder / "reel.semcolor.json").references[0].photo == str(folder / answer["photo"])
    assert new["references"][0]["id"] == new["new"]
    shown = client.get(f"/api/pictures/{new['new']}.png")
    assert shown.headers["content-type"] == "image/png" and Image.open(io.BytesIO(shown.content)).size == (60, 40)


@pytest.mark.parametrize("picture", ["reel.mp4", "/dev/zero", "/etc/passwd", "."])
def test_what_is_no_picture_is_never_sent(client, folder, picture):
    (folder / "reel.semcolor.json").write_text(json.dumps({"references": [{"photo": picture, "off": True}]}))
    item = client.post("/api/sheet", json={"do": "palette", "label": "sky", "colour": "#88aacc"}).json()["references"][
        0
    ]
    answer = client.get(f"/api/pictures/{item['id']}.png")
    assert answer.status_code == 422 and answer.json()["error"].count("p") and len(answer.content) < 200


def _bomb() -> bytes:
    """A small PNG of 20000x20000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 20000, 20000, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("case", ["text", "svg", "cut", "gif", "bomb"])
def test_what_is_no_photo_is_refused(client, folder, case):
    data = {"text": b"hello", "svg": b"<svg/>", "cut": _encoded("PNG")[:200], "gif": _encoded("GIF"), "bomb": _bomb()}
    answer = client.post("/api/photos", content=data[case])
    assert answer.status_code == 422 and answer.json()["error"].endswith(".")


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_key_frame_of_16_bits_keeps_every_sample(client, folder, suffix, channels):
    samples = np.random.default_rng(1).integers(0, 1 << 16, (60, 80, channels), np.uint16)
    data = cv2.imencode(suffix, samples)[1].tobytes()
    name = client.post("/api/photos", content=data).json()["photo"]
    assert np.array_equal(cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED), samples)
    item = {"frame": 3, "picture": name}
    key = client.post("/api/sheet", json={"do": "add", "list": "keyframes", "item": item}).json()["new"]
    shown = np.asarray(Image.open(io.BytesIO(client.get(f"/api/pictures/{key}.png").content)))
    assert np.array_equal(shown[..., :3], (samples[..., 2::-1] >> 8).astype(np.uint8))
    for broken in (data[: len(data) // 2], data[:40]):
        answer = client.post("/api/photos", content=broken)
        assert answer.status_code == 422 and answer.json()["error"].startswith("This is not a photo")


def test_a_tiff_that_claims_to_be_huge_is_refused(client):
    data = bytearray(cv2.imencode(".tiff", np.zeros((8, 8, 3), np.uint16))[1].tobytes())
    at = data.index(struct.pack("<HHI", 256, 3, 1))  # the tag of the width
    data[at : at + 12] = struct.pack("<HHII", 256, 4, 1, 10_000_000)
    assert "10000000x8 pixels" in client.post("/api/photos", content=bytes(data)).json()["error"]


def test_a_later_request_takes_the_place_of_an_earlier_one(films):
    session, done = films.work.session, []
    blocker = session.ask(lambda: time.sleep(0.3))
    asked = [session.ask(lambda n=n: done.append(n), "view") for n in range(5)]
    asked[-1].result()
    blocker.result()
    assert done == [4] and all(isinstance(future.exception(), Superseded) for future in asked[:-1])


@pytest.mark.slow
def test_a_preview_is_sent_while_it_is_made_and_not_made_twice(client, films):
    number = client.post("/api/previews", json={"from": 0, "to": 9}).json()["number"]
    assert films.work.session.previews.get(number).state == "running"
    data = client.get(f"/api/previews/{number}.mp4").content  # ends with the preview
    assert films.work.session.previews.get(number).state == "done"
    assert client.get(f"/api/previews/{number}.mp4").content == data
    with av.open(io.BytesIO(data)) as made:
        assert [frame.time for frame in made.decode(video=0)] == pytest.approx([n / 25 for n in range(10)], abs=1e-4)
    assert client.post("/api/previews", json={"from": 0, "to": 9}).json()["number"] == number
    client.post("/api/sheet", json={"do": "add", "item": EDIT})
    assert client.post("/api/previews", json={"from": 0, "to": 9}).json()["number"] == number + 1
    client.post("/api/previews", json={"stop": True})
    assert client.get(f"/api/previews/{number + 1}.mp4").status_code == 404


def test_an_output_that_is_there_is_asked_for(client, films, folder, monkeypatch):
    started: list[list[str]] = []
    monkeypatch.setattr(Rendering, "start", lambda self, arguments: started.append(list(arguments)))
    (folder / "out.mp4").write_bytes(b"mine")
    answer = client.post("/api/render", json={})
    assert answer.status_code == 422 and "out.mp4 exists" in answer.json()["error"] and not started
    client.post("/api/sheet", json={"do": "add", "item": EDIT})
    client.post("/api/render", json={"replace": True})
    assert started == [[str(folder / "reel.mp4"), "--edits", str(folder / "reel.semcolor.json")]]
    (folder / "out.mp4").unlink()


def _fake(tmp_path: Path, monkeypatch, program: str) -> Rendering:
    """A rendering whose command is a program of ours."""
    script = tmp_path / "fake"
    script.write_text(f"#!/usr/bin/env python3\nimport sys, time\n{program}")
    script.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(script))
    return Rendering(tmp_path / "out.mp4")


def _until(rendering: Rendering, state: str) -> None:
    for _ in range(500):
        if rendering.status == state:
            return
        time.sleep(0.02)
    pytest.fail(f"it was never {state}, but {rendering.status}")


def test_rendering_tells_its_progress_and_can_be_stopped(tmp_path, monkeypatch):
    lines = [
        f"print('{done}/100 frames, 1 shots', flush=True); time.sleep({wait})" for done, wait in ((20, 0.3), (40, 60))
    ]
    program = "\n".join(lines)
    rendering = _fake(tmp_path, monkeypatch, program)
    assert rendering.start([]) and not rendering.start([]), "one at a time"
    for _ in range(200):
        if rendering.done == 40:
            break
        time.sleep(0.02)
    time.sleep(2)
    told = rendering.state()
    assert (told["done"], told["frames"]) == (40, 100) and told["left"] > 0
    began = time.monotonic()
    rendering.stop()
    assert rendering.status == "stopped" and time.monotonic() - began < 5


def test_a_rendering_that_fails_tells_why(tmp_path, monkeypatch):
    rendering = _fake(tmp_path, monkeypatch, "print('semcolor-video: there is no space left.'); sys.exit(1)")
    rendering.start([])
    _until(rendering, "failed")
    assert rendering.state()["message"] == "semcolor-video: there is no space left."


@pytest.fixture
def batch(tmp_path):
    """A batch of three films: one is done, one failed, one waits."""
    sources = [make_film(tmp_path / f"{name}.mp4", shot("coffee", 4, (48, 64))) for name in "abc"]
    jobs = make_batch_plan(tmp_path, *sources, size=SIZE, scenes=0.5).to_do
    records = Records(tmp_path / "out" / ".semcolor-batch")
    (records.folder / "films").mkdir(parents=True, exist_ok=True)
    made = records.begin(jobs, 3, 0)
    done, failed = (Record.of(job, made, "running") for job in jobs[:2])
    done.state, done.frames, done.done = "done", 4, 4
    failed.state, failed.tries = "failed", [Try(ended=0, seconds=1, error="b.mp4 is torn")]
    for job, record in zip(jobs, (done, failed), strict=False):
        records.write(job.key, record)
    return tmp_path / "out"


@pytest.mark.slow
def test_the_films_of_a_batch_are_one_click_away(batch, tmp_path, monkeypatch):
    caught: list[Films] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "semcolor.jobs.desk.server.serve", lambda films, port, ready: caught.append(films) or _look(films)
    )

    def _look(films: Films) -> None:
        with TestClient(app(films)) as client:
            told = client.get("/api/desk").json()
            assert [(f["name"], f["state"]) for f in told["films"]] == [
                ("a.mp4", "done"),
                ("b.mp4", "failed"),
                ("c.mp4", "waiting"),
            ]
            assert told["films"][1]["error"] == "b.mp4 is torn" and told["counts"]["done"] == 1
            assert client.get("/api/film").status_code == 400, "none is open yet"
            for film in told["films"][:2]:
                assert client.post("/api/open", json={"key": film["key"]}).status_code == 200
                assert client.get("/api/film").json()["name"] == film["name"]
                assert films.work and films.work.task.look.size == SIZE, "as the batch makes it"
                assert films.work.task.options[:4] == ("--size", str(SIZE), "--scenes", "0.5")
                assert client.get("/api/film").json()["scenes"] == 0.5
                assert films.work.task.output == tmp_path / "out" / film["name"].replace(".", ".color.")
            assert [film["open"] for film in client.get("/api/desk").json()["films"]] == [False, True, False]

    assert command.run(["--batch", str(batch)]) == 0
    assert caught


@pytest.mark.parametrize(
    "arguments, told",
    [
        ([], "give a film, or --batch"),
        (["gone.mp4"], "no such file"),
        (["reel.mp4", "--batch", "."], "give a film, or --batch"),
        (["--batch", "."], "holds no batch"),
        (["--batch", ".", "--edits", "x.json"], "are for one film"),
        (["http://127.0.0.1:9/reel.mp4"], "copy it here first"),
        (["reel.mp4", "--edits", "broken.json"], "not JSON"),
        (["photo.png"], "is a photo"),
    ],
)
def test_mistakes_end_in_a_sentence(folder, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    (folder / "broken.json").write_text("[")
    (folder / "photo.png").write_bytes(_encoded("PNG"))
    assert command.run(arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("semcolor-desk: ") and told in err and not out
    assert json.dumps(err).count("Traceback") == 0


@pytest.mark.slow
def test_a_film_that_breaks_off_is_told_and_the_rest_is_shown(tmp_path):
    whole = make_film(tmp_path / "whole.mp4", shots((10, 12), (60, 80)), options={"g": "4"})
    film = open_film(whole)
    torn = tmp_path / "torn.mp4"
    data = bytearray(whole.read_bytes())
    packets = data.index(b"mdat")
    data[packets + len(data) // 2 : packets + len(data) // 2 + 400] = bytes(400)
    torn.write_bytes(data)
    task = Task(
        replace(film, path=str(torn), strict=True), Look(size=SIZE), tmp_path / "torn.json", tmp_path / "out.mp4"
    )
    films = Films(tmp_path / "cache", task)
    try:
        assert films.work
        for _ in range(500):
            if films.work.session.trouble:
                break
            time.sleep(0.02)
        assert "torn.mp4" in films.work.state()["trouble"]
        with TestClient(app(films)) as client:
            assert client.get("/api/frames/1/grey").status_code == 200
    finally:
        films.close()
