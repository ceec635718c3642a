"""One pass over an open film: where its shots are, what is read in each, and a small picture of each.

The pass is made bit by bit in the background, and what it found is kept in a file, so that a film that was opened
before has its shots at once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from ...models.labels import NAMES
from ..chunk import Resume
from ..compose import chroma_planes
from ..files import move_into_place
from ..filling import Picture
from ..film import Film
from ..overlay import unsure
from ..owncolors import OwnColor, kind_of
from ..reader import FilmReader
from ..ycbcr import PlaneFormat, picture
from .source import Shots

HEIGHT = 72
"""Height of a shot's small picture, in pixels."""

LEAST = 0.02
"""Least share of a picture at which a label is named."""

VAGUE = 0.4
"""Share of a picture of which the network is unsure from which on a shot is warned of."""

EVERY = 500
"""Frames after which the scan's file is written anew."""

VERSION = 1
"""Version of the scan's file."""


@dataclass
class Shot:
    """What a scan knows of a shot."""

    first: int
    stop: int
    labels: list[tuple[str, float]]
    """Labels of a frame near the middle with their shares, the largest first."""
    unsure: float
    """Share of that frame of which the network is unsure."""
    own: str
    """The colours that the source already has: ``grey``, ``tinted`` or ``colour``."""
    thumb: str
    """That frame in colour: a JPEG, in base 64."""

    @property
    def warnings(self) -> list[str]:
        """What to look at, in words."""
        found = []
        if self.unsure >= VAGUE:
            found.append(f"unsure of {self.unsure:.0%} of the picture")
        if self.own != OwnColor.GREY.word:
            found.append("in colour already" if self.own == OwnColor.COLOR.word else "tinted")
        return found


Painting = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""A function like `Painter.paint`."""


class Scan:
    """The pass over a film. One thread calls `step`; others read `shots` and `found`."""

    def __init__(self, film: Film, size: int, paint: Painting, path: Path, key: str) -> None:
        """
        Args:
            film: the source.
            size: short side of the networks' input picture.
            paint: the networks.
            path: file in which the scan is kept.
            key: all on which it depends, as text; a scan of another key is made anew.
        """
        self._film, self._size, self._paint, self._path, self._key = film, size, paint, path, key
        self.found: list[Shot] = []
        """The shots that are finished, in order."""
        self.usual: dict[str, tuple[float, float, float]] = {}
        """Label → its weight and its mean a and b so far."""
        kept = self._kept()
        cuts = kept.get("cuts") or [0]
        self.found = [Shot(**{**shot, "labels": [tuple(x) for x in shot["labels"]]}) for shot in kept.get("shots", [])]
        self.usual = {name: tuple(values) for name, values in kept.get("usual", {}).items()}
        self.shots = Shots(film, size, cuts, kept.get("scanned", 0))
        self._running: Iterator[int] | None = None
        self._saved = self.shots.scanned

    def step(self) -> bool:
        """Read one frame farther. Returns whether there was one."""
        if self._running is None:
            self._running = iter(()) if self.shots.complete else self._run()
        return next(self._running, None) is not None

    def _run(self) -> Iterator[int]:
        # A scan that was kept ends with a shot, so the next shot begins there.
        begin = self.shots.scanned
        kinds: list[OwnColor] = []
        thumbs: list[np.ndarray] = []
        first = begin
        for shown, cut in FilmReader(self._film, size=self._size, start=Resume(frame=begin)).pictures():
            if shown.number < begin:
                continue
            if cut and shown.number > begin:
                self._end(first, shown.number, kinds, thumbs)
                first, kinds, thumbs = shown.number, [], []
            self._note(shown, first, kinds, thumbs)
            if shown.number == begin and begin:
                self.shots.scanned = begin + 1  # its cut is known already
            else:
                self.shots.saw(shown.number, cut)
            yield shown.number
        self._end(first, self._film.frames, kinds, thumbs)
        self.shots.scanned = self._film.frames
        self._save(self._film.frames)

    def _note(self, shown: Picture, first: int, kinds: list[OwnColor], thumbs: list[np.ndarray]) -> None:
        """Keep what a shot's summary needs: its frames' own colours, and every so many thumbs."""
        kinds.append(shown.own)
        age = shown.number - first
        # Thumbs at 0, 1, 3, 7, 15 … frames: the one before the last is a quarter to a half of the shot from its start.
        if age & (age + 1) == 0:
            thumbs.append(shown.thumb)

    def _end(self, first: int, stop: int, kinds: list[OwnColor], thumbs: list[np.ndarray]) -> None:
        """Summarize a shot that has ended."""
        thumb = thumbs[max(0, len(thumbs) - 2)]
        ab, chance = self._paint(thumb[None])
        read, area = chance[0].argmax(0), chance[0][0].size
        shares = np.bincount(read.ravel(), minlength=len(NAMES)) / area
        labels = [(NAMES[n], round(float(shares[n]), 3)) for n in np.argsort(-shares)[:6] if shares[n] >= LEAST]
        small = np.stack([cv2.resize(p.astype(np.float32), read.shape[::-1]) for p in ab[0]])
        for name, share in labels:
            weight, a, b = self.usual.get(name, (0.0, 0.0, 0.0))
            mean = small[:, read == NAMES.index(name)].mean(1)
            new = weight + share * (stop - first)
            part = share * (stop - first) / new
            self.usual[name] = new, a + (float(mean[0]) - a) * part, b + (float(mean[1]) - b) * part
        fmt = PlaneFormat("bt601", 8, True)
        width = 2 * round(HEIGHT * thumb.shape[1] / thumb.shape[0] / 2)
        luma = cv2.resize(thumb, (width, HEIGHT), interpolation=cv2.INTER_AREA)
        rgb = picture(luma, chroma_planes(ab[0], thumb, luma, luma.shape, fmt), fmt)
        _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
        kind = kind_of(len(kinds), kinds.count(OwnColor.TINTED), kinds.count(OwnColor.COLOR))
        vague = float(unsure(chance[0].max(0)).mean())
        encoded = base64.b64encode(data.tobytes()).decode()
        self.found.append(Shot(first, stop, labels, round(vague, 3), kind.word, encoded))
        if stop - self._saved > EVERY:
            self._save(stop)

    def _kept(self) -> dict:
        """The scan of an earlier time; {} if there is none of this film."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        known = isinstance(kept, dict) and kept.get("version") == VERSION and kept.get("key") == self._key
        return kept if known else {}

    def _save(self, stop: int) -> None:
        """Write what is known of the shots before frame `stop`, where a shot begins."""
        self._saved = stop
        cuts = [cut for cut in self.shots.cuts if cut <= stop and cut < self._film.frames]
        content = {
            "version": VERSION,
            "key": self._key,
            "scanned": stop,
            "cuts": cuts,
            "shots": [asdict(shot) for shot in self.found],
            "usual": self.usual,
        }
        temporary = self._path.with_suffix(".tmp")
        try:
            temporary.write_text(json.dumps(content), encoding="utf-8")
            move_into_place(temporary, self._path)
        except OSError:  # the next time the film is opened, the scan begins anew
            temporary.unlink(missing_ok=True)
