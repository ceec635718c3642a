"""When each frame of a film is shown: told by the packets without decoding where possible, else by the frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np

from ..errors import InputError
from .damage import Watch
from .findings import Finding
from .opening import RAW, open_container
from .survey import MOST_FRAMES, TOO_LONG, Survey


@dataclass(frozen=True)
class Table:
    """When each frame of a film is shown."""

    pts: np.ndarray
    """(frames,) int64: time stamps in display order, in units of `time_base`."""
    last: int
    """Duration of the last frame, or 0 where it is unknown."""
    time_base: Fraction
    """Seconds per unit."""
    counted: bool = False
    """The decoder's time stamps do not count: its n-th frame has the n-th time stamp of the table."""
    findings: tuple[Finding, ...] = ()
    """What was wrong, and what was done about it."""


GUESSING = (
    *("mpeg4", "h263", "flv", "msmpeg4", "msmpeg4v1", "msmpeg4v2", "wmv1", "wmv2", "wmv3", "vc1", "rv30", "rv40"),
    *("svq1", "svq3", "vp6", "vp6f", "theora"),
)
"""Decoders that give grey pictures for frames whose key frame is missing. Others leave such frames out."""


class NoStamps(Exception):
    """The time stamps of a film cannot be used. The message is the rest of a sentence about the film."""


def frame_table(path: str, stream: Any, found: Survey, fps: Fraction | None) -> Table:
    """The table of time stamps of a film.

    Args:
        path: path or URL of the film.
        stream: the stream that holds its pictures.
        found: the survey of the film; the stream has packets.
        fps: frames per second, if the user has given them.

    Raises:
        InputError: if the film holds no frames, if its time stamps cannot be used and there is no `fps`, or the other
            way round.
    """
    raw = stream.container.format.name in RAW
    try:
        table = _counted(path, stream.index, fps) if raw and fps else _own_table(path, stream, found, raw)
    except NoStamps as error:
        if fps:
            table = _counted(path, stream.index, fps)
        elif raw:
            raise InputError(f"{path} {error}; give it with --fps (for instance --fps 24).") from None
        else:
            raise InputError(
                f"{path}: {error}; give the film's frame rate with --fps (for instance --fps 25), and its frames are "
                f"counted."
            ) from None
    else:
        if fps and not raw:
            raise InputError(f"{path} has time stamps of its own; leave --fps out.")
    if raw and not fps and not stream.codec_context.framerate and stream.container.format.name != "yuv4mpegpipe":
        what = (
            f"states no frame rate; {stream.average_rate} frames per second are assumed, and --fps gives another rate"
        )
        table = replace(table, findings=(Finding(None, what), *table.findings))
    if not found.cut:
        return table
    of = f" of {found.promised}" if found.promised > len(table.pts) else ""
    cut = Finding(None, f"is damaged or cut off; {len(table.pts)}{of} frames could be read")
    return replace(table, findings=(cut, *table.findings))


def _own_table(path: str, stream: Any, found: Survey, raw: bool) -> Table:
    """The table of a film whose time stamps are its own. Raises NoStamps."""
    track = found.tracks[stream.index]
    known = [stamp for stamp in track.stamps if stamp is not None]
    stamps = sorted(known)
    whole = len(known) == len(track.stamps) and len(set(known)) == len(known)
    if not whole:
        # Some packets are not whole frames or have no time stamp, so the film must be decoded.
        return _decoded_table(path, stream.index, raw)
    base = Fraction(stream.time_base)
    last = track.durations[known.index(stamps[-1])]
    in_order = len(known) > 2 and known == stamps
    if in_order and stream.codec_context.has_b_frames and not raw:
        # Where frames are coded in another order than they are shown, the time stamps may be those of decoding.
        shown = [None if frame is None else frame.pts for frame in _frames(path, stream.index)]
        known = [pts for pts in shown if pts is not None]
        if known != sorted(known):
            begin = 0 if track.begins else max(0, len(stamps) - len(shown))
            return Table(np.array(stamps[begin:], np.int64), last, base, counted=True, findings=left_out(begin))
    return Table(np.array(stamps, np.int64), last, base)


def left_out(count: int) -> tuple[Finding, ...]:
    """The finding that the first frames of a film are left out; none if `count` is 0."""
    what = f"begins inside a group of pictures: its first {count} frames cannot be decoded and are left out"
    return (Finding(None, what),) if count else ()


def _counted(path: str, index: int, fps: Fraction) -> Table:
    """The table of a film whose frames follow each other at a constant rate. The whole film is decoded to count
    them."""
    frames = sum(1 for _ in _frames(path, index))
    if not frames:
        raise InputError(f"{path} holds no frames.")
    return Table(np.arange(frames, dtype=np.int64), 1, 1 / fps, counted=True)


