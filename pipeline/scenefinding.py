"""Find the scenes of a film: the shots that show the same place, and the colours that they share.

One pass looks at a few frames of each shot, at places that only the shot's length decides. A shot follows the first one
that has a picture and shows the same place, if no more than `WINDOW` shots lie between it and the last shot of that
place. `revisiting` has what comes of it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import numpy as np

from ..flow import BLOCK, Answers, Steadier, complete, estimate, horizon
from ..flow.revisit import FADE
from ..flow.scenes import LEAST_SHARE, Seen, fit, same_place
from ..models.labels import INDEX
from ..models.painter import Painter
from ..models.sight import Sight
from .files import move_into_place
from .film import Film
from .following import thumbs_of
from .look import Look
from .reader import FilmReader
from .scenes import LOOKS, Link, Scenes, seen_by, spread_out
from .stages import frames_to_paint

WINDOW = 12
"""Number of shots before a shot in which its scene is looked for."""

KEYS = 12
"""A key about every so many frames of a shot that follows."""

HELD = 48
"""Greatest number of thumbs that are held of the present shot."""

LEAST_CONTRAST = 12.0
"""Standard deviation of luma (0..255) below which a frame is not looked at: a leader, a fade. A shot of such frames
neither leads nor follows."""

PORTRAIT = 0.15
"""Share of skin and hair in the picture from which on a shot counts as a portrait."""

PAST = 24
"""Number of frames of a leading shot that are painted before one whose steady colours are wanted: the memory of the
steadier."""

AS_GOOD = 0.9
"""A frame serves another as a source of colours if it fits at least this share as well as the one that fits best."""


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
        path: file for the colours. If it exists, it is the result of an earlier call with the same arguments, and is
            read; if it cannot be read, it is made anew.
        shown: pairs (first frame, number after the last) of the frames that will be painted; empty: the whole film. It
            is decoded up to the end of the last shot among them: what leads a shot depends on all shots before it.
        progress: called with the number of frames that were looked at.
    """
    if not look.scenes or film.frames < 2:
        return None
    links = _stored(path)
    if links is not None:
        return Scenes(links, path) if links else None
    temporary = path.with_suffix(".tmp")
    with _Networks(look) as networks:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            finder = _Finder(film, look, networks, archive, shown)
            finder.run(max((stop for _, stop in shown), default=film.frames), progress)
            links = tuple(finder.links)
            for frame, shot in sorted({(n, link.leader) for link in links for n in link.sources}):
                _store(archive, frame, _painted(film, look, networks.painter, frame, *shot))
            plain = [[link.first, link.stop, link.leader, link.sources] for link in links]
            archive.writestr("links.json", json.dumps(plain))
        move_into_place(temporary, path)
    return Scenes(links, path) if links else None


def _stored(path: Path) -> tuple[Link, ...] | None:
    """The links of an earlier call; None if there are none that can be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read("links.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return tuple(Link(first, stop, tuple(leader), tuple(sources)) for first, stop, leader, sources in found)


def _store(archive: zipfile.ZipFile, frame: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays under the number of a frame."""
    for name, array in arrays.items():
        file = io.BytesIO()
        np.save(file, array)
        archive.writestr(f"{frame}/{name}.npy", file.getvalue())


