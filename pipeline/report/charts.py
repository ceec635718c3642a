"""Series over time as SVG, drawn without any library. Colours come from the page's style sheet, so that they follow
its light or dark theme; labels have the colours of the film of labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from operator import mul

from ...models.labels import INDEX, PALETTE
from .gather import OTHER
from .records import Report

WIDTH, HEIGHT = 960, 200
"""Size of a chart in SVG's units."""

LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 24
"""Room around the plot, in SVG's units."""

STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Permitted distances between two marks of the time axis, in seconds."""

MOST_MARKS = 10
"""Greatest number of marks of the time axis."""

REST = "#888888"
"""Colour of the labels that are added up."""

MOST_CUTS = 240
"""Greatest number of shots whose cuts are drawn; more of them would cover the chart."""


def chroma_chart(report: Report) -> str:
    """Mean chroma over time, with cuts and the frames of warnings."""
    series, seconds = report.series, report.source.picture.seconds
    top = _nice(max(series.chroma, default=0.0))
    points = _points(series.start, series.chroma, seconds, top)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    floor = HEIGHT - BOTTOM
    return "".join(
        [
            _begin(f"Mean chroma over time, between {min(series.chroma):.1f} and {max(series.chroma):.1f}."),
            *_time_axis(seconds),
            *(_value_mark(top * n / 4, top, f"{top * n / 4:g}") for n in range(5)),
            *_cuts(report, seconds),
            f'<polygon class="fill" points="{points[0][0]:.1f},{floor} {line} {points[-1][0]:.1f},{floor}"/>',
            f'<polyline class="line" points="{line}"/>',
            *_damage(report, seconds),
            "</svg>",
        ]
    )


def labels_chart(report: Report) -> str:
    """Shares of the labels over time, one band above the other. The most frequent label is at the bottom."""
    series, seconds = report.series, report.source.picture.seconds
    below = [0.0] * len(series.start)
    bands: list[str] = []
    for name, shares in series.labels.items():
        above = [low + share for low, share in zip(below, shares, strict=True)]
        upper, lower = (_points(series.start, values, seconds, 1.0) for values in (above, below))
        outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
        title = f"<title>{escape(name)}: {mean_share(report, name):.0%}</title>"
        bands.append(f'<polygon class="band" style="fill:{color_of(name)}" points="{outline}">{title}</polygon>')
        below = above
    return "".join(
        [
            _begin("Shares of the labels over time."),
            *_time_axis(seconds),
            *(_value_mark(n / 4, 1.0, f"{25 * n}%") for n in range(5)),
            *bands,
            "</svg>",
        ]
    )


def color_of(label: str) -> str:
    """The colour of a label in the film of labels, #rrggbb; a grey for `OTHER`."""
    return REST if label == OTHER else "#" + bytes(PALETTE[INDEX[label]]).hex()


def mean_share(report: Report, label: str) -> float:
    """The mean share of a label in the whole film."""
    series = report.series
    marks = [*series.start, report.source.picture.seconds]
    lasts = [max(end - start, 0.0) for start, end in pairwise(marks)]
    return sum(map(mul, series.labels[label], lasts)) / (sum(lasts) or 1.0)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss; with a decimal where a film is so short that it matters."""
    whole = int(seconds)
    rest = f"{seconds - whole:.1f}"[1:] if seconds - whole > 0.01 else ""
    hours, minutes = whole // 3600, whole // 60 % 60
    return (f"{hours}:{minutes:02}" if hours else f"{minutes}") + f":{whole % 60:02}{rest}"


def _begin(label: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label, quote=True)}">'


def _x(at: float, seconds: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(at / seconds, 1.0) if seconds else LEFT


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _points(start: Sequence[float], values: Sequence[float], seconds: float, top: float) -> list[tuple[float, float]]:
    """The points of a line. Each value stands until the next one begins, and the last one until the film's end."""
    marks = [*start, seconds]
    return [(_x(at, seconds), _y(value, top)) for n, value in enumerate(values) for at in (marks[n], marks[n + 1])]


def _time_axis(seconds: float) -> Iterator[str]:
    step = next((step for step in STEPS if seconds / step <= MOST_MARKS), 3600 * -(-seconds // (3600 * MOST_MARKS)))
    for n in range(int(seconds / step) + 1):
        x = _x(n * step, seconds)
        anchor = "end" if x > WIDTH - 40 else "middle"
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM + 4}"/>'
        yield f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{clock(n * step)}</text>'


def _value_mark(value: float, top: float, text: str) -> str:
    y = _y(value, top)
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def _cuts(report: Report, seconds: float) -> Iterator[str]:
    """Where shots begin, unless there are too many."""
    if len(report.shots) > MOST_CUTS:
        return
    for shot in report.shots[1:]:
        x = _x(seconds * shot.first_frame / report.source.picture.frames, seconds)
        yield f'<line class="cut" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'


def _damage(report: Report, seconds: float) -> Iterator[str]:
    """A bar at the foot of the plot for the frames of each warning."""
    frames = report.source.picture.frames
    for warning in report.warnings:
        first, last = warning.first_frame, warning.last_frame
        if first is None or last is None:
            continue
        begin, end = (_x(seconds * frame / frames, seconds) for frame in (first, last + 1))
        yield (
            f'<rect class="damage" x="{begin:.1f}" width="{max(end - begin, 2):.1f}" y="{HEIGHT - BOTTOM - 5}" '
            f'height="5"><title>{escape(warning.message)}</title></rect>'
        )


def _nice(value: float) -> float:
    """A round number that is not below the value."""
    return next((top for top in (4, 8, 12, 20, 40, 60, 80, 100, 120) if value <= top), 200.0)
