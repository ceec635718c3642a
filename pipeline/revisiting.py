"""Shots that show again what an earlier shot showed take the colours that it had there.

Before a film is painted, `scenefinding` looks at a few frames of each shot. The first shot of a place leads; the others
follow it. A shot that follows leads no other, so colours do not drift from shot to shot. What leads is painted and
steadied as in the film, in the frames that those who follow need, and kept in a file. Each frame of a shot that follows
then depends on this file and on the frame alone (`flow.revisit`).

References act before scenes, and key frames of the shot that leads are passed on: those that follow take the colours
that it has with both. A shot with key frames of its own takes no other colours. Palette and edits act later, in each
shot by itself; the regions of edits are found again in the other shots of the place (`edits.again`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

import cv2
import numpy as np

from ..flow.revisit import Colored, Revisit
from ..flow.scenes import Seen
from ..models.sight import Sight
from .edits.apply import ResolvedEdits
from .frames import Colors
from .look import Look
from .scenes import Link, Scenes, seen_by

OPEN = 2
"""Number of shots that follow whose keys an artist keeps in memory."""


class Revisiting:
    """Gives the frames of shots that follow the colours of their scenes, from the networks' colours."""

    def __init__(
        self, scenes: Scenes, look: Look, edits: ResolvedEdits | None = None, precision: str | None = None
    ) -> None:
        """
        Args:
            scenes: the scenes of the film.
            look: the options that decide the colours.
            edits: the edits of the film.
            precision: precision of the networks on a CPU; None: what the hardware does best.
        """
        self._scenes, self._look, self._edits, self._precision = scenes, look, edits, precision
        self._shot = lru_cache(OPEN)(self._read)

    def colors(
        self, frames: Sequence[int], thumbs: np.ndarray, colors: Colors, relabeled: Mapping[int, np.ndarray]
    ) -> Colors:
        """The colours of frames of one shot.

        Args:
            frames: numbers of N frames.
            thumbs: (N, h, w) uint8, their thumbs.
            colors: their colours as painted.
            relabeled: index of a frame among these → the share of its label probability that edits have changed,
                (h/4, w/4) float32. There the networks' colours stay.

        Returns:
            New colours; `colors` itself if the shot takes none.
        """
        link = self._scenes.link(frames[0])
        if link is None or (self._edits and self._edits.keyed_at(frames[0])):
            return colors
        shot, result = self._shot(link), colors.ab.copy()
        for n, (frame, thumb, ab) in enumerate(zip(frames, thumbs, colors.ab, strict=True)):
            below = ab.astype(np.float32)
            if self._edits:
                below = self._edits.referred(frame, below, colors.labels[n])
            taken = shot.taken(frame, self._see(thumb))
            if taken:
                share = taken.known * np.float32(self._look.scenes)
                if n in relabeled:
                    share *= 1 - cv2.resize(relabeled[n], share.shape[::-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)
                below = below + (taken.ab - below) * share
            result[n] = below.clip(-127, 127)
        return Colors(result, colors.labels)

    @cached_property
    def _sight(self) -> Sight:
        return Sight(self._look.weights, self._precision)

    def _see(self, thumb: np.ndarray) -> Seen:
        return seen_by(self._sight, thumb)

    def _read(self, link: Link) -> Revisit:
        """A shot that follows, with the colours that it takes."""
        read = self._scenes.arrays
        keys = zip(read(f"{link.first}/frames"), read(f"{link.first}/keys"), strict=True)
        return Revisit({int(n): self._see(thumb) for n, thumb in keys}, [self._source(n) for n in link.sources])

    def _source(self, frame: int) -> Colored:
        """A frame of a shot that leads, with its colours under references and key frames."""
        thumb, ab, labels = (self._scenes.arrays(f"{frame}/{name}") for name in ("thumb", "ab", "labels"))
        ab = ab.astype(np.float32)
        if self._edits:
            ab = self._edits.keyed_colors(frame, self._edits.referred(frame, ab, labels))
        return Colored(self._see(thumb), ab, np.ones(ab.shape[1:], np.float32))
