"""How well a region of a shot's first frame is followed, against outlines that people drew.

J is the intersection over union of region and truth. F is the agreement of their borders: the harmonic mean of
precision and recall, with a tolerance of 0.008 of the picture's diagonal (Perazzi et al., "A Benchmark Dataset and
Evaluation Methodology for Video Object Segmentation", CVPR 2016). Both are means over all frames but the first, whose
mask is given, at the size of the truth, through `semcolor.follow`. DAVIS' clips lie in the data folder; a made film
needs none.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import skimage.morphology
from common import Results, Row, mean_row, options, run
from footage import filled, marked, masks, overlap, resized
from semcolor import follow, open_film
from semcolor.flow.track import Place, track
from semcolor.models.memory import RegionMemory
from semcolor.models.sight import Sight
from support.motions import disc

TOLERANCE = 0.008
"""How far two borders may be apart, of the picture's diagonal."""


def measure(given: argparse.Namespace, results: Results) -> None:
    sight = Sight(given.weights)
    rows = []
    for name, flat in {"disc, textured": False, "disc, flat": True}.items():
        thumbs, truth = disc(41, 4, 48, (192, 320), flat)
        mask = filled(resized(filled(truth[0]), (160, 96)) >= 128)
        rows.append(judge(name, track(thumbs, mask, 0, lambda: RegionMemory(sight)), truth))
    results.add("Made films", rows)
    rows = []
    for clip in marked(results, given.clips):
        truth = masks(clip, given.frames)
        rows.append(judge(clip.name, follow(open_film(clip.path), 0, filled(truth[0]), weights=given.weights), truth))
    if rows:
        results.add("DAVIS", [*rows, mean_row("mean", rows)])


def judge(name: str, places: Iterator[Place], truth: np.ndarray) -> Row:
    """J and F of a region that is followed from the first frame on, and the time that a frame takes.

    Args:
        name: of the film.
        places: the region in each frame, its mask of any size. Where a frame is missing, nothing was found.
        truth: (N, H, W) bool.
    """
    height, width = truth.shape[1:]
    started = time.perf_counter()
    found = {place.frame: place for place in places}
    seconds = time.perf_counter() - started
    pairs = []
    for n, true in enumerate(truth[1:], 1):
        large = cv2.resize(found[n].mask, (width, height)) if n in found else np.zeros((height, width), np.uint8)
        pairs.append((np.asarray(large) >= 128, true))
    return {
        "film": name,
        "frames": len(truth),
        "J": float(np.mean([overlap(*pair) for pair in pairs])),
        "F": float(np.mean([border_agreement(*pair) for pair in pairs])),
        "J, last frame": overlap(*pairs[-1]),
        "confidence": float(np.mean([place.confidence for place in found.values()])),
        "ms a frame": 1000 * seconds / len(found),
    }


def border_agreement(shown: np.ndarray, truth: np.ndarray) -> float:
    """DAVIS' F of two (H, W) bool."""
    near = np.asarray(skimage.morphology.disk(math.ceil(TOLERANCE * math.hypot(*truth.shape))))
    ours, true = border(shown), border(truth)
    if not ours.any() or not true.any():
        return float(ours.any() == true.any())
    precision, recall = (
        (one & cv2.dilate(other, near)).sum() / one.sum() for one, other in ((ours, true), (true, ours))
    )
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def border(mask: np.ndarray) -> np.ndarray:
    """(H, W) uint8: 1 where the next pixel to the right, below, or both is on the other side."""
    wide = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return ((mask != wide[:-1, 1:]) | (mask != wide[1:, :-1]) | (mask != wide[1:, 1:])).astype(np.uint8)


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--frames", type=int, default=1000, help="frames of each clip at most")
    parser.add_argument("--weights", type=Path, help="a weights file")
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="only these clips")
    run(parser, measure)
