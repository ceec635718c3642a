"""How near the colours of held-out photos come to the truth, at several strengths of colour.

The error is CIEDE2000 at the truth's lightness, as a ratio to that of the grey picture; colourfulness is a ratio to the
truth's. Paler colours err less, so one pair of figures misleads: chroma is scaled, and the error is read where
colourfulness is .5, .7 and .9 of the truth's. Photos are the test splits of the data folder, or else scikit-image's.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import skimage.io
from common import DATA, Results, Row, mean_row, options, run
from semcolor.models.checkpoint import load
from semcolor.models.training.dataset import DataFolder
from semcolor.models.training.evaluate import colorized_photos, evaluate
from support.films import PHOTOS, photo

COLORFULNESS = 0.5, 0.7, 0.9
"""Colourfulness, by the truth's, at which the error is read."""

VIVID = np.linspace(0.5, 2.0, 7)
"""Factors of the chroma that are tried."""


def measure(given: argparse.Namespace, results: Results) -> None:
    if (DATA / "photos").is_dir():
        folder, sources, split = DataFolder(DATA), given.sources, "test"
        measure_photos(folder, sources, split, given, results)
        return
    results.skip("the photos of the data folder, which is not there; scikit-image's are used")
    with tempfile.TemporaryDirectory() as place:
        for name in PHOTOS:
            skimage.io.imsave(Path(place) / f"{name}.png", photo(name))
        folder = DataFolder(Path(place))
        measure_photos(folder, folder.sources(), "train", given, results)


def measure_photos(
    folder: DataFolder, sources: list[str], split: str, given: argparse.Namespace, results: Results
) -> None:
    """A table of each size."""
    model = load().eval()
    for size in given.sizes:
        rows = []
        for source in sources:
            photos = folder.photos(split, [source])[: given.photos]
            seen = list(colorized_photos(model, folder, photos, size))
            figures = [evaluate(seen, folder, float(vivid))[0] for vivid in VIVID]
            curve = np.array([(figure.colourfulness, figure.ratio) for figure in figures])
            rows.append(row_of(source, len(photos), curve))
        results.add(f"Colour, --size {size}", [*rows, mean_row("mean", rows)])


def row_of(source: str, photos: int, curve: np.ndarray) -> Row:
    """The frontier of one source from its `curve` (len(VIVID), 2), colourfulness and ratio."""
    colorful, ratio = curve.T
    row: Row = {"photos of": source, "photos": photos}
    row |= {name: float(np.interp(1, VIVID, axis)) for name, axis in (("ratio", ratio), ("colourfulness", colorful))}
    for wanted in COLORFULNESS:
        reached = colorful[0] <= wanted <= colorful[-1]
        row[f"ratio at {wanted}"] = float(np.interp(wanted, colorful, ratio)) if reached else None
    return row


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--sources", nargs="+", default=["bsds", "ccp", "idd", "stock"], help="sources of the photos")
    parser.add_argument("--photos", type=int, default=12, help="photos of each source")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256], help="the network's short sides: 256 384 512")
    run(parser, measure)
