"""Training on a folder made here: it learns, survives an interruption, and writes what the program loads."""

import json

import cv2
import numpy as np
import pytest
import torch
from semcolor.models import weights
from semcolor.models.data import DataFolder, batches
from semcolor.models.encoder import Encoder
from semcolor.models.evaluate import evaluate_tests
from semcolor.models.labels import INDEX, NAMES
from semcolor.models.scenes import tell_by_colour
from semcolor.models.train import Settings, Trainer, color_loss, correct, label_loss, train

BLUE, GREEN = (90, 140, 220), (70, 130, 50)  # sRGB


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> DataFolder:
    """Photos of a bright blue sky over dark green grass, at random horizons."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 4)):
        photos, labels = root / "photos" / "hills" / split, root / "labels" / "hills" / split
        photos.mkdir(parents=True)
        labels.mkdir(parents=True)
        for i in range(count):
            horizon = rng.integers(40, 120)
            index = np.zeros((160, 192), np.uint8)
            index[horizon:] = 1
            picture = np.array([BLUE, GREEN], np.uint8)[index].astype(np.float32)
            picture += rng.normal(0, 6, (160, 192, 1))
            cv2.imwrite(str(photos / f"{i:05}.jpg"), np.clip(picture, 0, 255).astype(np.uint8)[..., ::-1])
            cv2.imwrite(str(labels / f"{i:05}.png"), index)
    rules = {"names": NAMES, "sources": {"hills": {"0": ["sky"], "1": ["grass", "tree"]}, "voc": {}}, "scenes": {}}
    (root / "labels.json").write_text(json.dumps(rules))
    return DataFolder(root)


@pytest.fixture
def no_download(monkeypatch):
    """Training starts from a package's weights; a random encoder is enough to test the machinery."""
    monkeypatch.setattr("semcolor.models.train.imagenet_encoder", Encoder)


def test_set_aside_photos_are_not_trained_on(folder):
    train_photos, val = folder.photos("train"), folder.photos("val")
    assert len(train_photos) == 23 and len(val) == 1 and len(folder.photos("test")) == 4
    assert not set(train_photos) & set(val)


def test_what_a_pixel_may_be(folder):
    allowed = folder.allowed(folder.photos("test")[0], (40, 48))
    assert allowed[0].sum(-1).tolist() == [1] * 48 and allowed[0, 0, INDEX["sky"]]
    assert allowed[-1, 0, INDEX["grass"]] and allowed[-1, 0, INDEX["tree"]] and allowed[-1, 0].sum() == 2


def test_batches_depend_on_seed_and_number_alone(folder):
    photos = folder.photos("train")
    run = batches(folder, photos, 3, 64, seed=5)
    first, second = next(run), next(run)
    again = next(batches(folder, photos, 3, 64, seed=5, first=1))
    assert torch.equal(second.grey, again.grey) and torch.equal(second.ab, again.ab)
    assert not torch.equal(first.grey, second.grey)
    assert first.grey.shape == (3, 1, 64, 64) and first.ab.shape == (3, 2, 32, 32)
    assert first.allowed.shape == (3, 62, 16, 16) and first.allowed.any(1).all()
    # The truth's colours are those of the photo: bluish above, greenish below.
    assert first.ab[:, 1].min() < -20 and first.ab[:, 1].max() > 20


def test_a_missing_picture_reaches_the_loop(folder, tmp_path):
    photo = folder.photos("train")[0]
    broken = type(photo)(photo.source, tmp_path / "gone.jpg", None, None)
    with pytest.raises(ValueError, match=r"gone\.jpg is not a picture"):
        next(batches(folder, [broken], 1, 64, seed=0))


def test_label_loss_is_the_probability_of_the_allowed():
    logits = torch.randn(1, 62, 2, 2)
    allowed = torch.zeros(1, 62, 2, 2, dtype=torch.bool)
    allowed[:, :2] = True
    expected = -logits.softmax(1)[:, :2].sum(1).log().mean()
    assert torch.allclose(label_loss(logits, allowed), expected)
    assert label_loss(logits, torch.ones_like(allowed)) == 0  # nothing known, nothing learnt


