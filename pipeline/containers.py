"""The properties of containers, and the options that make FFmpeg's muxers keep all that a film holds."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path
from typing import Any

import av

from ..errors import OutputError

WITHOUT_PTS = ("avi", "asf")
"""Containers (FFmpeg's names) that keep only decoding time stamps."""


def output_format(output: str | os.PathLike[str]) -> str:
    """FFmpeg's name of the container for the output's suffix. Raises OutputError if there is none."""
    suffix = Path(output).suffix
    with contextlib.suppress(ValueError, av.error.FFmpegError):
        # No file is created before the header is written.
        name = av.open(f"film{suffix}", "w").format.name if suffix else ""
        if name and not name.startswith("image2"):
            return name
    raise OutputError(
        f"{output}: a film cannot be written as {suffix or 'a file with no suffix'}; use .mkv, .mp4 or .mov."
    )


def muxer_options(container: str, source: Any) -> dict[str, str]:
    """Options of FFmpeg's muxer: the same bytes every time, and time stamps that are not moved.

    Args:
        container: FFmpeg's name of the output's container.
        source: the source, opened by PyAV.
    """
    options = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
    if container == "mpegts":
        options["mpegts_copyts"] = "1"
    if container in ("mp4", "mov", "ipod", "3gp", "3g2", "ismv", "f4v"):
        # MP4 stores the delay of a late first frame in the movie's own time scale, by default milliseconds.
        scale = math.lcm(*(s.time_base.denominator for s in source.streams if s.time_base))
        if scale < 1 << 31:
            options["movie_timescale"] = str(scale)
    return options
