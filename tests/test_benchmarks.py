"""The benchmarks run, with settings so small that their figures mean little, and say something plausible."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from support.films import make_film, shot
from support.motions import disc
from support.photos import make_hills

BENCHMARKS = Path(__file__).with_name("benchmarks")
FRAMES = 24

pytestmark = pytest.mark.slow

Tables = dict[str, list[dict[str, Any]]]
Measure = Callable[..., Tables]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder like the one beside the checkout: photos with labels, two clips, and the masks of one of them."""
    folder = make_hills(tmp_path_factory.mktemp("data"))
    (folder / "clips").mkdir()
    make_film(folder / "clips" / "coffee.mp4", shot("coffee", FRAMES), gray=False)
    pictures, masks = disc(FRAMES, 4)
    make_film(folder / "clips" / "disc.mp4", np.repeat(pictures[..., None], 3, -1))
    (folder / "masks" / "disc").mkdir(parents=True)
    for number, mask in enumerate(masks):
        cv2.imwrite(str(folder / "masks" / "disc" / f"{number:05}.png"), mask.astype(np.uint8) * 255)
    return folder


@pytest.fixture
def measure(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Measure]:
    """Run a benchmark and read its tables from its JSON: in this process, or alone, as `make bench` does."""
    threads = cv2.getNumThreads(), torch.get_num_threads()

    def run(name: str, *options: str, without: bool = False, alone: bool = False) -> Tables:
        """`without`: there is no data beside packages."""
        path = tmp_path / "figures.json"
        command = [str(BENCHMARKS / f"{name}.py"), *options, "--json", str(path)]
        monkeypatch.setenv("SEMCOLOR_DATA", str(tmp_path if without else data))
        if alone:
            result = subprocess.run([sys.executable, *command], capture_output=True, text=True)
            assert result.returncode == 0, result.stderr
            said = result.stdout
        else:
            monkeypatch.setattr(sys, "argv", command)
            monkeypatch.syspath_prepend(BENCHMARKS)
            for module in BENCHMARKS.glob("*.py"):  # `common` notes the place of the data when it is imported
                monkeypatch.delitem(sys.modules, module.stem, raising=False)
            runpy.run_path(command[0], run_name="__main__")
            said = capsys.readouterr().out
        figures = json.loads(path.read_text())
        assert figures["benchmark"] == name and {"cpu", "cores", "memory", "torch", "date"} <= set(figures["machine"])
        assert all(rows and f"**{title}**" in said for title, rows in figures["tables"].items())
        return figures["tables"]

    yield run
    cv2.setNumThreads(threads[0])
    torch.set_num_threads(threads[1])


def test_cuts(measure: Measure) -> None:
    tables = measure("cuts", "--edits", "2", "--joined", "2", alone=True)  # here `pipeline` is another package
    assert list(tables) == ["Made edits", "Joined clips"]
    for row in sum(tables.values(), []):
        assert row["cuts"] > 4 and row["recall"] > 0.8 and row["precision"] > 0.6


def test_steadiness(measure: Measure) -> None:
    row, _ = measure("steadiness", "--frames", "16", "--size", "128", "--clips", "bikes")["Steadiness"]
    assert 0 < row["warp error, steady"] < row["warp error, frame"] < 5
    assert 0 <= row["churn, steady"] < row["churn, frame"] < 1
    assert 0 < row["CDC, steady"] < 0.1 and 0 < row["CDC, truth"] < 0.1
    assert 1 < row["CIEDE2000, steady"] < 20 and 0.3 < row["colour, steady"] < 2


def test_outlines(measure: Measure) -> None:
    tables = measure("outlines", "--things", "1", "--off", "0", "4", "8")
    for kind in ("Made things", "DAVIS"):
        right, *_, off = tables[kind]
        assert right["as drawn"] == 1 and right["snap"] > 0.95
        assert off["as drawn"] < off["snap"] < 1
    assert all(0.9 < row["snap"] <= 1 for row in tables["No edge"])


