"""Figures of a trained network on photos: colour against truth, labels against what is known, and a sheet.

Colour is judged at the truth's lightness (Zhang 2016): CIEDE2000 as a ratio to that of the grey picture (lower is
better, 1 = no better than grey) beside colourfulness as a ratio to the truth's.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.utils import save_image

from .. import network_size
from ..colorizer import Colorizer
from ..labels import INDEX, NAMES, PALETTE
from .dataset import DataFolder, Photo
from .lab import lab_from_rgb, luma_from_rgb, rgb_from_lab
from .losses import correct
from .metrics import ciede2000, colourfulness

JUDGED = ("sky", "road", "sidewalk", "building", "tree", "car", "skin", "hair", "clothes", "horse")
SKIN = 1.15  # most that skin's chroma may be of the truth's, mean over the photos of a source


@dataclass(frozen=True)
class Figures:
    """One test set: means over its photos."""

    photos: int
    ciede2000: float  # of our colours
    ciede2000_grey: float  # of no colour
    ratio: float  # the first by the second
    colourfulness: float  # ours by the truth's
    label_accuracy: float | None  # share of the pixels of which anything is known whose label is allowed
    label_accuracy_narrow: float | None  # the same, over pixels with fewer than 30 allowed names


@dataclass(frozen=True)
class Look:
    """One photo as the networks see it and colour it, all at the photo's size but `labels`."""

    rgb: Tensor  # (3, H, W) 0..1, the truth
    lab: Tensor  # (3, H, W), the truth's lightness and our a, b
    labels: Tensor  # (62, h/4, w/4) probabilities; h, w the network's size


Change = Callable[[np.ndarray], np.ndarray]
Allowed = Callable[[tuple[int, int]], np.ndarray]


@torch.no_grad()
def look_at(
    model: Colorizer, rgb: Tensor, short: int = 256, damage: Change | None = None, allowed: Allowed | None = None
) -> Look:
    """Colour the luma of a photo (3, H, W), 0..1, as the film does at --size `short`.

    damage: what is done to the network's picture (h, w) 0..1 before it is seen; allowed: (h/4, w/4) → (h/4, w/4, 62)
    bool, what is known of the labels and put in before colouring.
    """
    size = network_size(rgb.shape[2] / rgb.shape[1], short)
    device = next(model.parameters()).device
    grey = F.interpolate(luma_from_rgb(rgb)[None], size, mode="bilinear", antialias=True, align_corners=False)
    if damage:
        grey = torch.from_numpy(damage(grey[0, 0].numpy()).clip(0, 1).astype(np.float32))[None, None]
    features = model.encoder(grey.to(device))
    labels = model.semantic(features).softmax(1)
    if allowed:
        known = torch.from_numpy(allowed((labels.shape[2], labels.shape[3]))).permute(2, 0, 1)[None]
        labels = correct(labels, known.to(device), 1.0)
    ab = model.color(features, labels)
    ab = F.interpolate(ab.float().cpu(), rgb.shape[1:], mode="bilinear", align_corners=False)[0]
    return Look(rgb, torch.cat([lab_from_rgb(rgb)[:1], ab]), labels[0].float().cpu())


def tensor_of(photo: Photo) -> Tensor:
    """(3, H, W) float32 0..1."""
    return torch.from_numpy(photo.rgb()).permute(2, 0, 1).float() / 255


def evaluate(
    looks: Iterable[tuple[Photo, Look]], folder: DataFolder, vivid: float = 1.0
) -> tuple[Figures, dict[str, tuple[float, float]]]:
    """Figures over photos, and (intersection, union) pixels of each judged class among labelled pixels."""
    ours, grey, colour, hits, known = [], [], [], np.zeros(2), np.zeros(2)
    overlap = {name: (0.0, 0.0) for name in JUDGED}
    for photo, seen in looks:
        truth = lab_from_rgb(seen.rgb)
        lab = torch.cat([truth[:1], vivid * seen.lab[1:]])
        neutral = torch.cat([truth[:1], torch.zeros_like(truth[1:])])
        ours.append(ciede2000(lab, truth).mean().item())
        grey.append(ciede2000(neutral, truth).mean().item())
        ratio = colourfulness(rgb_from_lab(lab).clamp(0, 1)) / colourfulness(seen.rgb).clamp(min=1)
        colour.append(ratio.item())
        allowed = folder.allowed(photo, (seen.labels.shape[1], seen.labels.shape[2]))
        names = allowed.sum(-1)
        guess = seen.labels.argmax(0).numpy()
        right = np.take_along_axis(allowed, guess[..., None], -1)[..., 0]
        for i, judged in enumerate((names < len(NAMES), names < 30)):
            hits[i] += (right & judged).sum()
            known[i] += judged.sum()
        single = names == 1
        for name in JUDGED:
            true = single & allowed[..., INDEX[name]]
            if true.any():
                said = single & (guess == INDEX[name])
                both, either = overlap[name]
                overlap[name] = (both + float((true & said).sum()), either + float((true | said).sum()))
    mean = [float(np.mean(x)) for x in (ours, grey, colour)]
    accuracy = [float(h / k) if k else None for h, k in zip(hits, known, strict=True)]
    return Figures(len(ours), mean[0], mean[1], mean[0] / mean[1], mean[2], *accuracy), overlap


