"""How steady and how true the colours of clips are: the truth's, each frame painted alone, and the steadied ones.

The clips' luma is painted; their own colours are the truth. Warp error and label churn follow the measured motion
(`semcolor.flow.metrics`). CDC is measured on R'G'B', and CIEDE2000 and colourfulness are measured at the truth's
lightness. All is on the chroma grid, half the network's size.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import skimage.color
from common import Results, Row, mean_row, options, run
from footage import Clip, all_clips, colored, lab, read
from semcolor.flow import Answers, Steadier, complete, estimate
from semcolor.flow.metrics import chroma_distribution_consistency, chroma_warp_error, label_churn
from semcolor.models.painter import Painter
from semcolor.pipeline.stages import frames_to_paint


def measure(given: argparse.Namespace, results: Results) -> None:
    painter = Painter("cpu")
    rows = [judge(painter, clip, given.frames, given.size) for clip in all_clips(results, given.clips)]
    results.add("Steadiness", [*rows, mean_row("mean", rows)])


def judge(painter: Painter, clip: Clip, frames: int, short: int) -> Row:
    """The figures of one clip."""
    thumbs, rgb = read(clip, frames, short)
    motion = estimate(thumbs, None)
    ab, labels = painter.paint(thumbs)
    at = list(frames_to_paint(0, len(ab), True, None))
    steady_ab, steady_labels = Steadier().blend(*complete(Answers(ab[at], labels[at], at), motion)[:2], motion, 0, None)
    truth = lab(rgb)
    painted = {"truth": truth[..., 1:].transpose(0, 3, 1, 2), "frame": ab, "steady": steady_ab}
    shown = {name: colored(truth, chroma) for name, chroma in painted.items()}
    row: Row = {"clip": clip.name}
    row |= {f"warp error, {name}": chroma_warp_error(chroma, motion) for name, chroma in painted.items()}
    row |= {f"CDC, {name}": chroma_distribution_consistency(pictures(picture)) for name, picture in shown.items()}
    row |= {"churn, frame": label_churn(labels, motion), "churn, steady": label_churn(steady_labels, motion)}
    row |= {f"CIEDE2000, {name}": difference(shown[name], truth) for name in ("frame", "steady")}
    true = colorfulness(shown["truth"])
    return row | {f"colour, {name}": colorfulness(shown[name]) / true for name in ("frame", "steady")}


def pictures(shown: np.ndarray) -> np.ndarray:
    """CIE Lab (N, h, w, 3) → R'G'B' (N, 3, h, w) uint8."""
    rgb = np.stack([cv2.cvtColor(picture, cv2.COLOR_Lab2RGB) for picture in shown])
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8).transpose(0, 3, 1, 2)


def difference(shown: np.ndarray, truth: np.ndarray) -> float:
    """Mean CIEDE2000 of two (N, h, w, 3) CIE Lab."""
    return float(skimage.color.deltaE_ciede2000(shown, truth).mean())


def colorfulness(shown: np.ndarray) -> float:
    """Mean over frames of Hasler and Süsstrunk's measure ("Measuring Colourfulness in Natural Images", 2003)."""
    red, green, blue = pictures(shown).transpose(1, 0, 2, 3).astype(np.float32)
    axes = red - green, (red + green) / 2 - blue
    spread, shift = (np.hypot(*(getattr(axis, what)((1, 2)) for axis in axes)) for what in ("std", "mean"))
    return float((spread + 0.3 * shift).mean())


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--frames", type=int, default=48, help="frames of each clip")
    parser.add_argument("--size", type=int, default=256, help="the network's short side")
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="only these clips")
    run(parser, measure)
