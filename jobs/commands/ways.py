"""The three ways of `semcolor-video`: a whole film, a range, or a still."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...pipeline.look import Look
from ...pipeline.storage import Location

if TYPE_CHECKING:
    from ...pipeline.edits.coverage import Weakest
    from ...pipeline.encode import Encoding
    from ...pipeline.extras import Extra
    from ...pipeline.film import Film
    from ...pipeline.findings import Finding
    from ...pipeline.owncolors import ShotColor
    from ..film.job import FilmResult, Settings

NAME = "semcolor-video"


def whole(
    film: Film,
    target: Location,
    encoding: Encoding,
    settings: Settings,
    extras: list[Extra],
    *,
    has_work: bool,
    overwrite: bool,
    fresh: bool,
    keep: bool,
    quiet: bool,
) -> None:
    """Colorize the whole film. `has_work`: there is a work folder of an earlier run."""
    from ...pipeline.outputs import check_output, check_place
    from ..film.driver import colorize_film, finished
    from .progress import reporter

    if not (has_work and finished(film, target, encoding, settings, extras)):
        for line in check_output(film, target, encoding, overwrite):
            print(f"{NAME}: {line}", file=sys.stderr)
        for extra in extras:
            if extra.encoding:
                check_output(film, extra.target, extra.encoding, overwrite, copy_streams=False)
            else:
                check_place(film.path, extra.target, overwrite, film_format=False)
    with reporter(film.frames, quiet) as progress:
        told = {"progress": progress, "looking": progress.look}
        result = colorize_film(film, target, encoding, settings, extras, **told, fresh=fresh, keep=keep)
    tell_findings(film, result.findings)
    if not quiet:
        _report(target, result)
        for shot in result.weakest:
            _tell_weakest(film, shot)
        for line in result.found_again:
            print(f"{film.path}: {line}")
    _tell_own_colors(film, settings.look, result.own, quiet)
    for line in result.lost_regions:
        print(f"{NAME}: {film.path}: {line}", file=sys.stderr)


def tell_findings(film: Film, found: Sequence[Finding]) -> None:
    """Say what was wrong with the film, on stderr."""
    from ...pipeline.findings import sentences

    for line in sentences(film.path, film.when, found):
        print(f"{NAME}: {line}", file=sys.stderr)


def _tell_weakest(film: Film, shot: Weakest) -> None:
    """Say which frame of a shot with key frames should be painted next, unless they cover the whole shot."""
    from ...pipeline.edits.coverage import COVERED

    if shot.share < COVERED:
        least = f"of frames {shot.first} to {shot.stop - 1}, key frames and edits cover {film.when(shot.frame)} least"
        print(f"{film.path}: {least} ({shot.share:.0%}); paint frame {shot.frame} next.")


def _tell_own_colors(film: Film, look: Look, shots: tuple[ShotColor, ...], quiet: bool) -> None:
    """Say which colours the film has already, and whether they were kept."""
    from ...pipeline.owncolors import tell

    lost, kept = tell(film, shots, look.keep_colour)
    for line in lost:
        print(f"{NAME}: {film.path}: {line}", file=sys.stderr)
    for line in () if quiet else kept:
        print(f"{film.path}: {line}")


def _report(target: Location, result: FilmResult) -> None:
    """Print the statistics of a run."""
    if not result.workers:
        print(f"{target}: an earlier run had finished it.")
        return
    again = f" ({result.resumed} of them by an earlier run)" if result.resumed else ""
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in result.stages.items())
    queues = ", ".join(f"{stage} {chunks:.1f}" for stage, chunks in result.queues.items())
    print(f"seconds of work: {stages}; {result.workers} × {result.device}")
    print(f"chunks at a time: {queues}")
    if result.restarts:
        print(f"workers were lost; the film continued from its last part {result.restarts} times")
    if result.scenes:
        shots = "1 shot" if result.scenes == 1 else f"{result.scenes} shots"
        print(f"{shots} took colours of an earlier one that shows the same (--scenes)")
    print(
        f"{target}: {result.frames} frames{again}, {result.shots} shots, "
        f"{result.seconds:.1f} s, {result.speed:.1f} frames/s"
    )


def still(film: Film, target: Location, when: str, look: Look, device: str, *, overwrite: bool, quiet: bool) -> None:
    """Colorize one frame, in this process."""
    from ...pipeline import inprocess

    started = time.monotonic()
    inprocess.still(film, when, target, look, overwrite=overwrite, device=device)
    if not quiet:
        print(f"{target}: {time.monotonic() - started:.1f} s")


def excerpt(
    film: Film,
    target: Location,
    spans: list[tuple[int, int]],
    look: Look,
    device: str,
    encoding: Encoding,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Colorize only a range or some shots, in this process. `spans`: (first frame, stop) of each."""
    from ...pipeline.inprocess import colorize
    from .progress import reporter

    started = time.monotonic()
    frames = sum(stop - first for first, stop in spans)
    with reporter(frames, quiet) as progress:
        own = colorize(
            film,
            target,
            look,
            spans=spans,
            encoding=encoding,
            overwrite=overwrite,
            progress=lambda done: progress(done, len(spans)),
            device=device,
        )
    if not quiet:
        print(f"{target}: {frames} frames, {time.monotonic() - started:.1f} s")
    _tell_own_colors(film, look, own, quiet)
