"""The report of a film: true digests and differences, the same however it was made, and a page that is safe."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import semcolor
from semcolor.errors import UserError
from semcolor.pipeline.encode import choose_encoding
from semcolor.pipeline.extras import check_report_name
from semcolor.pipeline.files import file_sha256
from semcolor.pipeline.film import open_film
from semcolor.pipeline.findings import findings
from semcolor.pipeline.opening import open_container
from semcolor.pipeline.parts import Part
from semcolor.pipeline.report import media
from semcolor.pipeline.report.build import Made, write_report
from semcolor.pipeline.report.media import describe, turned
from semcolor.pipeline.report.observe import shown_frames
from semcolor.pipeline.report.page import PICTURE_BYTES, PagePictures
from semcolor.pipeline.report.records import Report
from support.films import luma_planes, make_film, packets, photo, shot, shots
from support.markdown import blocks
from support.reports import SETTINGS, TIMINGS, finish, make_parts, report_film
from support.scans import make_scans

ROOT = Path(semcolor.__path__[0])


def _digest(planes: np.ndarray) -> str:
    """The digest of luma, computed apart from the package."""
    lines = "".join(hashlib.sha256(plane.tobytes()).hexdigest() + "\n" for plane in planes)
    return hashlib.sha256(lines.encode()).hexdigest()


def _state(report: Report, what: str) -> str:
    (found,) = [each for each in report.comparisons if each.what.startswith(what)]
    return found.state


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey MKV, 64x48, shots of 60, 110 and 20 frames, with all kinds of streams."""
    return make_film(
        tmp_path_factory.mktemp("reel") / "reel.mkv",
        shots((60, 110, 20), (48, 64)),
        audio="aac",
        subtitles=True,
        attachment=True,
        chapters=True,
        metadata={"title": "A reel", "inventory": "1921/7"},
    )


