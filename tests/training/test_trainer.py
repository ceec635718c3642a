"""Training on a made data set: it learns, survives an interruption, and writes weights that the program loads."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch
from semcolor.errors import UserError
from semcolor.jobs.commands import train as command
from semcolor.models import WEIGHTS
from semcolor.models import checkpoint as weights
from semcolor.models.colorizer import Colorizer
from semcolor.models.encoder import Encoder
from semcolor.models.format import COLOR, UNDERSTAND, tensor_ranges
from semcolor.models.training.chroma_prior import chroma_by_label
from semcolor.models.training.config import TrainingSettings
from semcolor.models.training.dataset import DataFolder, batches, step_seed
from semcolor.models.training.evaluate import evaluate_tests
from semcolor.models.training.run import train
from semcolor.models.training.trainer import Trainer
from support.photos import make_hills


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> DataFolder:
    """Small photos of a bright blue sky over dark green grass, at random horizons."""
    return DataFolder(make_hills(tmp_path_factory.mktemp("data"), test=2))


@pytest.fixture(scope="module")
def large_folder(tmp_path_factory) -> DataFolder:
    """The same with photos that are large enough to learn from."""
    return DataFolder(make_hills(tmp_path_factory.mktemp("large"), size=(160, 192)))


@pytest.fixture
def no_download(monkeypatch):
    """Training starts from a package's weights; a random encoder is enough to test the machinery."""
    monkeypatch.setattr("semcolor.models.training.trainer.imagenet_encoder", Encoder)
    monkeypatch.setattr("semcolor.models.training.run.check_package", lambda: None)


@pytest.fixture
def no_graphs(monkeypatch):
    """Most tests compare weights, for which the graphs of the CPU's networks need not be compiled."""
    monkeypatch.setattr("semcolor.models.export.export_graphs", lambda tensors: {})


def tensors(path: Path) -> dict[str, bytes]:
    """The bytes of each tensor of a weights file but the two graphs, in which OpenVINO numbers its layers anew."""
    data, graphs = path.read_bytes(), (UNDERSTAND, COLOR)
    return {name: data[first:stop] for name, (first, stop) in tensor_ranges(data).items() if name not in graphs}


