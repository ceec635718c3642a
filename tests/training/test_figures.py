"""The figures of the model card, measured of networks whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from semcolor.models import WEIGHTS
from semcolor.models import checkpoint as weights
from semcolor.models.labels import INDEX, NAMES
from semcolor.models.training import evaluate as evaluation
from semcolor.models.training import figures
from semcolor.models.training.chroma_prior import BINS, chroma_by_label
from semcolor.models.training.compiled import Compiled
from semcolor.models.training.dataset import DataFolder
from semcolor.models.training.evaluate import (
    ColoredPhoto,
    classes,
    colorized_photos,
    evaluate,
    evaluate_tests,
    extremes,
    frontier,
)
from semcolor.models.training.lab import lab_from_rgb
from semcolor.models.training.model_card import _frontier
from support.photos import BLUE, GREEN, make_hills
from torch import Tensor, nn

SKY, GRASS = INDEX["sky"], INDEX["grass"]
SPLIT = 0.5
"""Luma between the dark grass (0.40) and the bright sky (0.54), after which `Hills` tells them apart."""


def _ab(rgb: tuple[int, int, int]) -> Tensor:
    """(2,) chroma of a colour."""
    return lab_from_rgb(torch.tensor(rgb).view(3, 1, 1) / 255)[1:, 0, 0]


class Hills(nn.Module):
    """Stands in for a `Colorizer`: labels by luma, and each label's colour from a table (62, 2)."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table, requires_grad=False)

    def encoder(self, gray: Tensor) -> list[Tensor]:
        return [gray]

    def semantic(self, features: list[Tensor]) -> Tensor:
        bright = F.avg_pool2d(features[0], 4)[:, 0] > SPLIT
        hot = F.one_hot(torch.where(bright, SKY, GRASS), len(NAMES)).permute(0, 3, 1, 2)
        return 100.0 * hot

    def color(self, features: list[Tensor], labels: Tensor) -> Tensor:
        return F.interpolate(torch.einsum("bnhw,nc->bchw", labels, self.table), scale_factor=2.0)


def _table(**colors: Tensor) -> Tensor:
    table = torch.zeros(len(NAMES), 2)
    for name, ab in colors.items():
        table[INDEX[name]] = ab
    return table


TRUE = _table(sky=_ab(BLUE), grass=_ab(GREEN))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> DataFolder:
    return DataFolder(make_hills(tmp_path_factory.mktemp("data"), 4, 3))


def _measure(table: Tensor, folder: DataFolder) -> dict:
    return evaluate_tests(Hills(table), folder, ["hills"])  # type: ignore[arg-type]


def test_true_colors_have_ratio_0_and_gray_has_ratio_1(folder):
    true, gray = _measure(TRUE, folder), _measure(torch.zeros(62, 2), folder)
    assert true["hills"]["photos"] == 3
    assert true["hills"]["ratio"] < 0.1 and true["mean"]["ratio"] == true["hills"]["ratio"]
    assert true["hills"]["colourfulness"] == pytest.approx(1, abs=0.1)
    assert true["hills"]["label_accuracy"] > 0.97 and true["iou"]["sky"] > 0.95
    assert gray["hills"]["ratio"] == pytest.approx(1) and gray["hills"]["colourfulness"] < 0.01
    assert gray["hills"]["ciede2000"] == gray["hills"]["ciede2000_grey"] == true["hills"]["ciede2000_grey"]


def test_without_test_photos_there_are_no_figures(folder):
    assert evaluate_tests(Hills(TRUE), folder, []) == {"classes": {}, "iou": {}}  # type: ignore[arg-type]


def test_vivid_is_a_factor_of_the_chroma(folder):
    photos = folder.photos("test")
    half, _ = evaluate(colorized_photos(Hills(TRUE), folder, photos), folder, 0.5)  # type: ignore[arg-type]
    assert half.colourfulness == pytest.approx(0.5, abs=0.07) and 0.3 < half.ratio < 0.6


def test_labels_put_in_mend_labels_that_were_read_wrong(folder):
    """A network that reads every sky as water, whose colour is wrong: with the sky put in, its colour is right."""

    class Confused(Hills):
        def semantic(self, features: list[Tensor]) -> Tensor:
            logits = super().semantic(features).clone()
            logits[:, [SKY, INDEX["water"]]] = logits[:, [INDEX["water"], SKY]]
            return logits

    table = TRUE.clone()
    table[INDEX["water"]] = torch.tensor([30.0, 30.0])
    found = figures.gain(Confused(table), folder, folder.photos("test"))  # type: ignore[arg-type]
    assert found["photos"] == 3 and found["given"] < 0.2 < 0.5 < found["read"]
    assert found["sources"]["hills"] == pytest.approx([found["read"], found["given"]])


