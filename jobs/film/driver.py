"""Colorize one film on Ray, from its settings to the finished files.

    Reader ──▶ Artist × N ──▶ Steadier ──▶ Writers ──▶ mux
         └──▶ Surveyors ─────────▲

`job` has the records, `attempt` the loop that feeds the actors, `recovery` the handling of lost workers, and `workdir`
the folder from which an interrupted run continues.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple
from pathlib import Path

from ... import __version__
from ...errors import FilmError
from ...flow.steady import STATE_VERSION
from ...models import WEIGHTS, pick_precision
from ...pipeline.edits.apply import ResolvedEdits
from ...pipeline.edits.coverage import Weakest, weakest
from ...pipeline.edits.reading import identity as sheet_identity
from ...pipeline.encode import Encoding
from ...pipeline.extras import Extra, Kind
from ...pipeline.files import file_sha256, is_utf8
from ...pipeline.film import Film
from ...pipeline.findings import Finding, findings, sentences
from ...pipeline.keeping import kept_spans
from ...pipeline.mux import assemble
from ...pipeline.owncolors import OwnColor, ShotColor, Spans
from ...pipeline.parts import colors_of_parts, count_shots, notes, standing
from ...pipeline.scenefinding import find_scenes
from ...pipeline.scenes import VERSION as SCENES_VERSION
from ...pipeline.scenes import Scenes
from ...pipeline.storage import Location
from ...pipeline.summary import LEGEND, summarize
from ..cluster import connected, cores
from ..devices import choose_workers, in_process
from .crew import MOST_ARTISTS, Crew, RayCrew, ThreadCrew, artists_in_threads
from .events import EventLog, logging_the_end
from .job import FilmResult, Job, Progress, Settings
from .recovery import Outcome, ask_precision, finish_parts
from .relay import Relay
from .reporting import record_of, report_on
from .sizing import Sizes, writers
from .workdir import (
    SCENES,
    belongs,
    claimed,
    deliver,
    drop_touched,
    keep_or_clear,
    remember,
    remembered,
    seal,
    sealed,
    work_folder,
)

LONG = 1000
"""Number of frames from which on a film on many cores is worth the start of Ray."""


def colorize_film(
    film: Film,
    output: Location,
    encoding: Encoding,
    settings: Settings,
    extras: Sequence[Extra] = (),
    *,
    progress: Progress = lambda done, shots: None,
    looking: Callable[[int], None] = lambda done: None,
    fresh: bool = False,
    keep: bool = False,
) -> FilmResult:
    """Colorize a film, and write the wanted extras. Each result appears whole or not at all.

    An interrupted run leaves its work folder. A call with the same film and settings continues from there. If only the
    sheet of edits differs, the call repaints only the parts that the edits touch.

    Args:
        film: the source.
        output: place of the colour film.
        encoding: encoding of the colour film.
        settings: the look, and the settings of the machine.
        extras: further results to write.
        progress: called with (frames done, shots begun).
        looking: called with the number of frames that were looked at, where the film's own colours are looked for
            before the work.
        fresh: start over, and delete the work of an earlier run.
        keep: keep the work folder when the film is finished.

    Raises:
        SemcolorError: the film, the settings or the workers are at fault; its message is one sentence.
        OSError: the machine fails, for instance its disk.
    """
    started = time.monotonic()
    work, targets = work_folder(output, settings.work), _targets(output, extras)
    with claimed(work, keep):
        if not fresh and (facts := _finished(film, work, targets, encoding, settings, extras)):
            found = _found(film, facts)
            deliver(work, targets)
            seconds = time.monotonic() - started
            return FilmResult(film.frames, resumed=film.frames, seconds=seconds, findings=found, **facts)
        sizes = Sizes.of(film, settings.look.size, settings.chunk, own=settings.look.keep_colour != "never")
        with _way(film, settings, sizes, work) as (crew, device, workers, precision):
            identity = _identity(film, encoding, settings, extras) | {"device": device, "precision": precision}
            keep_or_clear(work, identity, fresh)
            events = EventLog(work / "events.jsonl")
            with logging_the_end(events):
                scenes = _scenes(film, settings, work, looking)
                edits = _resolved(film, settings, work, identity, scenes)
                kept = _kept(film, settings, work, looking)
                job = Job(
                    film=film,
                    encoding=encoding,
                    extras={extra.kind: extra.encoding for extra in extras if extra.encoding},
                    summary=Kind.SUMMARY in targets,
                    report=Kind.REPORT in targets,
                    edits=edits,
                    kept=kept,
                    scenes=scenes,
                    settings=settings,
                    sizes=sizes,
                    device=device,
                    precision=precision,
                    workers=workers,
                    work=work,
                    identity=identity,
                )
                drop_touched(work, edits)
                parts = standing(work)
                done = sum(part.frames for part in parts)
                about = {"film": film.path, "frames": film.frames, "version": __version__}
                where = {"device": device, "precision": precision, "workers": workers}
                events("resumed" if done else "started", frame=done, **about, **where)
                outcome = finish_parts(job, parts, events, progress, crew)
                joining = time.monotonic()
                facts = _assemble(job, outcome, targets, resumed=done, started=started)
                deliver(work, targets)
                result = FilmResult(
                    frames=film.frames,
                    resumed=done,
                    seconds=time.monotonic() - started,
                    workers=workers,
                    device=device,
                    stages=outcome.stages | {"assembling": time.monotonic() - joining},
                    queues=outcome.queues,
                    restarts=outcome.restarts,
                    **facts,
                )
                events(
                    "finished",
                    **{k: v for k, v in asdict(result).items() if k not in ("damaged", "lost", "findings", "own")},
                )
    return result


@contextmanager
def _way(
    film: Film, settings: Settings, sizes: Sizes, work: Path
) -> Iterator[tuple[Callable[[], Crew], str, int, str]]:
    """Where a film is made: (maker of crews, device, number of artists, precision). Ray runs meanwhile if needed."""
    artists = settings.workers or cores()
    store = sizes.store_bytes(artists, writers(artists, "cpu" if settings.device == "cpu" else "cuda"))
    ray = connected(settings.address, max(cores(), settings.workers or 0), store, work / "spill")
    if in_process(settings.device, settings.workers, settings.address, settings.look.motion_weights is not None):
        artists, precision = min(artists, sizes.chunks(film)), pick_precision("cpu")
        if artists > MOST_ARTISTS and film.frames >= LONG and is_utf8(os.getcwd()):
            with Relay(ray) as relay:
                yield relay.crew, "cpu", artists, precision
        else:
            yield ThreadCrew, "cpu", artists_in_threads(artists, bool(settings.look.steady)), precision
        return
    with ray:
        device, workers = choose_workers(settings.device, settings.workers, local=not settings.address)
        # An embedded Ray has this machine only, so the driver can answer without a worker.
        yield RayCrew, device, workers, ask_precision(device) if settings.address else pick_precision(device)


def finished(
    film: Film, output: Location, encoding: Encoding, settings: Settings, extras: Sequence[Extra] = ()
) -> bool:
    """Whether an earlier run has finished the film and only failed to deliver it or to clean up.

    If an earlier run got that far, this reads the finished films to compare their digests. The arguments are those of
    `colorize_film`.
    """
    work = work_folder(output, settings.work)
    return bool(_finished(film, work, _targets(output, extras), encoding, settings, extras))


def _finished(
    film: Film,
    work: Path,
    targets: dict[Kind, Location],
    encoding: Encoding,
    settings: Settings,
    extras: Sequence[Extra],
) -> dict:
    """The facts that `_assemble` recorded about the film; {} if the film is not finished."""
    identity = _identity(film, encoding, settings, extras)
    if settings.device != "auto":
        identity["device"] = settings.device
    facts = sealed(work, targets) if belongs(work, identity) else {}
    if not facts:
        return {}
    listed = {name: tuple(facts[name]) for name in ("damaged", "lost", "lost_regions", "found_again")}
    least = tuple(Weakest(*shot) for shot in facts["weakest"])
    return facts | listed | {"own": _own(facts["own"]), "weakest": least}


def _assemble(job: Job, outcome: Outcome, targets: dict[Kind, Location], *, resumed: int, started: float) -> dict:
    """Make the finished films in the work folder, and record them there. Returns facts for the `FilmResult`.

    Raises FilmError, before anything is joined, if a film that must be without damage has some.

    Args:
        job: the film, and how it was made.
        outcome: its parts, and how the run went.
        targets: kind of result → its place.
        resumed: number of frames that earlier runs had made.
        started: start of this run, on the monotonic clock.
    """
    parts, own = outcome.parts, colors_of_parts(outcome.parts)
    facts = {
        "shots": count_shots(parts),
        "damaged": tuple(n for p in parts for n in p.damaged),
        "lost": tuple(n for p in parts for n in p.lost),
        "lost_regions": tuple(job.edits.lost(job.film.when)) if job.edits else (),
        "found_again": tuple(job.edits.again(job.film.when)) if job.edits else (),
        "weakest": weakest(job.edits),
        "negative": outcome.negative,
        "scenes": len(job.scenes.links) if job.scenes else 0,
    }
    found = _found(job.film, facts)  # parts of an earlier run may hold damage
    colored = sum(stop - first for first, stop in job.kept) < job.film.frames
    results = {Kind.FILM: assemble(job.film, job.work, parts, targets[Kind.FILM], job.encoding, colored=colored)}
    for kind, encoding in job.extras.items():
        legend = LEGEND if kind == Kind.MAPS else None
        results[kind] = assemble(
            job.film,
            job.work,
            parts,
            targets[kind],
            encoding,
            kind,
            copy_streams=False,
            metadata=legend,
            colored=colored and kind == Kind.COMPARE,
        )
    if job.summary:
        results[Kind.SUMMARY] = job.work / "summary.json"
        shots = summarize(job.film, notes(job.work, parts), own)
        results[Kind.SUMMARY].write_text(json.dumps(shots, indent=1))
    digests = {kind: file_sha256(path) for kind, path in results.items()}
    if job.report:
        run = {"found": found, "resumed": resumed, "started": started}
        results[Kind.REPORT] = report_on(job, outcome, results, digests, targets, **run)
        digests[Kind.REPORT] = file_sha256(results[Kind.REPORT])
    if Kind.RECORD in targets:
        results[Kind.RECORD] = record_of(job, results, digests, targets)
        digests[Kind.RECORD] = file_sha256(results[Kind.RECORD])
    seal(job.work, results, digests, facts | {"own": [astuple(shot) for shot in own]})
    return facts | {"own": own, "findings": found}


def _kept(film: Film, settings: Settings, work: Path, looking: Callable[[int], None]) -> Spans:
    """The shots that keep their own chroma. They are looked for once, and the work folder keeps the answer."""
    known = remembered(work).get("kept")
    if known is None:
        known = kept_spans(film, settings.look, progress=looking)
        remember(work, kept=known)
    return tuple((first, stop) for first, stop in known)


def _scenes(film: Film, settings: Settings, work: Path, looking: Callable[[int], None]) -> Scenes | None:
    """The shots that take colours of earlier ones. They are looked for once, and the work folder keeps them."""
    return find_scenes(film, settings.look, work / SCENES, progress=looking)


def _own(recorded: list) -> tuple[ShotColor, ...]:
    """The own colours of the shots, from the record of the work folder."""
    return tuple(ShotColor(first, stop, OwnColor(kind)) for first, stop, kind in recorded)


def _found(film: Film, facts: dict) -> tuple[Finding, ...]:
    """What was wrong with a film whose `facts` are known. Raises FilmError if the film must be without damage."""
    found = findings(film.findings, facts["damaged"], facts["lost"])
    if film.strict and found:
        raise FilmError(next(sentences(film.path, film.when, found)))
    return found


def _targets(output: Location, extras: Sequence[Extra]) -> dict[Kind, Location]:
    return {Kind.FILM: output} | {extra.kind: extra.target for extra in extras}


def _resolved(
    film: Film, settings: Settings, work: Path, identity: dict, scenes: Scenes | None
) -> ResolvedEdits | None:
    """The edits of the look's sheet, resolved for this film; None if the sheet is empty. Masks go to the work
    folder."""
    look = settings.look
    if not look.sheet:
        return None
    from ...pipeline.edits.resolve import resolve

    def painter() -> Callable:
        from ...models.painter import Painter

        return Painter("cpu", weights=look.weights, vivid=look.vivid).paint

    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    return resolve(film, look.sheet, look.size, painter, work, key, weights=look.weights, scenes=scenes)


def _identity(film: Film, encoding: Encoding, settings: Settings, extras: Sequence[Extra]) -> dict:
    """Everything that decides the output's bytes, except the device and its precision.

    Work of another identity is never continued.
    """
    look = settings.look
    return {
        "version": __version__,
        "film": film.fingerprint(),
        "streams": str(film.selection),
        "weights": file_sha256(look.weights or WEIGHTS),
        "size": look.size,
        "steady": [STATE_VERSION, look.steady],
        "motion": file_sha256(look.motion_weights) if look.motion_weights else "dis",
        "vivid": look.vivid,
        "keep_colour": look.keep_colour,
        "scenes": [SCENES_VERSION, look.scenes] if look.scenes else 0,
        "sheet": sheet_identity(look.sheet),
        "encoding": repr(encoding),
        "also": {extra.kind: repr(extra.encoding) for extra in extras if extra.kind != Kind.RECORD},
    }
