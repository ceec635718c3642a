"""How well an outline that is off is drawn to the edges: ours beside OpenCV's GrabCut and watershed.

An outline is drawn too large, too small, too far to the right and too far down, by so many pixels of a picture of 480
lines. The figure is its overlap with the truth on the chroma grid (IoU, with pixels that are covered in part), the mean
over things and ways of being off. GrabCut and watershed decide within the band in which ours decides. Made things are
blobs of one ground on another. DAVIS has outlines that people drew; the first, middle and last frame of each clip are
used. Where there is no edge, the outline is to stay: there the overlap is with the outline as it was drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from common import Results, Row, options, run
from footage import Clip, filled, marked, masks, overlap, read, resized
from semcolor.flow.planes import halve
from semcolor.flow.snap import REACH, snap
from support.films import photo
from support.motions import texture

SIZE = 256, 448
MOST = 1000
"""Frames of a clip at most."""

WAYS = "large", "small", "right", "down"


@dataclass(frozen=True)
class Thing:
    """A picture (h, w) uint8, and the region of it that is meant: (h, w) uint8, 255 inside, 0 outside."""

    picture: np.ndarray
    region: np.ndarray


def measure(given: argparse.Namespace, results: Results) -> None:
    made = [made_thing(kind, seed) for kind in GROUNDS for seed in range(given.things)]
    results.add("Made things", [judge(made, off) for off in given.off])
    bare = [made_thing(kind, seed, there=False) for kind in GROUNDS for seed in range(given.things)]
    results.add("No edge", [judge(bare, off, drawn_is_true=True) for off in given.off[::2]])
    things = [thing for clip in marked(results) for thing in seen_things(clip)]
    if things:
        results.add("DAVIS", [judge(things[:: given.step], off) for off in given.off])


def judge(things: list[Thing], off: int, drawn_is_true: bool = False) -> Row:
    """Mean overlap over things and ways of being off."""
    row: Row = {"off": off}
    for name, draw in METHODS.items():
        found = []
        for thing in things:
            for way in WAYS if off else WAYS[:1]:
                drawn = moved(thing.region, off * SIZE[0] / 480, way)
                if drawn.any():
                    truth = halve(drawn if drawn_is_true else thing.region)
                    found.append(overlap(draw(drawn, thing.picture), truth))
        row[name] = float(np.mean(found))
    return row


def depth(region: np.ndarray) -> np.ndarray:
    """(h, w) float32: how far each pixel is inside the region's border; negative outside."""
    inside, outside = (cv2.distanceTransform(side, cv2.DIST_L2, 5) for side in (region, 255 - region))
    return np.where(region > 0, inside - 0.5, 0.5 - outside)


def moved(region: np.ndarray, pixels: float, way: str) -> np.ndarray:
    """The region as it is drawn by somebody who is off by so many pixels."""
    if way in ("large", "small"):
        return filled(depth(region) > (-pixels if way == "large" else pixels))
    x, y = (pixels, 0) if way == "right" else (0, pixels)
    shifted = cv2.warpAffine(region, np.array([[1, 0, x], [0, 1, y]], np.float32), region.shape[::-1])
    return filled(np.asarray(shifted) >= 128)


def by_grabcut(drawn: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """OpenCV's GrabCut within the band (h/2, w/2)."""
    inside, outside = sure(drawn)
    mask = np.where(drawn > 0, np.uint8(cv2.GC_PR_FGD), np.uint8(cv2.GC_PR_BGD))
    mask[inside], mask[outside] = cv2.GC_FGD, cv2.GC_BGD
    if inside.any() and outside.any():
        cv2.setRNGSeed(0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(cv2.merge([picture] * 3), mask, (0, 0, 0, 0), *models, 3, cv2.GC_INIT_WITH_MASK)
    return halve(filled(mask % 2 == 1))


def by_watershed(drawn: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """OpenCV's watershed within the band (h/2, w/2); its border pixels stay as they were drawn."""
    inside, outside = sure(drawn)
    if not inside.any():
        return halve(drawn)
    basins = cv2.watershed(cv2.merge([picture] * 3), np.int32(2) * inside + np.int32(1) * outside)
    return halve(np.where(basins == -1, drawn, filled(np.asarray(basins) == 2)))


def sure(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is surely inside, and surely outside, of an outline that is off by `REACH` at most: (h, w) bool."""
    deep = depth(drawn)
    reach = REACH * len(drawn)
    return deep > reach, deep < -reach


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "as drawn": lambda drawn, picture: halve(drawn),
    "snap": snap,
    "GrabCut": by_grabcut,
    "watershed": by_watershed,
}


def grainy(value: float, seed: int) -> np.ndarray:
    """A flat ground with grain."""
    return value + np.random.default_rng(seed).normal(0, 3, SIZE).astype(np.float32)


def rough(value: float, seed: int) -> np.ndarray:
    """A ground with texture."""
    return 0.6 * texture(*SIZE, seed, 4) - 77 + value


def pictured(name: str, seed: int) -> np.ndarray:
    """A photo, in its luma."""
    return resized(cv2.cvtColor(photo(name), cv2.COLOR_RGB2GRAY), (SIZE[1], SIZE[0])).astype(np.float32)


GROUNDS = {
    "plain": (partial(grainy, 100), partial(grainy, 140)),
    "textured": (partial(rough, 90), partial(rough, 150)),
    "photos": (partial(pictured, "coffee"), partial(pictured, "chelsea")),
}
"""Kind → the grounds of the thing and of what is around it, by seed."""


def made_thing(kind: str, seed: int, there: bool = True) -> Thing:
    """A blob of one ground on another; if it is not `there`, the ground alone."""
    thing, around = GROUNDS[kind]
    share = cv2.GaussianBlur(blob(seed), (0, 0), 0.7).astype(np.float32) / 255 * there
    picture = thing(2 * seed) * share + around(2 * seed + 1) * (1 - share)
    return Thing(np.clip(picture, 0, 255).astype(np.uint8), blob(seed))


def blob(seed: int) -> np.ndarray:
    """(h, w) uint8: the largest connected part of a smooth random field above its mean."""
    field = filled(texture(*SIZE, seed + 100, 20) > 150)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(field)
    return filled(np.asarray(parts) == 1 + stats[1:, cv2.CC_STAT_AREA].argmax())


def seen_things(clip: Clip) -> list[Thing]:
    """The main thing of a clip in its first, middle and last frame."""
    truth = masks(clip, MOST)
    thumbs, _ = read(clip, len(truth))
    things = []
    for n in (0, len(truth) // 2, -1):
        region = filled(resized(filled(truth[n]), thumbs.shape[:0:-1]) >= 128)
        if region.any():
            things.append(Thing(thumbs[n], region))
    return things


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--things", type=int, default=3, help="made things of each kind")
    parser.add_argument("--off", type=int, nargs="+", default=[0, 2, 4, 6, 8], help="pixels of a picture of 480 lines")
    parser.add_argument("--step", type=int, default=1, help="use every STEP-th thing of the clips")
    run(parser, measure)