@pytest.fixture
def usual() -> tuple[Tensor, Tensor]:
    """A table of usual chroma for sky, grass and road, the same at each lightness, and which labels it has."""
    colors = _table(sky=_ab(BLUE), grass=_ab(GREEN), road=torch.tensor([40.0, 10.0]))
    enough = torch.zeros(62, dtype=torch.bool)
    enough[[SKY, GRASS, INDEX["road"]]] = True
    return colors[:, None].expand(-1, BINS, -1), enough


def test_control_is_1_where_color_follows_the_table(folder, usual):
    table, enough = usual
    found = figures.control(Hills(table[:, 0]), folder.photos("test"), table, enough)  # type: ignore[arg-type]
    assert 1 <= found["photos"] <= 3 and found["cases"]
    assert found["way_median"] == found["way_mean"] == pytest.approx(1, abs=0.02)
    assert found["place_median"] == pytest.approx(1, abs=0.02) and found["way_at_least_half"] == 1
    assert found["outside_mean"] == found["outside_worst"] == 0


def test_control_is_0_where_color_ignores_labels(folder, usual):
    class Deaf(Hills):
        def color(self, features: list[Tensor], labels: Tensor) -> Tensor:
            return torch.zeros(1, 2, labels.shape[2] * 2, labels.shape[3] * 2)

    found = figures.control(Deaf(TRUE), folder.photos("test"), *usual)  # type: ignore[arg-type]
    assert found["way_median"] == 0 and found["way_at_least_half"] == 0


def test_a_constant_network_is_steady_and_exact(folder):
    class Constant(Hills):
        def color(self, features: list[Tensor], labels: Tensor) -> Tensor:
            ab = torch.tensor([3.0, -5.0]).view(1, 2, 1, 1)
            return ab.expand(1, 2, labels.shape[2] * 2, labels.shape[3] * 2)

    model, photos = Constant(TRUE), folder.photos("test")
    assert figures.steadiness(model, photos) == {"shift": 0, "gain": 0, "shift_worst": 0}  # type: ignore[arg-type]
    assert figures.bars(model, photos) == 5  # type: ignore[arg-type]
    assert figures.precision(model, photos) == 0  # type: ignore[arg-type]


def test_steadiness_is_the_change_of_chroma_with_luma(folder):
    """Chroma a = b = 100 · luma: a gain of 5 % changes both by 5 % of 100 · luma."""

    class Luma(Hills):
        def color(self, features: list[Tensor], labels: Tensor) -> Tensor:
            return 100 * F.avg_pool2d(features[0], 2).expand(-1, 2, -1, -1)

    photos = folder.photos("test")
    found = figures.steadiness(Luma(TRUE), photos)  # type: ignore[arg-type]
    assert 2 < found["gain"] < 3.5  # luma is about 0.4 to 0.55
    assert figures.bars(Luma(TRUE), photos) == pytest.approx(2)  # type: ignore[arg-type]  # bars have luma 0.02


def test_the_hue_error_of_skin_is_an_angle(tmp_path: Path):
    """All sky is called skin: turned by 30 degrees, and with half the chroma, it is 30 degrees and 0.5 off."""
    import json

    from support.photos import RULES, put

    rules = RULES | {"sources": RULES["sources"] | {"hills": {"0": ["skin"], "1": ["grass"]}}}
    make_hills(tmp_path, 0, 3)
    put(tmp_path, {"labels.json": json.dumps(rules).encode()})
    data = DataFolder(tmp_path)
    angle = torch.tensor(torch.pi / 6)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    table = _table(sky=0.5 * turn @ _ab(BLUE), grass=_ab(GREEN))
    found = figures.faces(Hills(table), data, ("hills", "absent"))  # type: ignore[arg-type]
    assert list(found) == ["hills"] and found["hills"]["photos"] == 3
    assert found["hills"]["hue_error"] == pytest.approx(30, abs=3)
    assert found["hills"]["chroma"] == pytest.approx(0.5, abs=0.05)


