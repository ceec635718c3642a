"""Damage of film for a batch of pictures on any device: `degradations` as torch functions.

Each picture gets its own mixture of damages, each of its own strength, in the same order and with the same ranges.
Dust has no hairs, and compression is the quantisation of JPEG's blocks without its entropy coding.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .degradations import DAMAGES, SHARE, UNCOMMON

Damage = Callable[[Tensor, Tensor, Generator], Tensor]
"""Pictures (B, H, W), their strengths (B, 1, 1), random numbers → pictures."""

LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation of luma at quality 50: ITU-T T.81, table K.1."""

TAPS = 6
"""Radius of the blur's kernel, in pixels."""


def _uniform(like: Tensor, random: Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    return low + (high - low) * torch.rand(like.shape, generator=random, device=like.device)


def _normal(like: Tensor, random: Generator) -> Tensor:
    return torch.randn(like.shape, generator=random, device=like.device)


def _axes(gray: Tensor) -> tuple[Tensor, Tensor]:
    """(1, H, 1) and (1, 1, W), each from −1 to 1."""
    h, w = gray.shape[1:]
    y, x = (torch.linspace(-1, 1, n, device=gray.device) for n in (h, w))
    return y[None, :, None], x[None, None]


def _pixels(gray: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (1, H, 1) and columns (1, 1, W), counted from 0."""
    y, x = (torch.arange(n, device=gray.device).float() for n in gray.shape[1:])
    return y[None, :, None], x[None, None]


def _gauss(gray: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur, sigma (B, 1, 1) pixels."""
    at = torch.arange(-TAPS, TAPS + 1, device=gray.device)
    kernel = torch.exp(-((at / sigma) ** 2) / 2)
    kernel = (kernel / kernel.sum(2, keepdim=True))[:, None]  # (B, 1, 1, taps)
    x = F.pad(gray[None], (TAPS,) * 4, mode="reflect")
    x = F.conv2d(x, kernel, groups=len(gray))
    return F.conv2d(x, kernel.transpose(2, 3), groups=len(gray))[0]


def flicker(gray: Tensor, strength: Tensor, random: Generator) -> Tensor:
    y, x = _axes(gray)
    down, right, all_ = (_normal(strength, random) for _ in range(3))
    return gray * (1 + strength * (0.1 * all_ + 0.12 * down * y + 0.12 * right * x))


def blur(gray: Tensor, strength: Tensor, random: Generator) -> Tensor:
    return _gauss(gray, 0.3 + strength * _uniform(strength, random, 0.2, 2.0))


def vignette(gray: Tensor, strength: Tensor, random: Generator) -> Tensor:
    y, x = _axes(gray)
    return gray * (1 - strength * _uniform(strength, random, 0.2, 0.7) * (x * x + y * y) / 2)


def fade(gray: Tensor, strength: Tensor, random: Generator) -> Tensor:
    gray = gray.clamp(min=1e-4) ** torch.exp(0.4 * strength * _normal(strength, random))
    low = 0.25 * strength * _uniform(strength, random)
    return low + (1 + strength * _uniform(strength, random, -0.3, 0.1) - low) * gray


def grain(gray: Tensor, strength: Tensor, random: Generator) -> Tensor:
    noise = _normal(gray, random) * strength * _uniform(strength, random, 0.01, 0.09)
    clumped = 1.8 * _gauss(noise, torch.full_like(strength, 0.8))
    return gray + torch.where(_uniform(strength, random) < 0.5, clumped, noise)


def scratches(gray: Tensor, strength: Tensor, random: Generator) -> Tensor:
    h, w = gray.shape[1:]
    y, x = _pixels(gray)
    for n in range(5):
        there = n <= 4 * strength * _uniform(strength, random)
        start, slope = w * _uniform(strength, random), 2 * _normal(strength, random) / h
        ends = [h * _uniform(strength, random) for _ in range(2)]
        whole = _uniform(strength, random) < 0.6
        inside = whole | ((y >= torch.minimum(*ends)) & (y <= torch.maximum(*ends)))
        line = (1 - (x - start - slope * y).abs()).clamp(min=0) * inside * there
        sign = torch.where(_uniform(strength, random) < 0.5, 1.0, -1.0)
        gray = gray + sign * line * _uniform(strength, random, 0.3, 0.9)
    return gray


def dust(gray: Tensor, strength: Tensor, random: Generator) -> Tensor:
    h, w = gray.shape[1:]
    y, x = _pixels(gray)
    for n in range(14):
        there = n <= 12 * strength * _uniform(strength, random)
        down, right = y - h * _uniform(strength, random), x - w * _uniform(strength, random)
        turn = math.pi * _uniform(strength, random)
        along = (right * torch.cos(turn) + down * torch.sin(turn)) / _uniform(strength, random, 1, 3.5)
        across = (down * torch.cos(turn) - right * torch.sin(turn)) / _uniform(strength, random, 1, 3.5)
        value = (_uniform(strength, random) < 0.6).float()
        gray = torch.where((along**2 + across**2 < 1) & there, value, gray)
    return gray


def compression(gray: Tensor, strength: Tensor, random: Generator) -> Tensor:
    b, h, w = gray.shape
    least = (60 - 50 * strength).clamp(min=5)
    quality = least + (70 - least) * _uniform(strength, random)
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)[..., None, None]  # of the IJG's library
    table = (torch.tensor(LUMINANCE, device=gray.device).view(8, 8) * factor).round().clamp(1, 255)
    n = torch.arange(8, device=gray.device)
    dct = torch.cos(math.pi / 8 * (n[None] + 0.5) * n[:, None]) / 2
    dct[0] /= math.sqrt(2)
    blocks = (255 * gray - 128).view(b, h // 8, 8, w // 8, 8).transpose(2, 3)
    coded = ((dct @ blocks @ dct.T) / table).round() * table
    return ((dct.T @ coded @ dct).transpose(2, 3).reshape(b, h, w) + 128) / 255


TORCH: dict[str, Damage] = {
    damage.__name__: damage for damage in (flicker, blur, vignette, fade, grain, scratches, dust, compression)
}
"""The damages by their names in `DAMAGES`, which gives the order."""


def age(gray: Tensor, random: Generator) -> Tensor:
    """A random mixture of damages for each picture. (B, H, W) 0..1, sides multiples of 8; same shape."""
    one = gray.new_empty(len(gray), 1, 1)
    for name in DAMAGES:
        hit = (_uniform(one, random) < SHARE.get(name, UNCOMMON))[:, 0, 0].nonzero()[:, 0]
        strength = _uniform(one, random)
        if len(hit):
            gray = gray.index_copy(0, hit, TORCH[name](gray[hit], strength[hit], random))
    return gray.clamp(0, 1)
