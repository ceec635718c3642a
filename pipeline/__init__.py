"""A film in, a film out: the only folder that imports `av`.

    film       open_film: what the film is and when each frame is shown
    cuts       where a shot ends
    reader     decodes once, in order, and hands out chunks
    writer     encodes parts and commits them durably
    mux        parts + sound, subtitles, chapters … → the output file
    edits      what people write to steer the colours, and what is made of it
    inprocess  colorize, still, label_map: all of it in one process

No Ray and no torch here; the arrays are numpy's. `open_film`, `Look`, `read_sheet`, `colorize`, `still` and `label_map`
can be had from here, and are imported when they are asked for.
"""

from importlib import import_module
from typing import Any

from ..errors import AssembleError, FilmError, InputError, OutputError, SemcolorError, UserError, WorkError
from .chunk import CHUNK_SIZES, PART_STEP, Chunk, Resume

__all__ = [
    "CHUNK_SIZES",
    "PART_STEP",
    "AssembleError",
    "Chunk",
    "FilmError",
    "InputError",
    "OutputError",
    "Resume",
    "SemcolorError",
    "UserError",
    "WorkError",
]

_LAZY = {
    "open_film": "film",
    "read_sheet": "edits.sheet",
    "Look": "inprocess",
    "colorize": "inprocess",
    "still": "inprocess",
    "label_map": "inprocess",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
