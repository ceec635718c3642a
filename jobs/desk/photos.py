"""Photos and key frames that people drop on the page: checked, decoded, and written anew beside the sheet."""

from __future__ import annotations

import io
import struct
import warnings
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from ...errors import InputError, OutputError, reason_of
from ...pipeline.files import move_into_place

MOST_PIXELS = 50_000_000
"""Most pixels of a photo."""

MOST_BYTES = 200 << 20
"""Most bytes of a picture that a sheet names and the page shows."""

SHOWN = 480
"""Greatest width and height of a photo in the page's lists, in pixels."""

UNREADABLE = "This is not a photo that can be read; drop a PNG, JPEG, TIFF or WebP of 8 or 16 bits."

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
"""Formats that are decoded."""


def keep(data: bytes, folder: Path) -> Path:
    """Write a photo anew, as PNG with nothing but its pixels. Returns its path, whose name tells nothing about its
    origin. Samples of 16 bits stay as they are.

    Args:
        data: the file's content, from somebody who need not be trusted.
        folder: the photos' folder; it is made if it does not exist.

    Raises:
        InputError: if it is not a photo, or too large.
        OutputError: if it cannot be written.
    """
    deep = _deep(data)
    decoded = _decoded(data) if deep is None else deep
    path = folder / f"{sha256(data).hexdigest()[:12]}.png"
    if not path.exists():
        temporary = path.with_suffix(".tmp")
        try:
            folder.mkdir(exist_ok=True)
            temporary.write_bytes(_encoded(decoded))
            move_into_place(temporary, path)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {reason_of(error)}.") from error
    return path


def small(path: Path) -> bytes:
    """A photo or key frame of the sheet for the page's lists, as PNG. Raises InputError if it cannot be shown."""
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path.name} is no picture that the page can show.")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {reason_of(error)}.") from error
    deep = _deep(data)
    shown = Image.fromarray(_decoded(data) if deep is None else (deep >> 8).astype(np.uint8))
    shown.thumbnail((SHOWN, SHOWN))
    return _encoded(np.asarray(shown))


def _encoded(pixels: np.ndarray) -> bytes:
    """A PNG of (H, W, 3 or 4) uint8 or uint16, R'G'B' or with opacity, compressed little."""
    code = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    return cv2.imencode(".png", cv2.cvtColor(pixels, code), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def _deep(data: bytes) -> np.ndarray | None:
    """The pixels of a PNG or TIFF in colour with samples of 16 bits, which Pillow cannot decode.

    Args:
        data: the file's content.

    Returns:
        (H, W, 3 or 4) uint16, R'G'B' or with opacity; None for other pictures.

    Raises:
        InputError: if it is too large, or broken.
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 26:
        width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
        deep = bits == 16 and kind in (2, 6)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        width, height, bits, samples = _tiff_head(data)
        deep = bits == 16 and samples in (3, 4)
    else:
        return None
    if not deep:
        return None
    _check_size(width, height)
    if data[:4] == b"\x89PNG":
        _decoded(data)  # OpenCV fills up what is cut off; Pillow says so
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.dtype != np.uint16:
        raise InputError(UNREADABLE)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _tiff_head(data: bytes) -> tuple[int, int, int, int]:
    """Width, height, bits of a sample and samples of a pixel of a TIFF. Raises InputError."""
    file = io.BytesIO(data)
    try:
        head = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(head.next)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            head.load(file)
        bits = head.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        width, height = int(head[TiffImagePlugin.IMAGEWIDTH]), int(head[TiffImagePlugin.IMAGELENGTH])
        return width, height, int(bits[0]), int(head.get(TiffImagePlugin.SAMPLESPERPIXEL, 1))
    except (KeyError, OSError, ValueError, TypeError, IndexError, SyntaxError, struct.error) as error:
        raise InputError(UNREADABLE) from error


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise InputError(f"The photo has {width}x{height} pixels; at most {MOST_PIXELS // 1_000_000} million fit.")


def _decoded(data: bytes) -> np.ndarray:
    """A photo's pixels, (H, W, 3 or 4) uint8: R'G'B' or with opacity. Raises InputError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            photo = Image.open(io.BytesIO(data), formats=FORMATS)
            _check_size(photo.width, photo.height)
            decoded = ImageOps.exif_transpose(photo)
            mode = "RGBA" if "A" in decoded.getbands() or "transparency" in decoded.info else "RGB"
            return np.asarray(decoded.convert(mode))
    except InputError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise InputError(UNREADABLE) from error
