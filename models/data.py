"""Photos and what is known of their labels, as training samples.

A data folder holds `photos/<source>/<split>/NNNNN.jpg`, and where known `labels/<source>/<split>/NNNNN.png` (the
source's own index map) and `labels_voc/…` (PASCAL VOC indices). Its `labels.json` says, for each source and
value, which of `labels.NAMES` the pixel may be: one name is a label, several are "one of these", 255 is unknown;
`scenes` says the same of whole pictures.
"""

import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from . import color, semantic
from .labels import INDEX, NAMES
from .scenes import tell_by_colour

Array = np.ndarray
HELD_OUT = 20  # every 20th training photo is set aside for choosing settings


@dataclass(frozen=True)
class Photo:
    """One photo of the data folder; the tables turn label values (0..255) into allowed names."""

    source: str
    path: Path
    label_path: Path | None  # in `source`'s own values
    voc_path: Path | None

    def rgb(self) -> Array:
        """(H, W, 3) uint8. Raises ValueError where the file is not a picture."""
        picture = cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError(f"{self.path} is not a picture OpenCV can read")
        return np.ascontiguousarray(picture[..., ::-1])


@dataclass(frozen=True)
class Batch:
    """grey (B, 1, S, S) 0..1; ab (B, 2, S/2, S/2); allowed (B, 62, S/4, S/4) bool: what a pixel may be."""

    grey: Tensor
    ab: Tensor
    allowed: Tensor


