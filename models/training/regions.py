"""RegionNet's training: still photos with label maps, under made motion. No film and no mask of a film is used.

A region of a photo (one connected area of its label map) is seen twice, moved and bent in two ways and with another
exposure. The first view is given to the memory, which then tells the region in the second view, as in a film. What
motion carries from the frame before is made from the truth of the second view: moved wrongly, eaten away, grown by
things that never belonged to it. So RegionNet learns how far each of the two is to be believed, and where outlines run.

`semcolor-train` does this at its end. For weights that exist already:

    python -m semcolor.models.training.regions DATA --weights FILE
"""

import copy
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from .. import checkpoint
from ..colorizer import Colorizer
from ..memory import KEPT_COARSE, KEPT_FINE, Regression, cells_of, planes_of, region_sides, told_region
from ..regionnet import RegionNet
from .commandline import Version, run
from .dataset import DataFolder
from .layouts import Photo

Array = np.ndarray

SIZE = 128, 160
"""Height and width of a sample on the chroma grid. A photo is taken for a picture on this grid."""

FRUITLESS = 500
"""Photos in a row without a region after which there are taken to be none."""

SMALLEST, LARGEST = 0.006, 0.6
"""Bounds of a region's share of its photo."""

REGIONS, VIEWS = 2, 2
"""Regions of a photo, and second views of each, that make samples."""

POOL, FRESH = 4096, 4
"""Samples that are held to be drawn from, and new ones made for each step of BATCH samples."""

BATCH = 16

BLIND = 0.2
"""Share of samples in which the memory tells next to nothing, since region and surroundings look alike. Motion is then
right."""

RATE = 2e-3
"""AdamW's learning rate, which falls along a cosine."""

UNKNOWN = {0, 255}
"""Values of maps that are no region: background or not annotated."""


def teach_regions(
    model: Colorizer,
    folder: DataFolder,
    photos: Sequence[Photo],
    *,
    steps: int,
    seed: int,
    device: torch.device,
    further: bool = False,
) -> dict[str, float]:
    """Train `model.region`, with the encoder as it is.

    Args:
        model: the networks.
        folder: the data; the meaning of its labels does not matter.
        photos: those to draw from. Only those with label maps are used.
        steps: number of steps of BATCH samples.
        seed: of the samples and of the new weights.
        device: of the networks.
        further: go on from the weights that `region` has, at half the learning rate, and not from new ones.

    Returns:
        What the recipe says of it: steps, samples, and the mean loss of the last hundred steps. {} where no photo has a
        map with regions.
    """
    mapped = [photo for photo in photos if photo.label_path or photo.voc_path]
    if not mapped or not steps:
        return {}
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 1])
    net = (copy.deepcopy(model.region) if further else RegionNet()).to(device).requires_grad_(True).train()
    rate = RATE / 2 if further else RATE
    mean = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=1e-4)
    made, history = _samples(model, mapped, rng, device), []
    pool = list(islice(made, BATCH))
    if not pool:
        return {}
    shown = time.monotonic()
    for step in range(steps):
        pool += islice(made, FRESH)
        del pool[:-POOL]
        drawn = [_with_past(*pool[n], rng) for n in rng.integers(len(pool), size=BATCH)]
        planes, truth = (torch.from_numpy(np.stack(part)).to(device) for part in zip(*drawn, strict=True))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * max(0.01, 0.5 + 0.5 * np.cos(np.pi * step / steps))
        with torch.autocast(device.type, torch.bfloat16):
            log_odds = net(planes)
        loss, overlap = _loss(log_odds.float(), truth[:, None])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        kept = min(0.998, (1 + step) / (10 + step))
        for name, value in net.state_dict().items():
            mean[name].lerp_(value, 1 - kept)
        history.append((loss.item(), overlap.item()))
        if time.monotonic() - shown > 20:
            print(json.dumps(_figures(history) | {"region_steps": step + 1}), file=sys.stderr)
            shown = time.monotonic()
    model.region.load_state_dict(mean)
    return {"steps": steps, "samples": steps * BATCH, "loss": _figures(history)["loss"]}


def _figures(history: list[tuple[float, float]]) -> dict[str, float]:
    loss, overlap = np.mean(history[-100:], 0)
    return {"loss": round(float(loss), 4), "iou": round(float(overlap), 4)}


