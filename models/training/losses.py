"""The losses, each in the units of the figure that is measured in the end.

Colour: CIEDE2000 against the truth, and colourfulness compared with the truth's. Labels: the probability of the allowed
labels. Control: a region whose label is changed takes the new label's usual colour, and the rest keeps its colours.
Steadiness: the picture moved by a pixel, a little brighter or with other grain keeps its colours.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..labels import INDEX, NAMES

FEW = 7
"""Most allowed labels of a pixel at which `label_loss` wants a single one of them to win."""

DOUBT = 0.05
"""Probability, shared evenly among the allowed labels, that `correct` adds to the predicted ones."""

GAMUT = 110.0
"""Upper bound of |a| and |b| over the sRGB colours."""


def label_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """−log Σ p(allowed), mean over the pixels of which anything is known. Both (B, 62, h, w).

    Where at most FEW labels are allowed, the sum is the root of the sum of squares. With a plain sum, walls, fences,
    signs and lamps that share one value of a label map would share the probability too, and another label could win.

    A pixel weighs n^(−1/4) if n labels are allowed. With equal weights, "any of forty" would strengthen whichever
    label is likeliest already. With 1/n a background was labelled bird or dog, because hardly any pixel excluded
    these, and with 1/sqrt(n) still potted plant.
    """
    log_p = logits.float().log_softmax(1)
    log_p, count = log_p.masked_fill(~allowed, -torch.inf), allowed.sum(1)
    said = torch.where(count <= FEW, (2 * log_p).logsumexp(1) / 2, log_p.logsumexp(1))
    weight = count.float().pow(-0.25) * ~allowed.all(1)
    return -(said * weight).sum() / weight.sum().clamp(min=1)


def color_difference(ab: Tensor, truth: Tensor) -> Tensor:
    """CIEDE2000 between chroma at equal lightness, with a gradient everywhere. (B, 2, H, W) → (B, H, W).

    After Sharma, Wu, Dalal 2005 with two changes: the turn of blue hues (R_T) is left out, and the part of the hue
    weight that depends on hue (T) is held constant in the gradient. Below about half a unit it is quadratic.
    """
    chroma = torch.sqrt(ab.square().sum(1) + 1e-4)
    chroma_truth = torch.sqrt(truth.square().sum(1) + 1e-4)
    with torch.no_grad():
        mean7 = ((chroma + chroma_truth) / 2) ** 7
        stretch = 1.5 - 0.5 * torch.sqrt(mean7 / (mean7 + 25.0**7))  # of a, for colours near grey
        middle = ab / chroma[:, None] + truth / chroma_truth[:, None]
        hue = torch.atan2(middle[:, 1], middle[:, 0] * stretch)
        t = 1 - 0.17 * torch.cos(hue - torch.pi / 6) + 0.24 * torch.cos(2 * hue)
        t = t + 0.32 * torch.cos(3 * hue + torch.pi / 30) - 0.20 * torch.cos(4 * hue - 63 / 180 * torch.pi)
    a, b, a_truth, b_truth = ab[:, 0] * stretch, ab[:, 1], truth[:, 0] * stretch, truth[:, 1]
    chroma, chroma_truth = torch.sqrt(a * a + b * b + 1e-4), torch.sqrt(a_truth**2 + b_truth**2 + 1e-4)
    d_chroma = chroma - chroma_truth
    d_hue2 = ((a - a_truth) ** 2 + (b - b_truth) ** 2 - d_chroma**2).clamp(min=0)
    mean = (chroma + chroma_truth) / 2
    squared = (d_chroma / (1 + 0.045 * mean)) ** 2 + d_hue2 / (1 + 0.015 * mean * t) ** 2
    return torch.sqrt(squared + 0.25) - 0.5


def colorfulness_ab(ab: Tensor) -> Tensor:
    """Spread + 0.37 · |mean|, after Hasler & Süsstrunk 2003 in its form for CIE Lab. (B, 2, H, W) → (B,).

    Two changes: the spread is the mean distance from the mean instead of the standard deviation, and chroma is clamped
    to the gamut. Without them, a few pixels of impossible chroma made up for a picture without colours.
    """
    ab = ab.clamp(-GAMUT, GAMUT)
    mean = ab.mean((2, 3), keepdim=True)
    spread = torch.sqrt((ab - mean).square().sum(1) + 1e-2).mean((1, 2))
    return spread + 0.37 * torch.sqrt(mean.square().sum((1, 2, 3)) + 1e-2)


def colorful_loss(ab: Tensor, truth: Tensor) -> Tensor:
    """The share by which pictures are less colourful than the truth, 0..1, mean; more colourful ones cost nothing."""
    return F.relu(1 - colorfulness_ab(ab) / colorfulness_ab(truth).clamp(min=2)).mean()


def gamut_loss(ab: Tensor) -> Tensor:
    """Mean distance of chroma (B, 2, H, W) beyond that of any sRGB colour, in tens of units.

    CIEDE2000 hardly distinguishes very wrong chroma from impossible chroma: without this loss, a corner of the picture,
    where two paddings meet, once reached b = 2000.
    """
    return F.relu(ab.abs() - GAMUT).mean() / 10


def correct(labels: Tensor, allowed: Tensor, share: float) -> Tensor:
    """Correct the predicted probabilities of a share of the samples where the likeliest label is not allowed.

    ColorNet so learns to follow the label that it is given, also where SemanticNet would have predicted another. Right
    predictions stay as they are: their confidence carries information, and people who correct a map by hand leave them
    alone. Where the allowed labels had hardly any probability, they share it evenly.

    Args:
        labels: (B, 62, h, w) probabilities.
        allowed: (B, 62, h, w) bool.
        share: of the samples to correct, 0..1.
    """
    count = allowed.sum(1, keepdim=True)
    masked = labels * allowed + DOUBT * allowed / count
    masked = masked / masked.sum(1, keepdim=True)
    wrong = (count > 0) & ~allowed.gather(1, labels.argmax(1, keepdim=True))
    chosen = torch.rand(len(labels), 1, 1, 1).to(labels.device) < share
    return torch.where(chosen & wrong, masked, labels)


@dataclass(frozen=True)
class Repainted:
    """Label maps with the label of one region changed."""

    labels: Tensor
    """(B, 62, h, w) probabilities."""
    region: Tensor
    """(B, h, w) bool."""
    name: Tensor
    """(B,) the new label of the region."""


def repaint(labels: Tensor, names: Tensor) -> Repainted:
    """Change the label of one region in each map.

    Args:
        labels: (B, 62, h, w) probabilities. The region has the likeliest label of a random pixel.
        names: labels among which the new one is drawn.
    """
    b, _, h, w = labels.shape
    hard = labels.argmax(1)
    at = torch.randint(h * w, (b,)).to(labels.device)
    old = hard.flatten(1).gather(1, at[:, None])[:, :, None]
    name = names[torch.randint(len(names), (b,)).to(labels.device)]
    region = hard == old
    # A restorer changes whole regions and parts of them: half of them end at a random vertical or horizontal line.
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    upright, ends, side = torch.rand(b) < 0.5, torch.rand(b) < 0.5, torch.rand(b) < 0.5
    line = torch.where(upright, at.cpu() % w, at.cpu() // w)[:, None, None]
    along = torch.where(upright[:, None, None], x, y)
    kept = torch.where(side[:, None, None], along <= line, along >= line) | ~ends[:, None, None]
    region = region & kept.to(region.device)
    new = F.one_hot(name, len(NAMES)).to(labels.dtype)[:, :, None, None]
    return Repainted(torch.where(region[:, None], new, labels), region, name)


def repaint_loss(painted: Tensor, before: Tensor, lightness: Tensor, done: Repainted, usual: Tensor) -> Tensor:
    """Distance, inside the region, from the new label's usual chroma; outside, from the chroma before the change.

    Args:
        painted: (B, 2, H, W) chroma with the change.
        before: (B, 2, H, W) chroma without it.
        lightness: (B, 1, H, W).
        done: the change.
        usual: (62, 11, 2) mean chroma of each label at lightness 0, 10, … 100 (`chroma_by_label`).
    """
    inside = F.interpolate(done.region[:, None].float(), painted.shape[2:], mode="nearest")[:, 0]
    table = usual[done.name]  # (B, 11, 2)
    bin_ = (lightness[:, 0] / 10).clamp(0, 9.999)
    low = bin_.long()
    rows = torch.arange(len(table), device=table.device)[:, None, None]
    target = torch.lerp(table[rows, low], table[rows, low + 1], (bin_ - low)[..., None]).permute(0, 3, 1, 2)
    error = color_difference(painted, target) * inside
    leak = (painted - before.detach()).abs().sum(1) * (1 - inside)
    return (error.mean() + 0.5 * leak.mean()) / 10


def moved(gray: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Pictures (B, 1, S, S) moved by up to 8 pixels, up to 6 % brighter or darker, with grain of their own.

    Returns the pictures and the displacement (down, right) in pixels, the same for all.
    """
    down, right = (int(n) for n in torch.randint(-8, 9, (2,)))
    size = (len(gray), 1, 1, 1)
    gain = (1 + 0.06 * (2 * torch.rand(size) - 1)).to(gray)
    grain = (0.03 * torch.rand(size) * torch.randn(gray.shape)).to(gray)
    padded = F.pad(gray, (8, 8, 8, 8), mode="replicate")
    s = gray.shape[-1]
    view = padded[:, :, 8 - down : 8 - down + s, 8 - right : 8 - right + s]
    return (view * gain + grain).clamp(0, 1), (down, right)


def _half(x: Tensor, n: int, dim: int) -> Tensor:
    """x moved by n/2 pixels along `dim`. The pixels that enter at the border are meaningless."""
    x = x.roll(n // 2, dim)
    return (x + x.roll(1, dim)) / 2 if n % 2 else x


def steady_loss(ab: Tensor, other: Tensor, displacement: tuple[int, int]) -> Tensor:
    """Mean chroma difference between pictures and their `moved` versions, both (B, 2, S/2, S/2), in tens of units."""
    follow = _half(_half(ab, displacement[0], 2), displacement[1], 3)
    return (follow - other)[:, :, 6:-6, 6:-6].abs().sum(1).mean() / 10


def pixel_weight(allowed: Tensor, size: tuple[int, int], skin: float) -> Tensor:
    """(B, 62, h, w) → (B, H, W) weights of the colour error: `skin` where a pixel is known to be, else 1."""
    known = allowed[:, INDEX["skin"]] & (allowed.sum(1) <= 2)
    return 1 + (skin - 1) * F.interpolate(known[:, None].float(), size, mode="nearest")[:, 0]
