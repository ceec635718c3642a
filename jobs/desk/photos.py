"""Photos and key frames that people drop on the page: checked, decoded, and written anew beside the sheet."""

from __future__ import annotations

import io
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ...errors import InputError, OutputError, reason_of
from ...pipeline.files import move_into_place

MOST_PIXELS = 50_000_000
"""Most pixels of a photo."""

MOST_BYTES = 200 << 20
"""Most bytes of a picture that a sheet names and the page shows."""

SHOWN = 480
"""Greatest width and height of a photo in the page's lists, in pixels."""

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
"""Formats that are decoded."""


def keep(data: bytes, folder: Path) -> Path:
    """Write a photo anew, as PNG with nothing but its pixels. Returns its path, whose name tells nothing about its
    origin.

    Args:
        data: the file's content, from somebody who need not be trusted.
        folder: the photos' folder; it is made if it does not exist.

    Raises:
        InputError: if it is not a photo, or too large.
        OutputError: if it cannot be written.
    """
    decoded = _decoded(data)
    path = folder / f"{sha256(data).hexdigest()[:12]}.png"
    if not path.exists():
        temporary = path.with_suffix(".tmp")
        try:
            folder.mkdir(exist_ok=True)
            Image.fromarray(np.asarray(decoded)).save(temporary, "PNG", compress_level=1)
            move_into_place(temporary, path)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {reason_of(error)}.") from error
    return path


def small(path: Path) -> bytes:
    """A photo or key frame of the sheet for the page's lists, as PNG. Raises InputError if it cannot be shown."""
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path.name} is no picture that the page can show.")
        decoded = _decoded(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {reason_of(error)}.") from error
    decoded.thumbnail((SHOWN, SHOWN))
    file = io.BytesIO()
    decoded.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _decoded(data: bytes) -> Image.Image:
    """A photo's pixels, R'G'B' or with opacity. Raises InputError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            photo = Image.open(io.BytesIO(data), formats=FORMATS)
            if photo.width * photo.height > MOST_PIXELS:
                most = MOST_PIXELS // 1_000_000
                raise InputError(f"The photo has {photo.width}x{photo.height} pixels; at most {most} million fit.")
            decoded = ImageOps.exif_transpose(photo)
            mode = "RGBA" if "A" in decoded.getbands() or "transparency" in decoded.info else "RGB"
            return decoded.convert(mode)
    except InputError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise InputError("This is not a photo that can be read; drop a PNG, JPEG, TIFF or WebP.") from error
