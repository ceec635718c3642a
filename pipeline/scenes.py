"""The scenes of a film: which shots show again what an earlier shot showed, and where its colours are kept.

`scenefinding` finds them, and `revisiting` takes the colours to the shots that follow.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import WorkError, reason_of
from ..flow.scenes import Seen, see
from ..models.sight import Sight

VERSION = 2
"""Changes with everything that changes the colours that shots take from others."""


LOOKS = 5
"""Number of frames by which a shot is known."""


@dataclass(frozen=True)
class Link:
    """A shot that takes colours of an earlier one."""

    first: int
    stop: int
    """Its frames are `first` .. `stop` - 1."""
    leader: tuple[int, int]
    """(first frame, number after the last) of the shot that leads."""
    sources: tuple[int, ...]
    """Numbers of the frames of the shot that leads whose colours it takes."""


@dataclass(frozen=True)
class Scenes:
    """The scenes of a film. Picklable; each process reads the colours itself."""

    links: tuple[Link, ...]
    """The shots that follow, in order."""
    path: Path
    """Zip file: `links.json`; of each frame whose colours are taken, by its number, `N/thumb.npy` (h, w) uint8,
    `N/ab.npy` (2, h/2, w/2) float16 and `N/labels.npy` (62, h/4, w/4) uint8, steady and without edits; and of each shot
    that follows, by the number of its first frame, `N/frames.npy` (K,) the numbers of its keys, and `N/keys.npy`
    (K, h, w) uint8 their thumbs."""

    def link(self, frame: int) -> Link | None:
        """The link of the shot that holds a frame; None if the shot takes no colours."""
        return next((link for link in self.links if link.first <= frame < link.stop), None)

    def others(self, shot: tuple[int, int]) -> list[tuple[int, int]]:
        """The other shots that show the same place as a shot, in order; a shot is (first frame, after the last)."""
        leader = next((link.leader for link in self.links if shot in (link.leader, (link.first, link.stop))), None)
        if leader is None:
            return []
        followers = [(link.first, link.stop) for link in self.links if link.leader == leader]
        return [each for each in (leader, *followers) if each != shot]

    def arrays(self, name: str) -> np.ndarray:
        """An array of the file. Raises WorkError."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                return np.load(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise WorkError(f"{self.path} cannot be read: {reason_of(error)}.") from error


def seen_by(sight: Sight, thumb: np.ndarray) -> Seen:
    """What the cells of a thumb (h, w) uint8 look like to the networks."""
    return see(thumb, lambda picture: sight.features(picture)[-1])


def spread_out(length: int, count: int) -> list[int]:
    """`count` places all over a shot of `length` frames, its ends among them, or as many as there are. (Where a film
    cuts back to a shot, that often goes on where it ended.)"""
    return sorted({round(place) for place in np.linspace(0, length - 1, count)})
