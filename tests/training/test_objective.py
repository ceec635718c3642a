"""One step's losses: which samples are coloured, and random numbers that differ with seed and step."""

import pytest
import torch
from semcolor.models.colorizer import Colorizer
from semcolor.models.labels import INDEX
from semcolor.models.training.chroma_prior import BINS
from semcolor.models.training.config import TrainingSettings
from semcolor.models.training.dataset import step_seed
from semcolor.models.training.objective import Objective

COLOR = {"color", "colourful", "gamut", "repaint", "moved"}


@pytest.fixture(scope="module")
def model() -> Colorizer:
    torch.manual_seed(0)
    return Colorizer()


def losses(model: Colorizer, coloured: float, lab: torch.Tensor) -> dict[str, torch.Tensor]:
    names = torch.zeros(62, dtype=torch.bool)
    names[[INDEX["sky"], INDEX["grass"]]] = True
    settings = TrainingSettings(coloured=coloured, moved=0.25, repainted=0.5)
    objective = Objective(model, settings, torch.zeros(62, BINS, 2), names)
    torch.manual_seed(1)
    gray = torch.rand(8, 1, 64, 64)
    known = torch.rand(8, 62, 16, 16) < 0.3
    return objective(gray, lab, known, known)


def test_labels_are_learned_from_all_samples_and_colours_from_the_last(model):
    """Another truth of the first half changes no loss where only the last half is coloured."""
    torch.manual_seed(2)
    lab = 50 * torch.rand(8, 3, 32, 32)
    other = torch.cat([lab[:4].flip(0) + 9, lab[4:]])
    alone, half, whole = (losses(model, share, lab) for share in (0.0, 0.5, 1.0))
    assert set(alone) == {"label"} and set(half) == set(whole) == COLOR | {"label"}
    again = losses(model, 0.5, other)
    assert all(torch.equal(half[name], again[name]) for name in half)
    assert not torch.equal(losses(model, 1.0, other)["color"], whole["color"])
    assert alone["label"].item() == pytest.approx(half["label"].item(), rel=1e-4)


def test_each_seed_and_step_has_random_numbers_of_its_own():
    drawn = set()
    for seed in (1, 2, 3):
        for number in (0, 1, 700):
            torch.manual_seed(step_seed(seed, number))
            drawn.add(torch.rand(1).item())
    assert len(drawn) == 9
