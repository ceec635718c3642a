"""Write a film as a sequence of pictures: the pictures of a part, and the whole sequence.

A part of such a film is a folder of pictures instead of a film. Like every part, it counts only with its receipt.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import AssembleError, OutputError, WorkError
from .chunk import Chunk
from .encode import Encoding, PictureFormat
from .files import file_sha256, move_into_place, unwritable
from .film import Film
from .parts import Part
from .sequences import color, dpx, exr, jpeg, png, tiff
from .sequences.curves import HALF
from .sequences.names import is_pattern, target
from .tags import planar
from .ycbcr import PlaneFormat, picture

DEPTHS = {"dpx": (8, 10, 12, 16), "tiff": (8, 16), "png": (8, 16), "jpeg": (8,)}
"""Kind of picture → bits of a sample that are written, unless the source is of the same kind."""

VIEW_BITS = 16
"""Bits of luma as displayed, where scans of another coding become pictures of another kind."""


def choose_pictures(film: Film, output: str | os.PathLike[str]) -> tuple[Film, Encoding]:
    """How a film becomes a sequence of pictures.

    Pictures of the source's kind keep its depth and the meaning of its code values. Pictures of another kind hold
    R'G'B' of a display.

    Args:
        film: the source.
        output: pattern of the pictures.

    Returns:
        (the film as it is to be read, its encoding).

    Raises:
        OutputError: if pictures of this kind cannot hold the film's luma.
    """
    pattern = target(output)
    kind = pattern.kind
    same = film.scans is not None and film.scans.pattern.kind == kind
    if not same and kind == "exr":
        raise OutputError(f"{output}: EXR pictures are made of EXR pictures only; choose .dpx, .tif or .png.")
    read = film if same else film.viewed(VIEW_BITS)
    if film.others:
        read = read.noting(f"has more than pictures ({', '.join(film.others)}); pictures cannot carry that")
    if same and film.scans and film.scans.head.grey_profile:
        read = read.noting("has ICC profiles of grey, which do not describe colour; they are left out")
    depths = (film.bits,) if same else tuple(bits for bits in DEPTHS[kind] if bits >= read.bits)
    if not depths:
        raise OutputError(f"{output}: {kind.upper()} cannot keep {read.bits}-bit luma; choose .dpx, .tif or .png.")
    return read, Encoding(
        codec=kind,
        pix_fmt=planar("444", read.bits),
        width=film.width,
        height=film.height,
        options=(),
        time_base=film.time_base,
        rate=film.rate or Fraction(25),
        sample_aspect=film.sample_aspect,
        colorspace=film.colorspace,
        full_range=film.full_range,
        pictures=PictureFormat(kind, depths[0], pattern.name, keeps=same),
    )


class PicturesEncoder:
    """Writes the frames of one part as pictures into a new folder. End with `close` or `abort`."""

    def __init__(self, folder: Path, encoding: Encoding, film: Film) -> None:
        """
        Args:
            folder: the folder to make.
            encoding: encoding of the pictures.
            film: the film as it is read; its own pictures give headers, alpha and numbers.
        """
        assert encoding.pictures
        self._folder, self._pictures, self._film = folder, encoding.pictures, film
        self._pattern = target(folder / encoding.pictures.name)
        self._format = PlaneFormat.of(film)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def write(self, chunk: Chunk, luma: np.ndarray, chroma: np.ndarray) -> None:
        """Write the pictures of a chunk of N frames.

        Args:
            chunk: numbers of the frames.
            luma: (N, H, W) the film's own samples.
            chroma: (N, 2, H, W) of luma's type: Cb and Cr.

        Raises:
            WorkError: if an array has another shape.
        """
        expected = len(chunk), self._film.height, self._film.width
        if luma.shape != expected or chroma.shape != (expected[0], 2, *expected[1:]):
            raise WorkError(f"expected {expected} samples and two planes of chroma, got {luma.shape}, {chroma.shape}.")
        for n in range(len(chunk)):
            self._write(chunk.start + n, luma[n], chroma[n])

    def _write(self, frame: int, luma: np.ndarray, chroma: np.ndarray) -> None:
        film, made, scans = self._film, self._pictures, self._film.scans
        number = number_of(film, frame)
        path = self._folder / self._pattern.of(number)
        source = scans.path(frame) if scans and made.keeps else None
        if made.kind == "jpeg" and source:
            path.write_bytes(jpeg.write(luma, chroma, source))
            return
        if made.kind == "jpeg":
            path.write_bytes(jpeg.write_rgb(picture(luma, chroma, self._format), film.sample_aspect))
            return
        shown = self._format.luma(luma)
        own = luma.astype(np.float32) if made.keeps else shown * np.float32((1 << made.bits) - 1)
        if film.coding == HALF and scans:
            own = scans.light(frame)
        values = self._format.values(chroma)
        samples = color.colored(own, shown, values, coding=film.coding, bits=made.bits, matrix=film.matrix)
        if made.kind == "exr" and source:
            exr.write(samples, source, path)
            return
        if scans and source and scans.head.alpha:
            samples = np.dstack([samples, scans.samples(frame)[..., -1]])
        if made.kind == "dpx":
            if source:
                header = dpx.header_of(source)
            else:
                header = dpx.new_header(film.rate or Fraction(25), film.sample_aspect, frame, film.frames)
            path.write_bytes(dpx.write(samples, made.bits, header, path.name))
        elif made.kind == "png":
            path.write_bytes(png.write(samples, source, film.sample_aspect))
        else:
            tiff.write(samples, made.bits, path, source, film.sample_aspect)

    def close(self) -> None:
        """Nothing is left to do: each picture is whole."""

    def abort(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


def number_of(film: Film, frame: int) -> int:
    """Number of a frame's picture: that of its source, or the frame's own."""
    numbers = film.numbers if film.scans is None else film.scans.numbers
    return frame if numbers is None else int(numbers[frame])


def gather(film: Film, folder: Path, parts: Sequence[Part], encoding: Encoding, kind: str = "film") -> Path:
    """The pictures of all parts in one folder inside `folder`. They are links, where the disk has them.

    Raises AssembleError if a picture is missing.
    """
    assert encoding.pictures
    result = folder / f"{kind}.pictures"
    shutil.rmtree(result, ignore_errors=True)
    result.mkdir()
    for part in parts:
        for path in (folder / part.files[kind]).iterdir():
            _link(path, result / path.name)
    pattern = target(result / encoding.pictures.name)
    wanted = {pattern.of(number_of(film, frame)) for frame in range(film.frames)}
    if wanted != set(os.listdir(result)):
        raise AssembleError("the parts do not hold the film's pictures; start over.")
    return result


def place(result: Path, output: Path) -> None:
    """Move a finished sequence to its place.

    A new folder appears whole and at once. In a folder that exists, each picture appears whole; `result` stays, so an
    interrupted call can be repeated, and older pictures of the same sequence are removed.

    Args:
        result: folder of the pictures.
        output: pattern of the sequence.
    """
    folder, names = output.parent, sorted(os.listdir(result))
    if not folder.exists():
        with suppress(OSError):  # on another disk
            move_into_place(result, folder)
            return
        folder.mkdir()
    for old in set(target(output).matching(os.listdir(folder))) - set(names):
        (folder / old).unlink()
    for name in names:
        beside = folder / f".semcolor-{name}.tmp"
        beside.unlink(missing_ok=True)
        _link(result / name, beside)
        move_into_place(beside, folder / name)


def placed_sha256(output: Path) -> str:
    """Digest of the sequence at its place, as `file_sha256` gives it for a folder of the same pictures."""
    if not output.parent.is_dir():
        return ""
    return file_sha256(output.parent, target(output).matching(os.listdir(output.parent)))


def check_pictures(source: str | os.PathLike[str], output: str | os.PathLike[str], overwrite: bool) -> None:
    """Check whether a sequence can be written at `output`.

    Args:
        source: path of the input.
        output: pattern of the pictures.
        overwrite: whether existing pictures may be replaced.

    Raises:
        OutputError: one sentence, if it cannot be written.
    """
    pattern = target(output)
    folder = Path(pattern.folder)
    if is_pattern(source) and Path(source).absolute() == Path(pattern.path):
        raise OutputError(f"{output} is the input itself; choose another folder with -o.")
    if folder.is_dir():
        if not overwrite and (found := pattern.matching(os.listdir(folder))):
            raise OutputError(f"{folder} holds {found[0]} already; use --overwrite to replace the sequence.")
    elif folder.exists():
        raise OutputError(f"{folder} is a file; choose another folder with -o.")
    elif not folder.parent.is_dir():
        raise OutputError(f"{output}: its folder does not exist; create {folder.parent} first.")
    where = folder if folder.is_dir() else folder.parent
    for needed in dict.fromkeys([where, folder.parent]):  # the work folder is beside the folder of the pictures
        if reason := unwritable(needed):
            raise OutputError(f"{output} cannot be written: {needed}: {reason}.")


def _link(path: Path, new: Path) -> None:
    """A second name for a file; a copy where the disk has no such names."""
    try:
        os.link(path, new)
    except OSError:
        shutil.copyfile(path, new)
