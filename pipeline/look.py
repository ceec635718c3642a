"""`Look`: the options that decide the colours of a film."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .defaults import SCENES, SIZE, STEADY, VIVID, KeepColour

if TYPE_CHECKING:  # commands import pydantic only if there is a sheet
    from .edits.sheet import Sheet


@dataclass(frozen=True)
class Look:
    """The options that decide the colours of a film. The fields have the names of the command's options."""

    size: int = SIZE
    """Short side of the networks' input picture, in pixels; a multiple of 32."""
    steady: float = STEADY
    """Strength of steadying, from 0 (each frame stays as the networks painted it) to 1."""
    scenes: float = SCENES
    """Share of the colours that a shot takes from an earlier shot that shows the same, from 0 (none) to 1."""
    vivid: float = VIVID
    """Factor by which chroma is multiplied, from 0 (grey) to 2."""
    weights: Path | None = None
    """Weights of the networks; None: the weights that ship with the package, whatever its path on the machine."""
    motion_weights: Path | None = None
    """Weights of RAFT, which then estimates motion; None: DIS estimates it. Only for whole films through Ray."""
    keep_colour: KeepColour = "never"
    """The shots that keep the source's own chroma: ``auto``: shots in colour; ``always``: tinted shots, too."""
    sheet: Sheet | None = None
    """Edits, palette and references; None or an empty sheet: the networks decide alone."""
