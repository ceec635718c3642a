"""The steady colours of one shot, made in steps of `STEP` frames from a place on, and kept.

Each step is kept under a key that names all it depends on. So an edit repaints only the steps that it reaches, and an
edit that is undone finds the steps of before.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from concurrent.futures import Future
from hashlib import sha256

import numpy as np

from ...flow import BLOCK, Motion, Steadier
from ..frames import Colors, Thumbs
from ..stages import survey
from .live import LiveEdits
from .shelf import Shelf
from .source import Source

STEP = 2 * BLOCK
"""Frames of a step: those on which a shot's first labels depend, so that any first step has them."""

AHEAD = 2
"""Steps that are painted ahead of the one that is steadied."""

Painted = Future[Colors]
"""Colours that an artist is painting."""


def packed(colors: Colors) -> tuple[np.ndarray, ...]:
    """Colours as arrays for a shelf. Most probabilities are zero, so they are compressed."""
    pressed = np.frombuffer(zlib.compress(colors.labels.tobytes(), 1), np.uint8)
    return colors.ab, pressed, np.array(colors.labels.shape)


def unpacked(arrays: tuple[np.ndarray, ...]) -> Colors:
    """The colours of `packed`; further arrays are ignored."""
    ab, pressed, shape = arrays[:3]
    return Colors(ab, np.frombuffer(zlib.decompress(pressed.tobytes()), np.uint8).reshape(shape))


