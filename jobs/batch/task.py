"""One film of a batch, inside a Ray worker: open, check, colorize, and keep its record."""

from __future__ import annotations

import os
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from ...errors import FilmError, OutputError, SemcolorError, UserError
from ...pipeline.containers import output_format
from ...pipeline.encode import Encoding, choose_encoding, labels_encoding
from ...pipeline.film import Film, open_film
from ...pipeline.outputs import check_output
from ...pipeline.overlay import overlay_size
from ...pipeline.reader import thumb_size
from ...pipeline.storage import is_url, place_of
from ..film.driver import Also, Settings, Summary, colorize_film, work_folder
from .state import Job, Ledger, Record, Stat, stat

__all__ = ["Failure", "drive"]

EVERY = 1.0  # seconds between two records of how far the film is


@dataclass(frozen=True)
class Failure:
    error: str
    final: bool
    """The film or its settings are bad: another try would end the same way."""


def drive(job: Job, folder: Path, device: str, artists: int) -> Failure | None:
    """Colorize the film of `job`, with the ledger in `folder`; None when it is done.

    Runs where Ray runs already. `artists`: how many of the cluster's GPUs (`device` "cuda") or cores are reserved.
    """
    ledger = Ledger(folder)
    earlier, batch = ledger.read(job.key), ledger.batch()
    record = Record.of(job, batch, "running")
    record.began, record.workers, record.device = time.time(), artists, device
    record.host, record.pid = socket.gethostname(), os.getpid()
    if earlier and earlier.batch == record.batch:
        record.tries = earlier.tries
    try:
        film = open_film(job.source)
        record.fingerprint, record.frames = film.fingerprint(), film.frames
        if job.check and earlier and _stands(earlier, record, job):
            return _done(ledger, job, record, earlier)
        encoding, also = _prepare(job, film)
    except (UserError, FilmError) as error:
        ledger.write(job.key, record)
        return Failure(str(error), final=True)
    except Exception as error:
        ledger.write(job.key, record)
        return Failure(_told(error), final=False)
    ledger.write(job.key, record)
    try:
        summary = _colorize(job, film, encoding, also, device, artists, ledger, record)
    except OutputError as error:  # somebody else works on this output: not for ever
        return Failure(str(error), final=False)
    except (UserError, FilmError) as error:
        return Failure(str(error), final=True)
    except Exception as error:  # whatever it is, the other films go on
        return Failure(_told(error), final=False)
    record.resumed, record.shots, record.seconds = summary.resumed, summary.shots, summary.seconds
    record.damaged = list(summary.damaged)
    return _done(ledger, job, record)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, SemcolorError | OSError) else f"{type(error).__name__}: {error}"


def _prepare(job: Job, film: Film) -> tuple[Encoding, Also]:
    """Encodings of the film and of what goes with it; raises UserError for what their files cannot hold."""
    wish, output = job.wish, place_of(job.output)
    for path in job.targets:
        if not is_url(path):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
    encoding = choose_encoding(film, wish.codec, wish.crf, wish.preset, output_format(output))
    check_output(film, output, encoding, job.overwrite)
    if not job.labels:
        return encoding, {}
    labels = place_of(job.labels), labels_encoding(film, *overlay_size(thumb_size(film, wish.size)))
    check_output(film, *labels, job.overwrite, copy_streams=False)
    return encoding, {"labels": labels}


def _colorize(
    job: Job,
    film: Film,
    encoding: Encoding,
    also: Also,
    device: str,
    artists: int,
    ledger: Ledger,
    record: Record,
) -> Summary:
    wish, shown, started = job.wish, 0.0, time.monotonic()
    settings = Settings(
        weights=Path(wish.weights) if wish.weights else None,
        size=wish.size,
        steady=wish.steady,
        vivid=wish.vivid,
        device=device,
        workers=artists,
        address="auto",  # this worker's own cluster: the batch has found out what it can do
        work=job.work,
    )

    def progress(done: int, shots: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if not shown:
            record.resumed = done
        elif now - shown < EVERY:
            return
        shown = now
        record.done, record.shots, record.seconds = done, shots, now - started
        ledger.write(job.key, record)

    return colorize_film(film, place_of(job.output), encoding, settings, also, progress)


def _stands(earlier: Record, record: Record, job: Job) -> bool:
    """Whether the outputs that stand are this very film's, finished by a run that was killed before it could say so,
    or whose source has another time of change but the same content."""
    if earlier.fingerprint != record.fingerprint or earlier.wish != job.made_with:
        return False
    try:
        return all(open_film(path).frames == record.frames for path in job.targets)
    except UserError:
        return False


def _done(ledger: Ledger, job: Job, record: Record, earlier: Record | None = None) -> None:
    if earlier:
        record = earlier.model_copy(update={"source_stat": record.source_stat, "batch": record.batch})
        shutil.rmtree(work_folder(place_of(job.output), job.work), ignore_errors=True)  # its last act was interrupted
    outputs: dict[str, Stat] = {path: found for path in job.targets if (found := stat(path))}
    record.state, record.done, record.outputs = "done", record.frames, outputs
    ledger.write(job.key, record)
