"""Animated WebP as a film. FFmpeg does not decode it, so Pillow does: into a film of PNG pictures in memory."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import numpy as np

from ..errors import InputError
from .storage import is_url, open_file

MOST_BYTES = 1 << 30
"""Greatest size of all decoded pictures together."""

MILLISECONDS = Fraction(1, 1000)
"""Time base of WebP's durations."""

UNSTATED = 100
"""Duration in milliseconds of a frame that states none, as browsers show it."""


def as_film(path: str) -> io.BytesIO | None:
    """The animation in a file as a film in memory, with the time of each frame; None if the file holds none.

    Raises InputError if the animation cannot be decoded, or is too large for the memory.
    """
    if is_url(path) or not path.lower().endswith(".webp") or not os.path.isfile(path):
        return None
    with open_file(path) as file:
        head = file.read(21)
    # RIFF, size, WEBP, VP8X, size, flags; 2 is the flag of animations (WebP Container Specification).
    if head[:4] != b"RIFF" or head[8:16] != b"WEBPVP8X" or not head[20] & 2:
        return None
    found = os.stat(path)
    return io.BytesIO(_converted(path, found.st_size, found.st_mtime_ns))


@lru_cache(maxsize=1)
def _converted(path: str, size: int, changed: int) -> bytes:
    """The film of an animation as a MOV file. `size` and `changed` tell whether the file is another one now."""
    from PIL import Image

    result = io.BytesIO()
    try:
        with Image.open(path, formats=["WEBP"]) as picture:
            count: int = getattr(picture, "n_frames", 1)
            if count * picture.width * picture.height * 3 > MOST_BYTES:
                raise InputError(f"{path}: its {count} pictures are too large for an animation; give a video file.")
            with av.open(result, "w", format="mov") as film:
                stream: Any = film.add_stream("png", rate=25)
                stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "rgb24"
                stream.time_base = stream.codec_context.time_base = MILLISECONDS
                begin = 0
                for number in range(count):
                    picture.seek(number)
                    frame = av.VideoFrame.from_ndarray(np.array(picture.convert("RGB")), "rgb24")
                    duration = int(picture.info.get("duration") or UNSTATED)
                    frame.pts, frame.time_base = begin, MILLISECONDS
                    for packet in stream.encode(frame):
                        packet.duration = duration
                        film.mux(packet)
                    begin += duration
                film.mux(stream.encode(None))
    except (OSError, EOFError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} is damaged or cut off: its animation cannot be decoded.") from error
    return result.getvalue()
