"""The properties of a film, the time of each frame, and whether the film can be used, before it is decoded.

`open_film` reads the container once from end to end without decoding (thousands of packets a second). So it gets the
table of time stamps. It never relies on the number of frames or the frame rate that a header states.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange

from ..errors import InputError, UserError
from .findings import Finding, sentences
from .limits import TOO_LARGE, check_extent, check_shape
from .opening import open_container
from .probe import decoded, frame_table, left_out
from .selection import EVERYTHING, Selection
from .sequences.curves import DISPLAY, FILM_BITS
from .sequences.names import Transfer, is_sequence
from .sequences.scans import Scans, film_fields
from .storage import is_url, open_file, size_of
from .survey import candidates, choose, marked_elsewhere, survey
from .tags import BOTTOM_FIRST, KEPT_MATRICES, bottom_first, display_matrix, luma_format, matrix_tag
from .timecode import Moment, parse_moment, parse_rate, timecode


@dataclass(frozen=True)
class Film:
    """The properties of a film, known without decoding it. Picklable; holds no open file."""

    path: str
    """Path or URL of the file."""
    container: str
    """FFmpeg's name of the source's container, for instance ``matroska,webm``."""
    stream: int
    """Index of the stream that holds the film's pictures."""
    codec: str
    """FFmpeg's name of the decoder."""
    width: int
    height: int
    """Size of a frame as it is coded, in pixels."""
    sample_aspect: Fraction
    """Width of a pixel divided by its height; 1 if the source does not state it."""
    display_matrix: tuple[int, ...]
    """FFmpeg's nine numbers for rotation and mirroring at display; () for none. Frames are not rotated themselves."""
    pix_fmt: str
    """The source's pixel format."""
    luma_fmt: str
    """Planar pixel format from which the reader takes luma: `pix_fmt`, unless that has no separate Y plane."""
    bits: int
    """Bits of a luma sample, 8..16."""
    full_range: bool
    """Whether luma uses 0..2^bits-1; otherwise it uses 16..235, scaled by 2^(bits-8)."""
    primaries: int
    trc: int
    colorspace: int
    """Colour tags for the output (ITU-T H.273), taken from the source. 2: unknown; only the matrix is always known."""
    field_order: int
    """FFmpeg's AVFieldOrder: 0 unknown, 1 progressive, 2..5 interlaced."""
    interlaced: bool
    """Whether the first frame is interlaced."""
    time_base: Fraction
    """Seconds per unit of `pts`."""
    rate: Fraction | None
    """Average frames per second, guessed by FFmpeg from the container; a hint for encoders, never used for timing."""
    pts: np.ndarray = field(repr=False, compare=False)
    """(frames,) int64: presentation time stamps in display order, strictly increasing. The first need not be 0."""
    last_duration: int
    """Duration of the last frame in units of `time_base`; 0 where unknown."""
    others: tuple[str, ...]
    """The container's other streams, for instance ``audio aac``."""
    counted: bool = False
    """The decoder's time stamps do not count: its n-th frame has the n-th time stamp of `pts`."""
    findings: tuple[Finding, ...] = ()
    """What was found wrong when the film was opened, and what was done about it."""
    coding: str = DISPLAY
    """Meaning of the luma samples: as a display shows them, or the code values of scans; see `sequences.curves`."""
    scans: Scans | None = None
    """The pictures, if the film is a sequence of pictures."""
    numbers: np.ndarray | None = field(default=None, repr=False, compare=False)
    """(frames,) int64: number of each frame in the source, if the film is cut out of it; None: 0, 1, 2, …"""
    strict: bool = False
    """Whether anything wrong is an error."""
    selection: Selection = EVERYTHING
    """The other streams that the user keeps."""

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.pts)

    @property
    def matrix(self) -> str:
        """Matrix between R'G'B' and Y'CbCr of the output: ``bt601``, ``bt709`` or ``bt2020``."""
        return KEPT_MATRICES[self.colorspace]

    @property
    def top_field_first(self) -> bool:
        """Whether the top field of an interlaced frame is shown first."""
        return self.field_order not in BOTTOM_FIRST

    @property
    def seconds(self) -> float:
        """Length of the film in seconds, from the start of the first frame to the end of the last."""
        return float((int(self.pts[-1]) - int(self.pts[0]) + self.last_duration) * self.time_base)

    def durations(self, start: int, stop: int) -> tuple[int, ...]:
        """Durations of the frames start..stop-1 in units of `time_base`; each frame lasts until the next one."""
        ends = self.pts[start + 1 : stop + 1]
        known = tuple(int(d) for d in ends - self.pts[start : start + len(ends)])
        return known if len(known) == stop - start else (*known, self.last_duration)

    def time(self, frame: int) -> Fraction:
        """Seconds from the start of the first frame to that of another one."""
        return (int(self.pts[frame]) - int(self.pts[0])) * self.time_base

    def when(self, frame: int) -> str:
        """``frame 12 (0:00:00.480)``, for messages. As in a player, time is counted from the first frame."""
        if not 0 <= frame < self.frames:
            return f"frame {frame}"
        name = f"{self.scans.path(frame).name}, " if self.scans else ""
        return f"frame {frame} ({name}{timecode(self.time(frame))})"

    def frame_at(self, moment: Moment, what: str = "") -> int:
        """Number of the frame that is shown at a moment.

        Args:
            moment: a frame number or a time; see `timecode.Moment`.
            what: the purpose of the moment; error messages begin with it.

        Raises:
            UserError: if the moment cannot be read or is outside of the film.
        """
        try:
            asked = parse_moment(moment)
        except ValueError as error:
            raise UserError(f"{what}: {error}.") from error
        if isinstance(asked, int):
            if asked >= self.frames:
                raise UserError(f"{what}: there is no frame {asked}; the film's last one is {self.frames - 1}.")
            return asked
        end = (int(self.pts[-1]) - int(self.pts[0]) + self.last_duration) * self.time_base
        if asked > end:
            raise UserError(f"{what}: {timecode(asked)} is after the film's end at {timecode(end)}.")
        # Time stamps are integers, so a rounded decimal may miss one by half a unit.
        stamp = int(self.pts[0]) + asked / self.time_base + Fraction(1, 2)
        return int(np.searchsorted(self.pts, int(stamp), side="right")) - 1

    def frames_between(self, first: Moment, last: Moment, what: str = "") -> tuple[int, int]:
        """The frames from one moment to another, both included.

        Args:
            first: moment of the first frame; see `timecode.Moment`.
            last: moment of the last frame.
            what: the purpose of the range; error messages begin with it.

        Returns:
            (first frame, number after the last).

        Raises:
            UserError: as `frame_at`, and if the range ends before it begins.
        """
        start, end = self.frame_at(first, what), self.frame_at(last, what)
        if end < start:
            raise UserError(f"{what}: it ends before it begins.")
        return start, end + 1

    def fingerprint(self) -> str:
        """Digest that changes with the source: of its size, both ends of the file, the track and all time stamps."""
        digest = hashlib.sha256()
        if self.scans:
            digest.update(f"{self.scans.fingerprint()} {self.time_base}".encode())
            return digest.hexdigest()
        size = size_of(self.path)
        digest.update(struct.pack("<q", size))
        digest.update(f"{self.stream} {self.time_base}".encode())
        with open_file(self.path) as file:
            digest.update(file.read(1 << 20))
            file.seek(max(0, size - (1 << 20)))
            digest.update(file.read())
        digest.update(self.pts.astype("<i8").tobytes())
        return digest.hexdigest()

    def viewed(self, bits: int) -> Film:
        """The film with its luma as a display shows it, in full range with `bits` bits; itself if it is so already."""
        return self if self.coding == DISPLAY else replace(self, coding=DISPLAY, bits=bits)

    def noting(self, what: str) -> Film:
        """The film with one more finding about the whole film; see `Finding.what`."""
        return replace(self, findings=(*self.findings, Finding(None, what)))

    def previewed(self) -> Film:
        """A film for people to look at: scans with luma as displayed, of at most `FILM_BITS` bits."""
        shown = self.viewed(FILM_BITS)
        return replace(shown, bits=FILM_BITS) if self.scans and shown.bits > FILM_BITS else shown


