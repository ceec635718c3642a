"""RegionNet is taught from photos with label maps."""

import json

import cv2
import numpy as np
import pytest
import torch
from semcolor.models import checkpoint
from semcolor.models.colorizer import Colorizer
from semcolor.models.training import regions
from semcolor.models.training.dataset import DataFolder
from semcolor.models.training.regions import SIZE, teach_regions
from support.photos import make_hills, photo, png, put

CPU = torch.device("cpu")


@pytest.fixture
def model() -> Colorizer:
    torch.manual_seed(0)
    return Colorizer().eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> DataFolder:
    return DataFolder(make_hills(tmp_path_factory.mktemp("hills"), train=8, test=1))


def _weights(model: Colorizer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_only_the_outlines_network_learns_and_the_seed_decides(model, folder, monkeypatch):
    monkeypatch.setattr(regions, "BATCH", 4)
    before, photos = _weights(model), folder.photos("train")
    recipe = teach_regions(model, folder, photos, steps=2, seed=3, device=CPU)
    after = _weights(model)
    assert recipe["steps"] == 2 and recipe["samples"] == 8 and recipe["loss"] > 0
    assert {name for name in before if not torch.equal(before[name], after[name])} <= {
        name for name in before if name.startswith("region.")
    }
    assert not torch.equal(before["region.head.weight"], after["region.head.weight"])
    teach_regions(model, folder, photos, steps=2, seed=3, device=CPU)
    again = _weights(model)
    assert all(torch.equal(after[name], again[name]) for name in after)


def test_samples_show_the_same_region_twice(folder):
    """The truth is where the region is in the picture: here, all that is dark."""
    made = regions._samples(checkpoint.load(), folder.photos("train"), np.random.default_rng(0), CPU)
    for luma, coarse, fine, truth in (next(made) for _ in range(4)):
        assert luma.shape == coarse.shape == fine.shape == truth.shape == SIZE
        sure = cv2.blur(truth, (9, 9))
        inside, outside = luma[sure > 0.99], luma[sure < 0.01]
        assert inside.mean() < outside.mean() - 20
        assert coarse[sure > 0.99].mean() > coarse[sure < 0.01].mean() + 0.5  # the memory tells them apart


def test_photos_without_regions_leave_the_network_as_it_was(model, tmp_path):
    rules = {"names": list(json.loads((make_hills(tmp_path / "x", 1, 1) / "labels.json").read_text())["names"])}
    rules |= {"sources": {"flat": {"0": ["sky"]}}, "scenes": {}}
    files = {"labels.json": json.dumps(rules).encode(), "photos/flat/train/0.jpg": photo(1)}
    files["labels/flat/train/0.png"] = png(np.zeros((80, 96), np.uint8))
    data, before = DataFolder(put(tmp_path / "flat", files)), _weights(model)
    assert teach_regions(model, data, data.photos("train"), steps=2, seed=1, device=CPU) == {}
    assert all(torch.equal(value, before[name]) for name, value in _weights(model).items())
