"""What training asks of the networks, each loss in the units of what is measured in the end.

Colour: CIEDE2000 against the truth, and as colourful as it. Labels: the probability of what is allowed. Control: a
region whose label is repainted takes the new label's usual colour, and the rest stays as it is. Steadiness: the
same picture a pixel further, a little brighter or with other grain has the same colours.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..labels import INDEX, NAMES

FEW = 7  # names that a value of a label map means at most where one of them must win, in `label_loss`
DOUBT = 0.05  # probability that a reading must have to count as much as an even share, in `correct`
GAMUT = 110.0  # |a| and |b| of sRGB colours end here


def label_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """−log Σ p(allowed), mean over the pixels that anything is known of. Both (B, 62, h, w).

    Where few names are allowed, the root of the sum of their squares: walls, fences, signs and lamps that share a value
    would else share the probability as well, and something else be the likeliest name.

    The fewer names are allowed the more a pixel counts: "any of forty" would else feed whichever is likeliest. But it
    must count: at 1/n a background was read as bird or dog, since hardly anything said that it is neither, and at
    1/sqrt(n) still as potted plant.
    """
    log_p = logits.float().log_softmax(1)
    log_p, count = log_p.masked_fill(~allowed, -torch.inf), allowed.sum(1)
    said = torch.where(count <= FEW, (2 * log_p).logsumexp(1) / 2, log_p.logsumexp(1))
    weight = count.float().pow(-0.25) * ~allowed.all(1)
    return -(said * weight).sum() / weight.sum().clamp(min=1)


def color_difference(ab: Tensor, truth: Tensor) -> Tensor:
    """CIEDE2000 between chroma at equal lightness, made to have a gradient everywhere. (B, 2, H, W) → (B, H, W).

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


def colourfulness_ab(ab: Tensor) -> Tensor:
    """Spread + 0.37 · |mean|, after Hasler & Süsstrunk 2003 in its form for CIE Lab. (B, 2, H, W) → (B,).

    The spread is the mean distance from the mean and not the standard deviation, and chroma counts up to the gamut's
    end only: a few pixels of an impossible chroma would else make up for a picture without colours, and did.
    """
    ab = ab.clamp(-GAMUT, GAMUT)
    mean = ab.mean((2, 3), keepdim=True)
    spread = torch.sqrt((ab - mean).square().sum(1) + 1e-2).mean((1, 2))
    return spread + 0.37 * torch.sqrt(mean.square().sum((1, 2, 3)) + 1e-2)


def colourful_loss(ab: Tensor, truth: Tensor) -> Tensor:
    """How far each picture falls short of the truth's colourfulness, 0..1, mean. Being more colourful costs nothing."""
    return F.relu(1 - colourfulness_ab(ab) / colourfulness_ab(truth).clamp(min=2)).mean()


def gamut_loss(ab: Tensor) -> Tensor:
    """How far chroma lies beyond what any sRGB colour has, in tens of units, mean. (B, 2, H, W).

    CIEDE2000 hardly tells a very wrong chroma from an impossible one: without this a corner of the picture, where
    padding meets, once ran off to b = 2000.
    """
    return F.relu(ab.abs() - GAMUT).mean() / 10


def correct(labels: Tensor, allowed: Tensor, share: float) -> Tensor:
    """Predicted probabilities with what is known put in where another name was read, for a share of the samples.

    So that the colour follows the label that is given, also where the network would have read another. What was read
    rightly stays as it is: how sure the reading is says something too, and whoever corrects a map by hand leaves it
    alone. Where the network gave what is allowed hardly any probability, its opinion on which of several names it is
    counts little: all share evenly.
    """
    count = allowed.sum(1, keepdim=True)
    masked = labels * allowed + DOUBT * allowed / count
    masked = masked / masked.sum(1, keepdim=True)
    wrong = (count > 0) & ~allowed.gather(1, labels.argmax(1, keepdim=True))
    chosen = torch.rand(len(labels), 1, 1, 1).to(labels.device) < share
    return torch.where(chosen & wrong, masked, labels)


@dataclass(frozen=True)
class Repainted:
    """Label maps with one region's label changed: labels (B, 62, h, w), region (B, h, w) bool, its new name (B,)."""

    labels: Tensor
    region: Tensor
    name: Tensor


