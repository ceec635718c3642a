"""Check whether an output can be written as asked, before any work is done."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import av
import numpy as np

from ..errors import OutputError, SemcolorError
from .chunk import Chunk
from .containers import output_format
from .encode import Encoding, PartEncoder, chroma_size
from .film import Film
from .mux import join_parts, verify
from .storage import check_target, is_url


def check_output(
    film: Film,
    output: str | os.PathLike[str],
    encoding: Encoding | None = None,
    overwrite: bool = False,
    copy_streams: bool = True,
) -> None:
    """Check whether the output can be written as asked.

    With an encoding, a film of two grey frames is written in memory with the source's other streams and read back. This
    trial finds codecs, streams, pixel shapes and colour tags that the container cannot carry.

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
    if encoding:
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
    """Write two grey frames in memory with the source's other streams, and read them back. Raises OutputError."""
    frames = min(2, film.frames)
    part, result = io.BytesIO(), io.BytesIO()
    ch, cw = chroma_size(encoding.width, encoding.height, encoding.pix_fmt)
    bits = encoding.bits - encoding.shift
    dtype = np.uint8 if bits == 8 else np.uint16
    pts = film.pts[:frames]
    stamps = tuple(map(int, pts))
    chunk = Chunk(0, 0, 0, True, stamps, durations=(0,) * frames, interlaced=(film.interlaced,) * frames)
    gray = 1 << (bits - 1)
    luma = np.full((frames, encoding.height, encoding.width), gray, dtype)
    suffix = Path(output).suffix
    try:
        encoder = PartEncoder(part, encoding, int(film.pts[0]))
        encoder.write(chunk, luma, None if encoding.pix_fmt == "gray" else np.full((frames, 2, ch, cw), gray, dtype))
        encoder.close()
        copied = join_parts(film, [part], result, container, copy_streams, encoding, limit=64)
        verify(film, pts, result, container, encoding, copied)
    except (av.error.FFmpegError, ValueError, SemcolorError) as error:
        kept = ", ".join([encoding.codec, *(film.others if copy_streams else ())])
        raise OutputError(
            f"{output}: {suffix} cannot carry this film ({kept}) whole: {str(error).rstrip('.')}; "
            f"choose another container (.mkv holds nearly everything) or another --codec."
        ) from error
