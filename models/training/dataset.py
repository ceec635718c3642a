"""Training data: photos with what is known of their labels, and random samples of them in batches.

Data come from folders and zip files in any of the layouts of `layouts`. A pixel has a set of allowed labels: one means
that the label is known, several mean "one of these", all mean "unknown".
"""

from collections import Counter, deque
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from .. import colornet as color
from .. import semanticnet as semantic
from ..labels import INDEX, NAMES
from .archive import DataError, open_store
from .degradations import age, bars
from .lab import lab_from_rgb
from .layouts import Photo, Rules, read_layout
from .weak_labels import narrow_by_color

Array = np.ndarray

HELD_OUT = 20
"""Every 20th training photo of a source is set aside for choosing settings."""

BARRED = 0.06
"""Share of samples with letterbox or pillarbox bars."""

FAVOURED = {
    **{"faces": 2.0, "ccp": 2.5, "stock": 1.5, "idd": 2.5, "camvid": 4.0, "human": 2.0},
    **{"sun_kitchen": 3.0, "sun_auditorium": 3.0, "sysu": 2.5, "cocostuff": 3.0},
}
"""Factor of a source's probability. Films are full of people; street scenes have labels for every pixel; few sources
teach what a room consists of."""

REACH = 2
"""Distance in pixels to which a pixel's surroundings decide its label in `weak_labels`."""


@dataclass(frozen=True)
class Batch:
    """Samples with crops of S×S pixels."""

    gray: Tensor
    """(B, 1, S, S) luma 0..1, aged."""
    lab: Tensor
    """(B, 3, S/2, S/2) CIE Lab, the truth."""
    known: Tensor
    """(B, 62, S/4, S/4) bool: labels that the data allow."""
    allowed: Tensor
    """The same, narrowed by colour: for losses only, since the networks do not see colour."""


