"""A photo as a film of one frame, so that the ways of a still colorize it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
from av.video.reformatter import ColorRange

from ..errors import InputError
from .film import Film, open_film
from .opening import MOST_PIXELS


@contextmanager
def photo_film(path: str | os.PathLike[str]) -> Iterator[Film]:
    """A film of one frame, which exists inside the ``with``: the photo in grey, turned as its EXIF data ask.

    Raises:
        InputError: if the photo cannot be read.
    """
    gray = cv2.imread(os.fspath(path), cv2.IMREAD_GRAYSCALE)
    if gray is None:
        raise InputError(f"{path} is not a picture that can be read; give a PNG, JPEG, TIFF or WebP picture.")
    if gray.size > MOST_PIXELS:
        raise InputError(f"{path} has {gray.shape[1]}x{gray.shape[0]} pixels; at most {MOST_PIXELS} can be colorized.")
    with tempfile.TemporaryDirectory(prefix="semcolor-") as folder:
        film = Path(folder) / "photo.mkv"
        with av.open(str(film), "w") as out:
            stream: Any = out.add_stream("ffv1", rate=1)
            stream.width, stream.height, stream.pix_fmt = gray.shape[1], gray.shape[0], "gray"
            stream.codec_context.color_range = int(ColorRange.JPEG)
            frame = av.VideoFrame.from_ndarray(gray, "gray")
            frame.color_range = int(ColorRange.JPEG)
            frame.pts = 0
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        yield open_film(film)
