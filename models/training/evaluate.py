"""Figures of trained networks on photos: colour against the truth, labels against the known ones; a contact sheet.

Colour is judged at the truth's lightness (Zhang 2016): CIEDE2000 as a ratio to that of the grey picture (lower is
better, 1 = no better than grey) beside colourfulness as a ratio to the truth's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from .compiled import Compiled
from .dataset import DataFolder, Photo
from .lab import lab_from_rgb, luma_from_rgb, rgb_from_lab
from .losses import correct
from .metrics import ciede2000, colorfulness

SHORT_SIDE = 256
"""Short side, in pixels, of the pictures that the networks see when figures are measured."""

JUDGED = ("sky", "road", "sidewalk", "building", "tree", "car", "skin", "hair", "clothes", "horse")
"""Labels whose intersection over union is measured."""

SKIN = 1.15
"""Upper bound of skin's chroma divided by the truth's, mean over the photos of a source."""


@dataclass(frozen=True)
class Figures:
    """Means over the photos of one test set. The names of the fields are keys in a weights file's metadata."""

    photos: int
    ciede2000: float
    """Of our colours."""
    ciede2000_grey: float
    """Of the grey picture."""
    ratio: float
    """`ciede2000` / `ciede2000_grey`."""
    colourfulness: float
    """Ours divided by the truth's."""
    label_accuracy: float | None
    """Share of pixels whose likeliest label is allowed, among those of which anything is known."""
    label_accuracy_narrow: float | None
    """The same, among pixels with fewer than 30 allowed labels."""


COMMON = 0.003
"""Least share of the labelled pixels at which a class counts for the mean intersection over union."""

EXTREMES = {"white": (95, 101), "black": (-1, 8)}
"""Ranges of lightness (above, below) in which the truth has hardly any colour."""

NEUTRAL = 3.0
"""Chroma below which the truth counts as without colour."""


@dataclass(frozen=True)
class ColoredPhoto:
    """One photo, coloured by the networks."""

    rgb: Tensor
    """(3, H, W) 0..1, the truth."""
    lab: Tensor
    """(3, H, W), the truth's lightness and our a, b."""
    labels: Tensor
    """(62, h/4, w/4) probabilities, where (h, w) is the network's size."""


Networks = Colorizer | Compiled
"""What figures are measured of: the networks in torch, or compiled as the program runs them."""

Change = Callable[[np.ndarray], np.ndarray]
Allowed = Callable[[tuple[int, int]], np.ndarray]


@torch.no_grad()
def colorize_photo(
    model: Networks, rgb: Tensor, short: int = SHORT_SIDE, damage: Change | None = None, allowed: Allowed | None = None
) -> ColoredPhoto:
    """Colour the luma of a photo as `semcolor-video --size SHORT` colours a frame.

    Args:
        model: the networks.
        rgb: (3, H, W) R'G'B', 0..1.
        short: short side of the network's picture, pixels.
        damage: applied to the network's picture (h, w), 0..1, before the networks see it.
        allowed: called with (h/4, w/4), returns the known labels (h/4, w/4, 62) bool; they correct the predicted ones.
    """
    size = network_size(rgb.shape[2] / rgb.shape[1], short)
    device = next(model.parameters()).device
    gray = F.interpolate(luma_from_rgb(rgb)[None], size, mode="bilinear", antialias=True, align_corners=False)
    if damage:
        gray = torch.from_numpy(damage(gray[0, 0].numpy()).clip(0, 1).astype(np.float32))[None, None]
    features = model.encoder(gray.to(device))
    labels = model.semantic(features).softmax(1)
    if allowed:
        known = torch.from_numpy(allowed((labels.shape[2], labels.shape[3]))).permute(2, 0, 1)[None]
        labels = correct(labels, known.to(device), 1.0)
    ab = model.color(features, labels)
    ab = F.interpolate(ab.float().cpu(), rgb.shape[1:], mode="bilinear", align_corners=False)[0]
    return ColoredPhoto(rgb, torch.cat([lab_from_rgb(rgb)[:1], ab]), labels[0].float().cpu())


def tensor_of(photo: Photo) -> Tensor:
    """(3, H, W) float32 0..1."""
    return torch.from_numpy(photo.rgb()).permute(2, 0, 1).float() / 255