class DataFolder:
    """The photos of one or several folders or zip files, in any layout of `layouts`, and what their labels mean.

    A source may be spread over several of them: its photos are ordered by name, so it does not matter how.
    Raises DataError where one does not exist or cannot be used, and where two hold the same photo or differ in the
    meaning of a source.
    """

    def __init__(self, roots: Path | Sequence[Path]) -> None:
        self.roots = [roots] if isinstance(roots, Path) else list(roots)
        self.rules: Rules = {"sources": {}, "scenes": {}}
        found: dict[tuple[str, str, str], Photo] = {}
        for root in self.roots:
            rules, photos = read_layout(open_store(root))
            for kind, mine in self.rules.items():
                for source, meaning in rules[kind].items():
                    if mine.setdefault(source, meaning) != meaning:
                        raise DataError(f"{root} gives `{source}` another meaning than the data before it.")
            for photo in photos:
                other = found.setdefault((photo.source, photo.split, photo.name), photo)
                if other is not photo:
                    raise DataError(f"{other.path} and {photo.path} are both photo {photo.name} of `{photo.source}`.")
        self._photos = [found[key] for key in sorted(found)]
        self._tables = {source: _table(values) for source, values in self.rules["sources"].items()}
        self._scenes = {source: _bits(names) for source, names in self.rules["scenes"].items()}

    def photos(self, split: str, sources: Sequence[str] | None = None) -> list[Photo]:
        """The photos of `train`, `val` (those set aside from the training photos) or `test`, in a fixed order."""
        if split not in ("train", "val", "test"):
            raise ValueError(f"{split!r} is none of train, val, test")
        chosen, seen = [], dict.fromkeys((photo.source for photo in self._photos), 0)
        for photo in self._photos:
            if (photo.split == "test") != (split == "test"):
                continue
            seen[photo.source] += 1
            aside = photo.split == "train" and seen[photo.source] % HELD_OUT == 0
            if aside == (split == "val") and (sources is None or photo.source in sources):
                chosen.append(photo)
        return chosen

    def sources(self, split: str | None = None) -> list[str]:
        """The sources that have photos, in this split if one is given, in alphabetical order."""
        return sorted({photo.source for photo in (self.photos(split) if split else self._photos)})

    def allowed(self, photo: Photo, size: tuple[int, int], columns: slice = slice(None)) -> Array:
        """The labels that each pixel may have.

        Where maps contradict each other, the photo's own map counts before the VOC map, and this before that of a room.

        Args:
            photo: the photo.
            size: (h, w) of the result; maps are scaled to it by nearest neighbour.
            columns: those to return.

        Returns:
            (h, w', 62) bool.

        Raises:
            DataError: a map cannot be read, or is not of its photo's size.
        """
        return _unpack(self._allowed_bits(photo, size)[:, columns])

    def narrowed_by_color(self, photo: Photo, rgb: Array, columns: slice = slice(None)) -> Array:
        """`allowed`, narrowed by colour as in `weak_labels`.

        Args:
            photo: the photo.
            rgb: (h, w, 3) uint8, the photo scaled down.
            columns: those to return; the result is the same as in the whole.

        Returns:
            (h, w', 62) bool.
        """
        start, stop, _ = columns.indices(rgb.shape[1])
        left = max(0, start - REACH)
        near = slice(left, stop + REACH)
        allowed = _unpack(self._allowed_bits(photo, (rgb.shape[0], rgb.shape[1]))[:, near])
        narrowed = narrow_by_color(np.ascontiguousarray(rgb[:, near]), allowed, photo.source)
        return narrowed[:, start - left : stop - left]

    def _allowed_bits(self, photo: Photo, size: tuple[int, int]) -> Array:
        """(h, w) uint64 whose bit i is set where label i is allowed. One number per pixel is faster than 62."""
        h, w = size
        allowed = np.full((h, w), self._scenes.get(photo.source, _bits(NAMES)), "<u8")
        for path, table in ((photo.label_path, photo.source), (photo.voc_path, "voc"), (photo.room_path, "rooms")):
            if path is not None:
                values = cv2.resize(photo.values(path), (w, h), interpolation=cv2.INTER_NEAREST_EXACT)
                both = allowed & self._tables[table][values]
                allowed = np.where(both != 0, both, allowed)
        return allowed


def _bits(names: Sequence[str]) -> int:
    return sum(1 << INDEX[name] for name in set(names))


def _table(values: dict[str, list[str]]) -> Array:
    """(256,) uint64: the labels that each pixel value allows."""
    table = np.full(256, _bits(NAMES), "<u8")  # a value that is not listed is unknown
    for value, names in values.items():
        table[int(value)] = _bits(names)
    return table


def _unpack(bits: Array) -> Array:
    """(h, w) uint64 → (h, w, 62) bool."""
    octets = np.ascontiguousarray(bits)[..., None].view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=len(NAMES), bitorder="little").view(bool)


