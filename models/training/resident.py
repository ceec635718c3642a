"""Training data held on the device: photos as bytes, which are cropped, aged and turned to Lab there.

A GPU learns faster than a CPU can read, scale and age photos. So all photos are read once, and a batch is made of them
by the device itself. Batches differ from those of `dataset.batches` (bilinear scaling, and `aging`), but they too are a
function of the seed and the step alone.
"""

import math
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..labels import NAMES
from .aging import age
from .dataset import BARRED, Array, Batch, DataFolder, shares, step_seed
from .lab import lab_from_rgb, luma_from_rgb
from .layouts import Photo

CELL = 4
"""Pixels of a photo along one cell of its label map."""


class Resident:
    """Photos and their labels in a device's memory."""

    def __init__(self, folder: DataFolder, photos: Sequence[Photo], device: torch.device, short: int) -> None:
        """Read the photos.

        Args:
            folder: the data.
            photos: those to hold.
            device: where to.
            short: short side to which the photos are scaled, a multiple of 4.
        """
        sets: dict[bytes, int] = {}
        with ThreadPoolExecutor() as pool:
            read = list(pool.map(lambda photo: _read(folder, photo, short), photos))
        cells = []
        for _, allowed in read:  # few sets of labels occur, so a cell holds the number of its set
            rows, index = np.unique(allowed, axis=0, return_inverse=True)
            number = np.array([sets.setdefault(row.tobytes(), len(sets)) for row in rows], np.int16)
            cells.append(number[index.ravel()])
        self.device = device
        self.sizes = torch.tensor([rgb.shape[:2] for rgb, _ in read], device=device)
        pixels = [rgb.shape[0] * rgb.shape[1] for rgb, _ in read]
        self.pixel_start = torch.tensor(np.cumsum([0, *pixels[:-1]]), device=device)
        self.cell_start = torch.tensor(np.cumsum([0, *(len(c) // 2 for c in cells[:-1])]), device=device)
        self.rgb = torch.from_numpy(np.concatenate([rgb.reshape(-1, 3) for rgb, _ in read])).to(device)
        self.cells = torch.from_numpy(np.concatenate([c.reshape(2, -1) for c in cells], 1)).to(device)
        packed = np.frombuffer(b"".join(sets), np.uint8).reshape(len(sets), -1)
        names = np.unpackbits(packed, axis=1, count=len(NAMES)).view(bool)
        self.sets = torch.from_numpy(names).to(device)
        share, sources = shares(photos)
        self.chance = torch.tensor([share[p.source] / sources[p.source] for p in photos], device=device)

    def batch(self, count: int, size: int, random: torch.Generator) -> Batch:
        """`count` random crops of `size`×`size` pixels, perhaps mirrored and aged."""
        drawn = torch.multinomial(self.chance, count, replacement=True, generator=random)
        h, w = self.sizes[drawn].unbind(1)
        u = torch.rand(5, count, generator=random, device=self.device)
        side = torch.minimum(h, w) * torch.exp(-u[0] * math.log(2))  # of the crop in the photo
        top, left = u[1] * (h - side), u[2] * (w - side)
        mirrored = u[3] < 0.5

        def along(start: Tensor, n: int, turned: Tensor | None = None) -> Tensor:
            """(B, n) places in the photo of the middles of n pixels of the crop."""
            at = (torch.arange(n, device=self.device)[None] + 0.5) / n
            if turned is not None:
                at = torch.where(turned[:, None], 1 - at, at)
            return start[:, None] + at * side[:, None]

        y, x = along(top, size), along(left, size, mirrored)
        rgb = self._bilinear(self.pixel_start[drawn], h, w, y - 0.5, x - 0.5)
        small = size // 4
        row = (along(top, small) / CELL).long().minimum((h // CELL - 1)[:, None])
        column = (along(left, small, mirrored) / CELL).long().minimum((w // CELL - 1)[:, None])
        at = self.cell_start[drawn][:, None, None] + row[:, :, None] * (w // CELL)[:, None, None] + column[:, None]
        known, allowed = self.sets[self.cells[:, at].long()].permute(0, 1, 4, 2, 3)
        gray = age(luma_from_rgb(rgb)[:, 0], random)[:, None]
        half = F.avg_pool2d(rgb, 2)
        bar = self._bars(count, size, random) & (u[4] < BARRED)[:, None, None, None]
        dim = (0.1 * u[4] / BARRED)[:, None, None, None] + 0.2 * (gray - F.avg_pool2d(gray, 5, 1, 2))
        gray = torch.where(bar, dim, gray).clamp(0, 1)
        half = half * ~bar[:, :, ::2, ::2]
        return Batch(gray, lab_from_rgb(half), known | bar[:, :, ::4, ::4], allowed | bar[:, :, ::4, ::4])

    def _bilinear(self, start: Tensor, h: Tensor, w: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """(B, 3, S, S) R'G'B' 0..1 at rows y and columns x (B, S) of photos of h×w pixels from `start` on."""
        y, x = y.clamp(min=0).minimum((h - 1)[:, None]), x.clamp(min=0).minimum((w - 1)[:, None])
        rows, columns = y.long(), x.long()
        down, right = (y - rows)[:, :, None, None], (x - columns)[:, None, :, None]

        def at(i: Tensor, j: Tensor) -> Tensor:
            i, j = i.minimum((h - 1)[:, None]), j.minimum((w - 1)[:, None])
            return self.rgb[start[:, None, None] + i[:, :, None] * w[:, None, None] + j[:, None]].float() / 255

        upper = torch.lerp(at(rows, columns), at(rows, columns + 1), right)
        lower = torch.lerp(at(rows + 1, columns), at(rows + 1, columns + 1), right)
        return torch.lerp(upper, lower, down).permute(0, 3, 1, 2).contiguous()

    def _bars(self, count: int, size: int, random: torch.Generator) -> Tensor:
        """(B, 1, S, S) bool: letterbox or pillarbox bars."""
        thick, upright = torch.rand(2, count, 1, generator=random, device=self.device)
        at = (torch.arange(size, device=self.device)[None] + 0.5) / size
        inside = torch.minimum(at, 1 - at) < 0.04 + 0.21 * thick
        across = (upright < 0.5)[:, :, None]
        return torch.where(across, inside[:, :, None], inside[:, None])[:, None]


def _read(folder: DataFolder, photo: Photo, short: int) -> tuple[Array, Array]:
    """A photo (h, w, 3) uint8, and for `known`, then `allowed` of a `Batch`, the labels of each cell as packed bits."""
    rgb = photo.rgb()
    scale = short / min(rgb.shape[:2])
    h, w = (max(short, CELL * round(n * scale / CELL)) for n in rgb.shape[:2])
    rgb = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    small = cv2.resize(rgb, (w // CELL, h // CELL), interpolation=cv2.INTER_AREA)
    labels = np.stack([folder.allowed(photo, small.shape[:2]), folder.narrowed_by_color(photo, small)])
    return rgb, np.packbits(labels.reshape(-1, len(NAMES)), axis=1)


def resident_batches(
    data: Resident, batch: int, size: int, seed: int, first: int = 0, rank: int = 0, world: int = 1
) -> Generator[Batch, None, None]:
    """Endless batches, as those of `dataset.batches`: each a function of the seed and its number alone."""
    number = first * world + rank
    while True:
        random = torch.Generator(data.device).manual_seed(step_seed(seed, number))
        yield data.batch(batch, size, random)
        number += world