def open_film(
    path: str | os.PathLike[str],
    *,
    fps: str | float | Fraction | None = None,
    track: int | None = None,
    transfer: Transfer | None = None,
    strict: bool = False,
) -> Film:
    """The properties of the film at a path or a URL.

    A sequence of pictures is a film: a folder of DPX, TIFF, EXR, PNG or JPEG pictures with numbers in their names, or a
    pattern such as ``scan_%06d.dpx``. A still picture is refused, although FFmpeg opens one as a film of one frame: a
    user who passes a photo expects a photo back. A film of one frame inside a film's container is accepted.

    Args:
        path: path or URL of a film, or path of a sequence.
        fps: frames per second of pictures without time stamps, for instance ``18`` or ``24000/1001``; of a sequence,
            None is what its pictures state.
        track: number of the video track to colorize, counted from 0 among the video tracks (FFmpeg's ``v:0``); None:
            the track that is the film.
        transfer: meaning of a sequence's code values: ``log``, ``linear`` or ``display``; None: as its pictures tell.
        strict: whether a film with anything wrong is refused, here or with a `FilmError` when that is read. Otherwise
            `Film.findings` has what is wrong, and the film is read as far as it goes.

    Raises:
        InputError: one sentence, if the input cannot be colorized.
    """
    path = os.fspath(path)
    try:
        rate = None if fps is None else parse_rate(fps)
    except ValueError as error:
        raise InputError(f"--fps: {error}.") from error
    film = _open(path, rate, track, transfer)
    if strict and film.findings:
        wrong = next(sentences(path, film.when, film.findings)).removesuffix(".")
        raise InputError(f"{wrong}; leave --strict out to colorize it all the same.")
    return replace(film, strict=strict)


