"""semcolor: a black-and-white film goes in, a colour film comes out.

    from semcolor import Look, colorize, follow, label_map, open_film, own_colors, read_sheet, still

    film = open_film("reel.mp4")                          what the film is, without decoding it
    look = Look(sheet=read_sheet("edits.json"))           what decides the colours
    own_colors(film)                                      the colours that its shots already have
    label_map(film, "14.2s")                              the labels of one frame
    still(film, "14.2s", "try.png", look)                 one frame in colour
    follow(film, 310, mask)                               a region, followed through its shot
    colorize(film, "reel.color.mp4", look)                the whole film, in this process and without Ray

These names are the public interface; `docs/python.md` describes them. Each is imported when it is first used, so that
``import semcolor`` costs nothing. Every error that semcolor raises on purpose is a `SemcolorError`.

The four floors of the package, top down: `jobs` (Ray and the commands), `pipeline` (films), `models` (networks) and
`flow` (motion).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import AssembleError, FilmError, InputError, OutputError, SemcolorError, UserError, WorkError

if TYPE_CHECKING:
    from .pipeline.edits.reading import read_sheet
    from .pipeline.edits.sheet import Sheet
    from .pipeline.film import Film, open_film
    from .pipeline.following import follow
    from .pipeline.inprocess import colorize, label_map, still
    from .pipeline.keeping import own_colors
    from .pipeline.look import Look
    from .pipeline.owncolors import ShotColor

__version__ = "0.2.0"

__all__ = [
    "AssembleError",
    "Film",
    "FilmError",
    "InputError",
    "Look",
    "OutputError",
    "SemcolorError",
    "Sheet",
    "ShotColor",
    "UserError",
    "WorkError",
    "__version__",
    "colorize",
    "follow",
    "label_map",
    "open_film",
    "own_colors",
    "read_sheet",
    "still",
]

_LAZY = {
    "Film": "pipeline.film",
    "Look": "pipeline.look",
    "Sheet": "pipeline.edits.sheet",
    "ShotColor": "pipeline.owncolors",
    "colorize": "pipeline.inprocess",
    "follow": "pipeline.following",
    "label_map": "pipeline.inprocess",
    "open_film": "pipeline.film",
    "own_colors": "pipeline.keeping",
    "read_sheet": "pipeline.edits.reading",
    "still": "pipeline.inprocess",
}
"""The module of each name that is imported when it is first used (PEP 562)."""


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
