"""A sequence of pictures as a film: its files, what they have in common, and their luma."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...errors import FilmError, InputError
from . import color, dpx, exr, jpeg, png, tiff
from .curves import DISPLAY, HALF, LINEAR, LOG, display_curve, viewed
from .head import Head
from .names import Pattern, Transfer, find

KINDS: dict[str, Any] = {"dpx": dpx, "tiff": tiff, "exr": exr, "png": png, "jpeg": jpeg}
"""Kind of picture → the module that reads and writes it."""

SAMPLE = 4096
"""Bytes that the fingerprint takes from the beginning, the middle and the end of each file."""


@dataclass(frozen=True)
class Scans:
    """The pictures of a sequence. Picklable; holds no open file."""

    pattern: Pattern
    head: Head
    """What all pictures have in common."""
    coding: str
    """Meaning of the code values; see `curves`."""
    numbers: np.ndarray = field(repr=False, compare=False)
    """(frames,) int64: number of each frame's picture, rising."""

    def path(self, frame: int) -> Path:
        """Path of a frame's picture. Frames are counted from 0."""
        return Path(self.pattern.folder, self.pattern.of(int(self.numbers[frame])))

    def addresses(self, rate: Fraction) -> tuple[str, str]:
        """Timecode and keycode of the first picture, as far as its header states them; see `dpx.addresses`."""
        return dpx.addresses(self.path(0), rate) if self.pattern.kind == "dpx" else ("", "")

    def light(self, frame: int) -> np.ndarray:
        """Luma of a frame in its own code values: (H, W) uint8 or uint16; float32 for pictures of floats.

        Raises FilmError if the picture cannot be read, or is not like the others.
        """
        samples = self.samples(frame)
        return color.luma_of(samples, self.head.channels, self.head.matrix)

    def samples(self, frame: int) -> np.ndarray:
        """The samples of a frame: (H, W) or (H, W, channels and alpha). Raises as `light`."""
        path = self.path(frame)
        if not path.exists():
            raise FilmError(f"{path} is no longer there.")
        try:
            samples = KINDS[self.pattern.kind].read(path)
        except InputError as error:
            raise FilmError(str(error)) from error
        height, width = samples.shape[:2]
        channels = samples.shape[2] if samples.ndim == 3 else 1
        if (height, width, channels) != (self.head.height, self.head.width, self.head.channels + self.head.alpha):
            raise FilmError(
                f"{path} has {width}x{height} pixels of {channels} channels, unlike the others ({self.head.kind()})."
            )
        return samples

    def luma_of(self, samples: np.ndarray, coding: str, bits: int) -> np.ndarray:
        """Luma of a picture, (H, W) uint8, or uint16 above 8 bits.

        Args:
            samples: the samples of the picture.
            coding: `coding`, or ``display`` for luma as displayed.
            bits: bits of a sample; those of the pictures, unless the coding is another.
        """
        luma = color.luma_of(samples, self.head.channels, self.head.matrix)
        codes = exr.half_bits(luma) if self.head.floats else luma
        if (coding, bits) == (self.coding, self.head.bits):
            return codes
        return viewed(codes, self.coding, self.head.bits, bits)

    def chroma_of(
        self, samples: np.ndarray, bits: int, size: tuple[int, int] | None = None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The chroma that a picture has already, as displayed; None if it is grey.

        Args:
            samples: the samples of the picture.
            bits: bits of a sample of chroma.
            size: (rows, columns) of the planes, at most those of the picture; None: those of the picture.

        Returns:
            Cb and Cr of full range, (rows, columns) uint8, or uint16 above 8 bits.
        """
        if self.head.channels == 1:
            return None
        rgb = samples[..., :3]
        if size and size[0] * size[1] < rgb.shape[0] * rgb.shape[1]:
            rgb = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA)
        codes = exr.half_bits(rgb) if self.head.floats else rgb
        return color.chroma_of(np.take(display_curve(self.coding, self.head.bits), codes), self.head.matrix, bits)

    def selected(self, frames: np.ndarray) -> Scans:
        """Only the pictures of the given frames."""
        return replace(self, numbers=self.numbers[frames])

    def fingerprint(self) -> str:
        """Digest that changes with the pictures: of their names, sizes, and three samples of each file."""
        digest = hashlib.sha256(repr((self.pattern.name, self.coding)).encode("utf-8", "surrogateescape"))
        for frame, number in enumerate(self.numbers):
            with open(self.path(frame), "rb") as file:
                size = file.seek(0, os.SEEK_END)
                digest.update(f"{number} {size}".encode())
                for at in (0, size // 2, max(0, size - SAMPLE)):
                    file.seek(at)
                    digest.update(file.read(SAMPLE))
        return digest.hexdigest()


def open_scans(
    place: str | os.PathLike[str], fps: Fraction | None = None, transfer: Transfer | None = None
) -> tuple[Scans, Fraction]:
    """Open a sequence. The header of every picture is read.

    Args:
        place: a folder, or a pattern; see `names.find`.
        fps: frames per second; None: as the pictures' headers state.
        transfer: meaning of the code values; None: as the pictures' headers tell.

    Returns:
        (the sequence, frames per second).

    Raises:
        InputError: one sentence, if the pictures cannot be used as one film.
    """
    pattern, numbers = find(place)
    heads = _heads(pattern, numbers)
    first = next(heads)
    for number, head in zip(numbers[1:], heads, strict=True):
        if not head.same(first):
            raise InputError(
                f"{os.path.join(pattern.folder, pattern.of(number))}: from this picture on they have {head.kind()} "
                f"instead of {first.kind()}; move them into a folder of their own."
            )
    rate = fps or first.rate
    if rate is None:
        raise InputError(f"{pattern.path}: its pictures state no frame rate; give it, for instance --fps 24.")
    return Scans(pattern, first, _coding(pattern, first, transfer), np.array(numbers, np.int64)), rate


def _heads(pattern: Pattern, numbers: Sequence[int]) -> Iterator[Head]:
    """Yield the properties of each picture."""
    head = KINDS[pattern.kind].head
    for number in numbers:
        path = Path(pattern.folder, pattern.of(number))
        try:
            yield head(path)
        except PermissionError as error:
            raise InputError(f"{path} cannot be read: permission denied.") from error


def _coding(pattern: Pattern, head: Head, transfer: Transfer | None) -> str:
    """The meaning of the code values. Raises InputError if the pictures cannot have the transfer asked for."""
    if transfer is None:
        return head.coding
    if head.floats:
        if transfer != "linear":
            raise InputError(f"{pattern.path}: EXR pictures hold linear light; --transfer {transfer} is for others.")
        return HALF
    return {"log": LOG, "linear": LINEAR, "display": DISPLAY}[transfer]


def film_fields(place: str | os.PathLike[str], fps: Fraction | None, transfer: Transfer | None) -> dict[str, Any]:
    """The fields of the `pipeline.film.Film` that a sequence is; see `open_scans` for the arguments.

    The pictures have no tags for colours, so their luma is full range, and that of ITU-R BT.709 or of JPEG.
    """
    scans, rate = open_scans(place, fps, transfer)
    head = scans.head
    planes = "gray" if head.channels == 1 else "gbrp"
    pix_fmt = planes if head.bits == 8 else f"{planes}{head.bits}le"
    return {
        "path": scans.pattern.path,
        "container": "image2",
        "stream": 0,
        "codec": scans.pattern.kind,
        "width": head.width,
        "height": head.height,
        "sample_aspect": head.aspect,
        "display_matrix": (),
        "pix_fmt": pix_fmt,
        "luma_fmt": pix_fmt,
        "bits": head.bits,
        "full_range": True,
        "primaries": 2,
        "trc": 2,
        "colorspace": 6 if head.matrix == "bt601" else 1,
        "field_order": 1,
        "interlaced": False,
        "time_base": 1 / rate,
        "rate": rate,
        "pts": np.arange(len(scans.numbers), dtype=np.int64),
        "last_duration": 1,
        "others": (),
        "coding": scans.coding,
        "scans": scans,
    }