class Chain:
    """Steadies the frames of a shot in order. One thread uses it.

    Args:
        source: the frames.
        shelf: keeps what was painted and steadied.
        strength: strength of steadying; see `flow.Steadier`.
        begin: number of the first frame: the shot's first, or a multiple of `BLOCK` frames after it.
        stop: number after the shot's last frame.
        submit: starts to paint frames: called with the number of the first one, their thumbs and the edits.
    """

    def __init__(
        self,
        source: Source,
        shelf: Shelf,
        strength: float,
        begin: int,
        stop: int,
        submit: Callable[[int, np.ndarray, LiveEdits], Painted],
    ) -> None:
        self._source, self._shelf, self._submit = source, shelf, submit
        self.begin, self.stop, self.strength = begin, stop, strength
        self.steps = -(-(stop - begin) // STEP)
        self._edits: LiveEdits | None = None
        self._keys: list[str] = []
        self._jobs: dict[str, Painted] = {}
        self._at: tuple[str, Steadier] | None = None
        self._looked: tuple[str, Colors | None] = "", None
        self._measured: tuple[int, list[Motion]] = (-1, [])

    def use(self, edits: LiveEdits) -> None:
        """From now on, colours are made with these edits."""
        if edits is not self._edits:
            self._edits, self._keys = edits, []
            wanted = {self._raw(step) for step in range(self.steps)}
            self._jobs = {key: job for key, job in self._jobs.items() if key in wanted or not job.cancel()}

    def step_of(self, frame: int) -> int:
        """Number of the step that holds a frame."""
        return (frame - self.begin) // STEP

    def has(self, frame: int) -> bool:
        """Whether the steady colours of a frame are made."""
        step = self.step_of(frame)
        return 0 <= step < self.steps and self._key(step) in self._shelf

    def steady(self, frame: int) -> tuple[str, Colors] | None:
        """The steady colours of a frame with a key that names them; None if they are not made yet."""
        step = self.step_of(frame)
        colors = self._colors(self._key(step)) if 0 <= step < self.steps else None
        at = frame - self._span(step)[0]
        return (f"{self._key(step)} {at}", colors[at : at + 1]) if colors else None

    def painted(self, frame: int) -> Colors | None:
        """The colours of a frame as the networks painted them, if its step was painted."""
        step = self.step_of(frame)
        colors = self._colors(self._raw(step)) if 0 <= step < self.steps else None
        at = frame - self._span(step)[0]
        return colors[at : at + 1] if colors else None

    def _colors(self, key: str) -> Colors | None:
        """Colours on the shelf. Those that were looked at last are kept unpacked."""
        if self._looked[0] != key:
            kept = self._shelf.get(key)
            if kept is None:
                return None
            self._looked = key, unpacked(kept)
        return self._looked[1]

    def missing(self, until: int) -> int | None:
        """Number of the first step up to that of a frame that is not steadied; None if there is none."""
        last = min(self.step_of(until), self.steps - 1)
        return next((step for step in range(last + 1) if self._key(step) not in self._shelf), None)

    def advance(self, until: int) -> bool | None:
        """Do a little of the work for the frames up to `until`.

        Returns:
            Whether something was done; None if all is done. False: an artist, or a region that is followed, has to
            come farther first.
        """
        step = self.missing(until)
        assert self._edits is not None
        if step is None:
            return None
        if not self._edits.labels_settled(*self._span(step)):
            return False
        waiting, did = False, False
        for ahead in range(step, min(step + AHEAD + 1, self.steps)):
            if self._raw(ahead) in self._shelf:
                continue
            job = self._jobs.get(self._raw(ahead))
            if job is None and self._edits.labels_settled(*self._span(ahead)):
                first, stop = self._span(ahead)
                unread = next((frame for frame in range(first, stop) if not self._source.has(frame)), None)
                if unread is not None:
                    self._source.thumb(unread)
                    return True
                thumbs = np.stack([self._source.thumb(frame) for frame in range(first, stop)])
                self._jobs[self._raw(ahead)] = self._submit(first, thumbs, self._edits)
                did = True
            elif job is not None and job.done():
                self._shelf.put(self._raw(ahead), *packed(job.result()))
                del self._jobs[self._raw(ahead)]
                continue
            waiting = waiting or ahead <= step + 1
            if did:
                return True
        if waiting:
            return did
        for near in (step, step + 1):
            if near < self.steps and self._flow(near) not in self._shelf:
                self._survey(near)  # a quarter of a step, so that a request does not wait for long
                return True
        self._blend(step)
        return True

    def _blend(self, step: int) -> None:
        """Steady a step whose motion and colours are there, as are those of the next."""
        assert self._edits is not None
        first, stop = self._span(step)
        if self._at and step and self._at[0] == self._key(step - 1):
            steadier = self._at[1]
        else:
            steadier = Steadier(self.strength)
            if step:
                before = self._shelf.get(self._key(step - 1))
                if before is None:  # it went since; `missing` finds it next time
                    return
                steadier.restore(before[3].tobytes())
        raw, motion = self._shelf.get(self._raw(step)), self._motion(step)
        after = None
        if stop < self.stop:
            following, ahead = self._shelf.get(self._raw(step + 1)), self._motion(step + 1)
            if following is None or ahead is None:
                return
            after = following[0], self._edits.forget(stop, ahead)
        if raw is None or motion is None:
            return
        colors = unpacked(raw)
        seen = self._edits.forget(first, motion)
        # Frames are counted from where the chain begins: there the steadier knows nothing of what came before.
        steady = Colors(*steadier.blend(colors.ab, colors.labels, seen, first - self.begin, after))
        state = np.frombuffer(steadier.state() if after else b"", np.uint8)
        self._shelf.put(self._key(step), *packed(steady), state)
        self._at = self._key(step), steadier

    def _survey(self, step: int) -> None:
        """Measure the motion of some more frames of a step; all of it is kept once the last is measured."""
        first, stop = self._span(step)
        if self._measured[0] != step:
            self._measured = step, []
        done = self._measured[1]
        at = first + sum(map(len, done))
        end = min(at + STEP // 4, stop)
        thumbs = np.stack([self._source.thumb(frame) for frame in range(at, end)])
        done.append(survey(Thumbs(thumbs, self._source.thumb(at - 1) if at > self.begin else None)))
        if end == stop:
            names = ("backward", "forward", "backward_visible", "forward_visible")
            self._shelf.put(self._flow(step), *(np.concatenate([getattr(m, name) for m in done]) for name in names))
            self._measured = -1, []

    def _motion(self, step: int) -> Motion | None:
        kept = self._shelf.get(self._flow(step))
        return Motion(*kept) if kept else None

    def _span(self, step: int) -> tuple[int, int]:
        first = self.begin + step * STEP
        return first, min(first + STEP, self.stop)

    def _raw(self, step: int) -> str:
        assert self._edits is not None
        first, stop = self._span(step)
        return f"raw {first}-{stop} {self._edits.label_key(first, stop)}"

    def _flow(self, step: int) -> str:
        first, stop = self._span(step)
        return f"flow {first}-{stop}{'' if step else ' begin'}"

    def _key(self, step: int) -> str:
        """The key of a steady step: it names the edits of all frames up to the next step's end."""
        assert self._edits is not None
        while len(self._keys) <= step:
            before = self._keys[-1] if self._keys else f"{self.begin} {self.stop} {self.strength}"
            first = self._span(len(self._keys))[0]
            read = self._edits.label_key(first, min(first + 2 * STEP, self.stop))
            self._keys.append(sha256(f"{before} {read}".encode()).hexdigest()[:24])
        return f"steady {self._keys[step]}"
