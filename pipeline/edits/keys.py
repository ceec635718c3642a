"""Key frames: pictures that were coloured elsewhere, and their colours in the other frames of their shots."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ...errors import UserError
from ...flow.carry import Key, carry
from ...models.memory import describe
from ...models.sight import Sight
from ..files import file_sha256
from ..film import Film
from ..following import thumbs_of
from ..reader import thumb_size
from .archive import key_bytes, key_name
from .orders import ColorTransfer
from .references import ColorSums, color_changes, decoded

Paint = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""A function like `Painter.paint`."""


def read_key(film: Film, picture: Path, size: int) -> Key:
    """The colours of a key frame, on the chroma grid.

    Args:
        film: the film that the frame belongs to.
        picture: PNG, TIFF, JPEG or WebP of the film's size, 8 or 16 bits, R'G'B' or R'G'B' and alpha.
        size: short side of the networks' input picture.

    Raises:
        UserError: the picture cannot be read, has no colours, or has another size.
    """
    read = decoded(picture, cv2.IMREAD_UNCHANGED, f"the key frame {picture}")
    if read is None or read.ndim != 3:
        raise UserError(f"the key frame {picture} is no picture in colour (PNG, TIFF, JPEG, WebP).")
    shown = round(film.width * film.sample_aspect), film.height
    if (read.shape[1], read.shape[0]) not in ((film.width, film.height), shown):
        raise UserError(
            f"the key frame {picture} has {read.shape[1]}x{read.shape[0]} pixels and the film "
            f"{film.width}x{film.height}; export it at the film's size, for instance with --still."
        )
    height, width = (side // 2 for side in thumb_size(film, size))
    levels = np.float32(np.iinfo(read.dtype).max) if read.dtype.kind == "u" else np.float32(1)
    small = cv2.resize(read.astype(np.float32) / levels, (width, height), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(np.ascontiguousarray(small[..., :3]), cv2.COLOR_BGR2Lab)
    known = small[..., 3] if small.shape[2] == 4 else np.ones((height, width), np.float32)
    return Key(np.ascontiguousarray(lab[..., 1:].transpose(2, 0, 1)), np.clip(known, 0, 1))


class CarriedShot(NamedTuple):
    """The key frames of a shot, carried through it."""

    shot: tuple[int, int]
    """(first frame, number after the last)."""
    origin: str
    """What the colours come from, as JSON: the shot, and for each key frame the digest of its picture."""
    said: ColorTransfer | None
    """What the key frames say of each label; None where they say nothing."""
    path: Path | None = None
    """File with the colours of the frames; None: the file that is being written."""

    def copy(self, archive: zipfile.ZipFile) -> None:
        """Copy the colours of the frames into another archive."""
        assert self.path
        with zipfile.ZipFile(self.path) as source:
            for frame in range(*self.shot):
                archive.writestr(key_name(frame), source.read(key_name(frame)))


def origin_of(shot: tuple[int, int], pictures: Mapping[int, Path]) -> str:
    """See `CarriedShot.origin`. `pictures`: number of a frame → the picture of its key frame."""
    return json.dumps([shot, {frame: file_sha256(path) for frame, path in sorted(pictures.items())}])


def carry_keys(
    film: Film,
    shot: tuple[int, int],
    keys: Mapping[int, Key],
    size: int,
    paint: Paint,
    sight: Sight,
    archive: zipfile.ZipFile,
) -> ColorTransfer | None:
    """Carry the key frames of a shot through it, and store the colours of each frame under `key_name`.

    The whole shot is gone through, whichever of its frames are wanted: so the colours are the same in each case.

    Args:
        film: the source.
        shot: (first frame, number after the last).
        keys: number of a frame → its colours.
        size: short side of the networks' input picture.
        paint: the networks that paint.
        sight: the networks that describe.
        archive: the archive of the result.

    Returns:
        What the key frames say of each label, for the places that they do not show; None where they say nothing.
    """
    first, stop = shot
    with thumbs_of(film, first, stop, size) as thumbs:
        said = said_of_labels(shot, keys, lambda frame: np.array(thumbs[frame - first]), paint)
        within = {frame - first: key for frame, key in keys.items()}
        for number, ab, known in carry(thumbs, within, partial(describe, sight)):
            archive.writestr(key_name(first + number), key_bytes(ab, known))
    return said


def said_of_labels(
    shot: tuple[int, int], keys: Mapping[int, Key], thumb: Callable[[int], np.ndarray], paint: Paint
) -> ColorTransfer | None:
    """What key frames of a shot say of each label; None where they say nothing.

    Args:
        shot: (first frame, number after the last) for which it holds.
        keys: number of a frame → its colours.
        thumb: gives the thumb (h, w) uint8 of a frame.
        paint: the networks that paint.
    """
    whole: list[tuple[Key, np.ndarray, np.ndarray]] = []
    for frame, key in keys.items():
        if key.known.min() > 0.5:  # a partial key frame says too little of whole labels
            ab, labels = paint(thumb(frame)[None])
            whole.append((key, ab[0], labels[0]))
    return label_change(shot, whole)


def label_change(shot: tuple[int, int], keys: Sequence[tuple[Key, np.ndarray, np.ndarray]]) -> ColorTransfer | None:
    """What key frames say of each label; None where they say nothing.

    Args:
        shot: (first frame, number after the last) for which it holds.
        keys: key frames, each with what the networks paint of it: ab (2, h/2, w/2), labels (62, h/4, w/4).
    """
    wanted, found = ColorSums(), ColorSums()
    for key, ab, labels in keys:
        wanted.add(key.ab, labels)
        found.add(ab.astype(np.float32), labels)
    changes = color_changes(wanted, found)
    return ColorTransfer(*shot, changes) if changes else None
