"""The networks on a GPU, run by torch."""

from pathlib import Path

import numpy as np
import torch

from .. import checkpoint as weights
from .openvino_cpu import Amend


class Networks:
    """Both networks, on the first GPU that torch sees."""

    group = 8
    """Frames at once; a divisor of every chunk size."""

    def __init__(self, path: Path, precision: str, device: str = "cuda") -> None:
        """precision: `bfloat16` or `float32`. Raises WeightsError."""
        self._device, self._dtype = device, getattr(torch, precision)
        self._model = weights.load(path).to(device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def paint(self, thumbs: np.ndarray, amend: Amend | None) -> tuple[np.ndarray, np.ndarray]:
        """thumbs (group, h, w) uint8 → ab (group, 2, h/2, w/2) float32, and labels (group, 62, h/4, w/4) uint8.

        amend: as for `Painter.paint`.
        """
        # A copy: arrays from Ray's store are read-only.
        grey = torch.from_numpy(np.array(thumbs)).to(self._device)[:, None].float() / 255
        with torch.autocast(self._device, self._dtype, enabled=self._dtype != torch.float32):
            features = self._model.encoder(grey.contiguous(memory_format=torch.channels_last))
            labels = self._model.semantic(features).softmax(1)
            if amend:
                for n in range(len(thumbs)):
                    read = labels[n].float().cpu().numpy()
                    given = amend(n, read)
                    if given is not read:
                        labels[n] = torch.from_numpy(given).to(labels)
            ab = self._model.color(features, labels)
        return ab.float().cpu().numpy(), (labels.float() * 255).round().byte().cpu().numpy()
