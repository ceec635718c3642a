"""The light encoder that both networks share: EfficientNet-Lite0 without its classifier.

Tan & Le, "EfficientNet", ICML 2019, in the Lite form (no squeeze-excitation, ReLU6). Batch normalisation is
folded into the convolutions when ImageNet weights are read (`models/training/imagenet.py`), so the encoder has none.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Stage(NamedTuple):
    expand: int
    """Factor by which the inverted bottleneck widens."""
    kernel: int
    stride: int
    """Of the first block."""
    channels: int
    """Of the output."""
    blocks: int
    tap: bool
    """Whether the output is one of the encoder's features."""


STAGES = (
    Stage(1, 3, 1, 16, 1, True),  # 1/2
    Stage(6, 3, 2, 24, 2, True),  # 1/4
    Stage(6, 5, 2, 40, 2, True),  # 1/8
    Stage(6, 3, 2, 80, 3, False),
    Stage(6, 5, 1, 112, 3, True),  # 1/16
    Stage(6, 5, 2, 192, 4, False),
    Stage(6, 3, 1, 320, 1, True),  # 1/32
)

CHANNELS = tuple(stage.channels for stage in STAGES if stage.tap)
"""Of the five features: 16, 24, 40, 112, 320."""

STRIDE = 32
"""Both sides of the input must be multiples of this."""


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding, as the ImageNet weights were trained.

    At stride 2 the odd pixel of padding is at the bottom and the right. Input sizes must be even.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(c_in, c_out, kernel, stride, padding=(kernel - 1) // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] == 1:
            return super().forward(x)
        # A row and a column of zeros in front of the kernel move its window, which is cheaper than moving the picture.
        kernel = F.pad(self.weight, (1, 0, 1, 0))
        return F.conv2d(x, kernel, self.bias, self.stride, self.kernel_size[0] // 2, 1, self.groups)


class Pointwise(nn.Conv2d):
    """1×1 convolution. On channels-last memory it is a plain matrix product, which saves a CPU two copies."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_contiguous(memory_format=torch.channels_last):
            return super().forward(x)
        return F.linear(x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias).permute(0, 3, 1, 2)


class InvertedBottleneck(nn.Module):
    """Widen (1×1), filter each channel (k×k), narrow (1×1); the input is added where the shape allows."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expand: int):
        super().__init__()
        wide = c_in * expand
        layers: list[nn.Module] = [Pointwise(c_in, wide), nn.ReLU6(inplace=True)] if expand > 1 else []
        layers += [SameConv(wide, wide, kernel, stride, groups=wide), nn.ReLU6(inplace=True)]
        layers += [Pointwise(wide, c_out)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class Encoder(nn.Module):
    """Grey pictures in, five feature maps out.

    Input (B, 1, H, W), luma 0..1 full range, H and W multiples of 32. Output: maps of `CHANNELS` channels at
    1/2, 1/4, 1/8, 1/16 and 1/32 of the size. Raises ValueError for other sizes.
    """

    def __init__(self) -> None:
        super().__init__()
        # One input channel: the RGB filters of the ImageNet weights are summed, which is exact for grey.
        self.stem = nn.Sequential(SameConv(1, 32, 3, 2), nn.ReLU6(inplace=True))
        stages, c_in = [], 32
        for expand, kernel, stride, c_out, blocks, _ in STAGES:
            ins = [c_in] + [c_out] * (blocks - 1)
            strides = [stride] + [1] * (blocks - 1)
            stages.append(
                nn.Sequential(
                    *(InvertedBottleneck(c, c_out, kernel, s, expand) for c, s in zip(ins, strides, strict=True))
                )
            )
            c_in = c_out
        self.stages = nn.ModuleList(stages)

    def forward(self, gray: Tensor) -> list[Tensor]:
        if gray.shape[-1] % STRIDE or gray.shape[-2] % STRIDE or gray.shape[1] != 1:
            raise ValueError(f"expected (B, 1, H, W) with H and W multiples of {STRIDE}, got {tuple(gray.shape)}")
        x = self.stem((gray - 0.498) / 0.502)  # the centring of the ImageNet weights
        features = []
        for stage, spec in zip(self.stages, STAGES, strict=True):
            x = stage(x)
            if spec.tap:
                features.append(x)
        return features


def conv3x3(c_in: int, c_out: int) -> nn.Sequential:
    """3×3 convolution and ReLU: the decoders' only block."""
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU(inplace=True))


def double(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, 2H, 2W), bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
