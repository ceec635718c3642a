"""RAFT as an estimator of motion. Its weights here are random, so only its interface is tested."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from semcolor.flow import Steadier, estimate
from semcolor.flow.raft import Raft, RaftWeightsError
from support.motions import disc, same
from torchvision.models.optical_flow import raft_large, raft_small

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")),
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the small network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("raft") / "raft_small.pth"
    torch.save(raft_small(weights=None).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """(5, 64, 96) uint8."""
    return disc(5, 3, radius=14, size=(64, 96))[0]


@pytest.fixture(autouse=True)
def in_two_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds of refinement instead of twelve save time; the weights are random anyway."""
    monkeypatch.setattr("semcolor.flow.raft.UPDATES", 2)


@pytest.mark.parametrize("device", DEVICES)
def test_the_steadier_takes_motion_from_raft(weights: Path, pictures: np.ndarray, device: str) -> None:
    motion = estimate(pictures[:4], None, Raft(weights, device))
    assert motion.backward.shape == (4, 32, 48, 2)
    assert np.isfinite(motion.backward).all() and np.abs(motion.forward[1:]).max() > 0
    ab, labels = np.zeros((4, 2, 32, 48), np.float16), np.zeros((4, 62, 16, 24), np.uint8)
    assert Steadier().blend(ab, labels, motion, 0, None)[0].shape == ab.shape


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_motion_does_not_depend_on_batches_and_chunks(weights: Path, pictures: np.ndarray, device: str) -> None:
    raft = Raft(weights, device)
    raft.batch = 2  # on a GPU it is larger, too
    whole = estimate(pictures[:5], None, raft)
    assert same(whole[2:5], estimate(pictures[2:5], pictures[1], raft))
    assert same(whole[4:5], estimate(pictures[4:5], pictures[3], raft))


def test_the_network_always_gets_full_batches_of_one_size() -> None:
    """Each call gets the same number of pictures, with sides of multiples of 8; flow is cut to the thumbs' size."""
    seen = []

    def network(first: torch.Tensor, second: torch.Tensor, num_flow_updates: int) -> list[torch.Tensor]:
        seen.append(first.shape)
        assert first.min() >= -1 and first.max() <= 1 and first.shape == second.shape
        flow = torch.tensor([4.0, -2.0])[:, None, None].expand(len(first), 2, *first.shape[2:]).clone()
        flow[..., 132:, :] = flow[..., 148:] = torch.nan  # beyond the pictures
        return [flow]

    raft = object.__new__(Raft)
    raft.batch, raft.device, raft._model = 4, "cpu", network  # type: ignore[assignment]
    thumbs = np.random.default_rng(0).integers(0, 256, (3, 132, 148)).astype(np.uint8)
    for flow in raft(thumbs, thumbs):
        assert flow.shape == (3, 66, 74, 2) and flow.dtype == np.float32
        np.testing.assert_array_equal(flow, np.broadcast_to(np.array([2, -1], np.float32), flow.shape))
    assert seen == [(4, 3, 136, 152)] * 2
    raft(thumbs[:, :64, :96], thumbs[:, :64, :96])
    assert seen[-1] == (4, 3, 128, 128)


@pytest.mark.slow
def test_both_networks_and_both_formats(tmp_path: Path, weights: Path, pictures: np.ndarray) -> None:
    small, large = tmp_path / "small.safetensors", tmp_path / "large.pth"
    save_file(torch.load(weights, weights_only=True), small)
    torch.save(raft_large(weights=None).state_dict(), large)
    one, two = pictures[:1], pictures[1:2]
    for a, b in zip(Raft(weights)(one, two), Raft(small)(one, two), strict=True):
        np.testing.assert_array_equal(a, b)
    assert Raft(large)(one, two)[0].shape == (1, 32, 48, 2)


def test_a_wrong_file_is_refused(tmp_path: Path, weights: Path) -> None:
    path = tmp_path / "weights.pth"
    with pytest.raises(RaftWeightsError, match=r"weights\.pth cannot be read"):
        Raft(path)
    path.write_bytes(b"not weights")
    with pytest.raises(RaftWeightsError, match=r"weights\.pth cannot be read"):
        Raft(path)
    tensors = torch.load(weights, weights_only=True)
    name = next(iter(tensors))
    for wrong in ({**tensors, name: tensors[name][1:]}, {k: t for k, t in tensors.items() if k != name}, {"a": 1}, [1]):
        torch.save(wrong, path)
        with pytest.raises(RaftWeightsError, match="neither raft_small nor raft_large"):
            Raft(path)
    safe = tmp_path / "weights.safetensors"
    safe.write_bytes(weights.read_bytes())
    with pytest.raises(RaftWeightsError, match="cannot be read"):
        Raft(safe)


def test_the_rest_of_flow_does_not_import_torch() -> None:
    code = "import sys, semcolor.flow, semcolor.flow.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
