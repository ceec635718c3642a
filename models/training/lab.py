"""Colour spaces as torch functions: R'G'B' ↔ CIE Lab, grey ↔ lightness.

The constants and their standards are in `models.cielab`. The tests compare the functions with scikit-image and
kornia, which training does not need.
"""

import torch
from torch import Tensor

from .. import cielab

_XYZ_FROM_RGB = torch.tensor(cielab.XYZ_FROM_RGB)
_RGB_FROM_XYZ = torch.linalg.inv(_XYZ_FROM_RGB.double()).float()
_WHITE = torch.tensor(cielab.WHITE)
_LUMA = torch.tensor([0.299, 0.587, 0.114])
"""Weights of R', G', B' in luma: ITU-R BT.601, as in JPEG."""


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    """Apply a 3×3 matrix over dimension −3."""
    return torch.einsum("ij,...jhw->...ihw", matrix.to(x), x)


def linear_from_srgb(x: Tensor) -> Tensor:
    """0..1 → 0..1, any shape."""
    return torch.where(x > cielab.SRGB_THRESHOLD, ((x.clamp(min=0) + 0.055) / 1.055) ** 2.4, x / 12.92)


def srgb_from_linear(x: Tensor) -> Tensor:
    """Any value → the same range; values below 0 stay on the linear part of the curve."""
    return torch.where(x > cielab.LINEAR_THRESHOLD, 1.055 * x.clamp(min=1e-8) ** (1 / 2.4) - 0.055, x * 12.92)


def _f(t: Tensor) -> Tensor:
    line = t * cielab.F_SLOPE + cielab.F_OFFSET
    return torch.where(t > cielab.F_THRESHOLD, t.clamp(min=1e-8) ** (1 / 3), line)


def _f_inverse(f: Tensor) -> Tensor:
    line = (f - cielab.F_OFFSET) * cielab.F_INVERSE_SLOPE
    return torch.where(f > cielab.F_INVERSE_THRESHOLD, f**3, line)


def lab_from_rgb(rgb: Tensor) -> Tensor:
    """R'G'B' (…, 3, H, W) in 0..1 → L 0..100, a and b about −110..110, same shape."""
    white = _WHITE.to(rgb)[:, None, None]
    x, y, z = _f(_mix(_XYZ_FROM_RGB, linear_from_srgb(rgb)) / white).unbind(-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -3)


def rgb_from_lab(lab: Tensor) -> Tensor:
    """L, a, b (…, 3, H, W) → R'G'B', same shape; not clipped, so colours outside the gamut leave 0..1."""
    lightness, a, b = lab.unbind(-3)
    fy = (lightness + 16) / 116
    xyz = _f_inverse(torch.stack([fy + a / 500, fy, fy - b / 200], -3)) * _WHITE.to(lab)[:, None, None]
    return srgb_from_linear(_mix(_RGB_FROM_XYZ, xyz))


def lightness_from_gray(gray: Tensor) -> Tensor:
    """L (0..100) of the neutral R' = G' = B' = grey (0..1), any shape."""
    return 116 * _f(linear_from_srgb(gray)) - 16


def luma_from_rgb(rgb: Tensor) -> Tensor:
    """R'G'B' (…, 3, H, W) in 0..1 → Y' (…, 1, H, W), ITU-R BT.601."""
    return (rgb * _LUMA.to(rgb)[:, None, None]).sum(-3, keepdim=True)
