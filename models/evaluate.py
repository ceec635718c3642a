"""Figures of a trained network on photos: colour against truth, labels against what is known, and a sheet.

Colour is judged at the truth's lightness (Zhang 2016): CIEDE2000 as a ratio to that of the grey picture (lower is
better, 1 = no better than grey) beside colourfulness as a ratio to the truth's.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.utils import save_image

from . import network_size
from .colorizer import Colorizer
from .data import DataFolder, Photo
from .lab import lab_from_rgb, luma_from_rgb, rgb_from_lab
from .labels import INDEX, PALETTE
from .metrics import ciede2000, colourfulness

JUDGED = ("sky", "road", "sidewalk", "building", "tree", "car", "skin", "hair", "clothes", "horse")


@dataclass(frozen=True)
class Figures:
    """One test set: means over its photos."""

    photos: int
    ciede2000: float  # of our colours
    ciede2000_grey: float  # of no colour
    ratio: float  # the first by the second
    colourfulness: float  # ours by the truth's
    label_accuracy: float | None  # within the allowed names, over pixels with fewer than 30 of them


@torch.inference_mode()
def colorize_photo(model: Colorizer, rgb: torch.Tensor, short: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    """Colour the luma of a photo (3, H, W), 0..1.

    Returns Lab (3, H, W) with the truth's lightness and our a, b, and label probabilities (62, h/4, w/4).
    """
    size = network_size(rgb.shape[2] / rgb.shape[1], short)
    device = next(model.parameters()).device
    grey = F.interpolate(luma_from_rgb(rgb)[None], size, mode="bilinear", antialias=True, align_corners=False)
    ab, labels = model(grey.to(device))
    ab = F.interpolate(ab.float().cpu(), rgb.shape[1:], mode="bilinear", align_corners=False)[0]
    return torch.cat([lab_from_rgb(rgb)[:1], ab]), labels[0].float().cpu()


def evaluate(
    model: Colorizer, folder: DataFolder, photos: list[Photo], short: int = 256
) -> tuple[Figures, dict[str, tuple[float, float]]]:
    """Figures over `photos`, and (intersection, union) pixels of each judged class among labelled pixels."""
    ours, grey, colour, hits, known = [], [], [], 0.0, 0.0
    overlap = {name: (0.0, 0.0) for name in JUDGED}
    for photo in photos:
        rgb = torch.from_numpy(photo.rgb()).permute(2, 0, 1).float() / 255
        truth = lab_from_rgb(rgb)
        lab, labels = colorize_photo(model, rgb, short)
        neutral = torch.cat([truth[:1], torch.zeros_like(truth[1:])])
        ours.append(ciede2000(lab, truth).mean().item())
        grey.append(ciede2000(neutral, truth).mean().item())
        colour.append((colourfulness(rgb_from_lab(lab).clamp(0, 1)) / colourfulness(rgb).clamp(min=1)).item())
        if photo.label_path is None and photo.voc_path is None:
            continue
        allowed = folder.allowed(photo, (labels.shape[1], labels.shape[2]))
        guess = labels.argmax(0).numpy()
        few = allowed.sum(-1) < 30
        hits += float((np.take_along_axis(allowed, guess[..., None], -1)[..., 0] & few).sum())
        known += float(few.sum())
        single = allowed.sum(-1) == 1
        for name in JUDGED:
            true = single & allowed[..., INDEX[name]]
            if true.any():
                said = single & (guess == INDEX[name])
                both, either = overlap[name]
                overlap[name] = (both + float((true & said).sum()), either + float((true | said).sum()))
    mean = [float(np.mean(x)) for x in (ours, grey, colour)]
    figures = Figures(len(photos), mean[0], mean[1], mean[0] / mean[1], mean[2], hits / known if known else None)
    return figures, overlap


def evaluate_tests(model: Colorizer, folder: DataFolder, sources: list[str], split: str = "test") -> dict:
    """Figures of each source and the intersection over union of each judged class, ready for a card."""
    results: dict = {}
    total = {name: np.zeros(2) for name in JUDGED}
    for source in sources:
        figures, overlap = evaluate(model, folder, folder.photos(split, [source]))
        results[source] = asdict(figures)
        for name, pair in overlap.items():
            total[name] += pair
    results["iou"] = {name: round(float(i / u), 3) for name, (i, u) in total.items() if u > 0}
    return results


def sheet(model: Colorizer, photos: list[Photo], path: Path, tile: tuple[int, int] = (160, 240)) -> None:
    """A picture file: one row a photo, grey · labels · colour · truth, each within `tile` = (height, width)."""
    palette, tiles = torch.tensor(PALETTE) / 255, []
    for photo in photos:
        rgb = torch.from_numpy(photo.rgb()).permute(2, 0, 1).float() / 255
        lab, labels = colorize_photo(model, rgb)
        label = F.interpolate(labels[None], rgb.shape[1:], mode="bilinear", align_corners=False)[0].argmax(0)
        painted = palette[label].permute(2, 0, 1)
        row = torch.stack([luma_from_rgb(rgb).expand(3, -1, -1), painted, rgb_from_lab(lab).clamp(0, 1), rgb])
        scale = min(tile[0] / rgb.shape[1], tile[1] / rgb.shape[2])
        row = F.interpolate(row, scale_factor=scale, mode="bilinear", antialias=True, align_corners=False)
        tiles.append(F.pad(row, (0, tile[1] - row.shape[3], 0, tile[0] - row.shape[2])))
    save_image(torch.cat(tiles), path, nrow=4)


__all__ = ["JUDGED", "Figures", "colorize_photo", "evaluate", "evaluate_tests", "sheet"]