def test_keyframes(measure: Measure) -> None:
    row, _ = measure("keyframes", "--frames", "4", "--clips", "bikes")["One key frame"]
    assert 0 < row["with key frame"] < row["CIEDE2000 without"] and row["PSNR with key frame"] > row["PSNR without"]


@pytest.mark.slow
def test_scenes(measure: Measure) -> None:
    tables = measure("scenes", "--frames", "3", "--size", "128", "--clips", "bikes", "bigbuckbunny")
    seen, *_ = tables["Two clips cut into each other"]
    assert seen["linked"] == 1 and 0 < seen["ab with"] < seen["ab without"] and seen["change, first piece"] == 0
    assert tables["False links"][0]["linked"] == 0


def test_regions(measure: Measure) -> None:
    tables = measure("regions")
    for row in [*tables["Made films"], *tables["DAVIS"]]:
        assert row["J"] > 0.8 and row["F"] > 0.8 and row["ms a frame"] > 0


@pytest.mark.slow
def test_again(measure: Measure) -> None:
    row, *_ = measure("again")["Found again"]
    assert row["J, second piece"] > 0.7 and row["found where it is painted over"] == row["found in other clips"] == 0


def test_verification(measure: Measure) -> None:
    tables = measure("verification", "--seconds", "1", "--width", "96", "--height", "64", "--size", "64")
    without, with_report = tables["Share of the processors' time"]
    assert without["digests of luma"] == without["decoding the parts and comparing luma"] == "0.00 %"
    assert without["frames"] == with_report["frames"] == 25
    assert 0 < float(with_report["decoding the parts and comparing luma"].split()[0]) < 90


def test_warp(measure: Measure) -> None:
    tables = measure("warp", "--repeats", "2", "--frames", "6", "--clips", "coffee")
    assert all(0 < row["cv2.remap"] < 10_000 for row in tables["Milliseconds to warp a picture"])
    assert all(0.1 < row["error of luma"] < 20 for row in tables["Motion by DIS"])


def test_fidelity(measure: Measure, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    tables = measure("fidelity", "--rows", "H.264", "rotation", "--write", str(page))
    (row,) = tables["Codecs, written into the same container"]
    assert row[".mp4"] == row[".mkv"] == row[".avi"] == "✓" and row[".webm"] == "·" and row[".mpg"] == "a"
    assert all(row["fault"] == 0 for row in tables["Films"])
    assert "| H.264 | ✓ |" in page.read_text()


@pytest.mark.parametrize("without", [False, True], ids=["data", "packages alone"])
def test_color(measure: Measure, without: bool) -> None:
    options = "--photos", "2", "--sources", "hills", "--sizes", "128"
    row, *_ = measure("color", *options, without=without)["Colour, --size 128"]
    assert row["photos"] == 2 and 0.1 < row["ratio"] < 1.5 and 0.1 < row["colourfulness"] < 2


@pytest.mark.ray
def test_throughput(measure: Measure) -> None:
    tables = measure("throughput", "--frames", "20", "--frames-hd", "0", "--short", "0", "--presets", "veryfast")
    assert all(row["seconds"] > 0 for row in tables["Short films"])
    (row,) = tables["Throughput"]
    assert row["frames/s"] > 0 and row["plain frames/s"] > row["frames/s"] and row["memory, MB"] > 100


def test_growth(measure: Measure) -> None:
    few = "--lengths", "20", "--sizes", "480", "--frames", "8", "--workers", "1", "--chunks", "8", "--wait", "0.08"
    tables = measure("growth", *few, "--films", "50", "--clips", "0", alone=True)  # it replaces the networks
    assert tables["Length"][0]["memory, MB"] > 50
    (row,) = tables["Size: milliseconds of CPU a frame"]
    assert all(row[stage] > 0 for stage in ("reading", "painting", "motion", "steadying", "composing", "encoding"))
    (row,) = tables["Workers"]
    assert 10 < row["frames/s"] < 55 and row["share of linear"] == 1
    (row,) = tables["Films"]
    assert row["films"] == 50 and 0 < row["seconds"] < 20
