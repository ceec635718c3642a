"""An open film, and the threads that paint it.

Three threads work on it. The *painter* answers requests for frames, the latest of each view first, and steadies shots
when nobody waits; the studio's *artists* help it. The *scout* follows regions, and else reads through the film for its
shots. A *player* encodes a preview from frames that the painter hands it. Between two small pieces of work the painter
looks whether somebody waits, so a request never waits for long.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...errors import told
from ...models.format import WEIGHTS
from ...pipeline.edits.sheet import Sheet
from ...pipeline.film import Film
from ...pipeline.look import Look
from ...pipeline.studio.late import LatePainter
from ...pipeline.studio.preview import HEIGHT
from ...pipeline.studio.scan import Scan
from ...pipeline.studio.studio import Studio
from .encoded import jpeg, png
from .previews import Preview, Previews
from .questions import Questions

_log = logging.getLogger(__name__)

Kind = Literal["colour", "grey", "labels"]

CACHED = 300 << 20
"""Most bytes of finished pictures that are kept."""

BUSY = 0.25
"""Seconds after a request in which the scout leaves the cores to the painter."""

LONGEST = 3.0
"""Seconds of an answer in which the scout does not search for the shot of a frame."""

PAUSE = 0.12
"""Seconds that the painter waits after a request for the next one, before it goes on with what nobody waits for."""

RECENT = 5.0
"""Seconds after a request in which regions are followed for it, even while a film is rendered."""


class Superseded(Exception):
    """A later request of the same view has taken the place of this one."""


@dataclass(frozen=True)
class Picture:
    """A picture for the page."""

    data: bytes
    """A PNG, or a JPEG if it is small; b"" if the page has it already."""
    tag: str
    """Changes with the picture."""
    settled: bool
    """Whether these are the film's final pixels."""


