"""`Look`: what decides the colours of a film."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .defaults import SIZE, STEADY, VIVID

if TYPE_CHECKING:  # spares commands pydantic until there is a sheet
    from .edits.sheet import Sheet


@dataclass(frozen=True)
class Look:
    """What decides the colours of a film. The fields have the names of the command's options."""

    size: int = SIZE
    """Short side of the networks' picture in pixels, a multiple of 32."""
    steady: float = STEADY
    """Strength of steadying: 0 (every frame as the networks painted it) to 1."""
    vivid: float = VIVID
    """Factor of the chroma: 0 (grey) to 2."""
    weights: Path | None = None
    """The networks; None: those that ship with the package, wherever it lies on the machine."""
    motion_weights: Path | None = None
    """RAFT's weights, to measure motion with; None: DIS measures it. Only for whole films through Ray."""
    sheet: Sheet | None = None
    """Edits, palette and references; None or an empty sheet: the networks decide alone."""
