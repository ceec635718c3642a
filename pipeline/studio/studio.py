"""A film open for looking and correcting: any frame at once, under a sheet of edits that changes.

A frame is shown in one of two states. *Rough*: as the networks paint it alone, with the edits that are known in it.
This takes a moment. *Settled*: with the very pixels of `inprocess.still`, or of the whole film once its shot has been
steadied from the shot's start. Between the two lies the work on the frames around it, which `advance` does bit by bit,
so that whoever calls it can always turn to something more urgent.

One thread uses `Studio`. A second may call `follow`, which follows regions and measures references.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import cv2
import numpy as np

from ...errors import UserError
from ...flow import BLOCK
from ...models.labels import INDEX
from ..compose import Layered, chroma_planes
from ..edits.regions import Region as Place
from ..edits.sheet import Edit, KeyFrame, Sheet
from ..film import Film
from ..frames import Colors
from ..inprocess import WARM
from ..look import Look
from ..overlay import likeliest
from ..ycbcr import PlaneFormat, picture
from .chain import STEP, Chain
from .keyed import KeyedShot, KeyFrames
from .late import LatePainter
from .live import NO_EDITS, Editing, LiveEdits, Locator, Region
from .shelf import Shelf
from .source import Shots, Source

ARTISTS = 2
"""Threads that paint and measure ahead of the frame on view."""


@dataclass(frozen=True)
class View:
    """A frame as it can be shown now."""

    frame: int
    """Number of the frame."""
    key: str
    """Changes with everything that changes the picture."""
    settled: bool
    """Whether these are the film's final pixels."""
    ab: np.ndarray | Layered
    """Chroma with edits, as `compose.chroma_planes` takes it."""
    labels: np.ndarray
    """(62, h/4, w/4) uint8: label probabilities × 255."""


