"""What edits, palettes and references come to in one film: frames, and what is done there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class ResolvedEdit:
    """An edit of the sheet, or one label of its palette, resolved for a film."""

    first: int
    stop: int
    """The edit applies to the frames `first` .. `stop` - 1."""
    label: int | None
    """It applies to all pixels that are read as this label; None: to a region that has masks."""
    relabel: int | None = None
    """Index of the label that the pixels get, or None."""
    ab: tuple[float, float] | None = None
    """Chroma that the pixels get, a and b of CIE Lab, or None; (0, 0) is neutral.

    If both `relabel` and `ab` are None, the pixels keep the colours that the network paints."""
    strength: float = 1.0
    """Share of the action, 0..1: at 1 it replaces what was there."""
    lost: tuple[int, ...] = ()
    """Frames from which on its region is lost, after and before the frame in which it is described."""
    name: str = ""
    """Its place in the sheet, such as edits[2]."""
    again: bool = False
    """Whether its region was drawn in another shot of the same place, and is found again here, or not."""

    @property
    def breaks(self) -> bool:
        """Whether the frames before and after its begin and its end do not see each other in its region."""
        return self.label is None and self.relabel is not None

    def holds(self, frame: int) -> bool:
        """Whether the edit applies to a frame."""
        return self.first <= frame < self.stop


ColorChange = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""Mean a, b of the film and of the reference, and the factors by which differences from the mean are stretched."""


@dataclass(frozen=True)
class ColorTransfer:
    """The colours of a reference, for a range of frames."""

    first: int
    stop: int
    """The transfer applies to the frames `first` .. `stop` - 1."""
    changes: dict[int, ColorChange]
    """By label."""

    def holds(self, frame: int) -> bool:
        """Whether the transfer applies to a frame."""
        return self.first <= frame < self.stop


def chroma_of(color: str) -> tuple[float, float]:
    """a, b of CIE Lab (D65) of an sRGB colour `#rrggbb`."""
    rgb = np.array([[[int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]]], np.float32)
    _, a, b = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab)[0, 0]
    return float(a), float(b)
