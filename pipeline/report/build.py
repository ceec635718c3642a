"""Make the report of a finished film, and write it as JSON or as a page."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import av

from ... import __version__
from ...models import WEIGHTS
from ..containers import output_format
from ..edits.reading import identity
from ..encode import Encoding
from ..files import file_sha256, size_on_disk
from ..film import Film
from ..findings import Finding, runs, sentence
from ..look import Look
from ..negative import warning
from ..owncolors import tell
from ..parts import Part, colors_of_parts, count_shots
from ..streams import plan_streams
from . import compare
from .gather import Gathered
from .lumacheck import open_made
from .media import describe, plain_name
from .page import PagePictures, write_page
from .records import OtherFile, Report, Settings, Shot, Timings, Warning

PACKAGES = ("av", "numpy", "opencv-python-headless", "openvino", "ray", "torch")
"""Packages whose versions the report tells."""


@dataclass(frozen=True)
class Made:
    """A finished film in its work folder, and what the report tells about the run."""

    film: Film
    """The source."""
    encoding: Encoding
    folder: Path
    """The work folder."""
    parts: Sequence[Part]
    """All parts of the film, in order; their notes were made for a report."""
    files: Mapping[str, tuple[Path, str | os.PathLike[str], str]]
    """Kind of result → the finished file, its place, and its SHA-256; ``film`` is the colour film."""
    findings: Sequence[Finding]
    """What was wrong with the source, and what was done about it."""
    settings: Settings
    timings: Timings
    negative: bool = False
    """Whether the film looks like a negative."""


def settings_of(look: Look, encoding: Encoding, device: str, precision: str) -> Settings:
    """What a film is made with, for its report.

    Args:
        look: what decides the colours.
        encoding: encoding of the colour film.
        device: ``cpu`` or ``cuda``.
        precision: precision of the networks on this device.
    """
    return Settings(
        size=look.size,
        steady=look.steady,
        scenes=look.scenes,
        vivid=look.vivid,
        keep_colour=look.keep_colour,
        motion=file_sha256(look.motion_weights) if look.motion_weights else "dis",
        weights_sha256=file_sha256(look.weights or WEIGHTS),
        device=device,
        precision=precision,
        edits=len(look.sheet.edits) if look.sheet else 0,
        sheet=identity(look.sheet),
        codec=encoding.codec,
        pix_fmt=encoding.pix_fmt,
        options=dict(encoding.options),
    )


def timings_of(
    frames: int,
    started: float,
    *,
    resumed: int = 0,
    restarts: int = 0,
    workers: int = 1,
    stages: Mapping[str, float] | None = None,
) -> Timings:
    """The times of a run that ends now.

    Args:
        frames: number of the film's frames.
        started: start of the run, on the monotonic clock.
        resumed: number of frames that earlier runs had made.
        restarts: number of times that workers were lost.
        workers: number of networks at the same time.
        stages: stage → seconds of work.
    """
    return Timings(
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - started, 3),
        frames=frames - resumed,
        resumed=resumed,
        restarts=restarts,
        workers=workers,
        stages={stage: round(seconds, 3) for stage, seconds in (stages or {}).items()},
    )


def write_report(made: Made, file: Path) -> Report:
    """Make the report and write it; the file's suffix selects page or JSON."""
    if file.suffix.lower() == ".json":
        report = _report(made, None)
        file.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return report
    pictures = PagePictures(count_shots(made.parts))
    report = _report(made, pictures)
    write_page(report, pictures, file)
    return report


def _report(made: Made, pictures: PagePictures | None) -> Report:
    """The report. Pictures of shots are added to `pictures`, unless it is None."""
    film = made.film
    gathered = Gathered(film, made.folder, made.parts, made.settings.keep_colour)
    shots: list[Shot] = []
    for shot, picture in gathered.shots():
        shots.append(shot)
        if pictures:
            pictures.add(picture)
    place, target, sha256 = made.files["film"]
    result = open_made(film, made.encoding, place)
    source = describe(film, film.path, film.path)
    output = describe(result, place, target, sha256)
    luma = compare.luma_record(film, made.encoding, gathered.luma)
    copied = compare.copies(source, output, film.stream, result.stream)
    further = compare.further_findings(film, result, source, output, luma)
    return Report(
        source=source,
        output=output,
        others=[
            OtherFile(kind=kind, name=plain_name(where), bytes=size_on_disk(file), sha256=digest)
            for kind, (file, where, digest) in made.files.items()
            if kind != "film"
        ],
        luma=luma,
        comparisons=list(compare.comparisons(film, result, source, output, luma=luma, copied=copied, shots=shots)),
        copies=copied,
        warnings=[
            *_negative(made),
            *_warnings(film, [*made.findings, *further]),
            *_colors_lost(made),
            *_streams_changed(made),
        ],
        shots=shots,
        series=gathered.series(),
        settings=made.settings,
        versions=versions(),
        timings=made.timings,
    )


def _warnings(film: Film, found: Sequence[Finding]) -> list[Warning]:
    """A warning for each finding. Neighbouring frames with the same trouble share one."""
    name = plain_name(film.path)
    return [
        Warning(first_frame=first, last_frame=last, message=sentence(name, film.when, what, first, last))
        for what, first, last in runs(found)
    ]


def _negative(made: Made) -> list[Warning]:
    """The warning of a film that looks like a negative."""
    if not made.negative:
        return []
    return [Warning(first_frame=None, last_frame=None, message=warning(made.film, plain_name(made.film.path)))]


def _colors_lost(made: Made) -> list[Warning]:
    """A warning for the colours that the source has and the output has not."""
    lost, _ = tell(made.film, colors_of_parts(made.parts), made.settings.keep_colour)
    name = plain_name(made.film.path)
    return [Warning(first_frame=None, last_frame=None, message=f"{name}: {line}") for line in lost]


def _streams_changed(made: Made) -> list[Warning]:
    """A warning for each of the source's streams that does not go unchanged into the output."""
    if made.encoding.pictures:
        return []
    words = plan_streams(made.film, output_format(made.files["film"][1])).words
    name = plain_name(made.film.path)
    return [Warning(first_frame=None, last_frame=None, message=f"{name}: {word}.") for word in words]


def versions() -> dict[str, str]:
    """Versions of semcolor, and of all that has a say in the result."""
    found: dict[str, Any] = {"semcolor": __version__, "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["FFmpeg"] = av.ffmpeg_version_info
    return found | {name: ".".join(map(str, numbers)) for name, numbers in av.library_versions.items()}
