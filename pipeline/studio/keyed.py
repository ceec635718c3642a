"""Key frames of an open film: their colours are carried through their shots bit by bit.

What `edits.keys.carry_keys` does for a whole film before it is painted, this does for a film that a person looks at.
The colours are the same: they come from the same functions.
"""

from __future__ import annotations

import json
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from ...errors import UserError
from ...flow.carry import Carried, Describe, Key, carry_bit_by_bit
from ..edits.archive import key_bytes
from ..edits.keys import Paint, read_key, said_of_labels
from ..edits.orders import ColorTransfer
from ..edits.sheet import KeyFrame
from ..film import Film
from ..following import Thumbs
from .source import Shots, Source

KEPT = 6
"""Number of versions of keyed shots that are kept, so that what is undone is there at once."""


class KeyedShot:
    """The colours that key frames give to the frames of their shot, as far as they are known.

    One thread carries them, others may read.
    """

    def __init__(self, shot: tuple[int, int], keys: dict[int, Key], place: str, folder: Path | None) -> None:
        """
        Args:
            shot: (first frame, number after the last).
            keys: number of a frame → its colours.
            place: names the key frames and their pictures.
            folder: where the colours are kept, in a file without a name; None: the system's folder for such files.
        """
        self.first, self.stop = shot
        self.keys, self.place = keys, place
        self.steps = 0
        """Frames that were gone through; each is gone through twice, once in each direction of time."""
        self.said: list[ColorTransfer | None] = []
        """What the key frames say of labels; empty before it is known."""
        self._begin = self.stop
        """Colours are known from here to the shot's end."""
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 it lives as long as the shot
        weakref.finalize(self, self._file.close)
        self._size = 0
        self._own = {frame: key_bytes(key.ab, key.known) for frame, key in keys.items()}
        self._way: Iterator[Carried | None] | None = None

    def known(self, frame: int) -> bool:
        """Whether the colours of a frame are known, or it is in another shot."""
        return frame >= self._begin or not self.first <= frame < self.stop

    @property
    def done(self) -> bool:
        """Whether all is known."""
        return self._begin <= self.first

    def data(self, frame: int) -> bytes:
        """A frame's colours as `key_bytes` writes them; b"" while they are not known. A key frame has its own until
        then."""
        if self.known(frame):
            return os.pread(self._file.fileno(), self._size, (frame - self.first) * self._size)
        return self._own.get(frame, b"")

    def step(self, source: Source, paint: Paint, describe: Describe) -> None:
        """Go through one more frame."""
        if not self.said:
            self.said.append(said_of_labels((self.first, self.stop), self.keys, source.thumb, paint))
            return
        if self._way is None:
            thumbs = Thumbs(source.thumb, self.first, self.stop)
            self._way = carry_bit_by_bit(thumbs, {n - self.first: key for n, key in self.keys.items()}, describe)
        carried = next(self._way)
        self.steps += 1
        if carried:
            frame, data = self.first + carried.frame, key_bytes(carried.ab, carried.known)
            self._size = len(data)
            os.pwrite(self._file.fileno(), data, (frame - self.first) * self._size)
            self._begin = frame


class KeyFrames:
    """Turns the key frames of each version of a sheet into keyed shots, and keeps some of earlier versions."""

    def __init__(self, film: Film, size: int, shots: Shots, folder: Path | None = None) -> None:
        """
        Args:
            film: the source.
            size: short side of the networks' input picture.
            shots: what is known of the shots.
            folder: where colours are kept; see `KeyedShot`.
        """
        self._film, self._size, self._shots, self._folder = film, size, shots, folder
        self._read: dict[str, Key] = {}
        self._made: dict[str, KeyedShot] = {}

    def check(self, key: KeyFrame, where: str) -> None:
        """Raise UserError if a key frame does not fit the film."""
        self.frame(key, where)
        self._key(key.picture)

    def frame(self, key: KeyFrame, where: str) -> int:
        """The number of its frame. Raises UserError, which begins with `where`."""
        moment = key.frame if key.frame is not None else key.time
        assert moment is not None
        return self._film.frame_at(moment, f"{where}.{'time' if key.frame is None else 'frame'}")

    def live(self, asked: Sequence[KeyFrame], told: Callable[[str, UserError], None]) -> list[KeyedShot]:
        """The keyed shots of a sheet, in the film's order; without those whose shot is not known yet.

        Args:
            asked: the key frames of the sheet.
            told: called with the place of a key frame that does not fit, and what is wrong. It has no effect.
        """
        shots: dict[tuple[int, int], dict[int, tuple[str, Key]]] = {}
        for n, key in enumerate(asked):
            if key.off:
                continue
            try:
                frame = self.frame(key, f"keyframes[{n}]")
                shot = self._shots.of(frame)
                if shot:
                    shots.setdefault(shot, {})[frame] = self._key(key.picture)
            except UserError as error:
                told(f"keyframes[{n}]", error)
        return [self._keyed(shot, keys) for shot, keys in sorted(shots.items())]

    def _keyed(self, shot: tuple[int, int], keys: dict[int, tuple[str, Key]]) -> KeyedShot:
        place = json.dumps([shot, [(frame, name) for frame, (name, _) in keys.items()]])
        made = self._made.pop(place, None)
        if made is None:
            made = KeyedShot(shot, {frame: key for frame, (_, key) in keys.items()}, place, self._folder)
        self._made[place] = made
        return made

    def forget(self, used: Sequence[KeyedShot]) -> None:
        """Forget what was not used for longest. Its file goes with the last thread that reads it."""
        for place in list(self._made)[:-KEPT]:
            if self._made[place] not in used:
                del self._made[place]

    def _key(self, picture: str) -> tuple[str, Key]:
        """A name that changes with a picture's content, and its colours. Raises UserError."""
        try:
            found = os.stat(picture)
            name = f"{picture} {found.st_size} {found.st_mtime_ns}"
        except OSError:
            name = picture  # `read_key` says what is wrong
        if name not in self._read:
            self._read[name] = read_key(self._film, Path(picture), self._size)
            while len(self._read) > 4 * KEPT:
                del self._read[next(iter(self._read))]
        return name, self._read[name]