class Studio:
    """A film that is open. `close` it, or use it in a `with` block."""

    def __init__(
        self,
        film: Film,
        look: Look,
        folder: Path,
        *,
        device: str = "auto",
        shots: Shots | None = None,
        scout: LatePainter | None = None,
        memory: int = 400 << 20,
        disk: int = 4 << 30,
    ) -> None:
        """
        Args:
            film: the source.
            look: the options that decide the colours. Its sheet is not used; see `use`.
            folder: an empty folder for what is kept while the film is open.
            device: ``auto``, ``cpu`` or ``cuda``.
            shots: what is known of the shots.
            scout: networks for the thread that calls `follow`.
            memory: most bytes of arrays that are kept in memory.
            disk: most bytes of arrays that are kept in `folder`.
        """
        self.film, self.look = film, look
        self._shelf = Shelf(folder, memory, disk)
        self.shots = shots or Shots(film, look.size)
        self.source, self._far_source = (Source(film, look.size, self._shelf) for _ in range(2))
        # Networks run in one thread each: for the frame on view, for the frames around it, and for `follow`.
        self._painter, self._other = LatePainter(film, look, device), scout or LatePainter(film, look, device)
        self._artists: Queue[LatePainter] = Queue()
        for _ in range(ARTISTS):
            self._artists.put(LatePainter(film, look, device))
        self._pool = ThreadPoolExecutor(ARTISTS, "artist")
        self._keys = KeyFrames(film, look.size, self.shots, folder)
        near, far = (
            Locator(film, look.size, painter.paint, look.weights, self.shots, source)
            for painter, source in ((self._painter, self.source), (self._other, self._far_source))
        )
        self._editing, self._far, self._far_locator = Editing(near, self._keys), Editing(far, self._keys), far
        self.sheet = Sheet()
        self.edits: LiveEdits = NO_EDITS
        self.mistakes: dict[str, str] = {}
        """Place of an edit or a key frame that does not fit the film, such as edits[2], or ``references`` → what is
        wrong."""
        self.stale = False
        """Whether `follow` has found something that `refresh` takes over."""
        self._chains: list[Chain] = []

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the film's file and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for painter in (self._painter, self._other, *(self._artists.get() for _ in range(ARTISTS))):
            painter.close()
        self.source.close()
        self._far_source.close()

    def use(self, sheet: Sheet) -> None:
        """Show frames under this sheet from now on."""
        self.sheet = sheet
        self.refresh()

    def refresh(self) -> None:
        """Take over what `follow` has found."""
        self.stale = False
        self._editing.transfers = self._far.transfers
        self.edits, self.mistakes = self._editing.live(self.sheet)
        if self._far.mistake:
            self.mistakes["references"] = self._far.mistake
        for chain in self._chains:
            chain.use(self.edits)

    def check(self, edit: Edit) -> None:
        """Raise UserError if an edit does not fit the film."""
        self._editing.check(edit)

    def check_key(self, key: KeyFrame) -> None:
        """Raise UserError if a key frame does not fit the film."""
        self._keys.check(key, "The key frame")

    def view(self, frame: int) -> View:
        """A frame in the best state that can be had in a moment."""
        chain = self._chain(frame) if self.shots.of(frame) else None
        found, settled = chain and chain.steady(frame), self.edits.settled(frame)
        if found:
            key, colors = found
        else:
            key, settled = f"rough {frame} {self.edits.label_key(frame, frame + 1)}", False
            colors = (chain and chain.painted(frame)) or self._alone(frame, key)
        (ab,) = self.edits.finish(frame, colors.ab, colors.labels)
        return View(frame, f"{key} {self.edits.key(frame)} {settled}", settled, ab, colors.labels[0])

    def ready(self, frame: int) -> bool:
        """Whether a frame is settled."""
        return any(chain.has(frame) for chain in self._chains) and self.edits.settled(frame)

    def color(self, view: View, height: int | None = None) -> np.ndarray:
        """The picture of a frame in colour, as `inprocess.still` returns it: (H, W, 3) uint8 R'G'B'.

        Args:
            view: the frame.
            height: a smaller height for a preview; None: the film's own, for the very pixels.
        """
        return self.coloring(view, height)()

    def coloring(self, view: View, height: int | None = None) -> Callable[[], np.ndarray]:
        """A function that returns `color`. Any thread may call it."""
        luma, thumb = self.source.luma(view.frame), self.source.thumb(view.frame)
        return lambda: self._colored(view, luma, thumb, height)

    def _colored(self, view: View, luma: np.ndarray, thumb: np.ndarray, height: int | None) -> np.ndarray:
        film = self.film
        size = film.height, film.width
        if height and height < film.height:
            size = height, 2 * round(height * film.width / film.height / 2)
            luma = cv2.resize(luma, size[::-1], interpolation=cv2.INTER_AREA)
        fmt = PlaneFormat.of(film)
        return self._square(picture(luma, chroma_planes(view.ab, thumb, luma, size, fmt), fmt))

    def planes(self, view: View, height: int) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        """A function that returns the planes of a frame for a preview. Any thread may call it.

        Args:
            view: the frame.
            height: greatest height of the picture.

        Returns:
            A function without arguments: Y (h, w) and Cb, Cr (2, h/2, w/2) uint8, limited range, in the film's matrix,
            with square pixels.
        """
        film, (luma, thumb) = self.film, (self.source.luma(view.frame), self.source.thumb(view.frame))
        rows = max(2, min(height, film.height) // 2 * 2)
        size = rows, max(2, 2 * round(rows * film.width * film.sample_aspect / film.height / 2))
        fmt, shown = PlaneFormat.of(film), PlaneFormat(film.matrix, 8, False)

        def work() -> tuple[np.ndarray, np.ndarray]:
            small = cv2.resize(luma, size[::-1], interpolation=cv2.INTER_AREA)
            if fmt != shown:
                small = np.rint(16 + 219 * fmt.luma(small)).clip(0, 255).astype(np.uint8)
            return small, chroma_planes(view.ab, thumb, small, (size[0] // 2, size[1] // 2), shown)

        return work

    def gray(self, frame: int) -> np.ndarray:
        """The picture of a frame without colours: (H, W) uint8."""
        luma = PlaneFormat.of(self.film).luma(self.source.luma(frame))
        return self._square(np.rint(luma.clip(0, 1) * 255).astype(np.uint8))

    def labels(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """The labels of a frame at network size: (h, w) uint8 indices of `models.labels.NAMES`, and (h, w) uint8
        probabilities × 255."""
        shape = self.source.thumb(view.frame).shape
        sure = cv2.resize(view.labels.max(0), shape[::-1], interpolation=cv2.INTER_LINEAR)
        return likeliest(view.labels, shape), sure

    def region(self, frame: int, place: Place) -> np.ndarray:
        """The mask of a region in its own frame, (h/2, w/2) uint8; 255 inside. Raises UserError."""
        if place.label is not None:
            height, width = self.source.thumb(frame).shape
            read = likeliest(self.view(frame).labels, (height // 2, width // 2))
            return np.where(read == INDEX[place.label], 255, 0).astype(np.uint8)
        mask = self._editing.mask(Edit.model_validate({"frame": frame, "region": place, "action": {"keep": True}}))
        assert mask is not None
        return mask

    def advance(self, frame: int) -> bool | None:
        """Do a little of the work that the settled pixels of a frame, and then of its whole shot, need.

        Returns:
            Whether something was done; None if the shot is settled; False if other threads have to come farther first.
        """
        if self.shots.of(frame) is None:
            return False
        chain = self._chain(frame)
        for other in self._chains:
            if other.stop != chain.stop:
                other.rest()
        first, stop = self.shots.around(frame)
        done = chain.advance(stop - 1 if chain.has(frame) else frame)
        if done is None and chain.begin > first:  # what is before the frame comes last
            return self._whole(first, stop).advance(stop - 1)
        return done

    def progress(self, frame: int) -> tuple[int, int, int]:
        """How far the frame's shot is settled: (first frame, frame before which all is settled, number after the shot's
        last frame); the first two are of the work that is going on. All are the frame's own if its shot is unknown."""
        if self.shots.of(frame) is None:
            return frame, frame, frame
        chain = self._chain(frame)
        missing = chain.missing(chain.stop - 1)
        at = chain.stop if missing is None else chain.begin + missing * STEP
        return chain.begin, at, chain.stop

    def follow(self, frame: int) -> bool:
        """Find the shot of a frame on view; or follow regions, or carry key frames, one frame farther, those first that
        reach the frame; or measure references. `refresh` takes over what was found, if `stale`.

        Returns:
            Whether something was done.
        """
        if self.shots.of(frame) is None:
            self.shots.around(frame)
            self.stale = True
            return True
        edits = self.edits
        open_regions = [region for region in edits.regions if region and not region.done]
        here = [region for region in open_regions if not region.known(frame)]
        keyed = [shot for shot in edits.shots if not shot.done]
        near_keys = [shot for shot in keyed if not shot.known(frame)]
        if near_keys and not here:
            self._carry(near_keys[0])
            return True
        if edits.waiting and not here:
            try:
                self._far.measure(self.sheet)
            except UserError as error:
                self._far.mistake = str(error)
            self.stale = True
            return True
        if open_regions:
            near = min(here or open_regions, key=lambda r: (not r.first <= frame < r.stop, abs(r.frame - frame)))
            near.step(self._far_source, frame)
            return True
        if keyed:
            self._carry(keyed[0])
        return bool(keyed)

    def _carry(self, shot: KeyedShot) -> None:
        """Carry the key frames of a shot one frame farther."""
        silent = not shot.said
        shot.step(self._far_source, self._other.paint, self._far_locator.describe)
        self.stale = self.stale or silent

    @property
    def regions(self) -> list[Region]:
        """The followed regions of the edits that are on."""
        return [region for region in self.edits.regions if region]

    @property
    def keyed(self) -> tuple[KeyedShot, ...]:
        """The shots that have key frames."""
        return self.edits.shots

    def _alone(self, frame: int, key: str) -> Colors:
        """A frame's colours as the networks paint it."""
        kept = self._shelf.get(key)
        if kept is None:
            edits, thumb = self.edits, self.source.thumb(frame, self._since(frame))
            kept = self._painter.paint(thumb[None], lambda _, labels: edits.amend(frame, labels))
            self._shelf.put(key, *kept)
        return Colors(*kept)

    def _since(self, frame: int) -> int:
        """The first frame that will be needed to settle a frame."""
        shot = self.shots.of(frame)
        return max(shot[0] if shot else 0, frame - WARM - BLOCK)

    def _chain(self, frame: int) -> Chain:
        """The chain whose colours of a frame are best: from the shot's start if that is near or done, else from as far
        back as a still goes."""
        first, stop = self.shots.around(frame)
        near = max(first, frame - WARM - (frame - WARM - first) % BLOCK)
        mine = [chain for chain in self._chains if chain.stop == stop and first <= chain.begin <= near]
        for chain in sorted(mine, key=lambda chain: chain.begin):
            if chain.has(frame) or chain.begin == near:
                return chain
        close = [c for c in mine if (m := c.missing(frame)) is not None and c.begin + m * STEP >= frame - WARM]
        if close:
            return min(close, key=lambda chain: chain.begin)
        return self._new(near, stop)

    def _whole(self, first: int, stop: int) -> Chain:
        """The chain from a shot's start."""
        mine = [chain for chain in self._chains if (chain.begin, chain.stop) == (first, stop)]
        return mine[0] if mine else self._new(first, stop)

    def _new(self, begin: int, stop: int) -> Chain:
        chain = Chain(
            self.source,
            self._shelf,
            strength=self.look.steady,
            begin=begin,
            stop=stop,
            hire=self._pool.submit,
            paint=self._paint,
        )
        chain.use(self.edits)
        self._chains = [*self._chains[-7:], chain]
        return chain

    def _paint(self, numbers: Sequence[int], thumbs: np.ndarray, edits: LiveEdits) -> tuple[np.ndarray, ...]:
        """Paint frames for a chain, by the artist that is free."""
        artist = self._artists.get()
        try:
            return artist.paint(thumbs, lambda n, labels: edits.amend(numbers[n], labels))
        finally:
            self._artists.put(artist)

    def _square(self, shown: np.ndarray) -> np.ndarray:
        """A picture with square pixels, as `inprocess.still` makes it."""
        if self.film.sample_aspect == 1:
            return shown
        width = round(shown.shape[1] * self.film.sample_aspect)
        return cv2.resize(shown, (width, shown.shape[0]), interpolation=cv2.INTER_CUBIC)
