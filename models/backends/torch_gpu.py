"""The networks on a GPU, run by torch."""

from pathlib import Path

import numpy as np
import torch

from .. import checkpoint
from . import Amend


class Networks:
    """Both networks, on the first GPU that torch sees."""

    group = 8
    """Frames at once, a divisor of every chunk size."""

    def __init__(self, weights: Path, precision: str, device: str = "cuda") -> None:
        """Load the networks.

        Args:
            weights: a weights file.
            precision: `bfloat16` or `float32`.
            device: torch's name of the device.

        Raises:
            WeightsError: the file cannot be used.
        """
        self._device, self._dtype = device, getattr(torch, precision)
        self._model = checkpoint.load(weights).to(device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def paint(self, thumbs: np.ndarray, amend: Amend | None) -> tuple[np.ndarray, np.ndarray]:
        """Chroma and labels of eight thumbs; see `Backend`."""
        # A copy: arrays from Ray's store are read-only.
        gray = torch.from_numpy(np.array(thumbs)).to(self._device)[:, None].float() / 255
        with torch.autocast(self._device, self._dtype, enabled=self._dtype != torch.float32):
            features = self._model.encoder(gray.contiguous(memory_format=torch.channels_last))
            labels = self._model.semantic(features).softmax(1)
            if amend:
                for n in range(len(thumbs)):
                    read = labels[n].float().cpu().numpy()
                    given = amend(n, read)
                    if given is not read:
                        labels[n] = torch.from_numpy(given).to(labels)
            ab = self._model.color(features, labels)
        return ab.float().cpu().numpy(), (labels.float() * 255).round().byte().cpu().numpy()
