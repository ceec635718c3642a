"""The networks: shapes, the two flows (the picture is normalised, the labels are not), backends, weights files."""

import hashlib
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from safetensors.torch import load_file, save_file
from semcolor.models import WEIGHTS, WeightsError
from semcolor.models import checkpoint as weights
from semcolor.models import painter as painter_module
from semcolor.models.backends import openvino_cpu as cpu
from semcolor.models.backends import torch_gpu as gpu
from semcolor.models.colorizer import Colorizer
from semcolor.models.colornet import ColorNet
from semcolor.models.encoder import CHANNELS, Encoder
from semcolor.models.labels import INDEX, NAMES, PALETTE
from semcolor.models.painter import Painter
from semcolor.models.training.model_card import write_card


@pytest.fixture(scope="module")
def trained() -> Colorizer:
    return weights.load()


def _features(height: int = 64, width: int = 96) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(1, c, height >> i, width >> i) for i, c in enumerate(CHANNELS, 1)]


def _labels(name: str, height: int = 16, width: int = 24) -> torch.Tensor:
    labels = torch.zeros(1, len(NAMES), height, width)
    labels[:, INDEX[name]] = 1
    return labels


def test_labels_are_the_62_of_the_seed():
    assert len(NAMES) == len(set(NAMES)) == len(PALETTE) == 62
    assert NAMES[0] == "background" and NAMES[-2:] == ("skin", "hair")
    # Label maps and weights hold the labels' numbers: their order is part of both formats.
    assert hashlib.sha256(" ".join(NAMES).encode()).hexdigest().startswith("ce1ac919f2023ea4")
    assert [INDEX[name] for name in ("person", "clothes", "grass", "sky", "tree", "wood")] == [15, 28, 36, 50, 54, 59]
    assert len(set(PALETTE)) == 62 and all(0 <= part <= 255 for color in PALETTE for part in color)


def test_encoder_gives_five_scales():
    features = Encoder()(torch.rand(2, 1, 64, 96))
    assert [tuple(f.shape) for f in features] == [(2, c, 64 >> i, 96 >> i) for i, c in enumerate(CHANNELS, 1)]


@pytest.mark.parametrize("shape", [(1, 1, 60, 64), (1, 1, 64, 48), (1, 3, 64, 64)])
def test_encoder_refuses_what_it_cannot_see(shape):
    with pytest.raises(ValueError, match="multiples of 32"):
        Encoder()(torch.rand(shape))


def test_whole_network_gives_chroma_and_probabilities():
    ab, labels = Colorizer().eval()(torch.rand(2, 1, 64, 96))
    assert ab.shape == (2, 2, 32, 48)
    assert labels.shape == (2, 62, 16, 24)
    assert torch.allclose(labels.sum(1), torch.ones(2, 16, 24), atol=1e-5)


def test_picture_flow_is_blind_to_gain_and_offset_of_its_features():
    """InstanceNorm: each channel's mean and scale over the picture do not reach the colour."""
    net, features, labels = ColorNet().eval(), _features(), _labels("tree")
    changed = [3 * f + 7 for f in features]
    assert torch.allclose(net(features, labels), net(changed, labels), atol=1e-2)


def test_label_flow_is_not_normalized():
    """A label that covers the whole picture is constant: a norm would erase it, the colour must still follow it."""
    net, features = ColorNet().eval(), _features()
    apart = (net(features, _labels("sky")) - net(features, _labels("grass"))).abs().mean()
    assert apart > 1e-3  # a norm would make it exactly 0


def test_trained_network_colors_by_label(trained):
    """Repainting everything as sky makes the picture bluer than repainting it as grass, which is greener."""
    torch.manual_seed(0)
    gray = torch.nn.functional.interpolate(torch.rand(1, 1, 8, 8), (128, 128), mode="bicubic").clamp(0, 1)
    with torch.inference_mode():
        features = trained.encoder(gray)
        mean = {
            name: trained.color(features, _labels(name, 32, 32)).mean((0, 2, 3)) for name in ("sky", "tree", "skin")
        }
    assert mean["sky"][1] < mean["tree"][1]
    assert mean["sky"][1] < mean["skin"][1]
    assert mean["tree"][0] < mean["skin"][0]


@pytest.mark.slow
def test_painter_gives_the_same_bytes_however_frames_are_grouped():
    thumbs = np.random.default_rng(0).integers(0, 256, (5, 64, 96), np.uint8)
    painter = Painter("cpu")
    ab, labels = painter.paint(thumbs)
    assert ab.shape == (5, 2, 32, 48) and ab.dtype == np.float16
    assert labels.shape == (5, 62, 16, 24) and labels.dtype == np.uint8
    assert np.abs(labels.astype(int).sum(1) - 255).max() <= 31  # rounding of 62 numbers
    for first, last in ((0, 1), (1, 4), (4, 5)):
        ab_part, labels_part = painter.paint(thumbs[first:last])
        assert ab_part.tobytes() == ab[first:last].tobytes()
        assert labels_part.tobytes() == labels[first:last].tobytes()


@pytest.mark.slow
def test_vivid_is_a_factor_of_the_chroma():
    thumbs = np.random.default_rng(0).integers(0, 256, (1, 64, 96), np.uint8)
    once, twice, none = (Painter("cpu", vivid=v).paint(thumbs)[0].astype(np.float32) for v in (1.0, 2.0, 0.0))
    assert np.abs(once).max() > 1 and np.abs(none).max() == 0
    assert np.allclose(twice, np.clip(2 * once, -127, 127), atol=0.1)


def _photo(height: int = 128, width: int = 192) -> np.ndarray:
    """(1, h, w) uint8 luma of a photo that scikit-image carries."""
    return cv2.resize(cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY), (width, height))[None]


