"""Digests of the luma that the encoder gets, and a comparison with the luma that decodes from the finished part.

A frame's digest is the SHA-256 of its Y plane: its rows without padding, samples above 8 bits as two bytes, the lower
byte first. FFmpeg computes the same digests with ``-vf extractplanes=y -f framehash -hash sha256``.

Each part is decoded once after it is written. For every frame this tells whether its luma came back sample for sample.
For the frames that the report shows, it also tells by how much luma differs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from ...errors import FilmError, InputError
from ..chunk import Chunk
from ..encode import Encoding
from ..film import Film, open_film
from ..opening import open_container
from ..planes import rows_of
from ..reader import luma_sha256
from ..sequences.curves import DISPLAY, HALF, LINEAR, LOG
from ..sequences.scans import Transfer
from .observe import shown_frames

TRANSFERS: dict[str, Transfer] = {DISPLAY: "display", LOG: "log", LINEAR: "linear", HALF: "linear"}
"""Meaning of code values → the option that says it."""


class LumaCheck:
    """Notes the luma of the open part, frame by frame, and compares it with the finished part."""

    def __init__(self, film: Film, encoding: Encoding) -> None:
        """
        Args:
            film: the source, as it is read.
            encoding: encoding of the colour film.
        """
        self._film, self._encoding = film, encoding
        self.clear()

    def clear(self) -> None:
        """Forget the open part."""
        self._first: int | None = None
        self._given: list[str] = []
        self._shown: dict[int, np.ndarray] = {}

    def add(self, chunk: Chunk, luma: np.ndarray) -> None:
        """Note the luma (N, H, W) of the next chunk."""
        self._first = chunk.start if self._first is None else self._first
        self._given += map(luma_sha256, luma)
        self._shown |= {chunk.start + n: luma[n].copy() for n in shown_frames(chunk)}

    def compare(self, part: Path) -> dict[str, Any]:
        """Decode the finished part and compare it with the luma that was noted.

        Returns:
            Values that JSON has. `given`: the digest of each frame's luma. `decoded`: number of frames that were
            compared. `identical`: number of those whose luma is the same in every sample. `differences`: number of a
            frame → [mean, greatest] absolute difference of its luma in steps of the film's own bit depth, and PSNR in
            dB (None if there is no difference).
        """
        first, decoded, identical, differences = self._first or 0, 0, 0, {}
        # A part that does not decode to its end is no reason to lose the work: the report tells how many frames did.
        with suppress(av.error.FFmpegError, FilmError, InputError):
            pictures = self._pictures(part) if self._encoding.pictures else self._frames(part)
            for n, (luma, whole) in enumerate(islice(pictures, len(self._given))):
                decoded += 1
                identical += whole and luma_sha256(luma) == self._given[n]
                if (given := self._shown.get(first + n)) is not None:
                    differences[str(first + n)] = _difference(given, luma, self._film.bits)
        return {"given": self._given, "decoded": decoded, "identical": identical, "differences": differences}

    def _frames(self, part: Path) -> Iterator[tuple[np.ndarray, bool]]:
        """Yield the luma of each decoded frame in the film's own bit depth, and whether no sample was rounded for that.

        Yields nothing more if the decoder gives samples of another depth.
        """
        e = self._encoding
        dtype = np.dtype(np.uint8 if e.bits == 8 else "<u2")
        with open_container(part) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            frames: Iterator[Any] = container.decode(stream)
            for frame in frames:
                if frame.format.components[0].bits != e.bits:
                    return
                yield e.samples.luma_back(rows_of(frame.planes[0], dtype)[: e.height, : e.width])

    def _pictures(self, part: Path) -> Iterator[tuple[np.ndarray, bool]]:
        """Yield the luma of each picture in a part. Yields nothing if the pictures have other code values."""
        assert self._encoding.pictures
        made = open_made(self._film, self._encoding, part)
        if made.scans and self._encoding.pictures.keeps:
            for n in range(made.frames):
                yield made.scans.luma_of(made.scans.samples(n), made.coding, made.bits), True


def open_made(film: Film, encoding: Encoding, place: Path) -> Film:
    """The film that was made of a source.

    Args:
        film: the source, as it was read.
        encoding: encoding of the colour film.
        place: the finished file, or the folder of its pictures.
    """
    if not encoding.pictures:
        return open_film(place)
    return open_film(place / encoding.pictures.name, fps=film.rate, transfer=TRANSFERS[film.coding])


def _difference(given: np.ndarray, found: np.ndarray, bits: int) -> list[float | int | None]:
    """[mean, greatest] absolute difference of two planes, and PSNR in dB; None if they are equal."""
    difference = np.abs(given.astype(np.int32) - found)
    squares = float(np.square(difference, dtype=np.int64).mean())
    psnr = round(10 * math.log10(((1 << bits) - 1) ** 2 / squares), 2) if squares else None
    return [round(float(difference.mean()), 4), int(difference.max()), psnr]
