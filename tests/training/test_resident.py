"""Batches made on the device: the same photos and labels, aligned, and a function of the seed and the step."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from semcolor.models.labels import INDEX
from semcolor.models.training.aging import TORCH, age
from semcolor.models.training.config import TrainingSettings
from semcolor.models.training.dataset import DataFolder
from semcolor.models.training.resident import Resident, resident_batches
from support.photos import make_hills, same

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_hills(tmp_path_factory.mktemp("data"), 22, 1)


@pytest.fixture(scope="module")
def data(root) -> Resident:
    folder = DataFolder(root)
    return Resident(folder, folder.photos("train"), CPU, 80)


def test_batches_are_a_function_of_seed_and_number(data):
    first, second, third = islice(resident_batches(data, 3, 64, seed=1), 3)
    assert same(next(resident_batches(data, 3, 64, seed=1, first=2)), third)
    assert same(next(resident_batches(data, 3, 64, seed=1, rank=1, world=2)), second)
    assert not same(first, second) and not same(next(resident_batches(data, 3, 64, seed=2)), first)


def test_labels_lie_where_their_colours_are(data):
    """In these photos what is blue is sky, and what is green is grass or tree, of which the lawn is grass."""
    batch = next(resident_batches(data, 40, 64, seed=3))
    assert batch.gray.shape == (40, 1, 64, 64) and batch.lab.shape == (40, 3, 32, 32)
    assert batch.known.shape == batch.allowed.shape == (40, 62, 16, 16)
    assert batch.gray.min() >= 0 and batch.gray.max() <= 1
    blue = torch.nn.functional.avg_pool2d(batch.lab[:, 2:], 2)[:, 0] < -15
    sky = batch.known[:, INDEX["sky"]] & ~batch.known[:, INDEX["dog"]]
    barred = batch.known.all(1)
    assert 0.2 < sky.float().mean() < 0.8
    assert (blue == sky)[~barred].float().mean() > 0.97
    assert (batch.allowed & ~batch.known).sum() == 0


def test_crops_are_mirrored_scaled_and_barred(tmp_path):
    """A picture that is bright on the left: half of the crops are bright on the right."""
    import cv2
    from support.photos import put

    ramp = np.tile(np.linspace(250, 5, 120).astype(np.uint8)[None, :, None], (80, 1, 3))
    folder = DataFolder(put(tmp_path, {"a.png": cv2.imencode(".png", ramp)[1].tobytes()}))
    batch = next(resident_batches(Resident(folder, folder.photos("train"), CPU, 80), 200, 32, seed=0))
    light = batch.lab[:, 0]
    slope = (light[:, :, -1] - light[:, :, 0]).mean(1)
    assert 0.35 < (slope > 0).float().mean() < 0.65
    whole = ~batch.known.any(1).logical_not().any((1, 2)) & (light.amin((1, 2)) > 0.5)
    assert slope[whole].abs().max() > 1.6 * slope[whole].abs().min(), "crops are of half the short side up to all of it"
    bars = (light < 0.5).float().mean((1, 2)) > 0.05
    assert 0 < bars.float().mean() < 0.2


@pytest.mark.parametrize("name", TORCH)
def test_a_damage_changes_the_pictures_and_depends_on_its_generator_alone(name):
    gray = 0.2 + 0.6 * (torch.arange(64) % 16 > 7).float().expand(2, 48, 64)
    strength = torch.full((2, 1, 1), 0.7)
    once, again, other = (TORCH[name](gray, strength, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert once.shape == gray.shape and once.isfinite().all()
    assert torch.equal(once, again) and not torch.equal(once, other) and not torch.equal(once[0], once[1])
    assert 1e-3 < (once - gray).abs().mean() < 0.3


def test_aged_pictures_differ_from_each_other():
    gray = torch.linspace(0.2, 0.8, 64).expand(30, 48, 64)
    aged = age(gray, torch.Generator().manual_seed(0))
    assert aged.min() >= 0 and aged.max() <= 1
    change = (aged - gray).abs().mean((1, 2))
    assert change.max() > 0.05 and len(change.unique()) > 25


@pytest.mark.slow
def test_a_resident_run_needs_no_package_that_a_bare_machine_lacks(root, tmp_path):
    """Neither Ray, PyAV nor OpenVINO; and a second call with the same folder finds the run done."""
    code = """
import sys
for name in ("av", "ray", "kornia", "openvino", "scenedetect"):
    sys.modules[name] = None
from importlib import util
found = util.find_spec
util.find_spec = lambda name, *rest: None if name == "openvino" else found(name, *rest)
from semcolor.jobs.commands.train import run
sys.exit(run(sys.argv[1:]))
"""
    start = Path(sys.modules["semcolor"].__path__[0]) / "models/weights/semcolor.safetensors"
    options = ["--resident", "--steps", "2", "--batch", "4", "--size", "64", "--fixed", "0", "--device", "cpu"]
    options += ["--region-steps", "0"]
    command = [sys.executable, "-c", code, root, "-o", tmp_path / "run", "--start", start, *options]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "run").iterdir()} >= {"checkpoint.pt", "semcolor.safetensors", "sheet.jpg"}
    settings = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    assert settings["steps"] == 2 and settings["settings"]["resident"] == TrainingSettings(resident=True).resident
