"""The properties of containers, and the options that make FFmpeg's muxers keep all that a film holds.

Time stamps. A muxer is asked for the film's own time base (`asked_base`) and then counts in a unit of its own. FFmpeg
rounds each time stamp once, to the nearest unit, and halves away from zero (`stored`). PyAV tells the unit after the
header is written, so it is read from the muxer and not kept in a table. In FFmpeg 8.1 (libavformat) the units are:

| container | unit | source |
| --- | --- | --- |
| MP4, MOV | the film's time base, doubled until it is finer than 1/10000 s: exact | movenc.c, mov_init |
| NUT | the film's time base or a fraction of it: exact | nutenc.c, nut_write_header |
| AVI | the largest unit that divides all time stamps: exact | avienc.c; `asked_base` |
| MPEG-TS | 1/90000 s | mpegtsenc.c, ISO/IEC 13818-1 |
| Matroska, WebM | 1/1000 s; the muxer has no option for another TimestampScale | matroskaenc.c, mkv_init |
| FLV | 1/1000 s, no negative decoding time stamp | flvenc.c, flv_write_header |
| ASF | 1/1000 s | asfenc.c, asf_write_header |
| MPEG-PS | 1/90000 s, but only for the first frame that begins in a packet of about 2 kB | mpegenc.c, flush_packet |
"""

from __future__ import annotations

import contextlib
import math
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import OutputError, StampError

WITHOUT_PTS = ("avi", "asf")
"""Containers (FFmpeg's names) that keep only decoding time stamps."""

WITHOUT_NEGATIVE_PTS = ("flv", "nut")
"""Containers that store no negative presentation time stamps, not even of sound."""

WITHOUT_NEGATIVE_DTS = ("flv",)
"""Containers that store no negative decoding time stamps, but the same one for several packets."""

PROGRAM_STREAMS = ("mpeg", "vob", "svcd", "dvd", "vcd")
"""FFmpeg's names of MPEG program streams."""

AVI_GAP = 60000
"""Greatest number of units between two frames in AVI (avienc.c, write_skip_frames)."""

EXACT = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
"""Options of every muxer: the same bytes every time, and time stamps that are not moved."""

MOVIE_SCALES = 1 << 31
"""MP4's time scales are smaller than this."""


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


def muxer_options(container: str, source: Any, time_base: Fraction) -> dict[str, str]:
    """Options of FFmpeg's muxer: the same bytes every time, and time stamps that are not moved.

    Args:
        container: FFmpeg's name of the output's container.
        source: the source, opened by PyAV.
        time_base: the film's time base.
    """
    options = dict(EXACT)
    if container == "mpegts":
        options["mpegts_copyts"] = "1"
    if container in ("mp4", "mov", "ipod", "3gp", "3g2", "ismv", "f4v"):
        # MP4 stores the delay of a late first frame in the movie's own time scale, by default milliseconds.
        scale = 1
        for denominator in (time_base.denominator, *(s.time_base.denominator for s in source.streams if s.time_base)):
            finer = math.lcm(scale, denominator)
            scale = finer if finer < MOVIE_SCALES else scale
        options["movie_timescale"] = str(scale)
    return options


def asked_base(container: str, time_base: Fraction, pts: np.ndarray) -> Fraction:
    """The time base that the muxer is asked for.

    AVI has an entry for each unit of time, also for those without a frame. So there it is the largest unit that divides
    all time stamps; for a film of a constant rate that is the duration of a frame.

    Args:
        container: FFmpeg's name of the output's container.
        time_base: the film's time base.
        pts: (frames,) int64: the film's time stamps as they are written.
    """
    units = int(np.gcd.reduce(pts)) if container == "avi" else 1
    return time_base * (units or 1)


def stored(pts: np.ndarray, time_base: Fraction, unit: Fraction) -> np.ndarray:
    """The time stamps that a muxer stores: the nearest units, halves away from zero (FFmpeg's AV_ROUND_NEAR_INF).

    Python's `round` takes halves to the even neighbour, so it differs from FFmpeg at rates like 24000/1001.

    Args:
        pts: (frames,) int64: time stamps in units of `time_base`.
        time_base: seconds per unit of `pts`.
        unit: seconds per unit that the muxer counts in.

    Returns:
        (frames,) int64: in units of `unit`.
    """
    times, by = (time_base / unit).as_integer_ratio()
    # Python's integers: the products may need more than 64 bits.
    near = (((2 * abs(p) * times + by) // (2 * by)) * (-1 if p < 0 else 1) for p in pts.tolist())
    return np.fromiter(near, np.int64, len(pts))


def check_stamps(container: str, pts: np.ndarray, time_base: Fraction, unit: Fraction) -> None:
    """Check whether a container can store all time stamps of a film.

    Args:
        container: FFmpeg's name of the output's container.
        pts: (frames,) int64: the film's time stamps as they are written.
        time_base: seconds per unit of `pts`.
        unit: seconds per unit that the muxer counts in.

    Raises:
        StampError: says what cannot be stored.
    """
    if pts[0] < 0 and container != "mpegts":
        raise StampError(
            f"its first frame is shown at {float(pts[0] * time_base):.3f} s, and frames before 0 s get lost"
        )
    kept = stored(pts, time_base, unit)
    steps = np.diff(kept)
    if len(steps) and steps.min() < 1:
        n = int(steps.argmin())
        raise StampError(f"frames {n} and {n + 1} would get the same one, because it counts in units of {unit} s")
    if container == "avi" and kept[0]:
        raise StampError(f"it would begin at 0 s instead of {float(pts[0] * time_base):.3f} s")
    if container == "avi" and len(steps) and steps.max() > AVI_GAP:
        raise StampError(f"the pause after frame {int(steps.argmax())} is longer than {AVI_GAP} units of {unit} s")
