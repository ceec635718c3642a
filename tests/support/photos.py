"""Makes training data for tests: a bright blue sky over dark green grass, at random horizons."""

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import torch
from semcolor.models.labels import NAMES
from semcolor.models.training.dataset import Batch, DataFolder

BLUE, GREEN = (90, 140, 220), (70, 130, 50)  # sRGB
HILLS = {"0": ["sky"], "1": ["grass", "tree"]}
RULES = {"names": list(NAMES), "sources": {"hills": HILLS, "voc": {"15": ["person", "skin"]}}, "scenes": {}}


def horizon(seed: int, size: tuple[int, int] = (80, 96)) -> np.ndarray:
    """(h, w) uint8: 0 above a random horizon, 1 below."""
    index = np.zeros(size, np.uint8)
    index[np.random.default_rng(seed).integers(size[0] // 4, 3 * size[0] // 4) :] = 1
    return index


def photo(seed: int, size: tuple[int, int] = (80, 96), suffix: str = ".jpg") -> bytes:
    """A bright blue sky over dark green grass, with grain."""
    rgb = np.array([BLUE, GREEN], np.float32)[horizon(seed, size)]
    rgb += np.random.default_rng(seed).normal(0, 6, (*size, 1))
    return cv2.imencode(suffix, np.clip(rgb, 0, 255).astype(np.uint8)[..., ::-1])[1].tobytes()


def png(values: np.ndarray) -> bytes:
    """The content of a PNG file."""
    return cv2.imencode(".png", values)[1].tobytes()


def put(root: Path, files: dict[str, bytes]) -> Path:
    """Write files by name below `root`, which is returned."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def zipped(root: Path) -> Path:
    """The folder as a zip beside it."""
    with zipfile.ZipFile(root.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in root.rglob("*"):
            archive.write(path, path.relative_to(root))
    return root.with_suffix(".zip")


def make_hills(root: Path, train: int = 24, test: int = 4, size: tuple[int, int] = (80, 96)) -> Path:
    """A data set in our layout: photos of size (h, w) of the source `hills`, and their label maps. Returns `root`."""
    put(root, {"labels.json": json.dumps(RULES).encode()})
    for split, count in (("train", train), ("test", test)):
        for i in range(count):
            put(root / "photos/hills" / split, {f"{i:05}.jpg": photo(i, size)})
            put(root / "labels/hills" / split, {f"{i:05}.png": png(horizon(i, size))})
    return root


def names(data: DataFolder, split: str) -> list[tuple[str, str]]:
    """Source and name of each photo."""
    return [(p.source, p.name) for p in data.photos(split)]


def known(data: DataFolder, split: str = "train") -> list[list[str]]:
    """The allowed labels of the upper left pixel of each photo, [] where all are allowed."""
    corners = [data.allowed(p, p.size)[0, 0] for p in data.photos(split)]
    return [[] if c.all() else [NAMES[i] for i in c.nonzero()[0]] for c in corners]


def same(a: Batch, b: Batch) -> bool:
    """Whether two batches are equal."""
    return torch.equal(a.gray, b.gray) and torch.equal(a.lab, b.lab) and torch.equal(a.allowed, b.allowed)