def test_color_loss_weighs_colourful_pixels():
    truth = torch.tensor([[[[0.0]], [[0.0]]], [[[60.0]], [[0.0]]]])
    plain, vivid = color_loss(truth + 5, truth, 0.0), color_loss(truth + 5, truth, 1 / 40)
    assert vivid > plain
    assert color_loss(truth, truth, 1 / 40) == 0


def test_correction_puts_in_what_is_known():
    labels = torch.full((1, 62, 1, 2), 1 / 62)
    allowed = torch.ones(1, 62, 1, 2, dtype=torch.bool)
    allowed[:, :, :, 0] = False
    allowed[:, 7, :, 0] = True
    fixed = correct(labels, allowed, 1.0)
    assert fixed[0, 7, 0, 0] == 1 and torch.allclose(fixed[..., 1], labels[..., 1])
    assert torch.equal(correct(labels, allowed, 0.0), labels)


def test_scenes_are_told_by_colour():
    rgb = np.zeros((40, 40, 3), np.uint8)
    rgb[:20], rgb[20:] = BLUE, (40, 90, 140)
    allowed = np.zeros((40, 40, 62), bool)
    allowed[..., [INDEX["sky"], INDEX["water"], INDEX["rock"]]] = True
    told = tell_by_colour(rgb, allowed, "scenes_sea")
    assert told[5, 20].sum() == 1 and told[5, 20, INDEX["sky"]]
    assert told[35, 20].sum() == 1 and told[35, 20, INDEX["water"]]
    grey = tell_by_colour(np.full_like(rgb, 90), allowed, "scenes_sea")
    assert np.array_equal(grey, allowed)


def test_an_interrupted_run_goes_on_with_the_same_result(folder, no_download):
    settings = Settings(minutes=1000, batch=2, size=64, frozen=0.0)
    cpu = torch.device("cpu")
    photos = folder.photos("train")

    def steps(trainer: Trainer, count: int) -> None:
        source = batches(folder, photos, 2, 64, settings.seed, first=trainer.steps)
        for _ in range(count):
            trainer.step(next(source))
            trainer.seconds = 0.0  # the schedule follows the clock: stop it

    whole = Trainer(settings, cpu)
    steps(whole, 4)
    half = Trainer(settings, cpu)
    steps(half, 2)
    saved = half.state()
    other = Trainer(settings, cpu)
    torch.rand(7)  # a new process's random numbers stand elsewhere
    other.restore(saved)
    steps(other, 2)
    for a, b in zip(whole.mean.parameters(), other.mean.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_learns_and_writes_weights_log_and_sheet(folder, tmp_path, no_download):
    settings = Settings(minutes=0.35, batch=4, size=64, frozen=0.0)
    before = evaluate_tests(Trainer(settings, torch.device("cpu")).mean.eval(), folder, ["hills"])
    train(folder.root, tmp_path, settings, torch.device("cpu"), ["hills"])
    card = weights.card(tmp_path / "semcolor.safetensors")
    assert card["recipe"]["photos"] == 23 and card["recipe"]["samples"] >= 4
    after = card["figures"]["hills"]
    assert after["ratio"] < 0.9 * before["hills"]["ratio"]
    assert after["label_accuracy"] > before["hills"]["label_accuracy"] + 0.1
    model = weights.load(tmp_path / "semcolor.safetensors")
    assert evaluate_tests(model, folder, ["hills"])["hills"]["ratio"] == pytest.approx(after["ratio"], abs=0.01)
    assert cv2.imread(str(tmp_path / "sheet.jpg")) is not None
    # Finished, the same call trains no more.
    train(folder.root, tmp_path, settings, torch.device("cpu"), ["hills"])
    assert weights.card(tmp_path / "semcolor.safetensors")["recipe"]["steps"] == card["recipe"]["steps"]
