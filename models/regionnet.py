"""RegionNet: the outline of a region that is followed through a shot.

What the memory of a shot tells of a region is as coarse as the encoder's features (`flow.memory`). RegionNet draws the
outline: it sees the luma, what was told, and the region of the frame before, moved along. The design is the refinement
of Robinson et al., "Learning Fast and Robust Target Models for Video Object Segmentation" (CVPR 2020), but the network
sees no features, so it also serves an encoder that was trained later.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .encoder import conv3x3, double

PLANES = ("luma", "coarse", "fine", "before", "sure")
"""Its input, each plane (H/2, W/2), about -2 .. 2; see `flow.memory.planes_of`."""

WIDTHS = (32, 40, 56)
"""Channels at 1/4, 1/8 and 1/16 of the picture."""

FOLD = 2
"""The planes' pixels are folded into channels by this factor, and the answer is unfolded again (Shi et al.,
"Real-Time Single Image and Video Super-Resolution", CVPR 2016): a third of the work of convolutions at full size."""


class RegionNet(nn.Module):
    """Planes (B, 5, H/2, W/2) → the log odds that a pixel is in the region, (B, 1, H/2, W/2)."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = WIDTHS
        self.quarter = nn.Sequential(conv3x3(len(PLANES) * FOLD**2, a), conv3x3(a, a))
        self.eighth = nn.Sequential(conv3x3(a, b), conv3x3(b, b))
        self.sixteenth = nn.Sequential(conv3x3(b, c), conv3x3(c, c), conv3x3(c, c))
        self.rise_eighth = conv3x3(c + b, b)
        self.rise_quarter = nn.Sequential(conv3x3(b + a, a), conv3x3(a, a))
        self.head = nn.Conv2d(a, FOLD**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)  # it starts from what was told and from the region before
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, planes: Tensor) -> Tensor:
        quarter = self.quarter(F.pixel_unshuffle(planes, FOLD))
        eighth = self.eighth(F.max_pool2d(quarter, 2))
        x = self.sixteenth(F.max_pool2d(eighth, 2))
        x = self.rise_eighth(torch.cat([double(x), eighth], 1))
        x = self.rise_quarter(torch.cat([double(x), quarter], 1))
        return F.pixel_shuffle(self.head(x), FOLD) + 2 * planes[:, 1:2] + planes[:, 3:4]