def evaluate(
    colored: Iterable[tuple[Photo, ColoredPhoto]], folder: DataFolder, vivid: float = 1.0
) -> tuple[Figures, dict[str, tuple[float, float]]]:
    """Figures over photos, and the pixels (intersection, union) of each judged label.

    Args:
        colored: the photos, each with its colours.
        folder: the data that the photos are from.
        vivid: factor of the chroma.
    """
    ours, gray, color, hits, known = [], [], [], np.zeros(2), np.zeros(2)
    overlap = {name: (0.0, 0.0) for name in JUDGED}
    for photo, seen in colored:
        truth = lab_from_rgb(seen.rgb)
        lab = torch.cat([truth[:1], vivid * seen.lab[1:]])
        neutral = torch.cat([truth[:1], torch.zeros_like(truth[1:])])
        ours.append(ciede2000(lab, truth).mean().item())
        gray.append(ciede2000(neutral, truth).mean().item())
        ratio = colorfulness(rgb_from_lab(lab).clamp(0, 1)) / colorfulness(seen.rgb).clamp(min=1)
        color.append(ratio.item())
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
    mean = [float(np.mean(x)) for x in (ours, gray, color)]
    accuracy = [float(h / k) if k else None for h, k in zip(hits, known, strict=True)]
    return Figures(len(ours), mean[0], mean[1], mean[0] / mean[1], mean[2], *accuracy), overlap


Seen = Mapping[Photo, ColoredPhoto]
"""Photos that were coloured already."""


def colorized_photos(
    model: Networks,
    folder: DataFolder,
    photos: list[Photo],
    short: int = SHORT_SIDE,
    *,
    given: bool = False,
    seen: Seen | None = None,
) -> Iterator[tuple[Photo, ColoredPhoto]]:
    """Colour each photo.

    Args:
        model: the networks.
        folder: the data that the photos are from.
        photos: the photos.
        short: short side of the networks' pictures.
        given: colour by labels that are corrected by the known ones.
        seen: photos that `model` has coloured in the same way. They are not coloured again.
    """
    for photo in photos:
        if seen and photo in seen:
            yield photo, seen[photo]
            continue
        allowed = (lambda size, photo=photo: folder.allowed(photo, size)) if given else None
        yield photo, colorize_photo(model, tensor_of(photo), short, allowed=allowed)


def evaluate_tests(
    model: Networks,
    folder: DataFolder,
    sources: list[str],
    mean_of: list[str] | None = None,
    seen: Seen | None = None,
) -> dict:
    """Figures of each source, the mean of some or all, and the intersection over union of each judged class.

    Without sources there is no mean. `seen`: see `colorized_photos`.
    """
    results: dict = {}
    total = {name: np.zeros(2) for name in JUDGED}
    kinds: dict[str, dict[str, float]] = {}
    for source in sources:
        drawn: list[tuple[np.ndarray, np.ndarray]] = []

        def noted(source: str = source, drawn: list = drawn) -> Iterator[tuple[Photo, ColoredPhoto]]:
            for photo, its in colorized_photos(model, folder, folder.photos("test", [source]), seen=seen):
                if photo.label_path:
                    size = its.labels.shape[1], its.labels.shape[2]
                    drawn.append((folder.allowed(photo, size), its.labels.argmax(0).numpy()))
                yield photo, its

        figures, overlap = evaluate(noted(), folder)
        results[source] = asdict(figures)
        kinds |= {source: classes(drawn)} if drawn else {}
        for name, pair in overlap.items():
            total[name] += pair
    if sources:
        results["mean"] = {
            key: float(np.mean([results[source][key] for source in mean_of or sources]))
            for key in ("ratio", "colourfulness")
        }
    results["classes"] = kinds
    results["iou"] = {name: round(float(i / u), 3) for name, (i, u) in total.items() if u > 0}
    return results


def frontier(
    seen: list[tuple[Photo, ColoredPhoto]], folder: DataFolder, levels: Sequence[float] = (0.5, 0.7, 0.9)
) -> dict[str, float]:
    """The error ratio at several levels of colourfulness, which the chroma is scaled to.

    Colours that are paler are nearer to the truth, so networks are compared at the same colourfulness. The ratio is
    interpolated between factors of the chroma.
    """
    curve = [evaluate(seen, folder, factor)[0] for factor in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)]
    color, ratio = [f.colourfulness for f in curve], [f.ratio for f in curve]
    return {str(level): float(np.interp(level, color, ratio)) for level in levels}


