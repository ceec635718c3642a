"""Makes small sequences of pictures for the tests, without the package's own writers where another can write them."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image

from .films import shot

KODAK = b"0203045612340027"
"""Keycode of a DPX header: manufacturer, film type, offset, prefix, count (SMPTE 254)."""

TIMECODE = bytes([0x01, 0x02, 0x03])
"""Hours, minutes and seconds of the time code in DPX headers, as BCD; frames follow."""


def grey_pictures(frames: int = 3, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """(frames, h, w) float32, 0..1, with black and white in every picture."""
    pictures = shot("coffee", frames, size).astype(np.float32).mean(-1) / 255
    pictures = np.clip((pictures - 0.2) * 1.4, 0, 1)
    pictures[:, :2, :4], pictures[:, :2, 4:8] = 0, 1
    return pictures


def codes(pictures: np.ndarray, bits: int) -> np.ndarray:
    """0..1 of any shape as code values: uint8, or uint16 above 8 bits."""
    return np.rint(pictures * ((1 << bits) - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def make_scans(
    folder: Path,
    suffix: str,
    bits: int,
    *,
    grey: bool = False,
    first: int = 86399,
    name: str = "scan_{:06}",
    pictures: np.ndarray | None = None,
    **settings: Any,
) -> Path:
    """Write a sequence of grey pictures. Returns the folder.

    Args:
        folder: folder to make.
        suffix: suffix of the pictures, which names their kind.
        bits: bits of a sample; for EXR 16 for half and 32 for single floats.
        grey: one channel instead of R, G, B.
        first: number of the first picture.
        name: name of a picture without its suffix.
        pictures: (N, h, w) float32, 0..1: code values, or linear light for EXR.
        settings: settings of the kind's writer below.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make = {"dpx": _dpx, "tif": _tiff, "tiff": _tiff, "exr": _exr, "png": _png, "jpg": _jpeg}[suffix.lower()]
    for n, picture in enumerate(grey_pictures() if pictures is None else pictures):
        make(folder / f"{name.format(first + n)}.{suffix}", picture, bits, grey, n, **settings)
    return folder


def _dpx(path: Path, picture: np.ndarray, bits: int, grey: bool, n: int, transfer: int = 1, rate: float = 24.0) -> None:
    """FFmpeg writes the samples. Grey of 10 and 12 bits it cannot write, so they are packed here. Headers get a
    keycode, a time code, and 100 bytes of the user's data."""
    samples = codes(picture, bits)
    if grey and bits in (10, 12):
        header, order = bytearray(2048), ">"
        header[:8] = struct.pack(">4sI", b"SDPX", 2048)
        height, width = samples.shape
        struct.pack_into(">HII", header, 770, 1, width, height)
        header[800:804] = bytes([6, 2, 2, bits])
        struct.pack_into(">H", header, 804, 1)
        struct.pack_into(">I", header, 808, 2048)
        if bits == 12:
            data = (samples << 4).astype(">u2").tobytes()
        else:
            words = np.pad(samples, ((0, 0), (0, -width % 3))).astype(">u4").reshape(height, -1, 3)
            data = (words[..., 0] << 2 | words[..., 1] << 12 | words[..., 2] << 22).astype(">u4").tobytes()
    else:
        order = "<" if bits in (8, 16) else ">"
        formats = {8: "gray" if grey else "rgb24", 16: "gray16le" if grey else "rgb48le"}
        data = _ffmpeg("dpx", formats.get(bits, f"gbrp{bits}be"), samples)
        header, data = bytearray(data[:1664].ljust(2048, b"\xff")), data[1664:]
    header += b"user data ".ljust(100, b".")
    struct.pack_into(order + "I", header, 4, len(header))
    struct.pack_into(order + "I", header, 16, len(header) + len(data))
    struct.pack_into(order + "I", header, 32, 100)
    struct.pack_into(order + "I", header, 808, len(header))
    header[801] = transfer
    header[1664:1680] = KODAK
    header[1920:1924] = (TIMECODE + bytes([n]))[:: -1 if order == "<" else 1]
    struct.pack_into(order + "f", header, 1724, rate)
    struct.pack_into(order + "f", header, 1940, rate)
    struct.pack_into(order + "II", header, 1628, 1, 1)
    path.write_bytes(bytes(header) + data)


