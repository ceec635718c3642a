"""ColorNet: then colour it (Ho, Zhang, Raake, Zhou, "Semantic-driven Colorization").

A U-Net with two flows. At every level the skip is `cat[InstanceNorm(picture), semantics]`: normalising the
picture's flow alone keeps its structure and removes its exposure, while the labels stay as they are. The
picture's flow is the encoder that SemanticNet has already run; the labels have a light pyramid of their own.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .encoder import CHANNELS, Pointwise, conv3x3, double
from .labels import NAMES

STRIDE = 2
"""The chroma map's size is the picture's divided by this."""

AB_SCALE = 50.0
"""Factor of the head's output, which is about one."""


class LabelFlow(nn.Module):
    """Label probabilities (B, 62, H/4, W/4) → five maps of `widths` channels at 1/2 … 1/32."""

    widths = (16, 32, 48, 64, 64)

    def __init__(self) -> None:
        super().__init__()
        w = self.widths
        self.embed = nn.Sequential(Pointwise(len(NAMES), w[1]), nn.ReLU(inplace=True))
        self.fine = nn.Sequential(Pointwise(w[1], w[0]), nn.ReLU(inplace=True))
        self.down = nn.ModuleList(conv3x3(a, b) for a, b in zip(w[1:], w[2:], strict=False))

    def forward(self, labels: Tensor) -> list[Tensor]:
        x = self.embed(labels)
        maps = [double(self.fine(x)), x]
        for conv in self.down:
            x = conv(F.avg_pool2d(x, 2))
            maps.append(x)
        return maps


def instance_norm(x: Tensor) -> Tensor:
    """Each channel of each picture to mean 0 and variance 1 (Ulyanov et al. 2016); keeps the memory layout."""
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + 1e-5)


class ColorNet(nn.Module):
    """Encoder features and label probabilities → chroma.

    Input: the five maps of `Encoder`, and (B, 62, H/4, W/4) probabilities that sum to 1 over dimension 1.
    Output (B, 2, H/2, W/2): a and b of CIE Lab (D65), about −110..110, not clipped.
    """

    widths = (24, 40, 64, 96, 128)
    """Channels of the decoder, from 1/2 down to 1/32."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = LabelFlow()
        rows = list(zip(CHANNELS, LabelFlow.widths, self.widths, strict=True))
        self.skip = nn.ModuleList(Pointwise(c + s, w) for c, s, w in rows)
        self.rise = nn.ModuleList(Pointwise(w, v) for v, w in zip(self.widths, self.widths[1:], strict=False))
        self.blend = nn.ModuleList(conv3x3(w, w) for w in self.widths)
        self.head = nn.Conv2d(self.widths[0], 2, 3, padding=1)

    def forward(self, features: list[Tensor], labels: Tensor) -> Tensor:
        meaning = self.labels(labels)
        x: Tensor | None = None
        for level in reversed(range(len(features))):
            skip = self.skip[level](torch.cat([instance_norm(features[level]), meaning[level]], 1))
            # A 1×1 convolution of cat[skip, double(x)], with x's share taken before doubling: a quarter the work.
            mixed = skip if x is None else skip + double(self.rise[level](x))
            x = self.blend[level](F.relu(mixed))
        assert x is not None
        return self.head(x) * AB_SCALE
