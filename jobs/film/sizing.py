"""How many chunks are in flight, how many Writers encode, and how much shared memory that takes."""

from __future__ import annotations

from dataclasses import dataclass

from ...pipeline.chunk import PART_FRAMES
from ...pipeline.film import Film
from ...pipeline.reader import chunk_size, thumb_size
from ..cluster import cores

AHEAD = 4
"""Least number of chunks in flight beyond one for each artist: one is read, one waits for the next one of its shot, one
is steadied, one is written."""

ARTISTS_A_WRITER = {"cpu": 4, "cuda": 2}
"""How many artists paint about as much as one Writer encodes on one core."""

MOST_WRITERS = 3
"""The Reader decodes about as much as three Writers encode."""

FURTHER_BYTES = 512 << 20
"""Upper bound, in bytes, of the extra chunks in flight for each Writer but the first."""

BYTES_A_THUMB_PIXEL = 14
"""Thumb, colours, labels and motion together, per pixel of the thumb."""


@dataclass(frozen=True)
class Sizes:
    """What a chunk of a film measures."""

    frames: int
    """Frames of a full chunk."""
    bytes: int
    """Shared memory that a chunk and all its results take, about."""

    @classmethod
    def of(cls, film: Film, size: int, chunk: int) -> Sizes:
        """
        Args:
            film: the source.
            size: short side of the thumbs.
            chunk: frames of a chunk as wanted; see `pipeline.reader.chunk_size`.
        """
        h, w = thumb_size(film, size)
        frames = chunk_size(film, chunk)
        luma = film.width * film.height * (1 if film.bits == 8 else 2)
        return cls(frames, frames * (luma + h * w * BYTES_A_THUMB_PIXEL))

    def window(self, artists: int, writers: int) -> int:
        """Chunks in flight at most.

        Each artist has one chunk queued besides the one it paints; without it, in-order receipts would make artists
        wait for later stages. Each Writer but the first needs the film to be half a part further on.
        """
        half_a_part = -(-PART_FRAMES // (2 * self.frames))
        further = (writers - 1) * min(half_a_part, FURTHER_BYTES // self.bytes)
        return artists + max(artists, AHEAD + further)

    def store_bytes(self, artists: int, writers: int) -> int:
        """Shared memory for a full window of chunks, with as much to spare."""
        return 2 * self.bytes * self.window(artists, writers)


def writers(artists: int, device: str) -> int:
    """How many Writers encode parts of a film at once, on the driver's node."""
    return min(-(-artists // ARTISTS_A_WRITER[device]), MOST_WRITERS, max(1, cores() // 2))
