"""Check whether an output can be written as asked, before any work is done."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import av
import numpy as np

from ..errors import OutputError, SemcolorError, StampError
from .chunk import Chunk
from .containers import PROGRAM_STREAMS, output_format
from .defaults import CODEC, CRF, PRESET, KeepColour
from .encode import Encoding, PartEncoder, choose_encoding, chroma_size
from .film import Film
from .mux import Trial, join_parts
from .pictures import check_pictures, choose_pictures
from .sequences.curves import FILM_BITS
from .sequences.names import is_pattern
from .storage import check_target, is_url
from .verify import verify

TRIAL_FRAMES = 12
"""Frames that the trial encodes: enough for the encoder to reorder them."""

TRIAL_STAMPS = 1000
"""Time stamps that the trial writes. The rounding of a constant rate repeats within fewer."""

TRIAL_BYTES = 32 << 20
"""Bytes that the trial may write, about."""

TRIAL_PACKETS = 64
"""Packets that the trial copies from the source's other streams, at most."""


def prepared(
    film: Film,
    output: str | os.PathLike[str],
    codec: str = CODEC,
    crf: float = CRF,
    preset: str = PRESET,
    *,
    keep_colour: KeepColour = "never",
) -> tuple[Film, Encoding]:
    """How a film is read and encoded for an output.

    Scans whose code values are not those of a display become a film of luma as displayed; see `pictures` for scans
    that become pictures.

    Args:
        film: the source.
        output: path or URL of the output, or pattern of its pictures.
        codec: FFmpeg's name of the encoder, for a film.
        crf: constant rate factor, for codecs that have this option.
        preset: preset, for x264 and x265.
        keep_colour: see `Look.keep_colour`.

    Returns:
        (the film as it is to be read, its encoding).

    Raises:
        OutputError: if the film's luma cannot be kept, or the codec does not open with these options.
    """
    if is_pattern(output):
        return choose_pictures(film, output)
    film = film.viewed(FILM_BITS)
    return film, choose_encoding(film, codec, crf, preset, output_format(output), keep_colour=keep_colour)


def check_output(
    film: Film,
    output: str | os.PathLike[str],
    encoding: Encoding | None = None,
    overwrite: bool = False,
    copy_streams: bool = True,
) -> None:
    """Check whether the output can be written as asked.

    With an encoding, some grey frames are written in memory with the source's other streams and read back. This trial
    finds codecs, streams, pixel shapes and colour tags that the container cannot carry. Its time stamps are the first
    ones of the film. Whether the container can store the others is computed.

    Args:
        film: the source.
        output: path or URL of the output; its suffix selects the container.
        encoding: encoding of the colour film; None: no trial.
        overwrite: whether an existing output may be replaced.
        copy_streams: whether the source's other streams are copied.

    Raises:
        OutputError: one sentence, if the output cannot be written.
    """
    check_place(film.path, output, overwrite)
    if is_pattern(output):
        if encoding and not encoding.pictures:
            raise OutputError(f"{output}: only the colour film can be a sequence of pictures; choose .mkv or .mp4.")
    elif encoding:
        _try_container(film, os.fspath(output), output_format(output), encoding, copy_streams)


def check_place(
    source: str | os.PathLike[str], output: str | os.PathLike[str], overwrite: bool = False, film_format: bool = True
) -> None:
    """Check whether a file can be written at `output`, without regard to its content.

    Args:
        source: path or URL of the input.
        output: path or URL of the output.
        overwrite: whether an existing output may be replaced.
        film_format: whether the suffix must select a film's container.

    Raises:
        OutputError: one sentence, if the file cannot be written.
    """
    if is_url(output):
        check_target(source, os.fspath(output), overwrite)
        if film_format:
            output_format(output)
        return
    if film_format and is_pattern(output):
        check_pictures(source, output, overwrite)
        return
    output = Path(output)
    if output.exists() and os.path.exists(source) and os.path.samefile(output, source):
        raise OutputError(f"{output} is the input itself; choose another name with -o.")
    if output.is_dir():
        raise OutputError(f"{output} is a folder; give the name of a file.")
    if os.path.lexists(output) and not overwrite:
        raise OutputError(f"{output} exists already; use --overwrite to replace it.")
    if not output.parent.is_dir():
        raise OutputError(f"{output}: its folder does not exist; create {output.parent} first.")
    try:
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {output.parent}: {error.strerror}.") from error
    if film_format:
        output_format(output)


def _try_container(film: Film, output: str, container: str, encoding: Encoding, copy_streams: bool) -> None:
    """Write grey frames in memory with the source's other streams, and read them back. Raises OutputError."""
    suffix = Path(output).suffix
    result = io.BytesIO()
    try:
        if container in PROGRAM_STREAMS:
            raise StampError("it has none for a frame that begins in the same packet as another")
        part = _gray_part(film, encoding)
        size = len(part.getvalue()) // TRIAL_FRAMES + 1
        extent = Trial(min(film.frames, TRIAL_STAMPS, max(TRIAL_FRAMES, TRIAL_BYTES // size)), TRIAL_PACKETS)
        written = join_parts(film, [part], result, container, copy_streams, encoding, trial=extent)
        verify(film, written, result, container, encoding)
    except StampError as error:
        raise OutputError(
            f"{output}: {suffix} cannot keep the time stamps of this film: {error}; "
            f"choose {_with_all_stamps(film, container)}."
        ) from error
    except (av.error.FFmpegError, ValueError, SemcolorError) as error:
        kept = ", ".join([encoding.codec, *(film.others if copy_streams else ())])
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise OutputError(
            f"{output}: {suffix} cannot carry this film ({kept}) whole: {reason}; "
            f"choose another container (.mkv holds nearly everything) or another --codec."
        ) from error


def _with_all_stamps(film: Film, container: str) -> str:
    """Suffixes of containers that keep the film's time stamps if `container` (FFmpeg's name) does not."""
    if film.pts[0] < 0:
        return ".ts"
    return ".mp4 or .mov" if container in ("matroska", "webm") else ".mkv, .mp4 or .mov"


def _gray_part(film: Film, encoding: Encoding) -> io.BytesIO:
    """The first frames of the film in grey, encoded as a part."""
    frames = min(TRIAL_FRAMES, film.frames)
    part = io.BytesIO()
    encoder = PartEncoder(part, encoding, int(film.pts[0]))
    ch, cw = chroma_size(encoding.width, encoding.height, encoding.pix_fmt)
    bits = encoding.bits - encoding.shift
    gray = np.array(1 << (bits - 1), np.uint8 if bits == 8 else np.uint16)
    stamps = tuple(map(int, film.pts[:frames]))
    chunk = Chunk(0, 0, 0, True, stamps, durations=(0,) * frames, interlaced=(film.interlaced,) * frames)
    luma = np.broadcast_to(gray, (frames, encoding.height, encoding.width))
    chroma = None if encoding.pix_fmt == "gray" else np.broadcast_to(gray, (frames, 2, ch, cw))
    encoder.write(chunk, luma, chroma)
    encoder.close()
    return part
