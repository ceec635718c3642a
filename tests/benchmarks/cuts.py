"""Recall and precision of the cut finder on made edits, clean and damaged.

The first edits are those of tests/pipeline/test_cuts.py (photos under a moving camera and clips of packages; fast pans,
zooms, dissolves, fades) with other seeds. The second are excerpts of the data folder's clips, joined by hard cuts.
Damage is exposure that flickers by ±20 %, grain, flashes, dust and blotches. Photos and clips of packages were also at
hand when the finder's constants were chosen; which of them were used is not known.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import DATA, Results, Row, options, run
from footage import Clip, all_clips, decoded, resized
from pipeline.test_cuts import SMALL, Edit, find, make_edit, worn


def measure(given: argparse.Namespace, results: Results) -> None:
    made = [make_edit(given.seed + n) for n in range(given.edits)]
    results.add("Made edits", [judge(made, given.seed, damaged) for damaged in (False, True)])
    clips = [thumbs(clip) for clip in all_clips(results) if clip.path.parent.parent == DATA]
    if len(clips) > 1:
        joined = [join(clips, given.seed + n) for n in range(given.joined)]
        results.add("Joined clips", [judge(joined, given.seed, damaged) for damaged in (False, True)])


def judge(edits: list[Edit], first: int, damaged: bool) -> Row:
    """Hard cuts found, missed, and reported where there are none."""
    total = np.zeros(3, int)
    for seed, edit in enumerate(edits, first):
        frames, flashes = worn(edit.frames, seed) if damaged else (np.stack(edit.frames), set[int]())
        total += score(edit, set(find(frames)), flashes)
    right, missed, wrong = (int(count) for count in total)
    return {
        "damaged": "yes" if damaged else "no",
        "edits": len(edits),
        "frames": sum(len(edit.frames) for edit in edits),
        "cuts": right + missed,
        "recall": right / (right + missed),
        "precision": right / max(right + wrong, 1),
    }


def score(edit: Edit, found: set[int], flashes: set[int]) -> tuple[int, int, int]:
    """(right, missed, wrong).

    A cut under a flash may be found where the flash ends. One cut within a fade through black is not wrong.
    """
    cuts = {_after_flash(cut, found, flashes) for cut in edit.cuts}
    wrong = found - cuts
    for fade in edit.fades:
        wrong -= set(sorted(wrong & set(fade))[:1])
    return len(found & cuts), len(cuts - found), len(wrong)


def _after_flash(cut: int, found: set[int], flashes: set[int]) -> int:
    while cut in flashes and cut not in found:
        cut += 1
    return cut


def thumbs(clip: Clip, most: int = 240) -> np.ndarray:
    """(N, 144, 192) uint8 luma of a clip's first frames."""
    return np.stack(
        [resized(f.to_ndarray(format="gray"), (SMALL[1], SMALL[0])) for f in decoded(clip.path, clip.first, most)]
    )


def join(clips: list[np.ndarray], seed: int, count: int = 8) -> Edit:
    """`count` excerpts of 8 to 39 frames, neighbours from different clips."""
    rng, edit, last = np.random.default_rng(seed), Edit(), -1
    for _ in range(count):
        last = int(rng.choice([n for n in range(len(clips)) if n != last]))
        length = int(rng.integers(8, 40))
        start = int(rng.integers(0, max(1, len(clips[last]) - length)))
        if edit.frames:
            edit.cuts.append(len(edit.frames))
        edit.frames += list(clips[last][start : start + length])
    return edit


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--edits", type=int, default=80, help="made edits")
    parser.add_argument("--joined", type=int, default=20, help="edits joined of clips")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first edit; the tests use 0 to 19")
    run(parser, measure)
