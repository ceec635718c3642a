"""A still: one frame in colour, as a picture file that states the origin of its colours."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError
from .film import Film
from .outputs import check_place
from .provenance import XMP

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP"}
"""Suffix → Pillow's name of the format."""

QUALITY = 95
"""Of JPEG, 1 to 100. The other formats lose nothing."""

MOST_WEBP = 16383
"""Greatest number of pixels of a side in WebP."""

PREDICTOR, XMP_TAG = 317, 700
"""Tags of TIFF."""


def check_still(film: Film, output: Path, overwrite: bool) -> None:
    """Raise OutputError if a picture cannot be written at `output`."""
    if output.suffix.lower() not in FORMATS:
        suffix = output.suffix or "a file with no suffix"
        raise OutputError(f"{output}: a picture cannot be written as {suffix}; use .png or .jpg.")
    if FORMATS[output.suffix.lower()] == "WEBP" and max(film.width * film.sample_aspect, film.height) > MOST_WEBP:
        raise OutputError(f"{output}: a side of a WebP picture has at most {MOST_WEBP} pixels; use .png or .jpg.")
    check_place(film.path, output, overwrite, film_format=False)


def encoded(picture: np.ndarray, suffix: str, colored: bool = True) -> bytes:
    """A picture file.

    Args:
        picture: (H, W, 3) uint8 R'G'B'.
        suffix: one of `FORMATS`, in any case.
        colored: whether the networks made the colours; the file then states it as XMP.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    name, xmp, file = FORMATS[suffix.lower()], XMP.encode() if colored else b"", io.BytesIO()
    options: dict[str, dict[str, Any]] = {
        "PNG": {"pnginfo": PngInfo(), "compress_level": 1},
        "JPEG": {"quality": QUALITY, "xmp": xmp},
        "TIFF": {"compression": "tiff_lzw", "tiffinfo": {PREDICTOR: 2} | ({XMP_TAG: xmp} if xmp else {})},
        "WEBP": {"lossless": True, "xmp": xmp},
    }
    if colored:
        options["PNG"]["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP)
    Image.fromarray(picture).save(file, name, **options[name])
    return file.getvalue()
