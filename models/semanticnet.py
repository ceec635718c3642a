"""SemanticNet: first understand the picture (Ho, Zhang, Raake, Zhou, "Semantic-driven Colorization").

A small feature pyramid (Lin et al., CVPR 2017) on the shared encoder; the mean over the whole picture joins at
the top, so that each patch of grey is judged by its surroundings. The decoder has no normalisation.
"""

from torch import Tensor, nn

from .encoder import CHANNELS, Pointwise, conv3x3, double
from .labels import NAMES

STRIDE = 4
"""The label map's size is the picture's divided by this."""


class SemanticNet(nn.Module):
    """Encoder features → label logits.

    Input: the five maps of `Encoder`. Output (B, 62, H/4, W/4); softmax over dimension 1 gives the probability
    of each of `labels.NAMES`.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(Pointwise(c, width) for c in CHANNELS[1:])  # 1/4 … 1/32
        self.context = nn.Sequential(nn.AdaptiveAvgPool2d(1), Pointwise(CHANNELS[-1], width))
        self.smooth = nn.ModuleList(conv3x3(width, width) for _ in CHANNELS[1:])
        self.head = Pointwise(width, len(NAMES))

    def forward(self, features: list[Tensor]) -> Tensor:
        x = self.context(features[-1])  # (B, width, 1, 1)
        for level in reversed(range(len(self.lateral))):
            below = self.lateral[level](features[level + 1])
            x = self.smooth[level](below + (x if x.shape[-1] == 1 else double(x)))
        return self.head(x)