def sample(folder: DataFolder, photo: Photo, size: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """One training sample: a random crop of a randomly scaled and perhaps mirrored photo.

    Returns:
        Aged luma (S, S) float32 0..1; R'G'B' (S/2, S/2, 3) float32 0..1; and `known` and `allowed` of `Batch`,
        (2, S/4, S/4, 62) bool.
    """
    rgb = photo.rgb()
    # A film frame is seen at short side 256; crops stand for whole scenes and for details of them.
    scale = size * np.exp(rng.uniform(0, np.log(2))) / min(rgb.shape[:2])
    # All sizes and offsets are multiples of four pixels, so that picture, colours and labels are aligned exactly.
    h, w = (max(size, 4 * round(n * scale / 4)) for n in rgb.shape[:2])
    rgb = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    y, x = (4 * int(rng.integers(0, (n - size) // 4 + 1)) for n in (h, w))
    small = cv2.resize(rgb, (w // 4, h // 4), interpolation=cv2.INTER_AREA)
    columns = slice(x // 4, (x + size) // 4)
    known = folder.allowed(photo, (h // 4, w // 4), columns)
    allowed = np.stack([known, folder.narrowed_by_color(photo, small, columns)])[:, y // 4 : (y + size) // 4]
    rgb = rgb[y : y + size, x : x + size].astype(np.float32) / 255
    if rng.random() < 0.5:
        rgb, allowed = cv2.flip(rgb, 1), allowed[:, :, ::-1]
    gray = age(rgb @ np.array([0.299, 0.587, 0.114], np.float32), rng)  # ITU-R BT.601
    half = cv2.resize(rgb, (size // color.STRIDE,) * 2, interpolation=cv2.INTER_AREA)
    assert allowed.shape[1:3] == (size // semantic.STRIDE,) * 2
    if rng.random() < BARRED:  # a bar has no colour and no known label
        bar = bars((size, size), rng)
        gray = np.where(bar, rng.uniform(0, 0.1) + 0.2 * (gray - cv2.blur(gray, (5, 5))), gray).clip(0, 1)
        half, allowed = half * ~bar[::2, ::2, None], allowed | bar[::4, ::4, None]
    return gray.astype(np.float32), half, allowed


def shares(photos: Sequence[Photo]) -> tuple[dict[str, float], dict[str, int]]:
    """The probability with which each source is drawn, and its number of photos.

    The probability is proportional to the square root of that number and to FAVOURED.
    """
    count = dict(sorted(Counter(photo.source for photo in photos).items()))
    weight = {source: FAVOURED.get(source, 1.0) * float(np.sqrt(n)) for source, n in count.items()}
    total = sum(weight.values())
    return {source: w / total for source, w in weight.items()}, count


def step_seed(seed: int, number: int) -> int:
    """A seed for torch's random numbers in one step of a run. Torch's generators on a CPU keep 32 bits of a seed."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def batches(
    folder: DataFolder,
    photos: list[Photo],
    batch: int,
    size: int,
    seed: int,
    first: int = 0,
    ahead: int = 4,
    rank: int = 0,
    world: int = 1,
    threads: int = 1,
) -> Generator[Batch, None, None]:
    """Endless training batches, each a function of the seed and its number alone.

    A source is drawn with the probability of `shares`.

    Args:
        folder: the data.
        photos: those to draw from.
        batch: samples per batch.
        size: side of the crops, pixels.
        seed: of the random numbers.
        first: this worker's first step.
        ahead: batches to prepare ahead.
        rank: number of this worker; in its step n it gets batch n · world + rank.
        world: count of workers.
        threads: threads that prepare batches; they end when the generator is closed.

    Raises:
        DataError: there are no photos, or one cannot be read.
        OSError: a photo's file is gone.
    """
    by_source: dict[str, list[Photo]] = {}
    for photo in photos:
        by_source.setdefault(photo.source, []).append(photo)
    if not by_source:
        raise DataError(f"{', '.join(map(str, folder.roots))}: no photos to train on.")
    names = sorted(by_source)
    chance = shares(photos)[0]
    share = [chance[name] for name in names]

    def make(number: int) -> Batch:
        rng = np.random.default_rng([seed, number])
        drawn = []
        for source in rng.choice(len(names), batch, p=share):
            pool = by_source[names[source]]
            drawn.append(sample(folder, pool[rng.integers(len(pool))], size, rng))
        gray, rgb, allowed = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
        known, allowed = allowed.permute(1, 0, 4, 2, 3)
        return Batch(gray[:, None], lab_from_rgb(rgb.permute(0, 3, 1, 2)), known, allowed)

    def stream() -> Generator[Batch, None, None]:
        pool = ThreadPoolExecutor(threads)
        made = (pool.submit(make, number) for number in count(first * world + rank, world))
        try:
            coming = deque(islice(made, max(ahead, threads)))
            while True:
                ready = coming.popleft().result()
                coming.append(next(made))
                yield ready
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    return stream()
