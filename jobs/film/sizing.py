"""Compute the number of chunks in flight, the number of Writers, and the shared memory for both."""

from __future__ import annotations

from dataclasses import dataclass

from ...pipeline.chunk import PART_FRAMES
from ...pipeline.film import Film
from ...pipeline.reader import chunk_size, thumb_size
from ..cluster import cores

AHEAD = 4
"""Least number of chunks in flight besides one per artist: one is being read, one waits for the next chunk of its
shot, one is being steadied, one is being written."""

LARGE = 100 << 20
"""Bytes of a chunk from which on no chunks are added for the artists. Painting such a chunk (3840x2160) takes a tenth
of the time of encoding it, and a film of that size shall stay below 2.5 GB."""

ARTISTS_A_WRITER = {"cpu": 4, "cuda": 2}
"""Device → number of artists that together are about as fast as one Writer on one core."""

MOST_WRITERS = 3
"""Greatest number of Writers. One Reader decodes about as fast as three Writers encode."""

FURTHER_BYTES = 512 << 20
"""Upper bound, in bytes, of the extra chunks in flight per Writer after the first."""

BYTES_A_THUMB_PIXEL = 14
"""Bytes of thumb, colours, labels and motion together, per pixel of the thumb."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a film's chunks."""

    frames: int
    """Frames in a full chunk."""
    bytes: int
    """Approximate shared memory of a full chunk and all its results, in bytes."""

    @classmethod
    def of(cls, film: Film, size: int, chunk: int, own: bool = False) -> Sizes:
        """Sizes of the chunks of `film`.

        Args:
            film: the source.
            size: short side of the thumbs, in pixels.
            chunk: wanted frames per chunk; see `pipeline.reader.chunk_size`.
            own: whether the source's own chroma may travel with its luma.
        """
        h, w = thumb_size(film, size)
        frames = chunk_size(film, chunk)
        luma = film.width * film.height * (1 if film.bits == 8 else 2)
        planes = luma * (3 if own else 1)  # at most as much chroma as in 4:4:4
        return cls(frames, frames * (planes + h * w * BYTES_A_THUMB_PIXEL))

    def chunks(self, film: Film) -> int:
        """Least number of chunks of `film`."""
        return -(-film.frames // self.frames)

    def window(self, artists: int, writers: int) -> int:
        """Greatest number of chunks in flight.

        Each artist has one chunk queued besides the one it paints. Without it, artists would wait for later stages,
        because receipts are collected in order. Each Writer after the first begins half a part further on in the film,
        so the window grows by that many chunks.
        """
        half_a_part = -(-PART_FRAMES // (2 * self.frames))
        further = (writers - 1) * min(half_a_part, FURTHER_BYTES // self.bytes)
        if self.bytes >= LARGE:
            return AHEAD + further
        return artists + max(artists, AHEAD + further)

    def store_bytes(self, artists: int, writers: int) -> int:
        """Shared memory for a full window of chunks, doubled as a reserve."""
        return 2 * self.bytes * self.window(artists, writers)


def writers(artists: int, device: str) -> int:
    """Number of Writers that encode parts of a film at the same time, on the driver's node."""
    return min(-(-artists // ARTISTS_A_WRITER[device]), MOST_WRITERS, max(1, cores() // 2))
