"""A film on the desk: the open film, its sheet, and its rendering."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.labels import NAMES, PALETTE
from ...pipeline.edits.sheet import Edit, KeyFrame, Sheet
from ...pipeline.film import Film
from ...pipeline.look import Look
from ...pipeline.summary import color_at
from .rendering import Rendering
from .session import Session
from .store import Content, Store

MIDDLE = 140.0
"""Luma, 0 to 255, at which the usual colour of a label is shown."""


@dataclass(frozen=True)
class Task:
    """What is to be opened: a film, its sheet, its colour film, and how the command is called for it."""

    film: Film
    look: Look
    """The options that decide the colours, without a sheet."""
    sheet: Path
    output: Path
    options: tuple[str, ...] = ()
    """Options of `semcolor-video` for the film and the look."""
    device: str = "auto"
    source: str = field(default="")
    """The film as the command takes it."""
    scenes: float = 0.0
    """How far rendering takes colours of other shots; see `Look.scenes`. The page's frames do not."""


class Work:
    """A film on the desk. `close` it."""

    def __init__(self, task: Task, cache: Path) -> None:
        """
        Args:
            task: what is opened.
            cache: folder for what is kept from one day to the next.

        Raises:
            UserError: if the sheet cannot be used, or is open elsewhere.
        """
        self.task = task
        self.store = Store(task.sheet, cache, self._check)
        try:
            self.session = Session(task.film, task.look, cache, task.device)
        except BaseException:
            self.store.close()
            raise
        self.rendering = Rendering(task.output, self._rendered)
        self.session.use(self.store.sheet).result()
        self.session.picture(0, "colour", "first")  # while the browser opens

    def close(self) -> None:
        """Stop rendering, end the threads, and let others open the sheet."""
        self.rendering.stop()
        self.session.close()
        self.store.close()

    def _check(self, sheet: Sheet, item: Content) -> None:
        """Raise UserError if an item of a sheet does not fit the film."""
        if "picture" in item and not item.get("off"):
            key = KeyFrame.model_validate(item | {"picture": str(self.task.sheet.parent / item["picture"])})
            self.session.ask(lambda: self.session.studio.check_key(key)).result()
        if "region" in item and not item.get("off"):
            edit = Edit.model_validate(item)
            self.session.ask(lambda: self.session.studio.check(edit)).result()

    def saved(self) -> None:
        """Show frames under the sheet as it is now."""
        self.session.use(self.store.sheet)

    def render(self, replace: bool) -> None:
        """Render the film.

        Args:
            replace: whether a file that is there already may be replaced.

        Raises:
            UserError: if a file is there and may not be replaced.
        """
        output = self.task.output
        if output.exists() and not replace and self.rendering.status == "idle":
            raise UserError(f"{output.name} exists already.")
        edits = ["--edits", str(self.task.sheet)] if self.task.sheet.exists() else []
        self.rendering.start([self.task.source or str(self.task.film.path), *self.task.options, *edits])

    def _rendered(self) -> None:
        self.session.resting = self.rendering.running

    def about(self) -> dict[str, Any]:
        """What does not change about the film."""
        film = self.task.film
        shown = round(film.width * film.sample_aspect)
        return {
            "name": Path(film.path).name,
            "width": film.width,
            "height": film.height,
            "shown": shown,
            "frames": film.frames,
            "rate": float(film.rate) if film.rate else film.frames / max(film.seconds, 1e-6),
            "times": None if film.frames > 1_000_000 else self._times(),
            "seconds": film.seconds,
            "sound": any(other.startswith("audio") for other in film.others),
            "labels": [{"name": n, "colour": "#" + bytes(c).hex()} for n, c in zip(NAMES, PALETTE, strict=True)],
            "sheet": self.task.sheet.name,
            "output": self.task.output.name,
            "scenes": self.task.scenes,
        }

    def _times(self) -> list[float] | None:
        """The times of all frames, in seconds; None if they are evenly spaced."""
        film = self.task.film
        steps = film.pts[1:] - film.pts[:-1]
        if len(steps) == 0 or int(steps.max()) - int(steps.min()) <= 1:
            return None
        return [round(float(x), 4) for x in (film.pts - film.pts[0]) * float(film.time_base)]

    def shots(self) -> dict[str, Any]:
        """The shots that are known, and how far the film was read for them."""
        scan = self.session.scan
        found = [
            {
                "first": shot.first,
                "stop": shot.stop,
                "labels": shot.labels,
                "warnings": shot.warnings,
            }
            for shot in list(scan.found)
        ]
        usual = {name: color_at(MIDDLE, a, b) for name, (_, a, b) in list(scan.usual.items())}
        return {"shots": found, "scanned": scan.shots.scanned, "usual": usual}

    def state(self) -> dict[str, Any]:
        """What changes all the time."""
        session, studio = self.session, self.session.studio
        preview = session.previews.last
        following = [
            {
                "place": region.place,
                "first": region.first,
                "stop": region.extent.order.stop,
                "ends": list(region.ends),
                "done": region.done,
                "unsure": region.unsure,
            }
            for region in studio.regions
        ]
        keyed = [
            {"frames": list(shot.keys), "first": shot.first, "stop": shot.stop, "steps": shot.steps, "done": shot.done}
            for shot in studio.keyed
        ]
        return {
            "sheet": self.store.version,
            "beat": session.beat,
            "ready": session.ready,
            "trouble": session.trouble,
            "measuring": studio.edits.waiting,
            "settled": session.settled,
            "shots": len(session.scan.found),
            "scanned": session.scan.shots.scanned,
            "following": following,
            "keyed": keyed,
            "mistakes": studio.mistakes,
            "render": self.rendering.state(),
            "preview": preview
            and {
                "number": preview.number,
                "first": preview.first,
                "stop": preview.stop,
                "done": preview.done,
                "state": preview.state,
                "error": preview.error,
            },
        }
