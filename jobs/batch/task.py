"""Make one film of a batch, inside a Ray worker: open, check and colorize it, and write its record."""

from __future__ import annotations

import os
import shutil
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import FilmError, OutputError, UserError, told
from ...pipeline import outputs
from ...pipeline.encode import Encoding, labels_encoding
from ...pipeline.extras import Extra, Kind
from ...pipeline.film import Film, open_film
from ...pipeline.findings import sentences
from ...pipeline.outputs import check_content, check_output, check_place
from ...pipeline.overlay import overlay_size
from ...pipeline.owncolors import found_colors
from ...pipeline.reader import thumb_size
from ...pipeline.sequences.names import is_pattern
from ...pipeline.storage import is_url, location_of
from ..film.driver import colorize_film
from ..film.job import FilmResult, Settings
from ..film.workdir import work_folder
from .records import OwnColors, PlannedFilm, Record, Stat, file_stat
from .state import Records

EVERY = 1.0
"""Seconds between two updates of the film's record while it is made."""


@dataclass(frozen=True)
class Failure:
    """Why a film was not made."""

    error: str
    final: bool
    """The film or its settings are at fault, so another try would fail in the same way."""


def opened(planned: PlannedFilm) -> Film:
    """The film of a plan, with the choice of its streams. Raises UserError."""
    return replace(open_film(planned.source, **planned.wish.reading), selection=planned.wish.selection)


Prepared = tuple[Film, Encoding, list[Extra], tuple[str, ...]]
"""The film as it is read, its encoding, the extras, and what becomes of some streams, as whole sentences."""


def prepared(planned: PlannedFilm, film: Film, dry: bool = False) -> Prepared:
    """Check a film as far as is possible before the work.

    Args:
        planned: the film.
        film: the same, opened.
        dry: make no folder for the outputs. The plan has checked whether it can be made.

    Raises:
        UserError: one sentence, if an output cannot hold the film.
    """
    wish, output = planned.wish, location_of(planned.output)
    film, encoding = outputs.prepared(film, output, **wish.coding)
    checks = [(output, encoding, True)]
    extras: list[Extra] = []
    if planned.labels:
        its_encoding = labels_encoding(film, *overlay_size(thumb_size(film, wish.size)))
        extras.append(Extra(Kind.LABELS, location_of(planned.labels), its_encoding))
        checks.append((location_of(planned.labels), its_encoding, False))
    words: tuple[str, ...] = ()
    for path, its_encoding, copy_streams in checks:
        if not is_url(path):
            folder = Path(path).parent
            folder = folder.parent if is_pattern(path) else folder  # the folder of pictures appears with them
            if not dry:
                folder.mkdir(parents=True, exist_ok=True)
            elif planned.check or not folder.is_dir():
                words += check_content(film, path, its_encoding, copy_streams)
                continue
        words += check_output(film, path, its_encoding, planned.overwrite, copy_streams)
    for kind, path in ((Kind.REPORT, planned.report), (Kind.RECORD, planned.record)):
        if not path:
            continue
        extras.append(Extra(kind, location_of(path)))
        if not is_url(path) and not dry:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        if is_url(path) or Path(path).parent.is_dir():
            there = dry and planned.check
            check_place(film.path, location_of(path), planned.overwrite or there, film_format=False)
    return film, encoding, extras, words


def why_not(planned: PlannedFilm) -> tuple[str, ...] | str:
    """Check a film as a run would, without making anything.

    Returns:
        What becomes of some streams, as whole sentences; or, if the film would fail, the reason alone.
    """
    try:
        return prepared(planned, opened(planned), dry=True)[3]
    except Exception as error:
        return _message(error)


def made_by_threads(device: str, artists: int) -> bool:
    """Whether a film is made by threads of its driver, which then needs no actors. The arguments are those of
    `run_task`."""
    return device == "cpu" and artists == 1


def run_task(planned: PlannedFilm, folder: Path, device: str, artists: int) -> Failure | None:
    """Colorize a planned film. Ray must be running.

    Args:
        planned: the film.
        folder: folder of the batch's state files.
        device: ``cuda`` or ``cpu``.
        artists: number of GPUs or CPU cores that are reserved for the film.

    Returns:
        None when the film is done.
    """
    return _Task(planned, Records(folder), device, artists).run()


