"""The properties of a picture that its header states."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from .curves import DISPLAY

NTSC = Fraction(1000, 1001)
"""Factor from a whole rate to its NTSC rate: 24 → 23.976."""


@dataclass(frozen=True)
class Head:
    """What all pictures of a sequence have in common."""

    width: int
    height: int
    """Size in pixels."""
    bits: int
    """Bits of a code value, 8..16."""
    channels: int
    """1: grey; 3: R, G, B."""
    alpha: bool = False
    """Whether a channel of alpha follows."""
    floats: bool = False
    """Whether the code values are half or single floats."""
    coding: str = DISPLAY
    """Meaning of the code values as far as the header tells; see `curves`."""
    matrix: str = "bt709"
    """Matrix that gives luma from R'G'B': ``bt709``, or ``bt601`` for JPEG."""
    rate: Fraction | None = None
    """Frames per second; None if the header does not state it."""
    aspect: Fraction = Fraction(1)
    """Width of a pixel divided by its height."""
    grey_profile: bool = False
    """Whether the picture has an ICC profile that describes grey only."""

    def kind(self) -> str:
        """Size and format, for messages: ``2048x1556, 10 bits, RGB``."""
        channels = ("grey" if self.channels == 1 else "RGB") + (" with alpha" if self.alpha else "")
        return f"{self.width}x{self.height}, {self.bits} bits{' (float)' if self.floats else ''}, {channels}"

    def same(self, other: Head) -> bool:
        """Whether another picture of the sequence has the same size and format."""
        return self.kind() == other.kind()


def rate_of(value: float) -> Fraction | None:
    """A rate that a header states as a number: 23.976 is 24000/1001. None if it is no rate."""
    if not math.isfinite(value) or not 1 <= value <= 1000:
        return None
    whole = round(value)
    if abs(value - whole) < 1e-4:
        return Fraction(whole)
    near = round(value * 1.001) * NTSC
    return near if abs(value - float(near)) < 2e-3 else Fraction(value).limit_denominator(1000)


def is_rgb_profile(profile: bytes | None) -> bool:
    """Whether an ICC profile describes R, G, B (ICC.1, 7.2.6)."""
    return profile is not None and profile[16:20] == b"RGB "


def aspect_of(width: float, height: float) -> Fraction:
    """Shape of a pixel from two numbers of a header; 1 if they are none, or no shape that a film has."""
    if not (0 < width < 1e6 and 0 < height < 1e6):
        return Fraction(1)
    found = Fraction(width / height).limit_denominator(1000)
    return found if Fraction(1, 4) <= found <= 4 else Fraction(1)
