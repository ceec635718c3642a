"""A film in, a film out: the only folder that imports `av`.

    film       open_film: what the film is and when each frame is shown
    cuts       where a shot ends
    reader     decodes once, in order, and hands out chunks
    writer     encodes parts and commits them durably
    assemble   parts + sound, subtitles, chapters … → the output file

No Ray and no torch here; the arrays are numpy's.
"""

from .chunk import CHUNK_SIZES, PART_STEP, Chunk, Resume
from .errors import AssembleError, FilmError, InputError, OutputError, SemcolorError, UserError, WorkError

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