class DataFolder:
    """The photos of a folder and the meaning of their label values.

    Raises FileNotFoundError where `labels.json` or `photos` is missing, ValueError where names do not match.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        rules = json.loads((root / "labels.json").read_text())
        if tuple(rules["names"]) != NAMES:
            raise ValueError(f"{root / 'labels.json'}: `names` are not the {len(NAMES)} names of this version")
        self._tables = {source: self._table(values) for source, values in rules["sources"].items()}
        self._scenes = {source: self._row(names) for source, names in rules["scenes"].items()}

    @staticmethod
    def _row(names: list[str]) -> Array:
        row = np.zeros(len(NAMES), bool)
        row[[INDEX[name] for name in names]] = True
        return row

    @classmethod
    def _table(cls, values: dict[str, list[str]]) -> Array:
        table = np.ones((256, len(NAMES)), bool)  # what is not listed is unknown
        for value, names in values.items():
            table[int(value)] = cls._row(names)
        return table

    def photos(self, split: str, sources: list[str] | None = None) -> list[Photo]:
        """The photos of `train`, `val` (those set aside from the training photos) or `test`, in a fixed order."""
        found = []
        folder = "test" if split == "test" else "train"
        for source in sorted(p.name for p in (self.root / "photos").iterdir()):
            if sources is not None and source not in sources:
                continue
            for i, path in enumerate(sorted((self.root / "photos" / source / folder).glob("*.jpg"))):
                if split != "test" and (i % HELD_OUT == HELD_OUT - 1) != (split == "val"):
                    continue
                maps = [self.root / kind / source / folder / f"{path.stem}.png" for kind in ("labels", "labels_voc")]
                own, voc = (m if m.exists() else None for m in maps)
                found.append(Photo(source, path, own if source in self._tables else None, voc))
        return found

    def allowed(self, photo: Photo, size: tuple[int, int]) -> Array:
        """(h, w, 62) bool at `size` = (h, w), nearest: which labels each pixel may have.

        Where a photo's own map and the VOC map contradict each other, its own counts.
        """
        h, w = size
        allowed = np.ones((h, w, len(NAMES)), bool)
        if photo.source in self._scenes:
            allowed &= self._scenes[photo.source]
        for path, table in ((photo.label_path, photo.source), (photo.voc_path, "voc")):
            if path is None:
                continue
            values = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if values is None:
                raise ValueError(f"{path} is not a picture OpenCV can read")
            both = allowed & self._tables[table][cv2.resize(values, (w, h), interpolation=cv2.INTER_NEAREST)]
            allowed = np.where(both.any(-1, keepdims=True), both, allowed)
        return allowed


def degrade(grey: Array, rng: np.random.Generator) -> Array:
    """Make a clean grey picture (H, W) 0..1 look like film: contrast, exposure, softness, vignette, grain."""
    h, w = grey.shape
    grey = grey ** np.exp(rng.normal(0, 0.25))
    low, high = rng.uniform(0, 0.12), rng.uniform(0.85, 1.08)
    grey = low + (high - low) * grey
    if rng.random() < 0.3:
        grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.2:
        y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
        grey = grey * (1 - rng.uniform(0, 0.4) * (x * x + y * y) / 2)
    if rng.random() < 0.5:
        grain = rng.normal(0, rng.uniform(0, 0.06), (h, w)).astype(np.float32)
        grey = grey + (cv2.GaussianBlur(grain, (0, 0), 0.8) * 1.8 if rng.random() < 0.5 else grain)
    return np.clip(grey, 0, 1).astype(np.float32)


def sample(folder: DataFolder, photo: Photo, size: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """One training sample: a random crop of a randomly scaled, perhaps mirrored photo.

    Returns (grey (S, S) float32 0..1 degraded, rgb (S/2, S/2, 3) float32 0..1, allowed (S/4, S/4, 62) bool).
    """
    rgb = photo.rgb()
    h, w = rgb.shape[:2]
    # A film frame is seen at short side 256; crops stand for whole scenes and for details of them.
    scale = size * np.exp(rng.uniform(0, np.log(2))) / min(h, w)
    h, w = max(size, round(h * scale)), max(size, round(w * scale))
    rgb = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    y, x = rng.integers(0, h - size + 1), rng.integers(0, w - size + 1)
    quarter = folder.allowed(photo, (h // 4, w // 4))
    if photo.source.startswith("scenes_"):
        small = cv2.resize(rgb, (w // 4, h // 4), interpolation=cv2.INTER_AREA)
        quarter = tell_by_colour(small, quarter, photo.source)
    qy, qx = min(y // 4, h // 4 - size // 4), min(x // 4, w // 4 - size // 4)
    allowed = quarter[qy : qy + size // 4, qx : qx + size // 4]
    rgb = rgb[y : y + size, x : x + size].astype(np.float32) / 255
    if rng.random() < 0.5:
        rgb, allowed = rgb[:, ::-1], allowed[:, ::-1]
    grey = rgb @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
    half = cv2.resize(np.ascontiguousarray(rgb), (size // color.STRIDE,) * 2, interpolation=cv2.INTER_AREA)
    assert allowed.shape[:2] == (size // semantic.STRIDE,) * 2
    return degrade(grey, rng), half, allowed


def batches(
    folder: DataFolder, photos: list[Photo], batch: int, size: int, seed: int, first: int = 0, ahead: int = 4
) -> Iterator[Batch]:
    """Endless training batches, each a function of (seed, its number) alone, made `ahead` in a thread.

    Sources are drawn with a probability proportional to the square root of their number of photos.
    """
    from .lab import lab_from_rgb

    by_source: dict[str, list[Photo]] = {}
    for photo in photos:
        by_source.setdefault(photo.source, []).append(photo)
    names = sorted(by_source)
    share = np.sqrt([len(by_source[n]) for n in names])
    share /= share.sum()

    def make(number: int) -> Batch:
        rng = np.random.default_rng([seed, number])
        drawn = []
        for source in rng.choice(len(names), batch, p=share):
            pool = by_source[names[source]]
            drawn.append(sample(folder, pool[rng.integers(len(pool))], size, rng))
        grey, rgb, allowed = (np.stack(part) for part in zip(*drawn, strict=True))
        lab = lab_from_rgb(torch.from_numpy(rgb).permute(0, 3, 1, 2))
        return Batch(
            torch.from_numpy(grey)[:, None], lab[:, 1:].contiguous(), torch.from_numpy(allowed).permute(0, 3, 1, 2)
        )

    ready: queue.Queue[Batch | Exception] = queue.Queue(maxsize=ahead)

    def produce() -> None:
        number = first
        while True:
            try:
                ready.put(make(number))
            except Exception as error:  # handed over: the training loop must not wait for ever
                ready.put(error)
                return
            number += 1

    threading.Thread(target=produce, daemon=True).start()
    while True:
        item = ready.get()
        if isinstance(item, Exception):
            raise item
        yield item
