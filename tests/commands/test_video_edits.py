"""Steering the colours by `semcolor-video`: same bytes however it is cut, maps, summary, and mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from semcolor.jobs.commands.video import run
from semcolor.jobs.film.workdir import work_folder
from semcolor.models.labels import NAMES
from semcolor.pipeline.edits.reading import read_sheet
from semcolor.pipeline.encode import choose_encoding
from semcolor.pipeline.film import open_film
from semcolor.pipeline.inprocess import Look, colorize
from support.files import write
from support.films import make_film, packets, pictures_of, shot
from support.mistakes import check_mistake
from support.motions import disc

FAST = ["--size", "64", "--workers", "1", "--quiet"]
SHEET = {
    "palette": {"ground": "#806040"},
    "edits": [
        {"frame": 45, "region": {"box": [58, 24, 106, 72]}, "action": {"label": "flower"}, "range": "40-52"},
        {
            "time": 1.0,
            "region": {"strokes": [[[20, 20], [60, 30]]], "width": 12},
            "action": {"colour": "#cc2020"},
            "range": "22-30",
        },
        {"region": {"label": "wall"}, "action": {"label": "sky"}},
        {"frame": 5, "region": {"polygon": [[10, 10], [90, 15], [50, 70]]}, "action": "neutral", "range": "0-9"},
    ],
}


@pytest.fixture(scope="module")
def film(film_folder) -> Path:
    """Two shots of 20 and 40 frames, 144x96."""
    moving = np.repeat(disc(40, 2, 24, (96, 144))[0][..., None], 3, 3)
    return make_film(film_folder / "control.mkv", np.concatenate([shot("coffee", 20, (96, 144)), moving]))


def test_edits_give_the_same_bytes_however_it_is_cut(film, tmp_path):
    """In chunks of 16 and of 32, and in one process without Ray; with label maps and summary in passing."""
    sheet = write(tmp_path / "edits.json", SHEET)
    results = []
    for chunk in ("16", "32"):
        output, maps, summary = (tmp_path / f"{chunk}{ending}" for ending in (".mkv", ".maps.mkv", ".json"))
        beside = ["--label-maps", str(maps), "--summary", str(summary)]
        options = ["--edits", str(sheet), "--codec", "ffv1", "--chunk", chunk, *beside]
        assert run([str(film), "-o", str(output), *FAST, *options]) == 0
        assert not work_folder(output).exists()
        results.append((packets(output, "video"), packets(maps, "video"), summary.read_text()))
    assert results[0] == results[1]
    whole, alone = open_film(film), tmp_path / "alone.mkv"
    look = Look(size=64, sheet=read_sheet(sheet))
    colorize(whole, alone, look, encoding=choose_encoding(whole, "ffv1"))
    assert packets(alone, "video") == results[0][0]

    with av.open(str(tmp_path / "16.maps.mkv")) as container:
        legend = json.loads(container.metadata["SEMCOLOR_LABELS"])
        assert legend == {str(n): name for n, name in enumerate(NAMES)} and container.metadata["SEMCOLOR_VERSION"]
        assert container.streams.video[0].codec_context.name == "ffv1"
    read = pictures_of(tmp_path / "16.maps.mkv", "gray")
    assert read.shape == (60, 64, 96) and read.max() < len(NAMES)
    assert (read == NAMES.index("wall")).mean() < 0.02, "every wall is a sky"
    inside = read[45, 20:45, 42:68]
    assert (inside == NAMES.index("flower")).mean() > 0.8

    first, second = json.loads(results[0][2])
    assert (first["first_frame"], first["frames"], second["first_frame"], second["time"]) == (0, 20, 20, "0:00:00.800")
    for own, frames in ((first, read[:20]), (second, read[20:])):
        assert own["labels"]
        for label, row in own["labels"].items():
            share = (frames == NAMES.index(label)).mean()
            assert abs(row["share"] - share) < 0.05 and 0 < row["confidence"] <= 1 and row["colour"].startswith("#")


@pytest.mark.slow
def test_a_still_and_a_range_are_of_the_whole_film(film, tmp_path, capsys):
    sheet, still, part = write(tmp_path / "edits.json", SHEET), tmp_path / "s.png", tmp_path / "part.mkv"
    edits = ["--edits", str(sheet), "--size", "64"]
    assert run([str(film), "-o", str(still), "--still", "1.8s", *edits]) == 0
    assert capsys.readouterr().out.startswith(f"{still}: ")
    assert run([str(film), "-o", str(part), "--range", "44-46", "--codec", "ffv1", "--quiet", *edits]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"edits.json", "s.png", "part.mkv"}
    picture, frames = cv2.imread(str(still)), pictures_of(part, "bgr24")
    assert picture is not None and len(frames) == 3
    assert np.abs(picture.astype(int) - frames[1]).mean() < 3
    assert run([str(film), "-o", str(part), "--shots", "0", "--overwrite", "--quiet", *edits]) == 0
    assert len(pictures_of(part, "bgr24")) == 20


MISTAKES = {
    "no edits": (lambda d: ["--edits", d / "absent.json"], "absent.json cannot be read"),
    "bad edits": (
        lambda d: ["--edits", write(d / "e.json", {"edits": [{"frame": 1}]})],
        "edits[0].region is missing",
    ),
    "bad palette": (lambda d: ["--palette", write(d / "p.json", {"sky": 5})], "sky"),
    "no photo": (lambda d: ["--reference", d / "absent.jpg"], "--reference"),
    "maps are the output": (lambda d: ["--label-maps", d / "o.mkv"], "--label-maps"),
    "maps in MP4": (lambda d: ["--label-maps", d / "m.mp4"], "only Matroska keeps their legend"),
    "full without maps": (lambda d: ["--full"], "--full"),
    "still and range": (lambda d: ["--still", "1s", "--range", "1s-2s"], "exclude each other"),
    "summary of a still": (lambda d: ["--still", "1s", "--summary", d / "s.json"], "--summary needs the whole film"),
    "still as film": (lambda d: ["--still", "1s"], "a picture cannot be written as .mkv"),
    "bad moment": (lambda d: ["--range", "now-then"], "--range: 'now' is not a moment"),
    "bad range": (lambda d: ["--range", "5"], "--range: '5' is not a range"),
    "range beyond the end": (lambda d: ["--range", "2s-99s"], "--range: 0:01:39.000 is after the film's end"),
    "bad shots": (lambda d: ["--shots", "1,x"], "--shots 1,x"),
    "no such shot": (lambda d: ["--shots", "2", "--size", "64"], "no shot 2"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_end_in_one_sentence_and_code_2(case, tmp_path, film, capsys):
    arguments, words = MISTAKES[case]
    whole = (lambda d, f: [f, "-o", d / "o.mkv", "--quiet", *arguments(d)]), words
    check_mistake(whole, film, tmp_path, capsys)


def test_an_edit_that_does_not_fit_the_film_leaves_nothing(tmp_path, film, capsys):
    edit = {"frame": 30, "range": "5-40", "region": {"point": [5, 5]}, "action": "keep"}
    sheet = write(tmp_path / "e.json", {"edits": [edit]})
    assert run([str(film), "-o", str(tmp_path / "o.mkv"), "--edits", str(sheet), *FAST]) == 2
    said = capsys.readouterr().err
    assert "edits[0].range: frames 5 to 40 are not all in the shot of frame 30 (20 to 59)" in said
    assert list(tmp_path.iterdir()) == [sheet]


def test_labels_and_schema_are_printed(capsys):
    assert run(["--list-labels"]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == list(NAMES)
    assert run(["--edits-schema"]) == 0
    assert "edits" in json.loads(capsys.readouterr().out)["properties"]