class Samples:
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

    def near(self, places: list[int]) -> dict[int, np.ndarray]:
        """Number in the shot → thumb, of the frames that are held at or before some places and have a picture."""
        held = sorted({min(place // self._step, len(self._held) - 1) for place in places})
        thumbs = {n * self._step: self._held[n] for n in held}
        return {n: thumb for n, thumb in thumbs.items() if thumb.std() >= LEAST_CONTRAST}


class _Networks:
    """The networks of a look, loaded when they are needed first."""

    def __init__(self, look: Look) -> None:
        self._look, self._held = look, ExitStack()

    @cached_property
    def painter(self) -> Painter:
        """Those that paint."""
        painter = Painter("cpu", weights=self._look.weights, vivid=self._look.vivid)
        self._held.callback(painter.close)
        return painter

    @cached_property
    def sight(self) -> Sight:
        """Those that describe."""
        return Sight(self._look.weights)

    def __enter__(self) -> _Networks:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()


class _Finder:
    """The pass over a film."""

    def __init__(
        self,
        film: Film,
        look: Look,
        networks: _Networks,
        archive: zipfile.ZipFile,
        shown: Collection[tuple[int, int]],
    ) -> None:
        self._film, self._look, self._networks, self._archive, self._shown = film, look, networks, archive, shown
        self._near: deque[tuple[int, int] | None] = deque(maxlen=WINDOW)
        """Of the last shots, the shot that leads them; None: none does."""
        self._seen: dict[tuple[int, int], tuple[dict[int, Seen], bool]] = {}
        """A leading shot → some of its frames by their numbers, and whether it is a portrait, as long as it may lead
        others."""
        self.links: list[Link] = []
        """The shots that follow, and are shown."""

    def run(self, end: int, progress: Callable[[int], None]) -> None:
        """Look at all shots that begin before the frame `end`."""
        first, samples = 0, Samples()
        for picture, cut in FilmReader(self._film, size=self._look.size).pictures():
            number = picture.number
            if cut and number:
                self._end((first, number), samples)
                first, samples = number, Samples()
                if number >= end:
                    return
            samples.add(number - first, picture.thumb)
            progress(number + 1)
        if first:  # a film of one shot needs no networks
            self._end((first, self._film.frames), samples)

    def _end(self, shot: tuple[int, int], samples: Samples) -> None:
        """Find the scene of a shot that has ended."""
        first, stop = shot
        chosen = samples.near(spread_out(stop - first, LOOKS))
        frames = {first + n: seen_by(self._networks.sight, thumb) for n, thumb in chosen.items()}
        near = sorted({leader for leader in self._near if leader is not None}) if frames else []
        portrait = bool(frames) and is_portrait(list(frames.values())[len(frames) // 2].thumb, self._networks.painter)
        likeness = {leader: self._likeness(frames, portrait, leader) for leader in near}
        leader = max(near, key=likeness.__getitem__, default=None)
        if leader is not None and likeness[leader] > 0:
            self._follow(shot, leader, frames, samples)
        else:
            leader = shot if frames else None
        self._near.append(leader)
        if leader == shot:
            self._seen[shot] = frames, portrait
        for old in set(self._seen) - set(self._near):
            del self._seen[old]

    def _likeness(self, frames: dict[int, Seen], portrait: bool, leader: tuple[int, int]) -> float:
        """How surely a shot shows the same place as one that leads."""
        remembered, other = self._seen[leader]
        return same_place(list(frames.values()), list(remembered.values()), portrait or other)

    def _follow(
        self, shot: tuple[int, int], leader: tuple[int, int], frames: dict[int, Seen], samples: Samples
    ) -> None:
        """Note that a shot follows another one, and keep what it needs."""
        first, stop = shot
        if self._shown and not any(first < end and begin < stop for begin, end in self._shown):
            return
        self.links.append(Link(first, stop, leader, sources(frames, self._seen[leader][0])))
        keys = samples.near(spread_out(stop - first, -(-(stop - first) // KEYS) + 1))
        arrays = {"frames": np.array([first + n for n in keys]), "keys": np.stack(list(keys.values()))}
        _store(self._archive, first, arrays)


def sources(frames: Mapping[int, Seen], leading: Mapping[int, Seen]) -> tuple[int, ...]:
    """The frames of a leading shot that serve all frames of another one that they fit: few, so that few are painted.

    Args:
        frames: number of a frame → some frames of the shot that follows.
        leading: the same of the shot that leads.
    """
    served: dict[int, set[int]] = {n: set() for n in leading}
    for number, frame in frames.items():
        shares = {n: found.share for n, other in leading.items() if (found := fit(frame, other))}
        best = max(shares.values(), default=0.0)
        if best > FADE * LEAST_SHARE:
            for n, share in shares.items():
                if share >= AS_GOOD * best:
                    served[n].add(number)
    chosen: list[int] = []
    while any(served.values()):
        number = max(served, key=lambda n: len(served[n]))
        chosen.append(number)
        done = served.pop(number)
        served = {n: its - done for n, its in served.items()}
    return tuple(sorted(chosen))


def is_portrait(thumb: np.ndarray, painter: Painter) -> bool:
    """Whether a face fills the picture. `thumb`: (h, w) uint8 luma."""
    _, labels = painter.paint(thumb[None])
    faces = labels[0, [INDEX["skin"], INDEX["hair"]]].sum(dtype=float)
    return bool(faces >= PORTRAIT * labels[0].sum(dtype=float))


def _painted(film: Film, look: Look, painter: Painter, frame: int, first: int, stop: int) -> dict[str, np.ndarray]:
    """Thumb, steady colours and labels of a frame, by name.

    Args:
        film: the source.
        look: the options that decide the colours.
        painter: the networks.
        frame: number of the frame.
        first: number of its shot's first frame.
        stop: number after its shot's last frame.
    """
    begin = max(first, frame - PAST - (frame - PAST - first) % BLOCK)  # so that the same frames are painted as there
    with thumbs_of(film, begin, min(horizon(begin, frame + 1) + 1, stop), look.size) as window:
        pictures = np.array(window)
    chosen, motion = list(frames_to_paint(0, len(pictures), True, None)), estimate(pictures, None)
    answers = Answers(*painter.paint(pictures[chosen]), chosen)
    steady = Steadier(look.steady).blend(*complete(answers, motion)[:2], motion, 0, None)
    at = frame - begin
    return {"thumb": pictures[at], "ab": steady[0][at], "labels": steady[1][at]}