def repaint(labels: Tensor, names: Tensor) -> Repainted:
    """Give a region of each map, found by a random pixel's likeliest label, another label drawn from `names`."""
    b, _, h, w = labels.shape
    hard = labels.argmax(1)
    at = torch.randint(h * w, (b,)).to(labels.device)
    old = hard.flatten(1).gather(1, at[:, None])[:, :, None]
    name = names[torch.randint(len(names), (b,)).to(labels.device)]
    region = hard == old
    # A restorer repaints whole regions and parts of them: half of the time it ends at a random upright or level line.
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    upright, ends, side = torch.rand(b) < 0.5, torch.rand(b) < 0.5, torch.rand(b) < 0.5
    line = torch.where(upright, at.cpu() % w, at.cpu() // w)[:, None, None]
    along = torch.where(upright[:, None, None], x, y)
    kept = torch.where(side[:, None, None], along <= line, along >= line) | ~ends[:, None, None]
    region = region & kept.to(region.device)
    new = F.one_hot(name, len(NAMES)).to(labels.dtype)[:, :, None, None]
    return Repainted(torch.where(region[:, None], new, labels), region, name)


def repaint_loss(painted: Tensor, before: Tensor, lightness: Tensor, done: Repainted, usual: Tensor) -> Tensor:
    """Inside the region the new label's usual chroma at each pixel's lightness, outside no change.

    painted, before (B, 2, H, W): chroma with and without the change; lightness (B, 1, H, W); usual (62, 11, 2): mean
    chroma of each label at lightness 0, 10, … 100 (`chroma_by_label`).
    """
    inside = F.interpolate(done.region[:, None].float(), painted.shape[2:], mode="nearest")[:, 0]
    table = usual[done.name]  # (B, 11, 2)
    place = (lightness[:, 0] / 10).clamp(0, 9.999)
    low = place.long()
    rows = torch.arange(len(table), device=table.device)[:, None, None]
    target = torch.lerp(table[rows, low], table[rows, low + 1], (place - low)[..., None]).permute(0, 3, 1, 2)
    error = color_difference(painted, target) * inside
    leak = (painted - before.detach()).abs().sum(1) * (1 - inside)
    return (error.mean() + 0.5 * leak.mean()) / 10


def moved(grey: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """The same pictures (B, 1, S, S) up to 8 pixels further, up to 6 % brighter or darker, with grain of their own.

    Returns them and the displacement (down, right) in pixels, one for all.
    """
    down, right = (int(n) for n in torch.randint(-8, 9, (2,)))
    size = (len(grey), 1, 1, 1)
    gain = (1 + 0.06 * (2 * torch.rand(size) - 1)).to(grey)
    grain = (0.03 * torch.rand(size) * torch.randn(grey.shape)).to(grey)
    padded = F.pad(grey, (8, 8, 8, 8), mode="replicate")
    s = grey.shape[-1]
    view = padded[:, :, 8 - down : 8 - down + s, 8 - right : 8 - right + s]
    return (view * gain + grain).clamp(0, 1), (down, right)


def _half(x: Tensor, n: int, dim: int) -> Tensor:
    """x moved by n/2 pixels along `dim`; whatever comes in at the border is meaningless."""
    x = x.roll(n // 2, dim)
    return (x + x.roll(1, dim)) / 2 if n % 2 else x


def steady_loss(ab: Tensor, other: Tensor, displacement: tuple[int, int]) -> Tensor:
    """Mean chroma difference between pictures and their `moved` selves, both (B, 2, S/2, S/2), in tens of units."""
    follow = _half(_half(ab, displacement[0], 2), displacement[1], 3)
    return (follow - other)[:, :, 6:-6, 6:-6].abs().sum(1).mean() / 10


def pixel_weight(allowed: Tensor, size: tuple[int, int], skin: float) -> Tensor:
    """(B, 62, h, w) → (B, H, W) weights of the colour error: `skin` where a pixel is known to be, else 1."""
    known = allowed[:, INDEX["skin"]] & (allowed.sum(1) <= 2)
    return 1 + (skin - 1) * F.interpolate(known[:, None].float(), size, mode="nearest")[:, 0]
