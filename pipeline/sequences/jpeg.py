"""JPEG pictures of 8 bits. Pillow codes them; luma is coded again with the source's own quantisation."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...errors import InputError
from .head import Head, is_rgb_profile

QUALITY = 97
"""Quality of a picture without a source, whose quantisation could be taken."""


def _open(path: Path) -> Any:
    """The picture, not decoded yet. Raises InputError."""
    try:
        picture = Image.open(path, formats=["JPEG"])
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{path} is not a JPEG picture that can be read.") from error
    if picture.mode not in ("L", "RGB"):
        raise InputError(f"{path} has the channels {picture.mode}; save it as grey or RGB.")
    return picture


def head(path: Path) -> Head:
    """The properties of a picture. Raises InputError if it cannot be used."""
    with _open(path) as picture:
        profile = picture.info.get("icc_profile")
        grey = profile is not None and not is_rgb_profile(profile)
        return Head(*picture.size, bits=8, channels=1, matrix="bt601", grey_profile=grey)


def read(path: Path) -> np.ndarray:
    """The Y plane of a picture, (H, W) uint8, full range."""
    with _open(path) as picture:
        picture.draft("L" if picture.mode == "L" else "YCbCr", picture.size)
        try:
            return np.array(picture.getchannel(0))
        except OSError as error:
            raise InputError(f"{path} cannot be decoded ({error}).") from error


def write(luma: np.ndarray, chroma: np.ndarray, source: Path) -> bytes:
    """A JPEG file, with the EXIF data, profile, resolution and quantisation of its source.

    Args:
        luma: (H, W) uint8: Y of JFIF, full range.
        chroma: (2, H, W) uint8: Cb and Cr.
        source: picture whose metadata are kept.
    """
    with _open(source) as picture:
        info = picture.info
        settings: dict[str, Any] = {"qtables": list(picture.quantization.values())[:2]}
        settings |= {key: info[key] for key in ("dpi", "exif", "comment") if info.get(key)}
        profile = info.get("icc_profile")
    if is_rgb_profile(profile):
        settings["icc_profile"] = profile
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in (luma, *chroma)]
    return _saved(Image.merge("YCbCr", planes), settings)


def write_rgb(samples: np.ndarray, aspect: Fraction) -> bytes:
    """A JPEG file without a source.

    Args:
        samples: (H, W, 3) uint8 R'G'B'.
        aspect: width of a pixel divided by its height.
    """
    return _saved(Image.fromarray(samples), {"quality": QUALITY, "dpi": (72, round(72 * aspect))})


def _saved(picture: Image.Image, settings: dict[str, Any]) -> bytes:
    result = io.BytesIO()
    picture.save(result, "JPEG", subsampling="4:4:4", **settings)
    return result.getvalue()