def classes(labelled: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """How well the classes of a label map are found, where a class may mean several of our labels.

    A pixel of another class counts for a class whose label it got, unless its own class has that label, too.

    Args:
        labelled: for each picture the label map as (h, w, 62) bool, the labels that each pixel may have, and the
            likeliest label (h, w). Pixels that may have every label are left out.

    Returns:
        `accuracy`, the share of the pixels that are right; `mean`, the mean intersection over union of the classes that
        have at least a share of COMMON of the pixels; and `count`, their number.
    """
    pairs = np.zeros((0, 2), int)  # class and label of each pixel
    known: dict[bytes, int] = {}
    sets = np.zeros((0, len(NAMES)), bool)
    for allowed, guess in labelled:
        some = ~allowed.all(-1)
        rows, index = np.unique(allowed[some], axis=0, return_inverse=True)
        for row in rows:
            if row.tobytes() not in known:
                known[row.tobytes()] = len(known)
                sets = np.vstack([sets, row])
        own = np.array([known[row.tobytes()] for row in rows], int)[index.ravel()]
        pairs = np.vstack([pairs, np.stack([own, guess[some]], -1)])
    if not len(pairs):
        return {}
    total = np.zeros((len(sets), len(NAMES)))
    np.add.at(total, (pairs[:, 0], pairs[:, 1]), 1)
    right = (total * sets).sum(1)
    false = [(total * ~sets * mine).sum() for mine in sets]
    common = total.sum(1) >= COMMON * total.sum()
    iou = (right / (total.sum(1) + false))[common]
    return {"accuracy": float(right.sum() / total.sum()), "mean": float(iou.mean()), "count": int(common.sum())}


def extremes(seen: Iterable[tuple[Photo, ColoredPhoto]]) -> dict[str, float]:
    """Our mean chroma where the truth is white or black and has no colour."""
    found = {name: np.zeros(2) for name in EXTREMES}
    for _, photo in seen:
        truth = lab_from_rgb(photo.rgb)
        for name, (low, high) in EXTREMES.items():
            there = (truth[0] > low) & (truth[0] < high) & (torch.hypot(truth[1], truth[2]) < NEUTRAL)
            found[name] += float(torch.hypot(photo.lab[1], photo.lab[2])[there].sum()), float(there.sum())
    return {name: float(total / pixels) for name, (total, pixels) in found.items() if pixels}


def skin_pixels(folder: DataFolder, photo: Photo, size: tuple[int, int]) -> np.ndarray:
    """(h, w) bool at `size`: pixels known to be skin, or to be skin or one other label."""
    allowed = folder.allowed(photo, size)
    return allowed[..., INDEX["skin"]] & (allowed.sum(-1) <= 2)


def skin_chroma(seen: list[tuple[Photo, ColoredPhoto]], folder: DataFolder) -> float | None:
    """Mean chroma of skin divided by the truth's, over photos that show skin; None if none does."""
    sums = np.zeros(2)
    for photo, ours in seen:
        skin = torch.from_numpy(skin_pixels(folder, photo, (ours.rgb.shape[1], ours.rgb.shape[2])))
        if skin.sum() >= 20:
            sums += [torch.hypot(*ab[:, skin]).mean().item() for ab in (ours.lab[1:], lab_from_rgb(ours.rgb)[1:])]
    return float(sums[0] / sums[1]) if sums[1] else None


def choose_vividness(model: Networks, folder: DataFolder, sources: list[str], each: int = 60) -> float:
    """Choose a factor of the chroma, 1 … 1.5, on the photos set aside.

    Regression averages over possible colours, so its colours are paler than the truth. The result is the largest
    factor whose error ratio, mean over the sources' first `each` photos, is at most 0.005 above the best, and with
    which skin in no source has more than SKIN times the truth's chroma: people notice ruddy faces first.
    """
    kept = [
        list(colorized_photos(model, folder, photos)) for s in sources if (photos := folder.photos("val", [s])[:each])
    ]
    factors = [1 + 0.05 * i for i in range(11)] if kept else [1.0]
    ratios = [float(np.mean([evaluate(seen, folder, factor)[0].ratio for seen in kept] or [1.0])) for factor in factors]
    most = max([ratio for seen in kept if (ratio := skin_chroma(seen, folder))], default=0.0)
    good = [f for f, r in zip(factors, ratios, strict=True) if r <= min(ratios) + 0.005 and f * most <= SKIN]
    return max(good, default=1.0)


def write_contact_sheet(model: Networks, photos: list[Photo], path: Path, tile: tuple[int, int] = (160, 240)) -> None:
    """Write a picture with one row per photo: grey, labels, colour, truth, each within `tile` = (height, width)."""
    palette, tiles = torch.tensor(PALETTE) / 255, []
    for photo in photos:
        rgb = tensor_of(photo)
        seen = colorize_photo(model, rgb)
        lab, labels = seen.lab, seen.labels
        label = F.interpolate(labels[None], rgb.shape[1:], mode="bilinear", align_corners=False)[0].argmax(0)
        painted = palette[label].permute(2, 0, 1)
        row = torch.stack([luma_from_rgb(rgb).expand(3, -1, -1), painted, rgb_from_lab(lab).clamp(0, 1), rgb])
        scale = min(tile[0] / rgb.shape[1], tile[1] / rgb.shape[2])
        row = F.interpolate(row, scale_factor=scale, mode="bilinear", antialias=True, align_corners=False)
        tiles.append(F.pad(row, (0, tile[1] - row.shape[3], 0, tile[0] - row.shape[2])))
    save_image(torch.cat(tiles), path, nrow=4)