@pytest.fixture(scope="module")
def reported(reel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """The report of the reel, coded by x264, and its folder."""
    folder = tmp_path_factory.mktemp("reported")
    return report_film(reel, folder / "reel.color.mkv", folder / "report.json"), folder


def test_the_report_is_the_json_that_is_written(reported):
    report, folder = reported
    assert Report.model_validate_json((folder / "report.json").read_bytes()) == report


@pytest.mark.parametrize(("chunk", "stop"), [(16, None), (96, 1), (24, 2)])
def test_the_report_does_not_depend_on_chunks_and_interruptions(reel, reported, tmp_path, chunk, stop):
    output, folder = tmp_path / "reel.color.mkv", tmp_path / "report.work"
    if stop:
        make_parts(open_film(reel), folder, output, stop=stop)
        assert len(list(folder.glob("part-*.json"))) == stop
    report_film(reel, output, tmp_path / "report.json", chunk=chunk)
    assert (tmp_path / "report.json").read_bytes() == (reported[1] / "report.json").read_bytes()


def test_luma_is_told_truly_for_a_lossy_codec(reel, reported):
    luma, found = luma_planes(reel), luma_planes(reported[1] / "reel.color.mkv")
    report = reported[0]
    assert report.luma.sha256 == _digest(luma) != _digest(found)
    assert (report.luma.frames, report.luma.decoded, report.luma.lossless) == (190, 190, "by its settings")
    assert report.luma.identical == sum(map(np.array_equal, luma, found))
    assert _state(report, "luma, as given") == "kept" and _state(report, "luma, as it decodes") == "changed"
    for each in report.shots:
        n = each.shown_frame
        own = slice(each.first_frame, each.first_frame + each.frames)
        assert each.luma_sha256 == _digest(luma[own]) and n in range(190)[own]
        difference = np.abs(luma[n].astype(int) - found[n])
        assert each.difference and each.difference.mean == pytest.approx(difference.mean(), abs=1e-4)
        assert each.difference.greatest == difference.max()
        assert each.difference.psnr == pytest.approx(cv2.PSNR(luma[n], found[n]), abs=0.01)


@pytest.mark.skipif(not (ROOT / "docs").exists(), reason="semcolor is installed here without its checkout")
@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no FFmpeg")
@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
def test_the_command_of_the_page_computes_the_digest_of_luma(codec, reel, tmp_path):
    """It gives the digest for the source, and for a lossless output."""
    report = report_film(reel, tmp_path / "out.mkv", tmp_path / "r.json", codec=codec)
    (command,) = [b.text for b in blocks(ROOT / "docs/report.md") if b.text.startswith("ffmpeg")]
    found = []
    for film in (reel, tmp_path / "out.mkv"):
        line = command.replace("reel.mp4", str(film))
        found.append(subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout.split()[0])
    assert found[0] == report.luma.sha256 and (found[1] == report.luma.sha256) == (codec == "ffv1")


@pytest.mark.parametrize("codec", ["ffv1", "libx265", "prores_ks"])
def test_luma_is_told_truly_for_other_codecs(codec, tmp_path):
    source = make_film(tmp_path / "a.mkv", shot("coffee", 20, (48, 64)), codec="ffv1")
    report = report_film(source, tmp_path / "a.color.mkv", tmp_path / "r.json", codec=codec)
    luma, found = luma_planes(source), luma_planes(tmp_path / "a.color.mkv")
    whole = [np.array_equal(a.astype(int) << report.luma.shift, b) for a, b in zip(luma, found, strict=True)]
    assert report.luma.identical == sum(whole) and report.luma.sha256 == _digest(luma)
    assert report.luma.shift == (2 if codec == "prores_ks" else 0)
    lossless = {"ffv1": "always", "libx265": "by its settings", "prores_ks": "never"}[codec]
    assert report.luma.lossless == lossless and all(whole) == (codec == "ffv1")
    assert _state(report, "luma, as it decodes") == ("kept" if codec == "ffv1" else "changed")
    assert (report.luma.lowest_psnr is None) == (codec == "ffv1") and not report.warnings


def test_luma_that_is_scaled_for_prores_is_told(tmp_path):
    source = make_film(tmp_path / "a.mkv", shot("coffee", 17, (48, 64)), codec="ffv1", full_range=True)
    report = report_film(source, tmp_path / "a.color.mov", tmp_path / "r.json", codec="prores_ks")
    luma, found = luma_planes(source), luma_planes(tmp_path / "a.color.mov")
    assert (report.luma.scaling, report.luma.bits, report.luma.coded_bits, report.luma.shift) == ("scaled", 8, 10, 0)
    (given,) = [each for each in report.comparisons if each.what == "luma, as given to the encoder"]
    assert given.state == "kept" and "can be undone exactly" in given.detail
    assert report.luma.sha256 == _digest(luma) and report.luma.decoded == 17 and not report.warnings
    n, difference = report.shots[0].shown_frame, report.shots[0].difference
    back = np.clip(np.rint((found[n].astype(int) - 64) * 255 / 876), 0, 255)
    assert difference and difference.greatest == np.abs(back - luma[n]).max() <= 16
    assert _state(report, "bit depth and range") == "changed"


def test_ten_bits_keep_their_depth_in_the_figures(tmp_path):
    source = make_film(tmp_path / "a.mkv", shot("coffee", 17, (48, 64)), codec="ffv1", pix_fmt="yuv420p10le")
    report = report_film(source, tmp_path / "a.color.mkv", tmp_path / "r.json")
    luma, found = luma_planes(source), luma_planes(tmp_path / "a.color.mkv")
    assert report.luma.sha256 == _digest(luma) and report.luma.bits == report.output.picture.bits == 10
    n, difference = report.shots[0].shown_frame, report.shots[0].difference
    squares = np.square(luma[n].astype(float) - found[n]).mean()
    assert difference and difference.psnr == pytest.approx(10 * np.log10(1023**2 / squares), abs=0.01)


def test_streams_are_told_with_the_digest_of_their_packets(reel, reported):
    report = reported[0]
    assert [(c.type, c.state) for c in report.copies] == [
        ("audio", "identical"),
        ("subtitle", "identical"),
        ("attachment", "identical"),
    ]
    for copy, kind in zip(report.copies, ("audio", "subtitle"), strict=False):
        content = b"".join(data for data, _ in packets(reel, kind))
        assert copy.sha256 == copy.output_sha256 == hashlib.sha256(content).hexdigest()
        assert copy.packets == len(packets(reel, kind))
    assert report.copies[2].sha256 == hashlib.sha256(b"found in the can").hexdigest()
    assert [_state(report, what) for what in ("frames", "time stamps", "chapters", "metadata")] == ["kept"] * 4
    assert report.source.sha256 == hashlib.sha256(reel.read_bytes()).hexdigest()
    assert report.output.sha256 == hashlib.sha256((reported[1] / "reel.color.mkv").read_bytes()).hexdigest()


def test_what_a_container_changes_is_told(tmp_path):
    """AAC in MPEG-TS has headers of its own, and the muxer keeps no title."""
    pictures = shot("chelsea", 20, (48, 64))
    source = make_film(tmp_path / "a.mp4", pictures, audio="aac", metadata={"title": "A reel"})
    report = report_film(source, tmp_path / "a.color.ts", tmp_path / "r.json")
    assert [(c.state, c.packets) for c in report.copies] == [("repackaged", len(packets(source, "audio")))]
    assert _state(report, "metadata") == "lost" and _state(report, "time stamps") == "kept"
    warned = [warning.message for warning in report.warnings]
    assert warned == ["a.mp4 has metadata that the output's container does not keep: title."]


def test_rounded_time_stamps_are_told(tmp_path):
    """Matroska counts in milliseconds. That is no warning."""
    pictures, rate = shot("chelsea", 20, (48, 64)), Fraction(24000, 1001)
    source = make_film(tmp_path / "a.mp4", pictures, rate=rate)
    report = report_film(source, tmp_path / "a.color.mkv", tmp_path / "r.json")
    most = max(abs(n / rate * 1000 - round(n / rate * 1000)) for n in range(20))
    (found,) = [each for each in report.comparisons if each.what == "time stamps"]
    assert found.state == "changed" and f"by {float(most):.3f} ms at most" in found.detail and not report.warnings


def test_a_source_without_luma_is_told(tmp_path):
    source = make_film(tmp_path / "a.mkv", shot("coffee", 5, (48, 64)), codec="ffv1", pix_fmt="bgr0", gray=False)
    report = report_film(source, tmp_path / "a.color.mkv", tmp_path / "r.json", codec="ffv1")
    assert report.luma.taken == "converted" and _state(report, "luma, as given") == "changed"
    assert "has no luma (bgr0)" in report.warnings[0].message


@pytest.mark.parametrize(("kind", "how"), [("dpx", {"bits": 10, "grey": True}), ("png", {"bits": 8, "grey": False})])
def test_a_sequence_of_pictures_has_a_report(kind, how, tmp_path):
    make_scans(tmp_path / "in", kind, **how)
    film = open_film(tmp_path / "in", fps=24)
    output = tmp_path / f"out_%04d.{kind}"
    make_parts(film, tmp_path / "r.work", output)
    report = finish(film, tmp_path / "r.work", output, tmp_path / "r.html")
    assert report.source.timecode == report.output.timecode == ("01:02:03:00" if kind == "dpx" else "")
    assert report.source.container == report.output.container == f"sequence of {kind}"
    assert report.output.name == output.name and not report.copies and not report.warnings
    assert (report.luma.frames, report.luma.decoded, report.luma.bits) == (film.frames, film.frames, how["bits"])
    assert report.luma.taken == ("as decoded" if how["grey"] else "computed")
    if how["grey"]:
        assert report.luma.identical == film.frames
    else:
        assert (report.luma.greatest_difference or 0) <= 1
    files = "".join(f"{p.name}\0{file_sha256(p)}" for p in sorted((tmp_path / "in").iterdir()))
    assert report.source.sha256 == hashlib.sha256(files.encode()).hexdigest()
    assert report.shots[0].chroma > 3


def test_pictures_of_a_film_are_not_compared_with_its_luma(tmp_path):
    source = make_film(tmp_path / "a.mkv", shot("coffee", 5, (48, 64)))
    report = report_film(source, tmp_path / "out_%d.png", tmp_path / "r.json")
    assert report.luma.decoded == 0 and _state(report, "luma, as it decodes") == "changed"
    assert [w.message for w in report.warnings] == []


def test_shots_have_their_labels_and_the_series_their_cuts(reported):
    report = reported[0]
    assert [(s.first_frame, s.frames) for s in report.shots] == [(0, 60), (60, 110), (170, 20)]
    assert [s.shown_frame for s in report.shots] == [16, 108, 186]  # of 0, 16, 48 and 144 the nearest to the middle
    starts = report.series.start
    assert all(s.first_frame / 25 in starts for s in report.shots) and starts == sorted(starts)
    assert all(len(values) == len(starts) for values in (report.series.chroma, *report.series.labels.values()))
    totals = np.sum(list(report.series.labels.values()), 0)
    assert np.allclose(totals, 1, atol=0.01)
    for each in report.shots:
        assert sum(label.share for label in each.labels.values()) == pytest.approx(1, abs=0.05)
        inside = [
            c for s, c in zip(starts, report.series.chroma, strict=True) if 0 <= s * 25 - each.first_frame < each.frames
        ]
        assert min(inside) - 0.01 <= each.chroma <= max(inside) + 0.01


def test_a_picture_is_kept_of_frames_that_any_chunk_has(reel):
    from semcolor.pipeline.reader import read_chunks

    film, found = open_film(reel), []
    for size in (16, 24, 96):
        chunks = [frames.chunk for frames in read_chunks(film, size, 64)]
        found.append([c.start + n for c in chunks for n in shown_frames(c)])
    assert found[0] == found[1] == found[2] == [0, 16, 48, 60, 76, 108, 170, 186]


class _Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script" and self.scripts:
            self.scripts[-1] += data
        else:
            self.text += data


EVIL = "<script>alert('1')<!--\"&amp;.mkv"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """The page of a film whose name and metadata are made to break it."""
    folder = tmp_path_factory.mktemp("page")
    evil = {"title": "</script><img src=x onerror=alert(1)>", "<b>": "</title>"}
    source = make_film(folder / EVIL.replace("/", ""), shots((20, 20), (120, 160)), audio="aac", metadata=evil)
    report = report_film(source, folder / "out.mkv", folder / "page.html")
    return folder / "page.html", report


def test_the_page_holds_the_report_and_loads_nothing(page):
    path, report = page
    text = path.read_text(encoding="utf-8")
    found = _Elements(text)
    tags = [tag for tag, _ in found.elements]
    assert tags.count("script") == 1 and ("script", {"type": "application/json", "id": "report"}) in found.elements
    assert json.loads(found.scripts[0]) == report.model_dump(mode="json")
    assert EVIL in found.text and "b" in tags and "<b>" not in report.source.metadata.get("x", "")
    addresses = [a[name] for _, a in found.elements for name in ("src", "href", "action", "data") if name in a]
    assert addresses and all(a and a.startswith(("#", "data:image/webp;base64,")) for a in addresses)
    assert not any(name.startswith("on") for _, a in found.elements for name in a)
    assert tags.count("img") == len(report.shots) == 2 and tags.count("svg") == 2
    assert "url(" not in text and "@import" not in text


def test_a_name_that_is_not_utf8_has_a_report(tmp_path):
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9el.mkv"))
    make_film(tmp_path / "a.mkv", shot("coffee", 5, (48, 64))).rename(source)
    report = report_film(source, tmp_path / "out.mkv", tmp_path / "r.html")
    assert report.source.name == "r\\xe9el.mkv" and "r\\xe9el.mkv" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_damage_is_a_warning_with_its_frames(reel, reported, tmp_path):
    film, folder = open_film(reel), reported[1] / "report.work"
    found = findings((), damaged=(3, 4, 5, 9))
    made = _made(film, folder, reported[1] / "reel.color.mkv", findings=found)
    report = write_report(made, tmp_path / "r.html")
    assert [(w.first_frame, w.last_frame) for w in report.warnings] == [(3, 5), (9, 9)]
    text = (tmp_path / "r.html").read_text()
    assert text.count('class="damage"') == 2 and report.warnings[0].message in text


def _made(film, folder: Path, output: Path, **changes) -> Made:
    from semcolor.pipeline.parts import standing

    files = {"film": (output, output, "0" * 64)}
    known = {"findings": (), "settings": SETTINGS, "timings": TIMINGS, "parts": standing(folder)} | changes
    return Made(film=film, encoding=choose_encoding(film), folder=folder, files=files, **known)


def _strip(place: np.random.Generator, scale: float = 1.0) -> bytes:
    """A picture as the notes hold it: three times a piece of a photo."""
    y, x = place.integers(0, 200), place.integers(0, 260)
    piece = cv2.resize(photo("coffee")[y : y + 180, x : x + 320], None, fx=scale, fy=scale)
    return cv2.imencode(".jpg", np.hstack([piece] * 3), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


@pytest.mark.parametrize("grain", [0, 40])
@pytest.mark.parametrize("shots", [4, 2000, 9000])
def test_pictures_of_long_films_are_small(shots, grain):
    pictures, place = PagePictures(shots), np.random.default_rng(2)
    for _ in range(24):
        strip = cv2.imdecode(np.frombuffer(_strip(place), np.uint8), cv2.IMREAD_COLOR)
        noisy = np.clip(strip + place.normal(0, grain, strip.shape), 0, 255).astype(np.uint8)
        pictures.add(cv2.imencode(".jpg", noisy)[1].tobytes())
    shown = [len(source) for source in pictures.sources if source]
    assert len(shown) == (24 if shots <= 3000 else 8) and min(shown) > 500
    # The first pictures with grain are too large, until that is noticed.
    assert np.mean(shown[5 if grain else 0 :]) * min(shots, 3000) < 1.4 * PICTURE_BYTES


@pytest.fixture(scope="module")
def long_page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """The page of a film of 2000 shots of 2 frames. Its notes are made up, with tiny pictures."""
    folder = tmp_path_factory.mktemp("long")
    noise = np.random.default_rng(1).integers(0, 255, (40, 16, 16, 1), np.uint8).repeat(3, -1)
    film = open_film(make_film(folder / "long.mkv", np.tile(noise, (100, 1, 1, 1)), options={"preset": "ultrafast"}))
    report_film(make_film(folder / "one.mkv", shot("coffee", 4)), folder / "o.mkv", folder / "o.json")
    (note,) = json.loads((folder / "o.work/part-000000000.notes").read_bytes())
    bins, place = [[2, *note["bins"][0][1:]]], np.random.default_rng(2)
    parts: list[Part] = []
    for first in range(0, 4000, 100):
        notes = [
            note
            | {"shot": start // 2, "start": start, "frames": 2, "bins": bins}
            | {"pictures": {start: base64.b64encode(_strip(place, 0.1)).decode()}}
            for start in range(first, first + 100, 2)
        ]
        luma = {"given": ["0" * 64] * 100, "decoded": 100, "identical": 100, "differences": {}}
        files = {"notes": f"{first}.notes", "luma": f"{first}.luma"}
        (folder / files["notes"]).write_text(json.dumps(notes))
        (folder / files["luma"]).write_text(json.dumps(luma))
        parts.append(Part(first, 100, (), files, {}, (first + 100) // 2, 0, ""))
    report = write_report(_made(film, folder, folder / "long.mkv", parts=parts), folder / "long.html")
    return folder / "long.html", report


def test_a_page_of_2000_shots_is_small_besides_its_pictures(long_page):
    path, report = long_page
    text = path.read_text(encoding="utf-8")
    pictures = re.findall(r'src="(data:[^"]*)"', text)
    assert len(report.shots) == len(pictures) == 2000
    assert len(text) - sum(map(len, pictures)) < 5_000_000
    assert len(report.series.start) <= 600 and text.count('class="cut"') == 0


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ((), ""),
        ((65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), ""),
        ((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30), "turned by 90° clockwise"),
        ((-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), "mirrored"),
    ],
)
def test_rotation_in_words(matrix, words):
    assert turned(matrix) == words


def test_rotation_is_told_as_players_turn(tmp_path):
    film = open_film(make_film(tmp_path / "a.mp4", shot("coffee", 3, (48, 64)), rotation=90))
    assert (
        describe(film, film.path, film.path).picture.rotation == "turned by 270° clockwise"
    )  # PyAV turns the other way


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.html.gz"])
def test_a_report_of_another_form_is_refused(name):
    with pytest.raises(UserError, match="use .html or .json"):
        check_report_name(name)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")
def test_a_browser_shows_the_page(page, tmp_path):
    """In the dark theme, which a page without its styles would not have."""
    picture = tmp_path / "page.png"
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--window-size=900,2600", "--blink-settings=preferredColorScheme=0"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", page[0].as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    shown = cv2.imread(str(picture))
    assert shown is not None and shown[2, 2].mean() < 60
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 2000  # the pictures of the shots are drawn


def test_a_file_is_opened_once_to_be_described(reel, monkeypatch):
    opened, film = [], open_film(reel)
    monkeypatch.setattr(media, "open_container", lambda file: opened.append(file) or open_container(file))
    found = media.describe(film, reel, reel)
    assert opened == [reel] and found.picture.frames == film.frames and found.picture.pix_fmt == film.pix_fmt
