"""Previews: small films of some frames, made while the page plays their beginning."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...errors import told
from ...pipeline.edits.sheet import Sheet
from ...pipeline.film import Film
from ...pipeline.studio.preview import HEIGHT, Planes, write_preview
from ...pipeline.studio.studio import Studio

AHEAD = 8
"""Frames of a preview that may wait for the encoder."""


@dataclass
class Preview:
    """A preview that is made, or was."""

    number: int
    first: int
    stop: int
    path: Path
    """An MP4 that grows until the preview is done."""
    sheet: Sheet
    """The sheet under which it was begun."""
    done: int = 0
    """Number of frames that are painted."""
    state: Literal["running", "done", "failed", "stopped"] = "running"
    error: str = ""
    frames: queue.Queue[Callable[[], Planes] | None] = field(default_factory=queue.Queue)
    """Functions that give the pictures; None ends them."""

    def pictures(self) -> Iterator[Planes]:
        """The pictures, as they come."""
        while (planes := self.frames.get()) is not None:
            yield planes()


class Previews:
    """The previews of an open film; at most one is being made."""

    def __init__(self, film: Film, studio: Studio, folder: Path) -> None:
        """
        Args:
            film: the source.
            studio: the film, open.
            folder: where their files are kept.
        """
        self._film, self._studio, self._folder = film, studio, folder
        self._made: dict[int, Preview] = {}
        self._running: tuple[Preview, Iterator[bool]] | None = None
        self._players: list[threading.Thread] = []

    def get(self, number: int) -> Preview | None:
        """The preview of a number; None if there is none."""
        return self._made.get(number)

    @property
    def last(self) -> Preview | None:
        """The newest preview."""
        return self._made.get(len(self._made))

    @property
    def wanted(self) -> int | None:
        """Number of the frame that the preview in work waits for; None if none is made."""
        running = self._running
        return running[0].first + running[0].done if running else None

    def start(self, first: int, stop: int) -> Preview:
        """Begin to make a preview of the frames `first` .. `stop` - 1 instead of the one in work. If the newest one is
        what is asked, it is returned."""
        last, sheet = self.last, self._studio.sheet
        if last and last.state in ("running", "done") and (last.first, last.stop, last.sheet) == (first, stop, sheet):
            return last
        self.stop()
        number = len(self._made) + 1
        made = self._made[number] = Preview(number, first, stop, self._folder / f"preview-{number}.mp4", sheet)
        player = threading.Thread(target=self._play, args=(made,), name="player", daemon=True)
        self._players.append(player)
        player.start()
        self._running = made, self._steps(made)
        return made

    def stop(self) -> None:
        """Stop the preview that is being made."""
        running, self._running = self._running, None
        if running and running[0].state == "running":
            running[0].state = "stopped"
            running[0].frames.put(None)

    def close(self) -> None:
        """Stop, and end the threads."""
        self.stop()
        for player in self._players:
            player.join()

    def step(self) -> bool | None:
        """Do a little for the preview in work; the thread that uses the studio does it.

        Returns:
            Whether something was done; None if no preview is in work.
        """
        running = self._running
        if not running:
            return None
        did = next(running[1], None)
        if did is None and self._running is running:
            self._running = None
        return did

    def _steps(self, made: Preview) -> Iterator[bool]:
        """Hand the frames to the player; the values say whether something was done."""
        for frame in range(made.first, made.stop):
            while not (self._studio.ready(frame) and (view := self._studio.view(frame)).settled):
                yield self._studio.advance(frame) is True
            while made.frames.qsize() >= AHEAD:
                yield self._studio.advance(min(frame + AHEAD, made.stop - 1)) is True
            made.frames.put(self._studio.planes(view, HEIGHT))
            made.done = frame + 1 - made.first
            yield True
        made.frames.put(None)

    def _play(self, made: Preview) -> None:
        """The player's thread."""
        try:
            write_preview(self._film, made.pictures(), made.first, made.stop, made.path)
            if made.state == "running":
                made.state = "done"
        except Exception as error:
            if made.state == "running":
                made.state, made.error = "failed", told(error) or repr(error)
        if made.state != "done":
            made.path.unlink(missing_ok=True)
