"""The steady colours of one shot, made in steps of `STEP` frames from a place on, and kept.

Painting and motion are made in smaller pieces, by other threads: a step needs those of its own frames, and of the
`LOOKAHEAD` frames that follow. Each step and each piece is kept under a key that names all it depends on. So an edit
repaints only what it reaches, and an edit that is undone finds what was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from hashlib import sha256
from typing import Any

import numpy as np

from ...flow import BLOCK, LOOKAHEAD, Answers, Motion, Steadier, complete
from ..frames import Colors, Thumbs
from ..stages import frames_to_paint, survey
from .live import LiveEdits
from .shelf import Shelf
from .source import Source

PIECE = max(BLOCK, LOOKAHEAD)
"""Frames of a piece."""

STEP = 2 * PIECE
"""Frames of a step: those on which a shot's first labels depend, so that any first step has them."""

AHEAD = 3
"""Pieces that are painted ahead of those that a step needs."""

Hire = Callable[..., Future[Any]]
"""Has another thread do something."""

Paint = Callable[[Sequence[int], np.ndarray, LiveEdits], tuple[np.ndarray, ...]]
"""Paints frames: their numbers, their thumbs, the edits → the arrays of `Colors`."""


class Chain:
    """Steadies the frames of a shot in order. One thread uses it.

    Args:
        source: the frames.
        shelf: keeps what was painted and steadied.
        strength: strength of steadying; see `flow.Steadier`.
        begin: number of the first frame: the shot's first, or a multiple of `BLOCK` frames after it.
        stop: number after the shot's last frame.
        hire: has a function called by another thread.
        paint: paints frames; other threads call it.
    """

    def __init__(
        self, source: Source, shelf: Shelf, *, strength: float, begin: int, stop: int, hire: Hire, paint: Paint
    ) -> None:
        self._source, self._shelf, self._hire, self._paint = source, shelf, hire, paint
        self.begin, self.stop, self.strength = begin, stop, strength
        self.steps = -(-(stop - begin) // STEP)
        self._pieces = -(-(stop - begin) // PIECE)
        self._edits: LiveEdits | None = None
        self._keys: list[str] = []
        self._jobs: dict[str, Future[tuple[np.ndarray, ...]]] = {}
        self._at: tuple[str, Steadier] | None = None

    def use(self, edits: LiveEdits) -> None:
        """From now on, colours are made with these edits."""
        if edits is not self._edits:
            self._edits, self._keys = edits, []
            wanted = {key(piece) for piece in range(self._pieces) for key in (self._raw, self._flow)}
            self._jobs = {key: job for key, job in self._jobs.items() if key in wanted or not job.cancel()}

    def rest(self) -> None:
        """Take back what others have not begun yet."""
        self._jobs = {key: job for key, job in self._jobs.items() if not job.cancel()}

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
        kept = self._shelf.get(self._key(step)) if 0 <= step < self.steps else None
        at = frame - self.begin - step * STEP
        return (f"{self._key(step)} {at}", Colors(*kept[:2])[at : at + 1]) if kept else None

    def painted(self, frame: int) -> Colors | None:
        """The colours of a frame as the networks painted them, if they did."""
        piece = (frame - self.begin) // PIECE
        kept = self._shelf.get(self._raw(piece)) if 0 <= piece < self._pieces else None
        if kept is None:
            return None
        found = np.flatnonzero(kept[2] == frame)
        return Colors(kept[0][found], kept[1][found]) if len(found) else None

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
        first, needed = step * STEP // PIECE, min((step + 1) * STEP // PIECE + 1, self._pieces)
        waiting = False
        for piece in range(first, min(needed + AHEAD, self._pieces)):
            span = self._span(piece, PIECE)
            if not self._edits.labels_settled(*span):
                waiting = waiting or piece < needed
                continue
            for key in (self._raw(piece), self._flow(piece)):
                if key in self._shelf:
                    continue
                job = self._jobs.get(key)
                if job is None:
                    unread = next((frame for frame in range(*span) if not self._source.has(frame)), None)
                    if unread is not None:
                        self._source.thumb(unread)
                    else:
                        self._jobs[key] = self._begun(piece, key)
                    return True
                if job.done():
                    del self._jobs[key]  # whether it succeeded or not: what failed is tried again
                    self._shelf.put(key, *job.result())
                else:
                    waiting = waiting or piece < needed
        if waiting:
            return False
        self._blend(step)
        return True

    def _begun(self, piece: int, key: str) -> Future[tuple[np.ndarray, ...]]:
        """Have other threads paint a piece, or measure its motion."""
        first, stop = self._span(piece, PIECE)
        thumbs = np.stack([self._source.thumb(frame) for frame in range(first, stop)])
        if key == self._raw(piece):
            at = frames_to_paint(first, stop, stop == self.stop, self._edits)
            return self._hire(_answered, self._paint, first, at, thumbs, self._edits)
        return self._hire(_measured, Thumbs(thumbs, self._source.thumb(first - 1) if piece else None))

    def _blend(self, step: int) -> None:
        """Steady a step, of which all pieces that it needs are there."""
        assert self._edits is not None
        first, stop = self._span(step, STEP)
        if self._at and step and self._at[0] == self._key(step - 1):
            steadier = self._at[1]
        else:
            steadier = Steadier(self.strength)
            if step:
                before = self._shelf.get(self._key(step - 1))
                if before is None:  # it went since; `missing` finds it next time
                    return
                steadier.restore(before[2].tobytes())
        own = range(step * STEP // PIECE, min((step + 1) * STEP // PIECE, self._pieces))
        raw, motion = self._answers(own), self._joined(own, self._flow)
        ahead = None
        if stop < self.stop:
            following = range(own.stop, own.stop + 1)
            painted, its = self._answers(following), self._joined(following, self._flow)
            if painted is None or its is None:
                return
            ahead = painted, self._edits.forget(stop, Motion(*its))
        if raw is None or motion is None:
            return
        seen = self._edits.forget(first, Motion(*motion))
        colors, labels, after = complete(raw, seen, ahead)
        # Frames are counted from where the chain begins: there the steadier knows nothing of what came before.
        steady = steadier.blend(colors, labels, seen, first - self.begin, after)
        state = np.frombuffer(steadier.state() if after else b"", np.uint8)
        self._shelf.put(self._key(step), *steady, state)
        self._at = self._key(step), steadier

    def _joined(self, pieces: range, key: Callable[[int], str]) -> tuple[Any, ...] | None:
        """The arrays of some pieces, joined; None if one of them is not there any more."""
        found = [self._shelf.get(key(piece)) for piece in pieces]
        if any(arrays is None for arrays in found):
            return None
        return tuple(np.concatenate(each) for each in zip(*(arrays or () for arrays in found), strict=True))

    def _answers(self, pieces: range) -> Answers | None:
        """What the networks say of some pieces; None if one of them is not there any more."""
        found = self._joined(pieces, self._raw)
        if found is None:
            return None
        ab, labels, at = found
        return Answers(ab, labels, [int(frame) - self._span(pieces.start, PIECE)[0] for frame in at])

    def _span(self, number: int, length: int) -> tuple[int, int]:
        """(first frame, number after the last) of a piece or step of `length` frames."""
        first = self.begin + number * length
        return first, min(first + length, self.stop)

    def _raw(self, piece: int) -> str:
        assert self._edits is not None
        first, stop = self._span(piece, PIECE)
        return f"raw {first}-{stop} {self._edits.label_key(first, stop)}"

    def _flow(self, piece: int) -> str:
        first, stop = self._span(piece, PIECE)
        return f"flow {first}-{stop}{'' if piece else ' begin'}"

    def _key(self, step: int) -> str:
        """The key of a steady step: it names the edits of all frames up to the next step's end."""
        assert self._edits is not None
        while len(self._keys) <= step:
            before = self._keys[-1] if self._keys else f"{self.begin} {self.stop} {self.strength}"
            first = self._span(len(self._keys), STEP)[0]
            read = self._edits.label_key(first, min(first + 2 * STEP, self.stop))
            self._keys.append(sha256(f"{before} {read}".encode()).hexdigest()[:24])
        return f"steady {self._keys[step]}"


def _answered(
    paint: Paint, first: int, at: Sequence[int], thumbs: np.ndarray, edits: LiveEdits
) -> tuple[np.ndarray, ...]:
    """The painted frames of a piece: ab, labels, and their numbers.

    Args:
        paint: paints frames.
        first: number of the piece's first frame.
        at: numbers of the frames to paint, within the piece.
        thumbs: those of the whole piece.
        edits: the edits.
    """
    numbers = [first + n for n in at]
    return *paint(numbers, thumbs[list(at)], edits), np.array(numbers)


def _measured(thumbs: Thumbs) -> tuple[np.ndarray, ...]:
    """The motion of a piece, as the arrays of `Motion`."""
    motion = survey(thumbs)
    return motion.backward, motion.forward, motion.backward_visible, motion.forward_visible
