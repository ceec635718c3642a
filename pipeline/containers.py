"""What containers can hold, and how FFmpeg's muxers must be told to keep it."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path
from typing import Any

import av

from ..errors import OutputError

WITHOUT_PTS = ("avi", "asf")
"""Containers that keep decoding time stamps only."""


def output_format(output: str | os.PathLike[str]) -> str:
    """FFmpeg's name of the container for the output's suffix; `OutputError` if there is none."""
    suffix = Path(output).suffix
    with contextlib.suppress(ValueError, av.error.FFmpegError):
        name = av.open(f"film{suffix}", "w").format.name if suffix else ""  # opens nothing before the header
        if name and not name.startswith("image2"):
            return name
    raise OutputError(f"{output}: {suffix or 'no suffix'} names no film's container; use .mkv, .mp4 or .mov.")


def muxer_options(container: str, source: Any) -> dict[str, str]:
    """Same bytes every time, and no muxer may move time stamps."""
    options = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
    if container == "mpegts":
        options["mpegts_copyts"] = "1"
    if container in ("mp4", "mov", "ipod", "3gp", "3g2", "ismv", "f4v"):
        # A late first frame is an edit in the movie's own time scale: milliseconds unless told.
        scale = math.lcm(*(s.time_base.denominator for s in source.streams if s.time_base))
        if scale < 1 << 31:
            options["movie_timescale"] = str(scale)
    return options
