"""A film in, a film out: the only folder that imports `av`.

    film       open_film: what the film is and when each frame is shown
    cuts       where a shot ends
    reader     decodes once, in order, and hands out chunks
    writer     encodes parts and commits them durably
    mux        parts + sound, subtitles, chapters … → the output file
    edits      what people write to steer the colours, and what is made of it
    inprocess  colorize, still, label_map: all of it in one process

No Ray and no torch here; the arrays are numpy's. What programs use of it is exported by `semcolor` itself.
"""

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
