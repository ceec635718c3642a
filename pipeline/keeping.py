"""Which shots of a film have colours already, and which of them are kept, before the film is colorized."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import InputError
from .chunk import Resume
from .defaults import SIZE
from .film import Film
from .look import Look
from .opening import open_container
from .owncolors import KEPT, OwnColor, ShotColor, Spans, kind_of
from .reader import FilmReader
from .shots import shot_around

USABLE_MATRICES = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10)
"""Matrix tags (ITU-T H.273) of sources whose chroma the output can keep. 0 is R'G'B', which is converted; the output's
matrix differs from 4 and 7 by less than a step of chroma."""


def own_colors(
    film: Film,
    size: int = SIZE,
    first: int = 0,
    stop: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[ShotColor, ...]:
    """Find the colours that the shots of a film already have. Decodes these shots.

    Args:
        film: the source.
        size: short side of the networks' input picture; cuts are found on thumbs of this size.
        first: number of a frame in the first shot.
        stop: number after a frame in the last shot; None: the film's end.
        progress: called with the number of frames that were looked at.

    Returns:
        The shots in order.
    """
    begin = shot_around(film, first, size)[0] if first else 0
    stop = film.frames if stop is None else stop
    shots: list[ShotColor] = []
    kinds: list[OwnColor] = []

    def end(at: int) -> None:
        kind = kind_of(len(kinds), kinds.count(OwnColor.TINTED), kinds.count(OwnColor.COLOR))
        shots.append(ShotColor(at - len(kinds), at, kind))
        kinds.clear()

    for picture, cut in FilmReader(film, size=size, start=Resume(frame=begin)).pictures():
        if picture.number < begin:
            continue
        if cut and kinds:
            end(picture.number)
            if picture.number >= stop:
                break
        kinds.append(picture.own)
        progress(picture.number + 1 - begin)
    if kinds:
        end(film.frames)
        progress(film.frames - begin)
    return tuple(shots)


def kept_spans(
    film: Film,
    look: Look,
    first: int = 0,
    stop: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Spans:
    """The shots that keep their own chroma.

    Args:
        film: the source.
        look: the options that decide the colours.
        first: number of a frame in the first shot that is looked at.
        stop: number after a frame in the last shot that is looked at; None: the film's end.
        progress: called with the number of frames that were looked at.

    Raises:
        InputError: if the output cannot have the matrix of the source's chroma.
    """
    wanted = KEPT[look.keep_colour]
    if not wanted or film.pix_fmt.startswith("gray"):
        return ()
    shots = own_colors(film, look.size, first, stop, progress)
    spans = tuple((s.first, s.stop) for s in shots if s.kind in wanted)
    if spans and (matrix := _matrix(film)) not in USABLE_MATRICES:
        raise InputError(
            f"{film.path}: its own colours cannot be kept, because they are coded with the matrix {matrix} of ITU-T "
            f"H.273; convert the film to BT.709 first, or give --keep-colour never."
        )
    return spans


def _matrix(film: Film) -> int:
    """The matrix tag of the source (ITU-T H.273), as it is. `Film.colorspace` is that of the output."""
    if film.scans:
        return 0
    with open_container(film.path) as container:
        return int(next(container.decode(container.streams[film.stream])).colorspace)
