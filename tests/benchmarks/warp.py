"""The time of warping and of measuring motion, on one core.

Warping: cv2.remap on channels-last arrays beside torch's grid_sample and kornia's remap. Motion: settings of OpenCV's
DIS, with the mean error of luma (at network size) and of true chroma (on the chroma grid) after warping a frame to the
next one, over pairs of frames of all clips.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from common import Results, Row, options, run
from footage import all_clips, lab, read
from semcolor.flow.motion import Dis
from semcolor.flow.planes import halve
from semcolor.flow.warp import remap, sources

PICTURES = ((2, 128, 224), (62, 64, 112))
"""Channels, height, width of what is warped: chroma, and the labels' probabilities, of a network size of 256x448."""

FILTERS = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC, "Lanczos-4": cv2.INTER_LANCZOS4}

EMPTY = np.empty(0, np.float32)
"""The second map of `cv2.remap`, where the first one holds x and y."""

Pair = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""A frame and the next one: their thumbs (h, w) uint8, then their true chroma (h/2, w/2, 2) float32."""


def measure(given: argparse.Namespace, results: Results) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    if find_spec("kornia") is None:
        results.skip("kornia, which is not installed")
    rows = [warping(shape, name, given.repeats) for shape in PICTURES for name in FILTERS]
    results.add("Milliseconds to warp a picture", rows)
    pairs = [pair for clip in all_clips(results, given.clips) for pair in pairs_of(*read(clip, given.frames))]
    results.add("Motion by DIS", [judge(estimate, pairs) for estimate in estimates()])


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Median time of a call, after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times[1:])


def warping(shape: tuple[int, int, int], name: str, repeats: int) -> Row:
    """The time of one warp by each library; None where a library has no such filter."""
    channels, height, width = shape
    rng = np.random.default_rng(0)
    picture = rng.normal(size=(height, width, channels)).astype(np.float32)
    where = sources(cv2.GaussianBlur(rng.normal(0, 30, (height, width, 2)).astype(np.float32), (0, 0), 8))
    parts = [picture]
    if name != "bilinear" and channels > 4:  # OpenCV's other filters take 4 channels at most
        parts = [np.ascontiguousarray(picture[..., n : n + 4]) for n in range(0, channels, 4)]

    def by_opencv() -> object:
        return [cv2.remap(part, where, EMPTY, FILTERS[name], borderMode=cv2.BORDER_REPLICATE) for part in parts]

    row: Row = {"picture": f"{channels} x {height} x {width}, {name}", "cv2.remap": milliseconds(by_opencv, repeats)}
    for library, make in {"grid_sample": by_torch, "kornia": by_kornia}.items():
        known = name in ("bilinear", "bicubic") and find_spec("kornia" if library == "kornia" else "torch")
        row[library] = milliseconds(make(picture, where, name), repeats) if known else None
    return row


def by_torch(picture: np.ndarray, where: np.ndarray, mode: str) -> Callable[[], object]:
    """torch's warp of a channels-first picture, its grid made beforehand."""
    height, width = where.shape[:2]
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous()
    grid = torch.from_numpy(where / np.array([(width - 1) / 2, (height - 1) / 2], np.float32) - 1)[None]
    return lambda: F.grid_sample(tensor, grid, mode=mode, padding_mode="border", align_corners=True)


def by_kornia(picture: np.ndarray, where: np.ndarray, mode: str) -> Callable[[], object]:
    """kornia's warp of a channels-first picture."""
    from kornia.geometry.transform import remap as kornia_remap

    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous()
    x, y = (torch.from_numpy(np.ascontiguousarray(where[None, ..., n])) for n in (0, 1))
    return lambda: kornia_remap(tensor, x, y, mode=mode, padding_mode="border", align_corners=True)


@dataclass(frozen=True)
class Estimate:
    """Something that measures flow."""

    name: str
    flow: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Where each pixel of the first thumb (h, w) is in the second one: (h, w, 2), or (h/2, w/2, 2)."""
    directions: int = 1
    """Directions that a call measures."""


def estimates() -> list[Estimate]:
    """Settings of DIS, the last of them semcolor's own."""
    ours = Dis()
    return [
        by_dis("fast", cv2.DISOPTICAL_FLOW_PRESET_FAST),
        by_dis("fast, half size", cv2.DISOPTICAL_FLOW_PRESET_FAST, half=True),
        by_dis("fast, half size, 2 refinements", cv2.DISOPTICAL_FLOW_PRESET_FAST, half=True, refinements=2),
        by_dis("medium", cv2.DISOPTICAL_FLOW_PRESET_MEDIUM),
        Estimate("semcolor's", lambda one, two: ours(one[None], two[None])[0][0], directions=2),
    ]


def by_dis(name: str, preset: int, half: bool = False, refinements: int | None = None) -> Estimate:
    """OpenCV's DIS with a preset; on thumbs of half the size it ends at the same scale as otherwise."""
    dis = cv2.DISOpticalFlow_create(preset)  # type: ignore[attr-defined]
    if half:
        dis.setFinestScale(1)
    if refinements is not None:
        dis.setVariationalRefinementIterations(refinements)
    return Estimate(name, lambda one, two: dis.calc(*((halve(one), halve(two)) if half else (one, two)), None))


def judge(estimate: Estimate, pairs: list[Pair]) -> Row:
    """Time and errors of one setting over all pairs of frames."""
    times, luma, chroma = [], [], []
    for before, now, before_ab, now_ab in pairs:
        started = time.perf_counter()
        flow = estimate.flow(now, before)
        times.append(1000 * (time.perf_counter() - started) / estimate.directions)
        scale = now.shape[0] // flow.shape[0]
        full = cv2.resize(flow, now.shape[::-1], interpolation=cv2.INTER_LINEAR) * np.float32(scale)
        small = flow if scale == 2 else halve(flow) * np.float32(0.5)
        luma.append(cv2.absdiff(remap(before, sources(full)), now).mean())
        chroma.append(np.abs(remap(before_ab, sources(small)) - now_ab).mean())
    return {
        "DIS": estimate.name,
        "ms a direction": statistics.median(times),
        "error of luma": float(np.mean(luma)),
        "error of true chroma": float(np.mean(chroma)),
    }


def pairs_of(thumbs: np.ndarray, rgb: np.ndarray, step: int = 4) -> list[Pair]:
    """Every `step`-th pair of neighbours of a clip."""
    ab = np.ascontiguousarray(lab(rgb)[..., 1:])
    return [(thumbs[n - 1], thumbs[n], ab[n - 1], ab[n]) for n in range(1, len(thumbs), step)]


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--repeats", type=int, default=50, help="warps that are timed")
    parser.add_argument("--frames", type=int, default=48, help="frames of each clip, every fourth of which is used")
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="only these clips")
    run(parser, measure)
