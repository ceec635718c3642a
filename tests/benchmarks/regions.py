"""How well a region of a shot's first frame is followed, against outlines that people drew.

J is the intersection over union of region and truth. F is the agreement of their borders: the harmonic mean of
precision and recall, with a tolerance of 0.008 of the picture's diagonal (Perazzi et al., "A Benchmark Dataset and
Evaluation Methodology for Video Object Segmentation", CVPR 2016). Both are means over all frames but the first, whose
mask is given, at the size of the truth. DAVIS' clips lie in the data folder; a made film needs none.
"""

from __future__ import annotations

import argparse
import math
import time

import cv2
import numpy as np
import skimage.morphology
from common import Results, Row, mean_row, options, run
from footage import filled, marked, masks, overlap, read, resized
from semcolor.flow.track import follow
from support.motions import disc

TOLERANCE = 0.008
"""How far two borders may be apart, of the picture's diagonal."""


def measure(given: argparse.Namespace, results: Results) -> None:
    grounds = {"textured": False, "flat": True}
    made = {f"disc, {name}": disc(41, 4, 48, (192, 304), flat) for name, flat in grounds.items()}
    results.add("Made films", [judge(name, *film) for name, film in made.items()])
    rows = []
    for clip in marked(results, given.clips):
        truth = masks(clip, given.frames)
        rows.append(judge(clip.name, read(clip, len(truth), given.size)[0], truth))
    if rows:
        results.add("DAVIS", [*rows, mean_row("mean", rows)])


def judge(name: str, thumbs: np.ndarray, truth: np.ndarray) -> Row:
    """J and F of one film, thumbs (N, h, w) uint8 and truth (N, H, W) bool, and the time that a frame takes."""
    height, width = thumbs.shape[1:]
    given = resized(filled(truth[0]), (width // 2, height // 2))
    started = time.perf_counter()
    found = dict(follow(thumbs, filled(given >= 128), 0))
    seconds = time.perf_counter() - started
    size = truth.shape[2], truth.shape[1]
    large = [cv2.resize(found[n], size, interpolation=cv2.INTER_LINEAR) for n in range(1, len(truth))]
    pairs = [(np.asarray(region) >= 128, true) for region, true in zip(large, truth[1:], strict=True)]
    return {
        "film": name,
        "frames": len(truth),
        "J": float(np.mean([overlap(*pair) for pair in pairs])),
        "F": float(np.mean([border_agreement(*pair) for pair in pairs])),
        "J, last frame": overlap(*pairs[-1]),
        "ms a frame": 1000 * seconds / len(pairs),
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
    parser.add_argument("--size", type=int, default=256, help="the network's short side")
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="only these clips")
    run(parser, measure)
