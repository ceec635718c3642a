"""Every figure of the model card, measured on photos that were never trained on.

`evaluate` measures colour and labels. This module measures control (does the colour follow a changed label, in that
region only), skin, damage, steadiness, vividness and precision.
"""

import functools

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import network_size
from ..labels import INDEX, NAMES
from .chroma_prior import BINS, chroma_by_label
from .dataset import DataFolder, Photo
from .degradations import DAMAGES
from .evaluate import (
    SHORT_SIDE,
    Networks,
    Seen,
    colorize_photo,
    colorized_photos,
    evaluate,
    evaluate_tests,
    extremes,
    frontier,
    skin_pixels,
    tensor_of,
)
from .lab import lab_from_rgb, luma_from_rgb
from .metrics import ciede2000

SOURCES = ("bsds", "ccp", "idd", "stock")
"""Sources whose mean is reported."""

MARGIN = 16
"""Network pixels around a repainted region in which colours may still change."""

FEW = 9
"""Photos of a source below which its frontier says nothing."""

NEW_NAMES = ("sky", "tree", "grass", "water", "skin", "road", "snow", "horse", "clothes", "rock")


def _color(model: Networks, gray: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(1, 1, h, w) → a, b (1, 2, h/2, w/2) and the probabilities (1, 62, h/4, w/4) used."""
    features = model.encoder(gray)
    if labels is None:
        labels = model.semantic(features).softmax(1)
    return model.color(features, labels), labels


def _gray(photo: Photo, short: int = SHORT_SIDE) -> tuple[Tensor, Tensor]:
    """The network's picture (1, 1, h, w) and the truth's Lab (3, h/2, w/2)."""
    rgb = tensor_of(photo)[None]
    size = network_size(rgb.shape[3] / rgb.shape[2], short)
    rgb = F.interpolate(rgb, size, mode="bilinear", antialias=True, align_corners=False)
    return luma_from_rgb(rgb), lab_from_rgb(F.avg_pool2d(rgb, 2))[0]


def _usual(table: Tensor, name: int, lightness: Tensor) -> Tensor:
    """Mean usual chroma (2,) of a label over pixels of `lightness`."""
    return table[name, (lightness / 10).round().long().clamp(0, BINS - 1)].mean(0)


@torch.no_grad()
def control(model: Networks, photos: list[Photo], table: Tensor, enough: Tensor, count: int = 50) -> dict:
    """Change the label of one region in each of `count` photos and measure what moves.

    New labels are drawn, with a fixed seed, among those whose usual chroma at the region's lightness is at least 10
    units away from the old label's.

    Args:
        model: the networks.
        photos: candidates; photos without a suitable region are left out.
        table: of `chroma_by_label`.
        enough: of `chroma_by_label`.
        count: photos to measure at most.

    Returns:
        Statistics of three numbers per photo, by name. `way`: the distance by which the region's mean chroma moves on
        the line from the old label's usual chroma to the new one's, 1 = all of it. `place`: its position on that line
        afterwards, 0 = old, 1 = new; it differs from `way` where the picture was paler than usual. `outside`: the mean
        CIEDE2000 change more than MARGIN network pixels away from the region.
    """
    rng = np.random.default_rng(0)
    ways, positions, outside, cases = [], [], [], []
    for photo in photos:
        if len(ways) == count:
            break
        gray, truth = _gray(photo)
        before, labels = _color(model, gray)
        hard = labels[0].argmax(0)
        areas = torch.bincount(hard.flatten(), minlength=len(NAMES)) * enough / hard.numel()
        old = int(areas.argmax())
        region = hard == old
        if not 0.05 < areas[old] < 0.7:
            continue
        inside = F.interpolate(region[None, None].float(), before.shape[2:], mode="nearest")[0, 0] > 0
        light = truth[0][inside]
        start = _usual(table, old, light)
        ends = {n: _usual(table, INDEX[n], light) for n in NEW_NAMES if enough[INDEX[n]] and INDEX[n] != old}
        far = [n for n, end in ends.items() if torch.dist(start, end) >= 10]
        if not far:
            continue
        name = far[rng.integers(len(far))]
        hot = F.one_hot(torch.tensor(INDEX[name]), len(NAMES)).float()[None, :, None, None]
        after, _ = _color(model, gray, torch.where(region, hot, labels))
        moved = (after - before)[0][:, inside].mean(1)
        line = ends[name] - start
        ways.append(float(moved @ line / line.dot(line)))
        positions.append(float((after[0][:, inside].mean(1) - start) @ line / line.dot(line)))
        near = cv2.dilate(inside.numpy().astype(np.uint8), np.ones((MARGIN + 1, MARGIN + 1), np.uint8)) > 0
        pair = [torch.cat([truth[:1], ab[0]]) for ab in (before, after)]
        change = ciede2000(*pair)[torch.from_numpy(~near)]
        if len(change):
            outside.append(change.mean().item())
        cases.append((NAMES[old], name))
    return {
        "photos": len(ways),
        "way_median": float(np.median(ways)),
        "way_mean": float(np.mean(ways)),
        "way_at_least_half": float(np.mean(np.array(ways) >= 0.5)),
        "place_median": float(np.median(positions)),
        "place_at_least_half": float(np.mean(np.array(positions) >= 0.5)),
        "outside_mean": float(np.mean(outside)),
        "outside_worst": float(np.max(outside)),
        "cases": sorted({f"{a} → {b}" for a, b in cases}),
    }


@torch.no_grad()
def faces(
    model: Networks, folder: DataFolder, sources: tuple[str, ...] = ("faces", "ccp"), known: Seen | None = None
) -> dict:
    """On skin: median hue error in degrees where the truth has colour, and mean chroma divided by the truth's.

    `known`: photos that were coloured already.
    """
    results = {}
    for source in sources:
        errors, ours, theirs = [], [], []
        for photo, seen in colorized_photos(model, folder, folder.photos("test", [source]), seen=known):
            skin = torch.from_numpy(skin_pixels(folder, photo, (seen.rgb.shape[1], seen.rgb.shape[2])))
            if skin.sum() < 20:
                continue
            truth, ab = lab_from_rgb(seen.rgb)[1:][:, skin], seen.lab[1:][:, skin]
            turn = torch.rad2deg(torch.atan2(ab[1], ab[0]) - torch.atan2(truth[1], truth[0]))
            colored = torch.hypot(*truth) > 4
            errors.append(((turn + 180) % 360 - 180).abs()[colored])
            ours.append(torch.hypot(*ab).mean().item())
            theirs.append(torch.hypot(*truth).mean().item())
        if errors:
            hue = torch.cat(errors).median().item()
            results[source] = {"hue_error": hue, "chroma": float(np.sum(ours) / np.sum(theirs)), "photos": len(ours)}
    return results


def robustness(model: Networks, folder: DataFolder, sources: tuple[str, ...] = SOURCES, each: int = 25) -> dict:
    """Ratio and colourfulness, mean over sources: clean, with each damage at strength 0.7, and with all at 0.35."""
    photos = {source: folder.photos("test", [source])[:each] for source in sources}
    results = {}
    for name in ("clean", *DAMAGES, "all"):
        chosen = DAMAGES.values() if name == "all" else [DAMAGES[name]] if name != "clean" else []
        strength = 0.35 if name == "all" else 0.7
        pairs = []
        for source in sources:
            rng = np.random.default_rng(0)

            def damage(gray: np.ndarray, chosen=chosen, rng=rng, strength=strength) -> np.ndarray:
                return functools.reduce(lambda g, harm: harm(g, rng, strength).astype(np.float32), chosen, gray)

            seen = ((photo, colorize_photo(model, tensor_of(photo), damage=damage)) for photo in photos[source])
            figures, _ = evaluate(seen, folder)
            pairs.append((figures.ratio, figures.colourfulness))
        results[name] = dict(zip(("ratio", "colourfulness"), np.mean(pairs, 0).tolist(), strict=True))
    return results


def gain(model: Networks, folder: DataFolder, photos: list[Photo], known: Seen | None = None) -> dict:
    """Colour ratio with predicted labels and with labels corrected by the known ones, of all photos and by source.

    `known`: photos that were coloured already.
    """
    errors: dict[str, np.ndarray] = {}  # CIEDE2000 summed over photos: predicted labels, corrected labels, grey
    for source in sorted({photo.source for photo in photos}):
        mine = [photo for photo in photos if photo.source == source]
        read, _ = evaluate(colorized_photos(model, folder, mine, seen=known), folder)
        given, _ = evaluate(colorized_photos(model, folder, mine, given=True), folder)
        errors[source] = len(mine) * np.array([read.ciede2000, given.ciede2000, read.ciede2000_grey])
    pairs = {source: (total[:2] / total[2]).tolist() for source, total in errors.items()}
    total = np.sum(list(errors.values()), 0)
    return {"photos": len(photos), "read": total[0] / total[2], "given": total[1] / total[2], "sources": pairs}


@torch.no_grad()
def bars(model: Networks, photos: list[Photo]) -> float:
    """The larger of mean |a| and mean |b| inside letterbox and pillarbox bars, at least 4 pixels from the picture."""
    found = []
    for i, photo in enumerate(photos):
        gray, _ = _gray(photo)
        h, w = gray.shape[2:]
        thick = 32
        mask = torch.zeros(h, w, dtype=torch.bool)
        if i % 2:
            mask[:thick] = mask[-thick:] = True
        else:
            mask[:, :thick] = mask[:, -thick:] = True
        ab, _ = _color(model, torch.where(mask, 0.02, gray))
        inner = torch.from_numpy(cv2.erode(mask.numpy().astype(np.uint8), np.ones((9, 9), np.uint8)) > 0)[::2, ::2]
        found.append(ab[0].abs()[:, inner].mean(1).max().item())
    return float(np.mean(found))


@torch.no_grad()
def steadiness(model: Networks, photos: list[Photo]) -> dict:
    """Mean (|Δa| + |Δb|) / 2 of single frames when the picture moves by one pixel, and when its gain changes by 5 %."""
    moves: list[float] = []
    gains: list[float] = []
    for photo in photos:
        gray, _ = _gray(photo)
        ab, _ = _color(model, gray)
        for dim in (2, 3):
            other, _ = _color(model, gray.roll(1, dim))
            follow = (ab + ab.roll(1, dim)) / 2  # a pixel of the picture is half a pixel of chroma
            moves.append((follow - other)[:, :, 4:-4, 4:-4].abs().mean().item())
        for gain in (0.95, 1.05):
            gains.append((ab - _color(model, (gray * gain).clamp(0, 1))[0]).abs().mean().item())
    return {"shift": float(np.mean(moves)), "gain": float(np.mean(gains)), "shift_worst": float(np.max(moves))}


@torch.no_grad()
def precision(model: Networks, photos: list[Photo], other: Networks | None = None) -> float:
    """Mean |Δab| of bfloat16 against float32; `other` are the networks in float32, by default `model` itself."""
    found = []
    for photo in photos:
        gray, _ = _gray(photo)
        exact, _ = _color(other or model, gray)
        with torch.autocast("cpu", torch.bfloat16, enabled=other is None):
            fast, _ = _color(model, gray)
        found.append((exact - fast.float()).abs().mean().item())
    return float(np.mean(found))


def measure_all(
    model: Networks,
    folder: DataFolder,
    sources: tuple[str, ...] = SOURCES,
    each: int = 25,
    other: Networks | None = None,
) -> dict:
    """All figures of the model card.

    Args:
        model: the networks.
        folder: the test photos of `sources`, and training photos for the usual chroma.
        sources: those whose mean is reported.
        each: photos per source for damage and vividness; colour and labels are measured on all test photos.
        other: as for `precision`.
    """
    every = {source: folder.photos("test", [source]) for source in folder.sources("test")}
    tests = {source: every.get(source, []) for source in sources}
    kept = {source: list(colorized_photos(model, folder, photos[:each])) for source, photos in every.items()}
    known = {photo: seen for pairs in kept.values() for photo, seen in pairs}
    results = evaluate_tests(model, folder, list(every), list(sources), known)
    mixed = [photo for group in zip(*tests.values(), strict=False) for photo in group]
    # Labels drawn by people are right. A network's are right about outlines and often wrong about labels.
    for kind, labelled in {
        "given": [p for p in known if p.label_path],
        "given_voc": [p for p in known if p.voc_path and not p.label_path],
    }.items():
        if labelled:
            results[kind] = gain(model, folder, labelled, known)
    table, enough = chroma_by_label(folder, folder.photos("train"))
    results["control"] = control(model, mixed, table, enough)
    results["skin"] = faces(model, folder, known=known)
    results["bars"] = bars(model, mixed[:each])
    results["steadiness"] = steadiness(model, mixed[:each])
    results["bf16"] = precision(model, mixed[: each // 2], other)
    curve = {}
    for vivid in (0.5, 0.75, 1.0, 1.25, 1.5, 2.0):
        pairs = [evaluate(kept[source], folder, vivid)[0] for source in sources]
        curve[str(vivid)] = [float(np.mean([getattr(p, key) for p in pairs])) for key in ("ratio", "colourfulness")]
    results["vivid"] = curve
    results["frontier"] = {s: frontier(kept[s], folder) for s, photos in every.items() if len(photos) >= FEW}
    results["extremes"] = extremes(known.items())
    results["robustness"] = robustness(model, folder, sources, each)
    return results