def _open(path: str, rate: Fraction | None, track: int | None, transfer: Transfer | None) -> Film:
    """`open_film` without a regard to what is wrong."""
    if not is_url(path) and is_sequence(path):
        if track is not None:
            raise InputError(f"{path} is a sequence of pictures, which has no tracks; leave --track out.")
        film = Film(**film_fields(path, rate, transfer))
        check_shape(film.path, film.width, film.height, film.sample_aspect)
        return film
    if transfer is not None:
        raise InputError(f"{path} is no sequence of pictures; leave --transfer out.")
    if not is_url(path):
        if path == "-" or path.endswith(f"{os.sep}-") and not os.path.exists(path):
            raise InputError(
                "a film is read twice, so it cannot come from stdin; save it as a file first, and give that."
            )
        if not os.path.exists(path):
            raise InputError(f"{path}: no such file.")
        if os.path.isdir(path):
            raise InputError(f"{path} is a folder; give one film (a video file).")
        if not os.path.isfile(path):
            raise InputError(
                f"{path} is a pipe or a device, which can be read only once; save the film as a file first."
            )
        if not os.access(path, os.R_OK):
            raise InputError(f"{path} cannot be read: permission denied.")
    if size_of(path) == 0:
        raise InputError(f"{path} is empty (0 bytes).")
    try:
        with open_container(path) as container:
            return _look(path, container, rate, track)
    except av.error.EOFError as error:
        raise InputError(f"{path} holds no frames.") from error
    except av.error.FFmpegError as error:
        raise InputError(
            f"{path} is not a video that can be read, or its beginning or its table of frames is damaged or cut off; "
            f"get a whole copy."
        ) from error


def _look(path: str, container: Any, fps: Fraction | None, track: int | None) -> Film:
    names = container.format.name
    streams = candidates(path, container, track)
    if len(streams) == 1:
        check_extent(path, streams[0])  # before the film is read from end to end
    found = survey(path)
    stream = choose(streams, found)
    check_extent(path, stream)
    if not found.tracks[stream.index].stamps:
        raise InputError(f"{path} holds no frames.")
    frame = next((frame for frame in decoded(container, stream) if frame is not None), None)
    if frame is None and not (stream.codec_context.width and stream.codec_context.height):
        # FFmpeg forgets a size beyond the limit that `open_container` sets.
        raise InputError(f"{path}: its header states no size of its frames that can be used; {TOO_LARGE}")
    if frame is None:
        raise InputError(f"{path} has no frame that can be decoded; it is damaged or cut off, so get a whole copy.")
    luma_fmt, bits, range_of_format = luma_format(path, frame.format)
    tag = int(frame.color_range)
    full = tag == ColorRange.JPEG if tag and luma_fmt == frame.format.name else range_of_format
    order = int(stream.codec_context.field_order)
    if not order and frame.interlaced_frame and bottom_first(frame):  # DV, NUT
        order = BOTTOM_FIRST[0]

    table = frame_table(path, stream, found, fps)
    pts, wrong = table.pts, (*table.findings, *marked_elsewhere(container, stream.index, found))
    if not table.counted and frame.pts is not None and frame.pts > pts[0]:
        lost = int(np.searchsorted(pts, frame.pts))
        pts, wrong = pts[lost:], (*wrong, *left_out(lost))
    return Film(
        path=path,
        container=names,
        stream=stream.index,
        codec=stream.codec_context.name,
        width=frame.width,
        height=frame.height,
        sample_aspect=Fraction(stream.sample_aspect_ratio or 1),
        display_matrix=display_matrix(frame),
        pix_fmt=frame.format.name,
        luma_fmt=luma_fmt,
        bits=bits,
        full_range=full,
        primaries=int(frame.color_primaries) or 2,
        trc=int(frame.color_trc) or 2,
        colorspace=matrix_tag(frame),
        field_order=order,
        interlaced=bool(frame.interlaced_frame),
        time_base=table.time_base,
        rate=fps or (Fraction(stream.average_rate) if stream.average_rate else None),
        pts=pts,
        last_duration=table.last,
        others=tuple(
            f"{s.type} {getattr(s, 'name', None) or 'unknown'}" for s in container.streams if s.index != stream.index
        ),
        counted=table.counted,
        findings=wrong,
    )
