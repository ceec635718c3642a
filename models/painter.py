"""The network at work: grey thumbs in, chroma and label probabilities out, the same bytes however it is cut.

Convolutions may round differently at another batch size or thread count, so frames go through in groups of a
fixed size, the last one padded, and on a CPU each painter uses one thread: more cores means more painters.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from . import WEIGHTS, pick_precision, weights

GROUP = {"cpu": 1, "cuda": 8}  # frames at once, a divisor of every chunk size; on a CPU larger ones are no faster


Amend = Callable[[int, np.ndarray], np.ndarray]


def has_cuda() -> bool:
    """Whether torch can use a GPU of this machine."""
    return torch.cuda.is_available()


class Painter:
    """Colours frames one by one, without memory of others."""

    def __init__(
        self, device: str = "cpu", path: Path | None = None, vivid: float = 1.0, precision: str | None = None
    ) -> None:
        """device: `cpu` or `cuda`; path: weights, those that ship by default; vivid: factor of the chroma;
        precision: `bfloat16` or `float32`, by default what the hardware does best.

        Raises weights.WeightsError.
        """
        self.device, self.vivid = device, vivid
        if device == "cpu":
            torch.set_num_threads(1)
        self.dtype = getattr(torch, precision or pick_precision(self.device))
        self.model = weights.load(path or WEIGHTS).to(self.device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def paint(self, thumbs: np.ndarray, amend: Amend | None = None) -> tuple[np.ndarray, np.ndarray]:
        """thumbs (N, h, w) uint8 full-range luma, h and w multiples of 32 →

        ab (N, 2, h/2, w/2) float16 CIE Lab, and labels (N, 62, h/4, w/4) uint8 probabilities × 255.

        `amend`: called with each thumb's number and its labels (62, h/4, w/4) float32 before colouring, returns what
        is to be read instead; probabilities that sum to 1.
        """
        group = GROUP[self.device]
        ab, labels = [], []
        for first in range(0, len(thumbs), group):
            part = thumbs[first : first + group]
            if len(part) < group:
                part = np.concatenate([part, np.repeat(part[-1:], group - len(part), 0)])
            # A copy: arrays from Ray's store are read-only.
            grey = torch.from_numpy(part.astype(np.float32)).to(self.device)[:, None] / 255
            count = min(group, len(thumbs) - first)
            with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
                features = self.model.encoder(grey.contiguous(memory_format=torch.channels_last))
                chance = self.model.semantic(features).softmax(1)
                if amend:
                    for n in range(count):
                        read = chance[n].float().cpu().numpy()
                        amended = amend(first + n, read)
                        if amended is not read:
                            chance[n] = torch.from_numpy(amended).to(chance)
                chroma = self.model.color(features, chance)
            ab.append((self.vivid * chroma[:count].float()).clamp(-127, 127).half().cpu().numpy())
            labels.append((chance[:count].float() * 255).round().byte().cpu().numpy())
        return np.concatenate(ab), np.concatenate(labels)