class Session:
    """A film that is open on the desk. `close` it."""

    def __init__(self, film: Film, look: Look, cache: Path, device: str = "auto") -> None:
        """
        Args:
            film: the source.
            look: the options that decide the colours, without a sheet.
            cache: folder for what is kept from one day to the next.
            device: ``auto``, ``cpu`` or ``cuda``.
        """
        self.film, self.look = film, look
        self._folder = tempfile.TemporaryDirectory(prefix="semcolor-desk-")
        folder = Path(self._folder.name)
        (folder / "kept").mkdir()
        cache.mkdir(parents=True, exist_ok=True)
        weights = sha256((look.weights or WEIGHTS).read_bytes()).hexdigest()
        key = f"{film.fingerprint()} {look.size} {look.vivid} {weights}"
        scout = LatePainter(film, look, device)
        place = cache / f"scan-{sha256(key.encode()).hexdigest()[:24]}.json"
        self.scan = Scan(film, look.size, scout.paint, place, key)
        self.studio = Studio(film, look, folder / "kept", device=device, shots=self.scan.shots, scout=scout)
        self.questions = Questions(film, self.studio, self.ask)
        self.frame = 0
        """Number of the frame on view."""
        self.beat = 0
        """Grows when something was settled."""
        self.trouble = ""
        """What went wrong in the background; "" if nothing did."""
        self.ready = False
        """Whether the frame on view is settled."""
        self.settled = 0, 0, 0
        """How far its shot is settled; see `Studio.progress`."""
        self.resting = False
        """Whether the cores belong to somebody else: then nothing is done ahead of requests."""
        self.previews = Previews(film, self.studio, folder)
        self._jobs: OrderedDict[Any, tuple[Callable[[], Any], Future]] = OrderedDict()
        self._wake = threading.Condition()
        self._closing = False
        self._asked = 0.0
        self._began: float | None = None
        """When the painter began with the answer that it makes."""
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._threads = [
            threading.Thread(target=self._paint, name="painter", daemon=True),
            threading.Thread(target=self._scout, name="scout", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads and remove what is not kept."""
        self._closing = True
        with self._wake:
            for _, future in self._jobs.values():
                future.cancel()
            self._jobs.clear()
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()
        self.previews.close()
        self.studio.close()
        self._folder.cleanup()

    def ask(self, work: Callable[[], Any], view: Any = None) -> Future:
        """Have the painter do something.

        Args:
            work: what is to be done.
            view: the view that asks; a later request of the same view takes the place of this one, whose future then
                raises `Superseded`. None: the request waits for its turn.
        """
        future: Future = Future()
        with self._wake:
            if self._closing:
                future.cancel()
                return future
            self._asked = time.monotonic()
            if view is not None and view in self._jobs:
                self._jobs.pop(view)[1].set_exception(Superseded())
            self._jobs[view if view is not None else object()] = work, future
            self._wake.notify_all()
        return future

    def use(self, sheet: Sheet) -> Future:
        """Show frames under this sheet from now on."""
        return self.ask(lambda: self.studio.use(sheet))

    def picture(self, frame: int, kind: Kind, view: str, have: str = "", small: bool = False) -> Future:
        """A frame's picture, as a `Picture`.

        Args:
            frame: number of the frame.
            kind: ``colour``, ``grey`` or ``labels``: the numbers of labels (red), and how sure they are (green).
            view: see `ask`.
            have: tag of the picture that the page has.
            small: whether a small JPEG will do, for scrubbing and playing.
        """

        def work() -> Picture:
            if not view.startswith("pinned"):
                self.frame = frame
            return self._picture(frame, kind, have, small)

        return self.ask(work, (view, kind))

    def preview(self, first: int, stop: int) -> Preview:
        """Begin to make a preview of frames; see `Previews.start`."""
        made = self.previews.start(first, stop)
        with self._wake:
            self._wake.notify_all()
        return made

    def _picture(self, frame: int, kind: Kind, have: str, small: bool) -> Picture:
        if kind == "grey":
            tag, settled = f"grey {frame}", True
        else:
            view = self.studio.view(frame)
            tag, settled = f"{kind} {view.key}", view.settled
        tag = sha256(f"{tag} {small}".encode()).hexdigest()[:24]
        if tag == have:
            return Picture(b"", tag, settled)
        if tag not in self._pictures:
            if kind == "grey":
                shown = self.studio.gray(frame)
            elif kind == "colour":
                shown = self.studio.color(view, HEIGHT if small else None)
            else:
                index, sure = self.studio.labels(view)
                shown = np.dstack([index, sure, np.zeros_like(index)])
            self._pictures[tag] = data = jpeg(shown) if small and kind != "labels" else png(shown)
            self._size += len(data)
            while self._size > CACHED:
                self._size -= len(self._pictures.popitem(last=False)[1])
        self._pictures.move_to_end(tag)
        return Picture(self._pictures[tag], tag, settled)

    def _paint(self) -> None:
        """The painter's thread."""
        rest, ahead = 0.0, time.monotonic()
        while not self._closing:
            with self._wake:
                if not self._jobs and rest:
                    self._wake.wait(rest)
                job = self._jobs.popitem(last=False)[1] if self._jobs else None
            if job:
                began = time.monotonic()
                self._answer(*job)
                self._note()
                # After a real piece of work more is asked for soon; who only looks again must not hold up the rest.
                rest = PAUSE if time.monotonic() - began > PAUSE / 10 and began - ahead < 2 * PAUSE else 0.0
                if rest:
                    continue
            ahead = time.monotonic()
            try:
                if self.studio.stale:
                    self.studio.refresh()
                    self.beat += 1
                rest = self._ahead()
                self._note()
            except Exception as error:
                self._troubled(error)
                rest = 1.0

    def _note(self) -> None:
        """Note for other threads how far the work is."""
        self.ready, self.settled = self.studio.ready(self.frame), self.studio.progress(self.frame)

    def _troubled(self, error: Exception) -> None:
        """Note what went wrong where nobody waits for an answer, such as in a damaged film."""
        self.trouble = told(error) or f"The desk has met an error of its own, {error!r}; the terminal tells more."
        if not told(error):
            _log.exception("an error of the desk itself")

    def _answer(self, work: Callable[[], Any], future: Future) -> None:
        if not future.set_running_or_notify_cancel():
            return
        self._began = time.monotonic()
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
        finally:
            self._began = None

    def _ahead(self) -> float:
        """Do a little ahead of requests. Returns the seconds for which there is nothing to do."""
        did = self.previews.step()
        if did is not None:
            return 0.0 if did else 0.02
        if self.resting:
            return 0.5
        did = self.studio.advance(self.frame)
        self.beat += did is True
        return {True: 0.0, False: 0.02, None: 0.3}[did]

    def _scout(self) -> None:
        """The scout's thread."""
        stepped = 0.0
        while not self._closing:
            now, wanted = time.monotonic(), self.previews.wanted
            asked = now - self._asked
            # Requests come first, but who asks all the time must not hold up what he asks for.
            if self.studio.shots.of(self.frame) is not None:
                busy = asked < BUSY and now - stepped < 2 * BUSY
            else:  # a frame far from its codec's key frame, whose shot is not known, takes all cores
                busy = now - (self._began or 0.0) < LONGEST
            if busy or (self.resting and asked > RECENT and wanted is None):
                time.sleep(0.02)
                continue
            stepped = now
            frame = self.frame if wanted is None else wanted
            try:
                if self.studio.follow(frame):
                    self.beat += 1
                    with self._wake:
                        self._wake.notify_all()
                    continue
                if self.settled[1] < self.settled[2]:
                    time.sleep(0.01)  # first the shot on view
                if self._began:
                    time.sleep(0.02)
                elif self.resting or not self.scan.step():
                    time.sleep(0.2)
            except Exception as error:
                self._troubled(error)
                time.sleep(1.0)