def _ffmpeg(codec: str, pix_fmt: str, samples: np.ndarray) -> bytes:
    """One picture as FFmpeg's encoder writes it. `samples`: (h, w)."""
    height, width = samples.shape
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt, context.time_base = width, height, pix_fmt, Fraction(1, 25)
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane in frame.planes:
        dtype = np.dtype("u1" if samples.dtype == np.uint8 else ">u2" if pix_fmt.endswith("be") else "<u2")
        rows = np.frombuffer(plane, dtype).reshape(plane.height, plane.line_size // dtype.itemsize)
        wide = samples if len(frame.planes) == 3 or "gray" in pix_fmt else np.repeat(samples, 3, 1)
        rows[:, : wide.shape[1]] = wide
    return b"".join(map(bytes, [*context.encode(frame), *context.encode(None)]))


def _tiff(path: Path, picture: np.ndarray, bits: int, grey: bool, n: int, **settings: Any) -> None:
    import tifffile

    samples = codes(picture, bits)
    settings = {
        "photometric": "minisblack" if grey else "rgb",
        "metadata": None,
        "software": "scanner",
        "description": f"frame {n}",
        "datetime": "1921:05:06 07:08:09",
        "resolution": (2400, 2400),
        "bitspersample": None if bits in (8, 16) else bits,
    } | settings
    tifffile.imwrite(path, samples if grey else np.dstack([samples] * 3), **settings)


def _exr(path: Path, picture: np.ndarray, bits: int, grey: bool, n: int) -> None:
    import OpenEXR

    light = (picture**2.4 * 1.5).astype(np.float16 if bits == 16 else np.float32)
    header = {
        "compression": OpenEXR.PIZ_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "framesPerSecond": Fraction(24),
        "reelName": f"A{n:03}",
    }
    channels = {"Y": light} if grey else {"R": light, "G": light, "B": light}
    OpenEXR.File(header, channels | {"matte.A": 1 - light}).write(str(path))


def _png(path: Path, picture: np.ndarray, bits: int, grey: bool, n: int) -> None:
    samples = codes(picture, bits)
    _, data = cv2.imencode(".png", samples if grey else np.dstack([samples] * 3))
    whole = data.tobytes()
    text = chunk(b"tEXt", b"Comment\0frame %d" % n) + chunk(b"pHYs", struct.pack(">IIB", 1000, 1000, 1))
    path.write_bytes(whole[:33] + text + whole[33:])


def chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG chunk."""
    import zlib

    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _jpeg(path: Path, picture: np.ndarray, bits: int, grey: bool, n: int) -> None:
    exif = Image.Exif()
    exif[0x010E] = f"frame {n}"
    made = Image.fromarray(codes(picture, bits)) if grey else Image.fromarray(np.dstack([codes(picture, bits)] * 3))
    made.save(path, quality=88, dpi=(300, 300), exif=exif)


def samples_of(path: Path) -> np.ndarray:
    """The samples of a picture, R, G, B last, read without the package: by OpenEXR, tifffile, OpenCV or FFmpeg."""
    if path.suffix == ".exr":
        import OpenEXR

        channels = OpenEXR.File(str(path), separate_channels=True).channels()
        return np.dstack([channels[name].pixels for name in "RGB"])
    if path.suffix in (".tif", ".tiff"):
        import tifffile

        return tifffile.imread(path)
    if path.suffix == ".dpx":
        context: Any = av.CodecContext.create("dpx", "r")
        (frame,) = context.decode(av.Packet(path.read_bytes())) or context.decode(None)
        return frame.to_ndarray()
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]