def _decoded_table(path: str, index: int, raw: bool) -> Table:
    """The table of a film that must be decoded for it. Raises NoStamps."""
    stamps: list[int | None] = []
    durations: list[int] = []
    failed = False
    with open_container(path) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        base, rate = Fraction(stream.time_base), None
        for frame, pts in stamped(in_place(container, stream)):
            stamps.append(pts)
            failed = failed or frame is None
            durations.append(frame.duration or 0 if frame is not None else durations[-1])
            _limit(path, len(stamps))
            rate = stream.codec_context.framerate  # as the pictures state it; FFmpeg's 25 is not among them
    if not stamps:
        raise InputError(f"{path} holds no frames.")
    if raw and (None in stamps or failed):
        if not rate:
            raise NoStamps("states no frame rate")
        return Table(np.arange(len(stamps), dtype=np.int64), 1, 1 / Fraction(rate), counted=True)
    pts, repaired = _repaired(stamps, durations)
    return Table(pts, durations[-1], base, failed or bool(repaired), repaired)


def _repaired(stamps: list[int | None], durations: list[int]) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """Time stamps that increase, and what was done for that.

    A frame whose time stamp is missing or not after the one before is shown when the coded duration of the one before
    ends, if that is before the next frame. Frames in front of the first time stamp are counted back from it.

    Raises:
        NoStamps: if a time stamp cannot be told.
    """
    out: list[int] = []
    findings: list[Finding] = []
    first = next((n for n, stamp in enumerate(stamps) if stamp is not None), None)
    if first is None:
        raise NoStamps("no frame has a time stamp")
    before = stamps[first] or 0
    for n in range(first - 1, -1, -1):
        if not durations[n]:
            raise NoStamps(f"frame {n} has no time stamp")
        before -= durations[n]
        stamps[n] = before
        findings.append(Finding(n, "had no time stamp; it is counted back from the frames after it"))
    for n, stamp in enumerate(stamps):
        if stamp is not None and (not out or stamp > out[-1]):
            out.append(stamp)
            continue
        step = durations[n - 1] or (out[-1] - out[-2] if len(out) > 1 else 0)
        after = next((s for s in stamps[n + 1 :] if s is not None), None)
        if step <= 0 or (after is not None and after <= out[-1] + step) or (stamp is not None and stamp < out[-1]):
            raise NoStamps(f"the time stamp of frame {n} is missing or not after the one before")
        out.append(out[-1] + step)
        trouble = "no time stamp" if stamp is None else "the time stamp of the frame before"
        findings.append(Finding(n, f"had {trouble}; it is shown when that frame's duration ends"))
    return np.array(out, np.int64), tuple(findings)


def _frames(path: str, index: int) -> Iterator[Any]:
    """Yield the decoded frames of a film, and None for each that fails. Raises InputError if there are too many."""
    with open_container(path) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        for count, frame in enumerate(in_place(container, stream), 1):
            _limit(path, count)
            yield frame


def _limit(path: str, frames: int) -> None:
    if frames > MOST_FRAMES:
        raise InputError(f"{path}: {TOO_LONG}")


def in_place(container: Any, stream: Any, watch: Watch | None = None) -> Iterator[Any]:
    """Yield decoded frames, and None in the place of each packet that fails, from the first frame on.

    Frames are decoded by one thread or by slices, because several threads tell of a failure later. `watch`: looks for
    damage.
    """
    stream.codec_context.thread_type = "SLICE"
    begun = False
    for frame in decoded(container, stream, watch=watch):
        begun = begun or frame is not None
        if begun:
            yield frame


def decoded(
    container: Any, stream: Any, start: bool = True, watch: Watch | None = None, since: int | None = None
) -> Iterator[Any]:
    """Yield decoded frames, and None for each packet that fails. Ends where the container cannot be read further.

    Args:
        container: the film, opened by PyAV.
        stream: the stream that holds its pictures.
        start: the container is at the film's start. Then the first frame is one that needs no other.
        watch: looks for damage, and decodes again what fails.
        since: time stamp before which frames are left out that no other frame needs; None: none is left out.
    """
    packets, waiting = container.demux(stream), None
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.InvalidDataError, av.error.EOFError):
            return
        if waiting is None:
            waiting = start and not packet.is_keyframe and stream.codec_context.name in GUESSING
        if watch:
            watch.look(packet)
        if since is not None and packet.pts is not None:
            stream.codec_context.skip_frame = "NONREF" if packet.pts < since else "DEFAULT"
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            frames = watch.again(packet) if watch else []
            if not frames:
                yield None
                continue
        for frame in frames:
            waiting = waiting and not frame.key_frame
            if not waiting:
                yield frame


def stamped(frames: Iterable[Any]) -> Iterator[tuple[Any, int | None]]:
    """Yield each frame with its pts.

    MPEG program streams stamp only some frames. An unstamped frame begins where the coded duration of the previous
    frame ends; its pts is None if the previous frame has no known pts or no duration. A frame that fails (None) lasts
    as long as the one before.
    """
    following: int | None = None
    duration = 0
    for frame in frames:
        if frame is not None:
            duration = frame.duration or 0
        pts = following if frame is None or frame.pts is None else frame.pts
        following = pts + duration if pts is not None and duration else None
        yield frame, pts