@pytest.mark.slow
def test_an_interrupted_run_goes_on_with_the_same_result(folder, no_download, no_graphs, tmp_path, monkeypatch):
    """Killed between two checkpoints and started anew, training ends with the very weights of an unbroken run."""
    settings = TrainingSettings(steps=4, batch=2, size=64, fixed=0, region_steps=1)
    cpu = torch.device("cpu")
    train(folder.roots, tmp_path / "whole", settings, cpu, ["hills"])

    step = Trainer.step

    def killed(self: Trainer, batch):
        if self.steps == 3:
            raise KeyboardInterrupt
        losses = step(self, batch)
        if self.steps == 2:
            (tmp_path / "half").mkdir(exist_ok=True)
            torch.save(self.state(), tmp_path / "half" / "checkpoint.pt")
        return losses

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "step", killed)
        train(folder.roots, tmp_path / "half", settings, cpu, ["hills"])
    torch.rand(7)  # a new process has other random numbers
    train(folder.roots, tmp_path / "half", settings, cpu, ["hills"])
    a, b = (weights.load(tmp_path / run / "semcolor.safetensors").state_dict() for run in ("whole", "half"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    # The files may differ only in the graphs and in the card, which says how many minutes the run took.
    whole, half = (tensors(tmp_path / run / "semcolor.safetensors") for run in ("whole", "half"))
    assert whole == half
    with pytest.raises(UserError, match="of a run with"):
        train(folder.roots, tmp_path / "half", replace(settings, rate=1e-4), cpu, ["hills"])


@pytest.mark.slow
def test_training_learns_and_writes_weights_log_and_sheet(large_folder, tmp_path, no_download):
    settings = TrainingSettings(steps=30, batch=4, size=64, fixed=0, encoder=0.5, region_steps=0)
    before = evaluate_tests(Trainer(settings, torch.device("cpu")).mean.eval(), large_folder, ["hills"])
    train(large_folder.roots, tmp_path, settings, torch.device("cpu"), ["hills"])
    card = weights.card(tmp_path / "semcolor.safetensors")
    assert card["recipe"]["photos"] == 23 and card["recipe"]["samples"] >= 4
    after = card["figures"]["hills"]
    assert after["ratio"] < 0.9 * before["hills"]["ratio"]
    assert after["label_accuracy"] > before["hills"]["label_accuracy"] + 0.1
    model = weights.load(tmp_path / "semcolor.safetensors")
    assert evaluate_tests(model, large_folder, ["hills"])["hills"]["ratio"] == pytest.approx(after["ratio"], abs=0.01)
    assert cv2.imread(str(tmp_path / "sheet.jpg")) is not None
    # Finished, the same call trains no more.
    train(large_folder.roots, tmp_path, settings, torch.device("cpu"), ["hills"])
    assert weights.card(tmp_path / "semcolor.safetensors")["recipe"]["steps"] == card["recipe"]["steps"]


@pytest.mark.slow
def test_a_burst_is_left_out_and_a_burst_model_goes_back(folder, no_download):
    """A batch with a loss of NaN changes no weight; a model that has diverged returns to its moving average."""
    trainer = Trainer(TrainingSettings(steps=20, batch=2, size=64, fixed=0), torch.device("cpu"))
    source = batches(folder, folder.photos("train"), 2, 64, 1)
    for _ in range(3):
        trainer.step(next(source))
    before = [p.clone() for p in trainer.model.parameters()]
    batch = next(source)
    trainer.step(replace(batch, gray=batch.gray * torch.nan))
    assert trainer.bursts == 1
    assert all(torch.equal(a, b) for a, b in zip(trainer.model.parameters(), before, strict=True))
    trainer.step(next(source))
    assert not all(torch.equal(a, b) for a, b in zip(trainer.model.parameters(), before, strict=True))

    with torch.no_grad():
        trainer.model.color.head.weight.mul_(1e4)
    for _ in range(3):
        trainer.step(next(source))
    assert trainer.bursts == 4
    for now, mean in zip(trainer.model.parameters(), trainer.mean.parameters(), strict=True):
        assert torch.equal(now, mean) and now.isfinite().all()


@pytest.mark.slow
def test_a_run_may_be_averaged_with_its_start(folder, no_graphs, tmp_path):
    start = tmp_path / "start.safetensors"
    weights.save(Colorizer(), start, {"recipe": {}, "figures": {}})
    settings = TrainingSettings(minutes=0.001, batch=2, size=64, fixed=0, averaged=True, region_steps=0)
    train(folder.roots, tmp_path / "run", settings, torch.device("cpu"), ["hills"], start)
    checkpoint = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    ours = weights.load(tmp_path / "run" / "semcolor.safetensors").state_dict()
    vivid = weights.card(tmp_path / "run" / "semcolor.safetensors")["recipe"]["vividness"]
    moved = 0
    for name, begun in weights.load(start).state_dict().items():
        became = checkpoint["mean"][name]
        expected = (begun + became) / 2 * (vivid if name.startswith("color.head.") else 1)
        assert torch.allclose(ours[name], expected, atol=2e-3, rtol=2e-3), name
        moved += not torch.equal(begun, became)
    assert moved > 50
    with pytest.raises(UserError, match="given weights"):
        train(folder.roots, tmp_path / "other", settings, torch.device("cpu"), ["hills"])


@pytest.mark.slow
def test_fixed_stages_keep_their_weights(folder, no_download):
    trainer = Trainer(TrainingSettings(steps=10, batch=2, size=64, fixed=3), torch.device("cpu"))
    before = {name: p.clone() for name, p in trainer.model.named_parameters()}
    source = batches(folder, folder.photos("train"), 2, 64, 1)
    for _ in range(2):
        trainer.step(next(source))
    still = {name for name, p in trainer.model.named_parameters() if torch.equal(p, before[name])}
    assert {n for n in before if n.startswith(("encoder.stem", "encoder.stages.2."))} <= still
    assert not any(n.startswith("encoder.stages.5.") and n.endswith("weight") for n in still)


def test_workers_that_could_never_start_are_told_at_once(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "a folder" / "python"))
    assert command.run([str(folder.roots[0]), "--out", str(tmp_path / "run"), "--workers", "2"]) == 2
    said = capsys.readouterr().err
    assert "path has a space" in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.fixture
def one_thread():
    """Ray's workers have one thread too, so sums are rounded in the same order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(" " in sys.executable, reason="Ray Train starts no workers where Python's path has a space")
def test_two_workers_train_together(folder, tmp_path, one_thread):
    """Ray Train, gloo, two processes: their step is a step on the mean of both gradients."""
    pytest.importorskip("ray.train", reason="ray[train] is not installed", exc_type=ImportError)
    start, out = WEIGHTS, tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "semcolor.jobs.commands.train",
        str(folder.roots[0]),
        "--start",
        str(start),
        "--out",
        str(out),
    ]
    command += [
        "--steps",
        "1",
        "--batch",
        "2",
        "--size",
        "64",
        "--workers",
        "2",
        "--device",
        "cpu",
        "--region-steps",
        "0",
    ]
    command += ["--precision", "float32"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    card = weights.card(out / "semcolor.safetensors")
    assert card["recipe"]["workers"] == 2 and card["recipe"]["samples"] == 4

    settings = TrainingSettings(steps=1, batch=2, size=64, region_steps=0)
    photos = folder.photos("train")
    alone = Trainer(settings, torch.device("cpu"), weights.load(start), chroma_by_label(folder, photos))
    for rank in range(2):
        torch.manual_seed(step_seed(settings.seed, rank))
        batch = next(batches(folder, photos, 2, 64, settings.seed, rank=rank, world=2))
        losses = alone.objective(batch.gray, batch.lab, batch.known, batch.allowed)
        (torch.stack(list(losses.values())).sum() / 2).backward()
    shared = torch.load(out / "checkpoint.pt", weights_only=True)["optimiser"]["state"]
    torch.nn.utils.clip_grad_norm_(alone.model.parameters(), 1.0)
    learning = [p for group in alone.optimizer.param_groups for p in group["params"]]
    for i, parameter in enumerate(learning):  # Adam's first moment after one step is a tenth of the gradient
        assert parameter.grad is not None
        assert torch.allclose(shared[i]["exp_avg"], parameter.grad / 10, rtol=1e-3, atol=1e-7)
