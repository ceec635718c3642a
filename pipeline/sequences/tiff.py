"""TIFF pictures of 8 to 16 bits, grey or RGB. The package tifffile reads and writes them, imagecodecs their codecs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from .head import Head, aspect_of, is_rgb_profile
from .needed import needed

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
"""Values of PhotometricInterpretation that are read."""

COMPRESSIONS = {1: None, 5: "lzw", 8: "zlib", 32946: "zlib", 32773: "packbits", 50000: "zstd"}
"""Compressions of a source that its colour picture gets, too. For others it gets zlib."""

KEPT = (
    *(269, 270, 271, 272, 274, 285, 286, 287, 297, 305, 306, 315, 316, 700, 33432, 33723, 34377, 51043, 51044, 51058),
    *(37724,),
)
"""Tags that are copied: names, description, orientation, position, page, software, date, artist, XMP, copyright, IPTC,
Photoshop, time code, frame rate and reel name (TIFF 6.0; Adobe's CinemaDNG for the last three)."""

FRAME_RATE = 51044
"""CinemaDNG's tag of frames per second."""


@contextmanager
def _page(path: Path) -> Iterator[Any]:
    """The picture in a file. Raises InputError."""
    library = needed("tifffile", path)
    try:
        with library.TiffFile(path) as file:
            if len(file.pages) != 1:
                raise InputError(f"{path} holds {len(file.pages)} pictures; save one picture in each file.")
            yield file.pages.first
    except (library.TiffFileError, IndexError, KeyError) as error:
        raise InputError(f"{path} is not a TIFF picture that can be read ({error}).") from error


def head(path: Path) -> Head:
    """The properties of a picture. Raises InputError if it cannot be used."""
    with _page(path) as page:
        kind, bits, colors = int(page.photometric), page.bitspersample, 3 if page.photometric == RGB else 1
        fits = kind in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) and page.sampleformat == 1 and bits in (8, 10, 12, 14, 16)
        if not fits or page.samplesperpixel not in (colors, colors + 1):
            raise InputError(
                f"{path}: TIFF of {page.samplesperpixel} samples ({page.dtype}, {bits} bits, photometric {kind}) is "
                f"not read; save it as grey or RGB of 8 to 16 bits."
            )
        tags = {tag.code: tag.value for tag in page.tags}
        rate = tags.get(FRAME_RATE)
        across, along = (_number(tags.get(code)) for code in (282, 283))
        return Head(
            width=page.imagewidth,
            height=page.imagelength,
            bits=bits,
            channels=colors,
            alpha=page.samplesperpixel > colors,
            rate=Fraction(*rate) if isinstance(rate, tuple) and len(rate) == 2 and all(rate) else None,
            aspect=aspect_of(along, across),  # more pixels per inch are narrower
            grey_profile=bool(page.iccprofile) and not is_rgb_profile(page.iccprofile),
        )


def _number(value: Any) -> float:
    """A rational number of a tag; 0 if there is none."""
    return value[0] / value[1] if isinstance(value, tuple) and len(value) == 2 and value[1] else 0.0


def read(path: Path) -> np.ndarray:
    """The samples of a picture, (H, W) or (H, W, channels), uint8, or uint16 above 8 bits. 0 is black."""
    with _page(path) as page:
        try:
            picture = page.asarray()
        except Exception as error:  # codecs of imagecodecs raise exceptions of their own
            raise InputError(f"{path} cannot be decoded ({error}).") from error
        if picture.ndim == 3 and picture.shape[:2] != (page.imagelength, page.imagewidth):
            picture = picture.transpose(1, 2, 0)  # planes one after another
        if page.photometric == WHITE_IS_ZERO:
            grey = picture if picture.ndim == 2 else picture[..., 0]
            grey[:] = ((1 << page.bitspersample) - 1) - grey
        return picture


def write(samples: np.ndarray, bits: int, path: Path, source: Path | None, aspect: Fraction) -> None:
    """Write a picture.

    Args:
        samples: (H, W, 3) R, G, B, or (H, W, 4) with alpha; uint8, or uint16 above 8 bits.
        bits: 8 to 16.
        path: the file to write.
        source: picture whose tags and compression are kept; None if there is none.
        aspect: width of a pixel divided by its height, for a picture without a source.
    """
    library = needed("tifffile", path)
    settings: dict[str, Any] = {"compression": "zlib", "resolution": (72, 72 * aspect), "resolutionunit": 2}
    tags: list[tuple] = []
    if source:
        with _page(source) as page:
            found = {tag.code: tag for tag in page.tags}
            settings["compression"] = COMPRESSIONS.get(int(page.compression), "zlib")
            if 282 in found and 283 in found:
                settings["resolution"] = found[282].value, found[283].value
                settings["resolutionunit"] = int(found[296].value) if 296 in found else 2
            for code in KEPT:
                if code in found:
                    tag = found[code]
                    tags.append((code, int(tag.dtype), tag.count, tag.value, True))
            profile = page.iccprofile
        if is_rgb_profile(profile):
            settings["iccprofile"] = profile
    if bits not in (8, 16):
        settings["compression"] = None  # tifffile packs bits without compression only
    library.imwrite(
        path,
        samples,
        photometric="rgb",
        bitspersample=bits if bits not in (8, 16) else None,
        extrasamples=["unassalpha"] if samples.shape[2] == 4 else None,
        metadata=None,
        software=False,
        extratags=tags,
        **settings,
    )