def looks(
    model: Colorizer, folder: DataFolder, photos: list[Photo], short: int = 256, given: bool = False
) -> Iterator[tuple[Photo, Look]]:
    """`look_at` each photo; given: with what is known of its labels put in before colouring."""
    for photo in photos:
        allowed = (lambda size, photo=photo: folder.allowed(photo, size)) if given else None
        yield photo, look_at(model, tensor_of(photo), short, allowed=allowed)


def evaluate_tests(model: Colorizer, folder: DataFolder, sources: list[str], mean_of: list[str] | None = None) -> dict:
    """Figures of each source, the mean of some or all, and the intersection over union of each judged class."""
    results: dict = {}
    total = {name: np.zeros(2) for name in JUDGED}
    for source in sources:
        figures, overlap = evaluate(looks(model, folder, folder.photos("test", [source])), folder)
        results[source] = asdict(figures)
        for name, pair in overlap.items():
            total[name] += pair
    results["mean"] = {
        key: float(np.mean([results[source][key] for source in mean_of or sources]))
        for key in ("ratio", "colourfulness")
    }
    results["iou"] = {name: round(float(i / u), 3) for name, (i, u) in total.items() if u > 0}
    return results


def skin_pixels(folder: DataFolder, photo: Photo, size: tuple[int, int]) -> np.ndarray:
    """(h, w) bool at `size`: what is known to be skin, or skin or one other label."""
    allowed = folder.allowed(photo, size)
    return allowed[..., INDEX["skin"]] & (allowed.sum(-1) <= 2)


def skin_chroma(seen: list[tuple[Photo, Look]], folder: DataFolder) -> float | None:
    """Mean chroma of skin by the truth's, over photos that show some; None if none does."""
    sums = np.zeros(2)
    for photo, look in seen:
        skin = torch.from_numpy(skin_pixels(folder, photo, (look.rgb.shape[1], look.rgb.shape[2])))
        if skin.sum() >= 20:
            sums += [torch.hypot(*ab[:, skin]).mean().item() for ab in (look.lab[1:], lab_from_rgb(look.rgb)[1:])]
    return float(sums[0] / sums[1]) if sums[1] else None


def choose_vividness(model: Colorizer, folder: DataFolder, sources: list[str], each: int = 60) -> float:
    """As vivid as costs at most half a hundredth: a factor of the chroma, 1 … 1.5, chosen on the photos set aside.

    It is the largest whose ratio, mean over the sources' first `each` photos, is at most 0.005 above that of the best,
    and that leaves skin in no source more than SKIN times as colourful as it is: a ruddy face is what people see first.
    Regression hedges between colours and so paints paler than the truth; this takes back what costs next to nothing.
    """
    kept = [list(looks(model, folder, photos)) for s in sources if (photos := folder.photos("val", [s])[:each])]
    factors = [1 + 0.05 * i for i in range(11)] if kept else [1.0]
    ratios = [float(np.mean([evaluate(seen, folder, factor)[0].ratio for seen in kept] or [1.0])) for factor in factors]
    most = max([ratio for seen in kept if (ratio := skin_chroma(seen, folder))], default=0.0)
    good = [f for f, r in zip(factors, ratios, strict=True) if r <= min(ratios) + 0.005 and f * most <= SKIN]
    return max(good, default=1.0)


def sheet(model: Colorizer, photos: list[Photo], path: Path, tile: tuple[int, int] = (160, 240)) -> None:
    """A picture file: one row a photo, grey · labels · colour · truth, each within `tile` = (height, width)."""
    palette, tiles = torch.tensor(PALETTE) / 255, []
    for photo in photos:
        rgb = tensor_of(photo)
        seen = look_at(model, rgb)
        lab, labels = seen.lab, seen.labels
        label = F.interpolate(labels[None], rgb.shape[1:], mode="bilinear", align_corners=False)[0].argmax(0)
        painted = palette[label].permute(2, 0, 1)
        row = torch.stack([luma_from_rgb(rgb).expand(3, -1, -1), painted, rgb_from_lab(lab).clamp(0, 1), rgb])
        scale = min(tile[0] / rgb.shape[1], tile[1] / rgb.shape[2])
        row = F.interpolate(row, scale_factor=scale, mode="bilinear", antialias=True, align_corners=False)
        tiles.append(F.pad(row, (0, tile[1] - row.shape[3], 0, tile[0] - row.shape[2])))
    save_image(torch.cat(tiles), path, nrow=4)


__all__ = [
    "JUDGED",
    "Figures",
    "Look",
    "choose_vividness",
    "evaluate",
    "evaluate_tests",
    "look_at",
    "looks",
    "sheet",
    "skin_pixels",
    "tensor_of",
]
