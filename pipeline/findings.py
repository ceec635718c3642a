"""What was wrong with a film that was colorized all the same: records, and lines for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

CONCEALED = "is damaged; the decoder concealed that"
"""What is wrong with a frame that the decoder repaired by guessing."""

LOST = "could not be decoded; the picture before it is repeated"
"""What is wrong with a frame that the decoder did not give."""


MOST_SENTENCES = 20
"""Greatest number of findings that are told in sentences. The records have all of them."""


@dataclass(frozen=True)
class Finding:
    """One thing that was wrong with a film, and what was done about it."""

    frame: int | None
    """Number of the frame, counted from 0; None if it is about the whole film."""
    what: str
    """The rest of the sentence that begins with the frame, or with the film; without a full stop."""


def findings(opened: Iterable[Finding], damaged: Iterable[int] = (), lost: Iterable[int] = ()) -> tuple[Finding, ...]:
    """All that was wrong with a film: first what is about the whole film, then frame by frame.

    Args:
        opened: what was found when the film was opened (`Film.findings`).
        damaged: numbers of the frames in which the decoder concealed damage.
        lost: numbers of the frames that could not be decoded.
    """
    frames = [Finding(n, CONCEALED) for n in damaged] + [Finding(n, LOST) for n in lost]
    return tuple(sorted([*opened, *frames], key=lambda found: -1 if found.frame is None else found.frame))


def sentences(path: str, when: Callable[[int], str], found: Iterable[Finding]) -> Iterator[str]:
    """A sentence for each finding, `MOST_SENTENCES` at most. Neighbouring frames with the same trouble share one.

    Args:
        path: the film's path, for the sentences.
        when: names a frame (`Film.when`).
        found: the findings.
    """
    told = runs(found)
    for run in told[:MOST_SENTENCES]:
        yield sentence(path, when, *run)
    if len(told) > MOST_SENTENCES:
        yield f"{path}: {len(told) - MOST_SENTENCES} more places are damaged."


def sentence(path: str, when: Callable[[int], str], what: str, first: int | None, last: int | None) -> str:
    """The sentence for one of `runs`. The other arguments are those of `sentences`."""
    if first is None or last is None:
        return f"{path} {what}."
    if first == last:
        return f"{path}: {when(first)} {what}."
    return f"{path}: each of {when(first)} to {when(last)} {what}."


def runs(found: Iterable[Finding]) -> list[tuple[str, int | None, int | None]]:
    """(what, first frame, last frame) of neighbouring frames with the same trouble."""
    found_runs: list[tuple[str, int | None, int | None]] = []
    for finding in found:
        if found_runs and finding.frame is not None:
            what, first, last = found_runs[-1]
            if what == finding.what and last == finding.frame - 1:
                found_runs[-1] = what, first, finding.frame
                continue
        found_runs.append((finding.what, finding.frame, finding.frame))
    return found_runs
