"""The arrays of a chunk as they travel from stage to stage. Shapes are checked once, when a record is created."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chunk import Chunk


@dataclass(frozen=True)
class Thumbs:
    """Luma of N consecutive frames at network size: the only input of painting and motion."""

    pictures: np.ndarray
    """(N, h, w) uint8, full range 0..255; (h, w) = `reader.thumb_size`."""
    before: np.ndarray | None
    """(h, w) uint8: the previous frame's thumb if it belongs to the same shot, else None."""

    def __post_init__(self) -> None:
        _expect("thumbs", self.pictures, (None, None, None), np.uint8)
        if self.before is not None:
            _expect("the thumb before", self.before, self.pictures.shape[1:], np.uint8)

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class Colors:
    """Chroma and labels of N frames, from the networks or from the steadier after them."""

    ab: np.ndarray
    """(N, 2, h/2, w/2) float16: chroma, a and b of CIE Lab (D65)."""
    labels: np.ndarray
    """(N, 62, h/4, w/4) uint8: label probabilities × 255."""

    def __post_init__(self) -> None:
        _expect("ab", self.ab, (None, 2, None, None), np.float16)
        n, _, h, w = self.ab.shape
        _expect("labels", self.labels, (n, None, h // 2, w // 2), np.uint8)

    def __len__(self) -> int:
        return len(self.ab)

    def __getitem__(self, wanted: slice) -> Colors:
        return Colors(self.ab[wanted], self.labels[wanted])


@dataclass(frozen=True)
class Painted:
    """The networks' colours for some frames of a chunk."""

    colors: Colors
    """Of the frames `at` only."""
    at: tuple[int, ...]
    """Numbers of these frames within the chunk, in order."""

    def __post_init__(self) -> None:
        if len(self.at) != len(self.colors):
            raise ValueError(f"got the colours of {len(self.colors)} frames for {len(self.at)}")


@dataclass(frozen=True)
class Frames:
    """The frames of a chunk as the reader hands them out."""

    chunk: Chunk
    luma: np.ndarray
    """(N, H, W) uint8, or uint16 above 8 bits: the source's own samples."""
    thumbs: Thumbs
    chroma: np.ndarray | None = None
    """(N, 2, ch, cw) of luma's type: the source's own Cb and Cr, if the shot keeps them."""

    def __post_init__(self) -> None:
        _expect("luma", self.luma, (len(self.chunk), None, None), np.uint16 if self.luma.itemsize == 2 else np.uint8)
        if len(self.thumbs) != len(self.chunk):
            raise ValueError(f"got {len(self.thumbs)} thumbs for the {len(self.chunk)} frames of a chunk")
        if self.chroma is not None:
            _expect("chroma", self.chroma, (len(self.chunk), 2, None, None), self.luma.dtype.type)

    def __getitem__(self, wanted: slice) -> Frames:
        """A chunk of only the frames in the slice; `wanted` has a start and a stop."""
        first, stop, _ = wanted.indices(len(self.chunk))
        pictures = self.thumbs.pictures
        return Frames(
            self.chunk[first:stop],
            self.luma[first:stop],
            Thumbs(pictures[first:stop], pictures[first - 1] if first else self.thumbs.before),
            None if self.chroma is None else self.chroma[first:stop],
        )


def _expect(name: str, array: np.ndarray, shape: tuple[int | None, ...], dtype: type) -> None:
    """Raise ValueError if an array has another type or shape; None in `shape` accepts any length."""
    fits = len(array.shape) == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != dtype:
        wanted = "×".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name}: expected {np.dtype(dtype)} {wanted}, got {array.dtype} {array.shape}")
