"""Open films with PyAV, and only films.

FFmpeg follows lists of other files (ffconcat, HLS, DASH, SDP), names with patterns, and names of protocols. A file that
somebody sends could so make a run read any other file of the machine, or call an address in the network. Therefore
everything that is read goes through `open_container`. Before FFmpeg opens anything, it is given the formats and the
protocols that it may use. Afterwards the format that it found is checked again.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import av

from ..errors import InputError
from .storage import is_url, open_file
from .webp import as_film

FILMS = (
    *("apng", "asf", "av1", "avi", "avs2", "avs3", "cavsvideo", "cine", "dirac", "dnxhd", "dv", "evc", "filmstrip"),
    *("flic", "flv", "gif", "gxf", "h261", "h263", "h264", "hevc", "ingenient", "ipu", "ivf", "kux", "live_flv"),
    *("lxf", "m4v", "matroska", "mjpeg", "mods", "mov", "mpeg", "mpegts", "mpegvideo", "mtv", "mxf", "nsv", "nut"),
    *("nuv", "obu", "ogg", "pva", "r3d", "rm", "roq", "ser", "smjpeg", "swf", "vc1", "vc1test", "vivo", "vvc", "wtv"),
    *("xmv", "yuv4mpegpipe"),
)
"""FFmpeg's names of the containers of films that are opened. None of them opens another file."""

RAW = (
    *("av1", "avs2", "avs3", "cavsvideo", "dirac", "dnxhd", "evc", "h261", "h263", "h264", "hevc", "ingenient", "ipu"),
    *("m4v", "mjpeg", "mpegvideo", "obu", "vc1", "vvc", "yuv4mpegpipe"),
)
"""Those of `FILMS` that are nothing but coded pictures, one after another, without time stamps."""

SOUNDS = ("aac", "ac3", "aiff", "amr", "ape", "au", "caf", "dts", "eac3", "flac", "mp3", "tta", "w64", "wav", "wv")
"""The same for sound. They are opened only so that the user is told that there are no pictures."""

ALLOWED = frozenset(FILMS + SOUNDS)

MOST_PIXELS = 1 << 26
"""Greatest number of pixels of a frame: 8192 × 8192. A chunk of 16 such frames holds 1 GiB of luma at 8 bits."""

LISTS = re.compile(
    rb"\s*(ffconcat|#EXTM3U|v=0|\[playlist\]|\[reference\])|.*<(MPD|asx|smil|CompositionPlaylist)\b", re.S | re.I
)
"""How lists of other files begin."""

HEAD, PICTURE = 1 << 10, 64 << 20
"""Bytes of a refused file that are looked at, and greatest size of a still picture in bytes, to tell what it is."""


@contextmanager
def open_container(place: str | Path | IO[bytes], known: str | None = None) -> Iterator[Any]:
    """Open a film with PyAV for reading.

    Args:
        place: path or URL of the film, or an open file.
        known: FFmpeg's name of the container, where FFmpeg cannot recognize it; None otherwise.

    Raises:
        InputError: if the format is not one of `ALLOWED`.
        av.error.FFmpegError: if the film cannot be read.
    """
    with ExitStack() as stack:
        if isinstance(place, str | Path):
            path = os.fspath(place)
            # With "file:", FFmpeg takes no part of the name for another protocol.
            animation = as_film(path)
            local = not is_url(path) and animation is None
            if animation is None:
                file: Any = f"file:{os.path.abspath(path)}" if local else stack.enter_context(open_file(path))
            else:
                file = animation
        else:
            place.seek(0)
            path, file, local = "the file in memory", place, False
        try:
            container = stack.enter_context(_open(file, ALLOWED, local, known))
        except av.error.ArgumentError as error:  # FFmpeg's answer to a format that is not allowed
            raise _refusal(path, None if isinstance(place, str | Path) else place) or error from error
        if not ALLOWED.intersection(container.format.name.split(",")):
            raise InputError(f"{path} is not a video.")
        for stream in container.streams.video:
            if stream.codec_context:
                stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
        yield container


def _open(file: Any, formats: frozenset[str], local: bool, known: str | None = None) -> Any:
    """Open a container with nothing but the given formats. `local`: `file` is a name with the protocol ``file:``."""
    options = {
        "format_whitelist": ",".join(sorted(formats)),
        "protocol_whitelist": "file" if local else "none",
        "enable_drefs": "0",  # MOV: no tracks in other files
        "max_pixels": str(MOST_PIXELS),
    }
    return av.open(file, format=known, options=options, metadata_errors="replace")


def _refusal(path: str, file: IO[bytes] | None) -> InputError | None:
    """A sentence that says what a file is that FFmpeg did not open as a film; None if that is not known."""
    with ExitStack() as stack:
        if file is None:
            file = stack.enter_context(open_file(path))
        file.seek(0)
        data = file.read(HEAD)
        if LISTS.match(data.removeprefix(b"\xef\xbb\xbf")):
            return InputError(f"{path} is not a video but a list of other files, which is not followed; give one film.")
        if data and b"\0" not in data and _is_text(data):
            return InputError(f"{path} is not a video.")
        pictures = frozenset(name for name in av.formats_available if name.endswith("_pipe"))
        # In memory, the file has no name that FFmpeg could take for a pattern of pictures.
        whole = io.BytesIO(data + file.read(PICTURE))
        with suppress(av.error.FFmpegError, ValueError), _open(whole, pictures, local=False):
            return InputError(f"{path} is a still picture; give a film (a video file).")
    return None


def _is_text(data: bytes) -> bool:
    """Whether nearly all bytes are printable."""
    odd = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in data)
    return odd * 100 <= len(data)