def _loss(log_odds: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Cross entropy and a soft intersection over union; and the mean intersection over union."""
    entropy = F.binary_cross_entropy_with_logits(log_odds, truth)
    chance, sides = log_odds.sigmoid(), (1, 2, 3)
    both = (chance * truth).sum(sides) + 20  # pixels, so that tiny regions do not rule the loss
    soft = both / ((chance + truth - chance * truth).sum(sides) + 20)
    shown, true = chance > 0.5, truth > 0.5
    overlap = (shown & true).sum(sides) / (shown | true).sum(sides).clamp(min=1)
    return 2 * entropy + (1 - soft).mean(), overlap.mean()


def _samples(
    model: Colorizer, photos: Sequence[Photo], rng: np.random.Generator, device: torch.device
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Samples without end: luma (H, W) uint8, what the memory tells coarse and fine, and the true region 0..1.

    They end only if the photos have no regions; see FRUITLESS.
    """
    by_source: dict[str, list[Photo]] = {}
    for photo in photos:
        by_source.setdefault(photo.source, []).append(photo)
    names = sorted(by_source)
    share = np.sqrt([len(by_source[name]) for name in names])
    encoder = model.encoder.eval()

    @torch.inference_mode()
    def features(picture: Array) -> tuple[Array, Array, Array]:
        thumb = cv2.resize(picture, (2 * SIZE[1], 2 * SIZE[0]), interpolation=cv2.INTER_CUBIC)
        gray = torch.from_numpy(thumb).to(device)[None, None].float() / 255
        with torch.autocast(device.type, torch.bfloat16):
            fine, middle, top = (map_.float().cpu().numpy()[0] for map_ in encoder(gray)[1:4])
        return fine, middle, top

    fruitless = 0
    while fruitless < FRUITLESS:
        pool = by_source[names[rng.choice(len(names), p=share / share.sum())]]
        photo = pool[rng.integers(len(pool))]
        gray, regions = cv2.cvtColor(photo.rgb(), cv2.COLOR_RGB2GRAY), _regions(photo, rng)
        fruitless = 0 if regions else fruitless + 1
        if not regions:
            continue
        if rng.random() < 0.5:
            gray, regions = np.ascontiguousarray(gray[:, ::-1]), [np.ascontiguousarray(m[:, ::-1]) for m in regions]
        first, given = _view(gray, regions, rng, 0.7)
        told_from = cells_of(features(_exposed(first, rng)))
        for _ in range(VIEWS):
            second, true = _view(gray, regions, rng, 1.3)
            second = _exposed(second, rng)
            cells = cells_of(features(second))
            for known, truth in zip(given, true, strict=True):
                if known.sum() < 60 or truth.sum() < 20:  # pixels; it has left the view
                    continue
                told = []
                for kept, before, now in zip((KEPT_COARSE, KEPT_FINE), told_from, cells, strict=True):
                    regression = Regression(kept)
                    regression.give(before, *region_sides(known, before.shape))
                    told.append(told_region(regression, now, SIZE))
                yield second, told[0], told[1], truth


def _regions(photo: Photo, rng: np.random.Generator) -> list[Array]:
    """Some regions of a photo, (H, W) float32 of 0 and 1: connected areas of one value in its maps."""
    found = []
    for path in (photo.label_path, photo.voc_path):
        if path is None:
            continue
        values = photo.values(path)
        for value in set(np.unique(values).tolist()) - UNKNOWN:
            count, areas, facts, _ = cv2.connectedComponentsWithStats((values == value).astype(np.uint8))
            for n in range(1, count):
                if SMALLEST < facts[n, cv2.CC_STAT_AREA] / values.size < LARGEST:
                    found.append((areas == n).astype(np.float32))
    return [found[n] for n in rng.permutation(len(found))[:REGIONS]]


def _view(gray: Array, regions: list[Array], rng: np.random.Generator, strength: float) -> tuple[Array, list[Array]]:
    """A picture of SIZE: the photo turned, scaled, shifted and bent; and the regions, moved with it."""
    (height, width), (h, w) = gray.shape, SIZE
    angle, scale = rng.normal() * 0.12 * strength, np.exp(rng.normal() * 0.12 * strength) * min(height / h, width / w)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    middle = [side / 2 + rng.normal() * 0.06 * side * strength for side in (width, height)]
    wave = int(rng.choice([16, 32, 64]))
    bend = _noise(SIZE, wave, rng, 2) * min(rng.exponential(0.08 * wave) * strength, 0.2 * wave)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    x, y = x - w / 2, y - h / 2
    where = np.dstack([middle[0] + cos * x - sin * y, middle[1] + sin * x + cos * y]).astype(np.float32)
    where += bend.astype(np.float32)
    moved = [cv2.remap(m, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) for m in regions]
    return cv2.remap(gray, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), moved


def _exposed(picture: Array, rng: np.random.Generator) -> Array:
    """A picture with another contrast and brightness, perhaps soft, and with grain; uint8."""
    gray = (picture.astype(np.float32) - 128) * np.exp(rng.normal() * 0.1) + 128 + rng.normal() * 6
    if rng.random() < 0.3:
        gray = cv2.GaussianBlur(gray, (0, 0), rng.uniform(0.3, 1.2))
    return np.clip(gray + rng.normal(size=gray.shape) * rng.exponential(2.0), 0, 255).astype(np.uint8)


def _with_past(luma: Array, coarse: Array, fine: Array, truth: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """RegionNet's planes with a made past, and the truth."""
    before, sure = _past(truth, rng, good=bool(blind := rng.random() < BLIND))
    if blind:
        coarse, fine = (told * rng.uniform(0, 0.3) + _noise(SIZE, 8, rng) for told in (coarse, fine))
    return planes_of(luma, coarse, fine, before, sure).astype(np.float32), truth


def _past(truth: Array, rng: np.random.Generator, good: bool) -> tuple[Array, Array]:
    """The region of the frame before as motion might carry it into this frame, and how sure that motion is.

    Args:
        truth: the region in this frame.
        rng: random numbers.
        good: nothing wrong has gathered yet.
    """
    if not good and rng.random() < 0.1:
        return np.full_like(truth, 0.5), np.zeros_like(truth)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    wave = int(rng.choice([8, 16, 32]))
    wrong = _noise(SIZE, wave, rng, 2) * min(rng.exponential(2.0), 6) * (_noise(SIZE, 24, rng) > -0.3)[..., None]
    fine_wave = int(rng.choice([4, 8, 16]))
    drift = wrong + _noise(SIZE, fine_wave, rng, 2) * min(rng.exponential(1.8), 0.5 * fine_wave)
    before = _shifted(truth, x + drift[..., 0], y + drift[..., 1])
    if (
        not good and rng.random() < 0.7
    ):  # what has gathered over many frames, of any size; the motion knows nothing of it
        reach, wave = int(rng.integers(5, 50)), int(rng.choice([6, 12, 24]))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        near, kind = cv2.dilate((truth > 0.5).astype(np.float32), disc), rng.random()
        if kind < 0.7:
            before = np.maximum(before, near * (_noise(SIZE, wave, rng) > rng.uniform(0.2, 1.3)))
        if kind > 0.4:
            before = before * (_noise(SIZE, wave, rng) < rng.uniform(0.2, 1.5))
    if not good and rng.random() < 0.12:  # it was lost
        before = _shifted(before, x + rng.normal() * 25, y + rng.normal() * 15)
    if soft := float(rng.choice([0, 0.6, 1.2, 2])):
        before = cv2.GaussianBlur(before, (0, 0), soft)
    error = np.square(wrong).sum(2) / 1.5**2 * rng.uniform(0.5, 1.5)
    sure = np.clip(2 * np.exp2(-error) - 0.5, 0, 1)
    if rng.random() < 0.15:
        sure = np.full_like(truth, rng.random())
    return before.astype(np.float32), sure.astype(np.float32)


def _shifted(mask: Array, x: Array, y: Array) -> Array:
    where = np.dstack([x, y]).astype(np.float32)
    return cv2.remap(mask, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _noise(shape: tuple[int, int], wave: int, rng: np.random.Generator, channels: int = 1) -> Array:
    """Smooth noise with deviation of about 1: (H, W) float32, or (H, W, channels). `wave`: its length in pixels."""
    grid = rng.normal(size=(shape[0] // wave + 3, shape[1] // wave + 3, channels)).astype(np.float32)
    return cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)


app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def _command(
    data: Annotated[list[Path], typer.Argument(help="Folders or packed files of photos and labels.")],
    weights: Annotated[Path, typer.Option(help="Weights whose RegionNet is trained anew; the rest stays.")],
    steps: Annotated[int, typer.Option(min=1, help=f"Steps of {BATCH} samples.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of random samples and new weights.")] = 1,
    further: Annotated[bool, typer.Option("--further", help="Go on from the weights that it has.")] = False,
    version: Version = False,
) -> None:
    """Train the network that draws the outlines of followed regions, and write it into a weights file."""
    model, card = checkpoint.load(weights), checkpoint.card(weights)
    folder = DataFolder(data)
    photos, cpu = folder.photos("train"), torch.device("cpu")
    outlines = teach_regions(model, folder, photos, steps=steps, seed=seed, device=cpu, further=further)
    card["recipe"] = card.get("recipe", {}) | {"outlines": outlines | {"seed": seed}}
    checkpoint.save(model, weights, card)
    print(json.dumps(outlines))


def main() -> None:
    sys.exit(run(app, "regions"))


if __name__ == "__main__":
    main()
