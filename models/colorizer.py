"""The whole network: first understand (SemanticNet), then colour (ColorNet), one encoder for both.

RegionNet travels with them, and has its place in the same file: it draws the outlines of followed regions.
"""

from torch import Tensor, nn

from .colornet import ColorNet
from .encoder import Encoder
from .regionnet import RegionNet
from .semanticnet import SemanticNet


class Colorizer(nn.Module):
    """Grey pictures (B, 1, H, W), 0..1 → chroma (B, 2, H/2, W/2) and label probabilities (B, 62, H/4, W/4).

    H and W are multiples of 32. Chroma is a, b of CIE Lab; probabilities sum to 1 over dimension 1.
    """

    def __init__(self, encoder: Encoder | None = None) -> None:
        super().__init__()
        self.encoder = encoder or Encoder()
        self.semantic = SemanticNet()
        self.color = ColorNet()
        self.region = RegionNet()

    def forward(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder(gray)
        labels = self.semantic(features).softmax(1)
        return self.color(features, labels), labels
