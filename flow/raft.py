"""Flow by RAFT, where its weights are given as a file.

Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020, as torchvision builds it:
slower than DIS by two orders of magnitude on a CPU, work for a GPU, and better with large motion and little texture.
No weights come with this package and none are fetched: any state dict of torchvision's `raft_small` or `raft_large`
will do, `.safetensors` or what `torch.save` writes (`raft_large_C_T_SKHT_V2`, `raft_small_C_T_V2`, ...).

    estimate(thumbs, before, Raft(Path("raft_small_C_T_V2.pth"), "cuda"))

Import this module by itself: the rest of `flow` does without torch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from torchvision.models.optical_flow import RAFT, raft_large, raft_small

__all__ = ["Raft", "RaftWeightsError"]

GROUP = {"cpu": 1, "cuda": 8}
"""Pairs at once, a divisor of every chunk size."""

UPDATES = 12
"""Rounds of refinement, as in the paper."""

LEAST = 128
"""Least side that the pyramid of correlations (four levels, on an eighth of the picture) can hold."""


class RaftWeightsError(ValueError):
    """The file is missing, damaged, or holds no weights of torchvision's RAFT. The message says which file."""


class Raft:
    """An `Estimator` (see `motion`). Pairs go through in groups of one size, so that no result depends on another's.

    Args:
        path: the weights.
        device: `cpu` (one thread, since convolutions round differently on more) or `cuda`.

    Raises:
        RaftWeightsError: if they cannot be used.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.batch = GROUP[device]
        self.device = device
        if device == "cpu":
            torch.set_num_threads(1)
        self._model = _load(path).to(device)

    @torch.inference_mode()
    def __call__(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count, height, width = first.shape
        one, two = self._pictures(first), self._pictures(second)
        return tuple(
            self._half(self._model(a, b, num_flow_updates=UPDATES)[-1], height, width)[:count]
            for a, b in ((one, two), (two, one))
        )  # type: ignore[return-value]  # of two

    def _pictures(self, thumbs: np.ndarray) -> torch.Tensor:
        """(B, h, w) uint8 -> (batch, 3, H, W) float32 -1..1, the last thumb and its borders repeated to full size."""
        grey = torch.from_numpy(thumbs.astype(np.float32)).to(self.device)[:, None] / 127.5 - 1
        grey = torch.cat([grey, grey[-1:].expand(self.batch - len(grey), -1, -1, -1)])
        height, width = (max(-side % 8, LEAST - side) for side in thumbs.shape[1:])
        return F.pad(grey, (0, width, 0, height), "replicate").expand(-1, 3, -1, -1)

    def _half(self, flow: torch.Tensor, height: int, width: int) -> np.ndarray:
        """(B, 2, H, W) in pixels -> (B, h/2, w/2, 2) float32 in pixels of that grid."""
        half = F.avg_pool2d(flow[..., :height, :width], 2) / 2
        return half.permute(0, 2, 3, 1).cpu().numpy()


def _load(path: Path) -> RAFT:
    """The network that the weights at `path` fit, in evaluation mode."""
    try:
        safe = path.suffix == ".safetensors"
        tensors = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes either library raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RaftWeightsError(f"the RAFT weights {path} cannot be read: {reason}") from error
    tensors = tensors if isinstance(tensors, dict) else {}
    shapes = {name: getattr(tensor, "shape", None) for name, tensor in tensors.items()}
    for build in (raft_small, raft_large):
        with torch.device("meta"):
            model = build(weights=None)
        if shapes == {name: tensor.shape for name, tensor in model.state_dict().items()}:
            model.load_state_dict(tensors, strict=True, assign=True)
            return model.float().eval()
    raise RaftWeightsError(f"the RAFT weights {path} fit neither raft_small nor raft_large of torchvision.")