@pytest.mark.slow
def test_a_cpu_paints_what_torch_paints(trained):
    """OpenVINO's graphs are the same networks, at any size, one size after the other."""
    networks = cpu.Networks(WEIGHTS.read_bytes(), "float32")
    for thumbs in (_photo(), _photo(96, 64)):
        ab, labels = networks.paint(thumbs, None)
        with torch.inference_mode():
            wanted, chances = trained(torch.from_numpy(thumbs)[:, None].float() / 255)
        assert np.abs(ab - wanted.numpy()).mean() < 0.01
        assert np.abs(labels - 255 * chances.numpy()).max() < 1


@pytest.mark.slow
def test_amended_labels_are_painted_and_told_on_either_kind_of_device():
    grass = np.zeros((62, 32, 48), np.float32)
    grass[INDEX["grass"]] = 1
    thumbs = np.repeat(_photo(), 8, 0)
    given = {0: grass}
    one = cpu.Networks(WEIGHTS.read_bytes(), "float32")
    many = gpu.Networks(WEIGHTS, "float32", device="cpu")
    ab, labels = many.paint(thumbs, lambda n, read: given.get(n, read))
    for n in (0, 1):
        ab_one, labels_one = one.paint(thumbs[:1], lambda _, read, n=n: given.get(n, read))
        assert np.abs(ab_one[0] - ab[n]).mean() < 0.01
        assert np.abs(labels_one[0].astype(int) - labels[n]).max() <= 1
    assert (labels[0] == 255 * grass).all()
    assert np.abs(ab[0] - ab[1]).mean() > 1


@pytest.mark.slow
def test_a_cpu_needs_no_torch(tmp_path):
    code = "import sys; from semcolor.models.painter import Painter; Painter('cpu'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.slow
def test_a_frame_that_is_shown_twice_is_painted_once(monkeypatch):
    painter, thumbs = Painter("cpu"), np.stack([_photo()[0]] * 3 + [255 - _photo()[0]] * 2)
    alone = [painter.paint(thumb[None]) for thumb in thumbs]
    calls, paint = [], painter._networks.paint
    monkeypatch.setattr(painter._networks, "paint", lambda *given: calls.append(1) or paint(*given))
    ab, labels = painter.paint(thumbs)
    assert len(calls) == 2
    assert np.array_equal(ab, np.concatenate([a for a, _ in alone]))
    assert np.array_equal(labels, np.concatenate([b for _, b in alone]))
    painter.paint(thumbs, lambda n, read: read)
    assert len(calls) == 7, "an edit may change each frame"


def test_networks_are_left_to_the_next_painter_of_the_process(monkeypatch):
    monkeypatch.setattr(painter_module, "_idle", [])
    first, other = Painter("cpu", precision="float32"), Painter("cpu", precision="float32")
    networks, before = first._networks, first.paint(_photo())
    first.close()
    assert other._networks is not networks, "two painters at a time have networks of their own"
    assert Painter("cpu", precision="float32", vivid=2.0)._networks is networks
    other.close()
    again = Painter("cpu", precision="float32")
    assert again._networks is other._networks
    assert all(np.array_equal(one, two) for one, two in zip(before, again.paint(_photo()), strict=True))


def test_weights_without_graphs_get_them_when_loaded(tmp_path):
    tensors = {n: t for n, t in load_file(WEIGHTS).items() if not n.startswith("openvino.")}
    save_file(tensors, tmp_path / "plain.safetensors")
    plain, shipped = (Painter(weights=path, precision="float32") for path in (tmp_path / "plain.safetensors", WEIGHTS))
    assert plain.paint(_photo())[0].tobytes() == shipped.paint(_photo())[0].tobytes()


def test_no_chroma_beyond_what_colors_have(trained):
    """In the corners, where the padding of two sides meets, above all."""
    for thumbs in (_photo(), _photo(256, 352), _photo(160, 160) // 4):
        with torch.inference_mode():
            ab, _ = trained(torch.from_numpy(thumbs)[:, None].float() / 255)
        assert ab.abs().max() < 128


@pytest.mark.slow
def test_painter_takes_read_only_frames():
    thumbs = np.zeros((1, 64, 64), np.uint8)
    thumbs.flags.writeable = False
    ab, _ = Painter("cpu").paint(thumbs)
    assert np.isfinite(ab).all()


def test_shipped_weights_carry_their_card():
    card = weights.card()
    assert card["recipe"]["samples"] > 10_000
    assert card["figures"]["bsds"]["photos"] == 200
    text = WEIGHTS.with_name("README.md").read_text()
    assert weights.digest() in text, "the card names another file's digest"


def test_the_card_is_what_the_weights_say_of_themselves(tmp_path):
    for name in (WEIGHTS.name, "README.md"):
        shutil.copy(WEIGHTS.with_name(name), tmp_path)
    write_card(tmp_path / WEIGHTS.name)
    assert (tmp_path / "README.md").read_text() == WEIGHTS.with_name("README.md").read_text()
    (tmp_path / "README.md").unlink()
    write_card(tmp_path / WEIGHTS.name)  # no card before: the sections that people write are missing
    assert "Nobody has written this yet." in (tmp_path / "README.md").read_text()


@pytest.mark.slow
def test_weights_are_loaded_strictly(tmp_path, trained):
    path = tmp_path / "w.safetensors"
    weights.save(trained, path, {"note": "a copy"})
    copy = weights.load(path)
    for (name, a), b in zip(trained.state_dict().items(), copy.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    tensors = load_file(path)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, path)
    with pytest.raises(WeightsError, match="cannot be used"):
        weights.load(path)
    with pytest.raises(WeightsError, match="cannot be used"):
        weights.load(tmp_path / "absent.safetensors")
