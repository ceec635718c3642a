"""Check whether an output can be written as asked, before any work is done."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import OutputError, UserError
from .containers import output_format
from .defaults import CODEC, CRF, PRESET, KeepColour
from .encode import Encoding, choose_encoding, narrows
from .extras import check_record_name, check_report_name
from .files import unwritable
from .film import Film
from .findings import sentences
from .pictures import VIEW_BITS, check_pictures, choose_pictures
from .sequences.curves import DISPLAY, FILM_BITS
from .sequences.names import is_pattern
from .storage import check_target, is_url
from .streams import plan_streams
from .trial import try_output


def prepared(
    film: Film,
    output: str | os.PathLike[str],
    codec: str = CODEC,
    crf: float = CRF,
    preset: str = PRESET,
    *,
    pix_fmt: str = "",
    keep_colour: KeepColour = "never",
) -> tuple[Film, Encoding]:
    """How a film is read and encoded for an output.

    Scans whose code values are not those of a display become a film of luma as displayed; see `pictures` for scans
    that become pictures. Luma of the full range is scaled for a codec that has only the limited one; if that loses
    values, the film gets a finding that says so.

    Args:
        film: the source.
        output: path or URL of the output, or pattern of its pictures.
        codec: FFmpeg's name of the encoder, for a film.
        crf: constant rate factor, for codecs that have this option.
        preset: preset, for x264 and x265.
        pix_fmt: FFmpeg's name of the pixel format, for a film; see `choose_encoding`.
        keep_colour: see `Look.keep_colour`.

    Returns:
        (the film as it is to be read, its encoding).

    Raises:
        OutputError: if the film's luma cannot be kept, or the codec does not open with these options.
    """
    if is_pattern(output):
        if pix_fmt:
            raise OutputError(f"{output} is a sequence of pictures, which has no pixel format; leave --pix-fmt out.")
        return _accepted(film, *choose_pictures(film, output))
    container = output_format(output)
    # Luma that is made of code values and scaled afterwards would be rounded twice.
    read = film.viewed(VIEW_BITS if film.coding != DISPLAY and narrows(film, codec) else FILM_BITS)
    encoding = choose_encoding(read, codec, crf, preset, container, pix_fmt=pix_fmt, keep_colour=keep_colour)
    scaling = encoding.samples
    if scaling.kind == "rounded" and film.coding == DISPLAY:
        read = read.noting(
            f"has {scaling.given}-bit luma of the full range; {codec} has only the limited range of {scaling.coded} "
            f"bits, so luma is rounded by up to {scaling.rounding:.1f} steps of {scaling.given} bits "
            f"(--codec ffv1 keeps it as it is)"
        )
    return _accepted(film, read, encoding)


def _accepted(film: Film, read: Film, encoding: Encoding) -> tuple[Film, Encoding]:
    """`read` and `encoding`. Raises OutputError if a film that must be without findings has got one.

    Args:
        film: the source as it was opened.
        read: the same as it is to be read for the output.
        encoding: its encoding.
    """
    if film.strict and (new := read.findings[len(film.findings) :]):
        wrong = next(sentences(film.path, film.when, new)).removesuffix(".")
        raise OutputError(f"{wrong}; leave --strict out to colorize it all the same.")
    return read, encoding


def check_output(
    film: Film,
    output: str | os.PathLike[str],
    encoding: Encoding | None = None,
    overwrite: bool = False,
    copy_streams: bool = True,
) -> tuple[str, ...]:
    """Check whether the output can be written as asked.

    With an encoding, some grey frames are written in memory with the source's other streams and read back. This trial
    finds codecs, streams, pixel shapes and colour tags that the container cannot carry. Its time stamps are the first
    ones of the film. Whether the container can store the others, and the sound to its end, is computed.

    Args:
        film: the source.
        output: path or URL of the output; its suffix selects the container.
        encoding: encoding of the colour film; None: no trial.
        overwrite: whether an existing output may be replaced.
        copy_streams: whether the source's other streams are copied, as far as `Film.selection` keeps them.

    Returns:
        What becomes of some streams that cannot be copied as they are, as whole sentences.

    Raises:
        UserError: one sentence, if the output cannot be written, or the selection names a stream that is not there.
    """
    check_place(film.path, output, overwrite)
    if is_pattern(output):
        if encoding and not encoding.pictures:
            raise OutputError(f"{output}: only the colour film can be a sequence of pictures; choose .mkv or .mp4.")
        return ()
    return check_content(film, output, encoding, copy_streams) if encoding else ()


def check_content(
    film: Film, output: str | os.PathLike[str], encoding: Encoding, copy_streams: bool = True
) -> tuple[str, ...]:
    """Check whether the output's container can hold the film. For the arguments and the result see `check_output`."""
    if encoding.pictures:
        return ()
    container = output_format(output)
    words = plan_streams(film, container).words if copy_streams else ()
    try_output(film, os.fspath(output), container, encoding, copy_streams)
    return tuple(f"{film.path}: {word}." for word in words)


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
    if reason := unwritable(output.parent):
        raise OutputError(f"{output} cannot be written: {output.parent}: {reason}.")
    if film_format:
        output_format(output)


def check_beside(
    film: Film, output: Path, asked: dict[str, str | os.PathLike[str] | None], overwrite: bool, whole: bool
) -> None:
    """Raise UserError if a report or a record cannot be written beside a film.

    Args:
        film: the source.
        output: the colour film.
        asked: the paths of "report" and "record", or None.
        overwrite: whether existing files are replaced.
        whole: whether the whole film is written.
    """
    seen = {output: "film"}
    for what, path in asked.items():
        if path is None:
            continue
        (check_report_name if what == "report" else check_record_name)(path, what)
        check_place(film.path, path, overwrite, film_format=False)
        if not whole:
            raise UserError(f"a {what} is about the whole film; leave spans or {what} out.")
        if other := seen.get(Path(path).absolute()):
            raise OutputError(f"{path} cannot be both the {other} and its {what}.")
        seen[Path(path).absolute()] = what
