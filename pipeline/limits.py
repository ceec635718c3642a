"""How large and how long a film may be."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ..errors import InputError
from .opening import MOST_PIXELS
from .survey import MOST_FRAMES, TOO_LONG

MOST_ASPECT = 16
"""Greatest ratio between the sides of a frame at display, because the networks see the whole frame."""

TOO_LARGE = f"frames of at most {MOST_PIXELS} pixels (8192x8192) can be colorized."
"""End of the sentence that refuses larger frames."""


def check_extent(path: str, stream: Any) -> None:
    """Raise InputError if a stream's header states pictures or a table of frames beyond the limits."""
    width, height = stream.codec_context.width, stream.codec_context.height
    check_shape(path, width, height, Fraction(stream.sample_aspect_ratio or 1))
    if stream.frames > MOST_FRAMES:
        raise InputError(f"{path}: it states {stream.frames} frames; {TOO_LONG}")


def check_shape(path: str, width: int, height: int, sample_aspect: Fraction) -> None:
    """Raise InputError if frames are larger or longer than the limits."""
    if width * height > MOST_PIXELS:
        raise InputError(f"{path}: its frames have {width}x{height} pixels; {TOO_LARGE}")
    aspect = Fraction(width, height or 1) * sample_aspect
    if height and not Fraction(1, MOST_ASPECT) <= aspect <= MOST_ASPECT:
        raise InputError(
            f"{path}: one side of its frames is shown more than {MOST_ASPECT} times as long as the other; crop the "
            f"film, or correct the shape of its pixels."
        )
