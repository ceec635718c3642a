"""Optical flow by the network RAFT, for users who have its weights.

Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020, as torchvision builds it. RAFT
is better than DIS where motion is large or texture is scarce. On a CPU it is slower by two orders of magnitude, so it
needs a GPU. This package contains no weights of RAFT and downloads none. The user gives a state dict of torchvision's
`raft_small` or `raft_large` (`raft_small_C_T_V2`, `raft_large_C_T_SKHT_V2`, ...), either as a `.safetensors` file or as
`torch.save` writes it:

    estimate(thumbs, before, Raft(Path("raft_small_C_T_V2.pth"), "cuda"))

This is the only module of `flow` that imports torch, so the package's face does not import it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from torchvision.models.optical_flow import RAFT, raft_large, raft_small

from ..errors import InputError

BATCH = {"cpu": 1, "cuda": 8}
"""Pairs of frames in one call of the network, by device. Each number divides every chunk size."""

UPDATES = 12
"""Rounds of refinement, as in the paper."""

MIN_SIDE = 128
"""Smallest width or height in pixels that fits the correlation pyramid: four levels on an eighth of the picture."""

STRIDE = 8
"""RAFT takes pictures whose width and height are multiples of this."""

REMEDY = "give a state dict of torchvision's raft_small or raft_large, .safetensors or from torch.save"
"""The second half of each error message: what the user can do."""


class RaftWeightsError(InputError):
    """The weights file is missing, is damaged, or does not hold the weights of torchvision's RAFT.

    The message names the file and the remedy.
    """


class Raft:
    """An `Estimator` (see `motion`) that runs RAFT.

    Every call of the network gets the same number of pictures, so the result of one pair does not depend on how many
    other pairs there are.

    Args:
        path: the weights file.
        device: `cpu` or `cuda`. On `cpu` torch is set to one thread, since convolutions round differently on more.

    Raises:
        RaftWeightsError: the weights cannot be used.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.batch = BATCH[device]
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
        )  # type: ignore[return-value]  # a tuple of two

    def _pictures(self, thumbs: np.ndarray) -> torch.Tensor:
        """Thumbs as the network takes them.

        The last thumb is repeated until the batch is full, and the borders are repeated until the size fits.

        Args:
            thumbs: (B, h, w) uint8 luma, B at most `batch`.

        Returns:
            (batch, 3, H, W) float32, -1 to 1.
        """
        gray = torch.from_numpy(thumbs.astype(np.float32)).to(self.device)[:, None] / 127.5 - 1
        gray = torch.cat([gray, gray[-1:].expand(self.batch - len(gray), -1, -1, -1)])
        height, width = (max(-side % STRIDE, MIN_SIDE - side) for side in thumbs.shape[1:])
        return F.pad(gray, (0, width, 0, height), "replicate").expand(-1, 3, -1, -1)

    def _half(self, flow: torch.Tensor, height: int, width: int) -> np.ndarray:
        """(B, 2, H, W) flow in pixels -> (B, h/2, w/2, 2) float32 flow in pixels of the chroma grid."""
        half = F.avg_pool2d(flow[..., :height, :width], 2) / 2
        return half.permute(0, 2, 3, 1).cpu().numpy()


def _load(path: Path) -> RAFT:
    """The network in evaluation mode: small or large, whichever fits the weights at `path`."""
    try:
        safe = path.suffix == ".safetensors"
        tensors = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # either library raises many types for a damaged file
        # torch's own words would advise to load the file without its safety check.
        other = "the file is damaged or of another kind" if path.is_file() else "there is no such file"
        reason = getattr(error, "strerror", None) or other
        raise RaftWeightsError(f"the RAFT weights {path} cannot be read ({reason}); {REMEDY}.") from error
    tensors = tensors if isinstance(tensors, dict) else {}
    shapes = {name: getattr(tensor, "shape", None) for name, tensor in tensors.items()}
    for build in (raft_small, raft_large):
        with torch.device("meta"):
            model = build(weights=None)
        if shapes == {name: tensor.shape for name, tensor in model.state_dict().items()}:
            model.load_state_dict(tensors, strict=True, assign=True)
            return model.float().eval()
    raise RaftWeightsError(f"the RAFT weights {path} fit neither raft_small nor raft_large; {REMEDY}.")