class _Task:
    def __init__(self, planned: PlannedFilm, records: Records, device: str, artists: int) -> None:
        self._planned, self._records, self._device, self._artists = planned, records, device, artists
        self._earlier, batch = records.read(planned.key), records.batch()
        self._record = record = Record.of(planned, batch, "running")
        record.began, record.workers, record.device = time.time(), artists, device
        record.host, record.pid = socket.gethostname(), os.getpid()
        if self._earlier and self._earlier.batch == record.batch:
            record.tries = self._earlier.tries

    def run(self) -> Failure | None:
        record, planned = self._record, self._planned
        try:
            film = opened(planned)
            record.fingerprint, record.frames = film.fingerprint(), film.frames
            if planned.check and self._earlier and self._stands(self._earlier):
                return self._done(self._earlier)
            film, encoding, extras, words = prepared(planned, film)
            record.words = list(words)
        except (UserError, FilmError) as error:
            self._write()
            return Failure(str(error), final=True)
        except Exception as error:
            self._write()
            return Failure(_message(error), final=False)
        self._write()
        try:
            result = self._colorize(film, encoding, extras)
        except OutputError as error:  # another run works on this output, and will end
            return Failure(str(error), final=False)
        except (UserError, FilmError) as error:
            return Failure(str(error), final=True)
        except Exception as error:  # no error of one film may stop the other films
            return Failure(_message(error), final=False)
        record.resumed, record.shots, record.seconds = result.resumed, result.shots, result.seconds
        record.damaged = list(result.damaged)
        record.findings = [*sentences(film.path, film.when, result.findings), *result.lost_regions]
        record.negative = result.negative
        record.own = [
            OwnColors.model_validate({"first_frame": first, "frames": stop - first, "kind": kind.word, "kept": kept})
            for kind, kept, ranges in found_colors(result.own, planned.wish.keep_colour)
            for first, stop in ranges
        ]
        return self._done()

    def _colorize(self, film: Film, encoding: Encoding, extras: list[Extra]) -> FilmResult:
        written, started, record = 0.0, time.monotonic(), self._record
        settings = Settings(
            look=self._planned.wish.look,
            device=self._device,
            workers=self._artists,
            # "auto" is the cluster of this worker; the batch has checked its resources.
            address=None if made_by_threads(self._device, self._artists) else "auto",
            work=self._planned.work,
        )

        def progress(done: int, shots: int) -> None:
            nonlocal written
            now = time.monotonic()
            if not written:
                record.resumed = done
            elif now - written < EVERY:
                return
            written = now
            record.done, record.shots, record.seconds = done, shots, now - started
            self._write()

        return colorize_film(film, location_of(self._planned.output), encoding, settings, extras, progress=progress)

    def _stands(self, earlier: Record) -> bool:
        """Whether the existing outputs are already this film with these settings.

        This happens if the run that made them was killed before it could record that, or if the source has another
        modification time but the same content.
        """
        if earlier.fingerprint != self._record.fingerprint or earlier.wish != self._planned.made_with:
            return False
        try:
            fps = self._planned.wish.fps or "24"  # pictures state no rate
            films = [open_film(p, fps=fps if is_pattern(p) else None) for p in self._planned.films]
            same = all(film.frames == self._record.frames for film in films)
            return same and all(file_stat(path) for path in self._planned.targets)
        except UserError:
            return False

    def _done(self, earlier: Record | None = None) -> None:
        """Record the film as done; `earlier`: the record of the run that has made it."""
        planned = self._planned
        if earlier:
            update = {"source_stat": self._record.source_stat, "batch": self._record.batch}
            self._record = earlier.model_copy(update=update)
            # The run that finished the film was interrupted before it removed its work folder.
            shutil.rmtree(work_folder(location_of(planned.output), planned.work), ignore_errors=True)
        outputs: dict[str, Stat] = {path: found for path in planned.targets if (found := file_stat(path))}
        self._record.state, self._record.done, self._record.outputs = "done", self._record.frames, outputs
        self._write()

    def _write(self) -> None:
        self._records.write(self._planned.key, self._record)


def _message(error: Exception) -> str:
    """The error for the record. Errors of other types than ours and the system's are named."""
    return told(error) or f"{type(error).__name__}: {error}"
