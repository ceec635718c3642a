"""Scenes: shots that show again what an earlier shot showed take the colours that it had there.

Before a film is painted, one pass looks at a few frames of each shot, at places that only the shot's length decides.
Shots of the same place are linked (`flow.scenes`). The first of them that has a picture leads; the others follow it, as
long as no more than `WINDOW` shots lie between two of them. A shot that follows leads no other, so colours do not drift
from shot to shot. What leads is painted and steadied as in the film, in the frames that were looked at, and kept in a
file. Each frame of a shot that follows then depends on this file and on the frame alone.

Colours are those of the networks, without edits: a correction in one shot changes no other shot.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import WorkError, reason_of
from ..flow import BLOCK, LOOKAHEAD, Steadier, estimate
from ..flow.scenes import Scene, Seen, same_place, see
from ..models.labels import INDEX
from ..models.painter import Painter
from ..models.sight import Sight
from .chunk import Chunk
from .files import move_into_place
from .film import Film
from .following import thumbs_of
from .frames import Colors
from .look import Look
from .reader import FilmReader

VERSION = 1
"""Changes with everything that changes the colours that shots take from others."""

WINDOW = 12
"""Number of shots before a shot in which its scene is looked for."""

PLACES = (1 / 6, 1 / 2, 5 / 6)
"""The frames of a shot that are looked at, as parts of its length."""

HELD = 48
"""Greatest number of thumbs that are held of the present shot."""

LEAST_CONTRAST = 12.0
"""Standard deviation of luma (0..255) below which a frame is not looked at: a leader, a fade. A shot of such frames
neither leads nor follows."""

PORTRAIT = 0.15
"""Share of skin and hair in the picture from which on a shot counts as a portrait."""

PAST = 16
"""Number of frames of a leading shot that are painted before one whose steady colours are wanted."""

OPEN = 4
"""Number of leading shots that an artist keeps in memory."""


@dataclass(frozen=True)
class Link:
    """A shot that takes colours of an earlier one."""

    first: int
    stop: int
    """Its frames are `first` .. `stop` - 1."""
    leader: int
    """Number of the first frame of the shot that leads."""


@dataclass(frozen=True)
class Scenes:
    """The scenes of a film. Picklable; each process reads the leading shots itself."""

    links: tuple[Link, ...]
    """The shots that follow, in order."""
    path: Path
    """Zip file: `links.json`; and of each leading shot, by the number of its first frame, `N/thumbs.npy`
    (K, h, w) uint8 and `N/ab.npy` (K, 2, h/2, w/2) float16, its steady colours."""

    def link(self, frame: int) -> Link | None:
        """The link of the shot that holds a frame; None if the shot takes no colours."""
        return next((link for link in self.links if link.first <= frame < link.stop), None)


class Revisiting:
    """Gives the frames of shots that follow the colours of their scenes, from the networks' colours."""

    def __init__(self, scenes: Scenes, look: Look, precision: str | None = None) -> None:
        """
        Args:
            scenes: the scenes of the film.
            look: the options that decide the colours.
            precision: precision of the networks on a CPU; None: what the hardware does best.
        """
        self._scenes, self._look, self._precision = scenes, look, precision
        self._scene = lru_cache(OPEN)(self._read)

    def colors(self, chunk: Chunk, thumbs: np.ndarray, colors: Colors, relabeled: Mapping[int, np.ndarray]) -> Colors:
        """The colours of a chunk's frames.

        Args:
            chunk: N frames of a shot.
            thumbs: (N, h, w) uint8, its thumbs.
            colors: its colours as painted.
            relabeled: number of a frame within the chunk → the share of its label probability that edits have changed,
                (h/4, w/4) float32. There the networks' colours stay.

        Returns:
            New colours; `colors` itself if nothing changes.
        """
        link = self._scenes.link(chunk.start)
        if link is None:
            return colors
        scene, result = self._scene(link.leader), colors.ab.copy()
        for n, (thumb, ab) in enumerate(zip(thumbs, colors.ab, strict=True)):
            change = scene.change(self._see(thumb), ab.astype(np.float32))
            if change is None:
                continue
            change *= np.float32(self._look.scenes)
            if n in relabeled:
                change *= 1 - cv2.resize(relabeled[n], change.shape[:0:-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)
            result[n] = (ab.astype(np.float32) + change).clip(-127, 127)
        return Colors(result, colors.labels)

    @cached_property
    def _sight(self) -> Sight:
        return Sight(self._look.weights, self._precision)

    def _see(self, thumb: np.ndarray) -> Seen:
        return see(thumb, lambda picture: self._sight.features(picture)[-1])

    def _read(self, leader: int) -> Scene:
        """The shot whose first frame is `leader`."""
        path = self._scenes.path
        try:
            with zipfile.ZipFile(path) as archive:
                thumbs, ab = (
                    np.load(io.BytesIO(archive.read(f"{leader}/{name}.npy")), allow_pickle=False)
                    for name in ("thumbs", "ab")
                )
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise WorkError(f"{path} cannot be read: {reason_of(error)}.") from error
        return Scene([self._see(thumb) for thumb in thumbs], ab)


def find_scenes(
    film: Film,
    look: Look,
    path: Path,
    *,
    shown: Collection[tuple[int, int]] = (),
    progress: Callable[[int], None] = lambda done: None,
) -> Scenes | None:
    """The scenes of a film; None if no shot takes colours of another one, or none is to. Decodes the film.

    Args:
        film: the source.
        look: the options that decide the colours.
        path: file for the leading shots. If it exists, it is the result of an earlier call with the same arguments,
            and is read.
        shown: pairs (first frame, number after the last) of the frames that will be painted; empty: the whole film. It
            is decoded up to the end of the last shot among them: what leads a shot depends on all shots before it.
        progress: called with the number of frames that were looked at.
    """
    if not look.scenes or film.frames < 2:
        return None
    if path.exists():
        with zipfile.ZipFile(path) as archive:
            links = tuple(Link(*each) for each in json.loads(archive.read("links.json")))
        return Scenes(links, path) if links else None
    painter = Painter("cpu", weights=look.weights, vivid=look.vivid)
    try:
        finder = _Finder(film, look, painter)
        finder.run(max((stop for _, stop in shown), default=film.frames), progress)
        links = [
            link
            for link in finder.links
            if not shown or any(link.first < stop and first < link.stop for first, stop in shown)
        ]
        temporary = path.with_suffix(".tmp")
        with zipfile.ZipFile(temporary, "w") as archive:
            for leader in sorted({link.leader for link in links}):
                for name, array in _painted(film, look, painter, leader, *finder.leaders[leader]).items():
                    file = io.BytesIO()
                    np.save(file, array)
                    archive.writestr(f"{leader}/{name}.npy", file.getvalue())
            archive.writestr("links.json", json.dumps([[link.first, link.stop, link.leader] for link in links]))
        move_into_place(temporary, path)
    finally:
        painter.close()
    return Scenes(tuple(links), path) if links else None


class _Samples:
    """Thumbs from all over the present shot. Which are held at its end depends on its length alone."""

    def __init__(self) -> None:
        self._step, self._held = 1, list[np.ndarray]()

    def add(self, age: int, thumb: np.ndarray) -> None:
        """Take the next frame; `age`: its number in the shot."""
        if age % self._step:
            return
        self._held.append(thumb)
        if len(self._held) > HELD:
            self._step, self._held = 2 * self._step, self._held[::2]

    def chosen(self, length: int) -> dict[int, np.ndarray]:
        """Number in the shot → thumb, near `PLACES` of a shot of `length` frames."""
        places = sorted({int(length * place) // self._step for place in PLACES})
        return {place * self._step: self._held[place] for place in places if place < len(self._held)}


class _Finder:
    """The pass over a film."""

    def __init__(self, film: Film, look: Look, painter: Painter) -> None:
        self._film, self._look, self._painter = film, look, painter
        self._sight = Sight(look.weights)
        self._near: deque[int | None] = deque(maxlen=WINDOW)
        """Of the last shots, the first frame of the shot that leads them; None: none does."""
        self._seen: dict[int, tuple[list[Seen], bool]] = {}
        """First frame of a leading shot → its frames, and whether it is a portrait, as long as it may lead others."""
        self.links: list[Link] = []
        self.leaders: dict[int, tuple[list[int], int]] = {}
        """First frame of a leading shot → the numbers of its frames that were looked at, and its stop."""

    def run(self, end: int, progress: Callable[[int], None]) -> None:
        """Look at all shots that begin before the frame `end`."""
        first, samples = 0, _Samples()
        for picture, cut in FilmReader(self._film, size=self._look.size).pictures():
            number = picture.number
            if cut and number:
                self._end(first, number, samples)
                first, samples = number, _Samples()
                if number >= end:
                    return
            samples.add(number - first, picture.thumb)
            progress(number + 1)
        self._end(first, self._film.frames, samples)

    def _end(self, first: int, stop: int, samples: _Samples) -> None:
        """Find the scene of a shot that has ended."""
        chosen = {n: t for n, t in samples.chosen(stop - first).items() if t.std() >= LEAST_CONTRAST}
        frames = [see(thumb, lambda picture: self._sight.features(picture)[-1]) for thumb in chosen.values()]
        near = sorted({leader for leader in self._near if leader is not None})
        portrait = bool(frames) and is_portrait(frames[len(frames) // 2].thumb, self._painter)
        likeness = {leader: self._likeness(frames, portrait, leader) for leader in near}
        leader = max(near, key=likeness.__getitem__, default=None)
        if leader is not None and likeness[leader] > 0:
            self.links.append(Link(first, stop, leader))
        else:
            leader = first if frames else None
        self._near.append(leader)
        if leader == first:
            self._seen[first] = frames, portrait
            self.leaders[first] = [first + n for n in chosen], stop
        for old in set(self._seen) - set(self._near):
            del self._seen[old]

    def _likeness(self, frames: list[Seen], portrait: bool, leader: int) -> float:
        """How surely a shot shows the same place as one that leads."""
        remembered, other = self._seen[leader]
        return same_place(frames, remembered, portrait or other)


def is_portrait(thumb: np.ndarray, painter: Painter) -> bool:
    """Whether a face fills the picture. `thumb`: (h, w) uint8 luma."""
    _, labels = painter.paint(thumb[None])
    faces = labels[0, [INDEX["skin"], INDEX["hair"]]].sum(dtype=float)
    return bool(faces >= PORTRAIT * labels[0].sum(dtype=float))


def _painted(film: Film, look: Look, painter: Painter, first: int, frames: list[int], stop: int) -> dict[str, Any]:
    """Thumbs and steady colours of some frames of a shot, by name.

    Args:
        film: the source.
        look: the options that decide the colours.
        painter: the networks.
        first: number of the shot's first frame.
        frames: numbers of the frames.
        stop: number after the shot's last frame.
    """
    thumbs, colors = [], []
    for frame in frames:
        begin = max(first, frame - PAST)
        with thumbs_of(film, begin, min(frame + BLOCK + LOOKAHEAD, stop), look.size) as window:
            pictures = np.array(window)
        ab, labels = painter.paint(pictures)
        steady, _ = Steadier(look.steady).blend(ab, labels, estimate(pictures, None), 0, None)
        thumbs.append(pictures[frame - begin])
        colors.append(steady[frame - begin])
    return {"thumbs": np.stack(thumbs), "ab": np.stack(colors)}
