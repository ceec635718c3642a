"""Sequences of pictures through the commands: batches, kills, and going on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from semcolor.jobs.commands import batch, video
from semcolor.jobs.film.workdir import work_folder
from semcolor.pipeline.files import file_sha256
from support.batches import make_batch_plan
from support.films import shots
from support.processes import start_module, wait_until
from support.scans import grey_pictures, make_scans

FAST = ["--size", "64", "--quiet"]


@pytest.fixture
def reels(tmp_path: Path) -> Path:
    """Two sequences in folders of their own, one picture that is none, and a short series of frames."""
    folder = tmp_path / "reels"
    make_scans(folder / "1921/reel1", "dpx", 10, pictures=grey_pictures(12))
    make_scans(folder / "reel2", "dpx", 8, pictures=grey_pictures(13))
    make_scans(folder / "stills", "png", 8, pictures=grey_pictures(3))
    (folder / "poster.png").write_bytes(b"")
    return folder


def test_a_folder_of_sequences_is_a_batch(reels, tmp_path):
    plan = make_batch_plan(tmp_path, reels)
    assert not plan.mistakes
    assert {Path(p.source).relative_to(reels): Path(p.output).relative_to(tmp_path) for p in plan.to_do} == {
        Path("1921/reel1/scan_%06d.dpx"): Path("out/1921/reel1.color/scan_%06d.dpx"),
        Path("reel2/scan_%06d.dpx"): Path("out/reel2.color/scan_%06d.dpx"),
    }
    assert plan.left_out == [f"{reels}: 4 files do not have the suffix of a film."]
    assert all(p.source_stat[0] > 12 * 2048 for p in plan.to_do)

    plan = make_batch_plan(tmp_path, reels / "reel2", output=str(tmp_path / "out/{stem}.mov"))
    assert [Path(p.output).name for p in plan.to_do] == ["reel2.mov"]
    plan = make_batch_plan(tmp_path, str(reels / "reel2/scan_*.dpx"), output=str(tmp_path / "{tree}/{stem}{suffix}"))
    assert [p.output for p in plan.to_do] == [str(tmp_path / "reel2/scan_%06d.dpx")]


def test_sequences_in_a_manifest_and_their_mistakes(reels, tmp_path):
    manifest = reels / "reels.csv"
    manifest.write_text(
        "source,fps,transfer\nreel2,18,log\nreel2/scan_%06d.dpx,,\n1921/reel1/scan_######.dpx,24,\nstills,24,\n"
    )
    (reels / "1921/reel1/scan_086402.dpx").unlink()
    plan = make_batch_plan(tmp_path, manifest)
    assert [(p.wish.fps, p.wish.transfer) for p in plan.to_do] == [("18", "log"), ("24", None)]
    assert len(plan.mistakes) == 2
    assert "reels.csv:3" in plan.mistakes[0] and "is the output of" in plan.mistakes[0]
    assert "reels.csv:4" in plan.mistakes[1] and "1 picture is missing (86402)" in plan.mistakes[1]


@pytest.mark.slow
def test_a_batch_of_sequences_is_made_once(reels, ray_running, tmp_path, capsys):
    arguments = [str(reels), "-o", str(tmp_path / "out"), "--size", "64", "--quiet"]
    assert batch.run(arguments) == 0
    made = tmp_path / "out/reel2.color"
    assert sorted(os.listdir(made)) == sorted(os.listdir(reels / "reel2"))
    before = (made / "scan_086400.dpx").stat().st_mtime_ns
    assert batch.run(arguments) == 0 and (made / "scan_086400.dpx").stat().st_mtime_ns == before
    (made / "scan_086400.dpx").unlink()
    assert batch.run(arguments) == 2
    assert "reel2.color/scan_%06d.dpx exists already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_sequence_continues_with_the_same_bytes(tmp_path):
    """The command is killed after its first part. Its second run makes only what is missing, in other chunks."""
    pictures = shots((50, 50), (48, 64)).astype(np.float32).mean(-1) / 255
    source = make_scans(tmp_path / "in", "dpx", 10, pictures=pictures)
    whole, output = tmp_path / "whole", tmp_path / "out/scan_%06d.dpx"
    assert video.run([str(source), "-o", str(whole), *FAST]) == 0
    work = work_folder(output)
    run = start_module("semcolor", source, "-o", tmp_path / "out", *FAST)
    wait_until(lambda: list(work.glob("part-*.json")), 120)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    assert not (tmp_path / "out").exists()
    assert video.run([str(source), "-o", str(tmp_path / "out"), "--chunk", "16", *FAST]) == 0
    assert file_sha256(tmp_path / "out") == file_sha256(whole) and not work.exists()
    assert len(os.listdir(whole)) == 100
