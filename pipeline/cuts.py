"""Find the cuts between shots, in luma alone.

Two frames are alike if the middle of one matches some place in the other. The measure is the greatest normalised
cross-correlation over shifts up to a fifth of the picture (Lewis, "Fast Normalized Cross-Correlation", 1995). It is
taken on pictures of 64 x 36 from which specks, local brightness and local contrast are removed, so pans, flicker, fades
and uneven exposure do not look like cuts.

A cut precedes frame t if none of the frames t-3, t-2, t-1 is like any of the frames t, t+1, t+2. A single damaged frame
never makes a cut, because the frames around it still match. Blank frames (black leader, a flash) are ignored: they are
like no frame, and no shot begins with one. The first picture after three blank frames begins a new shot. A dissolve
does not count as a cut.

Each decision depends only on these six frames, so a reader that starts three frames early at any place finds the same
cuts. Measured by tests/benchmarks/cuts.py on eighty made edits (fast pans, zooms, dissolves, fades; 377 cuts): recall
0.997, precision 1.00. With exposure that flickers by +-20 %, grain, flashes, dust, and blotches that cover up to a
quarter of a frame: recall 0.997, precision 0.935. On colour clips joined at cuts: recall 0.96, precision 1.00.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

BEHIND, LOOK = 3, 2
"""Numbers of frames that a decision needs before and after the frame that may begin a shot."""

ALIKE = 0.42
"""Least correlation of two frames of one shot. Chosen between the values at cuts and those inside undamaged shots."""

LONG, SHORT = 64, 36
"""Long and short side of the compared pictures, in pixels."""

MARGIN = 6
"""Greatest shift along the short side, in pixels (a sixth of it); along the long side twice as many (a fifth)."""

NEIGHBOURS = (9, 9)
"""Size in pixels of the window in which local brightness and contrast are measured."""

NOISE = 16.0
"""Local variance, in grey levels squared, that counts as noise rather than contrast."""

FLAT = 0.15
"""Mean squared local contrast below which a frame shows no picture: black leader, a blank card."""

BLACK, WHITE = 24, 235
"""A frame without a picture is blank if its mean luma is outside of these two values."""


class CutFinder:
    """Takes frames one by one. `LOOK` frames later, it says for each whether a new shot begins with it."""

    def __init__(self) -> None:
        self._seen: deque[_View] = deque(maxlen=BEHIND + 1 + LOOK)
        self._waiting = 0

    def push(self, thumb: np.ndarray) -> bool | None:
        """Take the next frame.

        Args:
            thumb: (h, w) uint8, full range 0..255: luma of the next frame.

        Returns:
            Whether a shot begins with the frame `LOOK` frames before this one; None if there is no such frame.
        """
        self._seen.append(_View(thumb))
        self._waiting += 1
        if self._waiting <= LOOK:
            return None
        self._waiting -= 1
        return self._decide(len(self._seen) - 1 - LOOK)

    def finish(self) -> list[bool]:
        """The answers for the last frames of the film."""
        answers = [self._decide(len(self._seen) - n) for n in range(self._waiting, 0, -1)]
        self._waiting = 0
        return answers

    def _decide(self, at: int) -> bool:
        """Whether a shot begins at index `at` of the window. The nearest pair comes first; mostly it decides alone."""
        before = [self._seen[n] for n in range(at - 1, max(-1, at - 1 - BEHIND), -1)]
        after = [self._seen[n] for n in range(at, min(len(self._seen), at + 1 + LOOK))]
        if not before or after[0].blank:
            return False
        return not any(a.is_like(b) for a in before for b in after if not (a.blank or b.blank))


class _View:
    """A frame's structure at 64 x 36 (36 x 64 if upright): local mean 0, and local variance 1 where it has contrast."""

    def __init__(self, thumb: np.ndarray) -> None:
        upright = thumb.shape[0] > thumb.shape[1]
        small = cv2.resize(thumb, (SHORT, LONG) if upright else (LONG, SHORT), interpolation=cv2.INTER_AREA)
        mean = float(small.mean())
        small = cv2.medianBlur(small, 3).astype(np.float32)
        small -= cv2.blur(small, NEIGHBOURS)
        self.picture = small / np.sqrt(cv2.blur(small * small, NEIGHBOURS) + NOISE)
        self.flat = float(np.square(self.picture).mean()) < FLAT
        self.blank = self.flat and not BLACK < mean < WHITE
        x, y = (MARGIN, 2 * MARGIN) if upright else (2 * MARGIN, MARGIN)
        self.middle = np.ascontiguousarray(self.picture[y:-y, x:-x])

    def is_like(self, other: _View) -> bool:
        """Whether two frames may belong to one shot."""
        return (self.flat and other.flat) or self._found_in(other) or other._found_in(self)

    def _found_in(self, other: _View) -> bool:
        """Whether the middle of this frame matches some place in the other."""
        return bool(cv2.matchTemplate(other.picture, self.middle, cv2.TM_CCOEFF_NORMED).max() >= ALIKE)
