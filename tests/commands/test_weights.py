"""A weights file that looks right and is not: every command ends in one sentence that names the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from semcolor.jobs.batch.state import FOLDER
from semcolor.jobs.commands import batch, video
from semcolor.models.format import CARD
from support.films import make_film, shot


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "a.mkv", shot("coffee", 12, (48, 64)))


@pytest.fixture
def others(tmp_path) -> Path:
    """A weights file with a model card and the tensors of other networks."""
    path = tmp_path / "others.safetensors"
    save_file({"layer.weight": torch.zeros(3)}, path, {CARD: "{}"})
    return path


def _is_the_sentence(line: str, path: Path) -> bool:
    return line.endswith(
        f"the weights {path} cannot be used: it lacks 178 of 178 tensors, color.blend.0.0.bias for one; "
        "give a file that semcolor-train has written."
    )


@pytest.mark.parametrize("part", [["--still", "3"], ["--range", "2-8"], []], ids=["still", "range", "whole film"])
def test_a_film_ends_in_one_sentence(part, film, others, tmp_path, capsys):
    output = tmp_path / ("out.png" if "--still" in part else "out.mkv")
    options = ["--size", "64", "--device", "cpu", "--quiet", "-o", str(output), "--weights", str(others)]
    assert video.run([str(film), *options, *part]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == "" and line.startswith("semcolor-video: ") and _is_the_sentence(line, others)
    assert not output.exists()


def test_in_a_batch_the_film_fails_with_the_sentence(film, others, tmp_path, capsys, ray_running):
    output = tmp_path / "out"
    assert batch.run([str(film), "-o", str(output), "--size", "64", "--weights", str(others), "--quiet"]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("semcolor-batch: ")]
    assert line.startswith(f"semcolor-batch: {film}: ") and _is_the_sentence(line, others)
    assert sorted(os.listdir(output)) == [FOLDER]
