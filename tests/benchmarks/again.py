"""Whether a region is found again in the next shot of its place, and nowhere else.

A clip of DAVIS is cut in two. The second piece is brighter and shows another part of the picture, as in scenes.py. The
region is given in the middle of the first piece, by the outline that people drew. J is its mean overlap with the truth
in all other frames of the first piece, where it is followed, and in all frames of the second one, where it is found
again; 0 where it is not. It is also looked for in the second piece with the thing painted over by what is beside it,
and in the other clips: there it is not.

The constants of `pipeline.edits.again` were chosen on these clips.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from common import Results, Row, mean_row, options, run
from footage import Clip, filled, marked, masks, overlap
from scenes import grays, piece, written
from semcolor.flow.track import track
from semcolor.models.memory import RegionMemory
from semcolor.models.sight import Sight
from semcolor.pipeline.edits.again import Look, follow_again
from semcolor.pipeline.film import Film, open_film
from semcolor.pipeline.following import FOLLOWED, LOST_CONFIDENCE, thumbs_of
from semcolor.pipeline.scenes import LOOKS, spread_out


def measure(given: argparse.Namespace, results: Results) -> None:
    sight, rows = Sight(), list[Row]()
    with tempfile.TemporaryDirectory() as folder:
        pieces = {clip.name: _pieces(clip, given.frames, Path(folder)) for clip in marked(results, given.clips)}
        for name, (films, truth, gone) in pieces.items():
            count = films[0].frames
            with thumbs_of(films[0], 0, count, FOLLOWED) as thumbs:
                grid = thumbs.shape[2] // 2, thumbs.shape[1] // 2
                mask = cv2.resize(filled(truth[0][count // 2]), grid, interpolation=cv2.INTER_AREA)
                places = list(track(thumbs, mask, count // 2, lambda: RegionMemory(sight)))
                looks = [
                    Look(np.array(thumbs[place.frame]), place.mask)
                    for place in places
                    if place.frame in spread_out(count, LOOKS) and place.confidence >= LOST_CONFIDENCE
                ]
            first = [_overlap(place.mask, truth[0][place.frame]) for place in places if place.frame != count // 2]
            second = np.zeros(films[1].frames)
            for place in follow_again(films[1], (0, films[1].frames), looks, sight):
                second[place.frame] = _overlap(place.mask, truth[1][place.frame])
            elsewhere = [others[1] for other, (others, *_) in pieces.items() if other != name]
            rows.append(
                {
                    "film": name,
                    "frames of a piece": count,
                    "J, first piece": float(np.mean(first)),
                    "J, second piece": float(second.mean()),
                    "found where it is painted over": float(any(follow_again(gone, (0, gone.frames), looks, sight))),
                    "found in other clips": sum(
                        any(True for _ in follow_again(other, (0, other.frames), looks, sight)) for other in elsewhere
                    ),
                }
            )
    if rows:
        results.add("Found again", [*rows, mean_row("mean", rows)])


def _pieces(clip: Clip, frames: int, folder: Path) -> tuple[list[Film], list[np.ndarray], Film]:
    """Both pieces of a clip, the thing's outlines in them, (N, H, W) bool, and the second piece without the thing."""
    pictures, outlines = grays(clip, frames), masks(clip, frames)
    half = min(len(pictures), len(outlines)) // 2
    films: list[Film] = []
    truth: list[np.ndarray] = []
    for part in (0, 1):
        span = slice(part * half, (part + 1) * half)
        shown = [piece(picture, part) for picture in pictures[span]]
        truth.append(np.stack([piece(outline.astype(np.uint8), part) > 0 for outline in outlines[span]]))
        films.append(open_film(written(folder / f"{clip.name}-{part}.mkv", shown)))
    without = [_painted_over(picture, inside) for picture, inside in zip(shown, truth[1], strict=True)]
    return films, truth, open_film(written(folder / f"{clip.name}-gone.mkv", without))


def _painted_over(picture: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """A picture (H, W) uint8 in which a thing, (H, W) bool, is painted over by what lies beside it."""
    left, result = cv2.dilate(inside.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0, picture.copy()
    hidden = left.copy()
    for shift in (picture.shape[1] // 3, -(picture.shape[1] // 3)):
        put = left & ~np.roll(hidden, shift, 1)
        result[put] = np.roll(picture, shift, 1)[put]
        left &= ~put
    return result


def _overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """J of a mask of any size and the truth, (H, W) bool."""
    return overlap(np.asarray(cv2.resize(mask, truth.shape[::-1])) >= 128, truth)


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--frames", type=int, default=1000, help="frames of each clip at most")
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="only these clips")
    run(parser, measure)