def test_all_figures_are_there_and_damage_costs_little_where_labels_follow_luma(folder, monkeypatch):
    monkeypatch.setattr(figures, "chroma_by_label", lambda *_: (TRUE[:, None].expand(-1, BINS, -1), TRUE.any(1)))
    monkeypatch.setattr(figures, "FEW", 2)
    monkeypatch.setattr(figures, "DAMAGES", {"nothing": lambda gray, rng, strength: gray})
    colored, color = [], evaluation.colorize_photo

    def counted(model, rgb, *more, damage=None, allowed=None, **named):
        colored.append((round(rgb.sum().item(), 3), damage is None and allowed is None))
        return color(model, rgb, *more, damage=damage, allowed=allowed, **named)

    monkeypatch.setattr(evaluation, "colorize_photo", counted)
    found = figures.measure_all(Hills(TRUE), folder, ("hills",), 2)  # type: ignore[arg-type]
    plain = [photo for photo, as_it_is in colored if as_it_is]
    assert len(plain) == len(set(plain)) == 3, "each photo is coloured once as it is"
    expected = {"hills", "mean", "iou", "given", "control", "skin", "bars", "steadiness", "bf16", "vivid", "robustness"}
    assert set(found) == expected | {"frontier", "extremes", "classes"}
    assert found["robustness"]["clean"] == found["robustness"]["nothing"] == found["robustness"]["all"]
    assert found["vivid"]["1.0"][0] < found["vivid"]["2.0"][0]
    text = "\n".join(_frontier(found | {"frontier": {}})), "\n".join(_frontier(found))
    assert "| hills | " in text[1] and "| hills" not in text[0] and "hills 0.9" in text[0]
    assert found["classes"]["hills"]["mean"] > 0.95 and found["frontier"]["hills"]["0.9"] < 0.2


def test_the_usual_chroma_is_that_of_the_photos(folder):
    table, _ = chroma_by_label(folder, folder.photos("train"))
    sky = lab_from_rgb(torch.tensor(BLUE).view(3, 1, 1) / 255)[:, 0, 0]
    assert torch.dist(table[SKY, round(sky[0].item() / 10)], sky[1:]) < 3


def test_the_frontier_is_the_error_at_a_given_colourfulness(folder):
    """Half the true chroma is as far from the truth, however it came about."""
    photos = folder.photos("test")
    found = [
        frontier(list(colorized_photos(Hills(scale * TRUE), folder, photos)), folder)  # type: ignore[arg-type]
        for scale in (1.0, 0.6)
    ]
    assert found[0] == pytest.approx(found[1], abs=0.04)
    assert found[0]["0.5"] > found[0]["0.7"] > found[0]["0.9"] < 0.2


def test_classes_may_mean_several_labels():
    sky, vehicle = np.zeros((2, 62), bool)
    sky[SKY], vehicle[[INDEX["car"], INDEX["bus"]]] = True, True
    allowed = np.stack([sky, sky, vehicle, vehicle, np.ones(62, bool)])[None]
    guess = np.array([[SKY, INDEX["bus"], INDEX["car"], INDEX["bus"], SKY]])
    found = classes([(allowed, guess)])
    assert found == {"accuracy": 3 / 4, "mean": pytest.approx((1 / 2 + 2 / 3) / 2), "count": 2}
    assert classes([(np.ones((1, 2, 62), bool), guess[:, :2])]) == {}


def test_white_and_black_are_measured_where_the_truth_has_no_colour():
    rgb = torch.tensor([[1.0, 0.0, 0.5, 1.0], [1.0, 0.0, 0.5, 1.0], [1.0, 0.0, 0.5, 0.8]])[:, None]
    lab = torch.cat([lab_from_rgb(rgb)[:1], torch.tensor([[3.0, 0, 9, 50], [4, 1, 9, 50]])[:, None]])
    photo = ColoredPhoto(rgb, lab, torch.zeros(62, 1, 1))
    assert extremes([(None, photo)]) == {"white": pytest.approx(5), "black": pytest.approx(1)}  # type: ignore[list-item]


def test_compiled_networks_say_what_torch_says(folder):
    """Photos of two sizes in turn, and a changed label."""
    compiled, torchs = Compiled(WEIGHTS, "float32"), weights.load(WEIGHTS)
    gray = [0.5 + 0.3 * torch.sin(torch.arange(64 * w) / 50).view(1, 1, 64, w) for w in (64, 96)]
    for n in (0, 1, 0):
        thumb = (255 * gray[n]).round() / 255
        with torch.no_grad():
            pairs = []
            for model in (compiled, torchs):
                features = model.encoder(thumb)
                read = model.semantic(features).softmax(1)
                pairs.append((read, model.color(features, read), model.color(features, read.roll(1, 1))))
        for mine, other in zip(*pairs, strict=True):
            assert (mine - other).abs().max() < 0.02 * other.abs().max()
        assert (pairs[0][1] - pairs[0][2]).abs().max() > 1
