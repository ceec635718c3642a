"""Remake `docs/strip.jpg`: a grey film, its labels, its colours, and the colours after two corrections.

    python docs/examples/strip.py FOLDER

The film is made of photos that come with scikit-image; `semcolor-video` runs twice, without and with the edits below.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from semcolor.pipeline.contactsheet import contact_sheet

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "tests"))

from support.films import make_film, shot  # noqa: E402

SIZE = 360, 480
"""Height and width of the film."""

CAMERA = {
    "astronaut": (48, (0.5, 0.0, 0.85), (0.4, 0.1, 0.7)),
    "rocket": (24, (0.3, 0.3, 0.8), (0.5, 0.5, 0.95)),
}
"""For each photo, the number of frames, and where the camera begins and ends; see `support.films.shot`."""

ROWS = 3
"""Frames in the picture: two of the first shot and one of the second."""

SUIT = [
    *[(0, 308), (25, 277), (75, 238), (90, 262), (110, 293), (150, 318), (190, 335), (230, 344), (265, 338)],
    *[(290, 320), (305, 298), (306, 272), (335, 287), (352, 307), (368, 360), (0, 360)],
]
"""Outline of the suit in frame 24, drawn by hand."""

EDITS = {
    "edits": [
        {
            "frame": 24,
            "region": {"polygon": SUIT},
            "action": {"colour": "#d8642c"},
            "note": "the suit is orange",
        },
        {"region": {"label": "wall"}, "range": {"shot": 1}, "action": {"label": "sky"}},
        {"region": {"label": "sky"}, "range": {"shot": 1}, "action": {"colour": "#5b86b8"}, "note": "an evening"},
    ]
}

QUALITY = 85
"""Of the JPEG, which keeps the picture below 200 kB."""


def colorize(film: Path, output: Path, *options: str) -> None:
    """Run `semcolor-video` of this very environment, also where another one is on the path."""
    command = [sys.executable, "-m", "semcolor", str(film), "-o", str(output), *options, "--overwrite"]
    subprocess.run(command, check=True)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    film, labels, color, corrected, edits = (
        folder / name for name in ("film.mp4", "labels.mp4", "colour.mp4", "corrected.mp4", "edits.json")
    )
    pictures = np.concatenate([shot(photo, frames, SIZE, *way) for photo, (frames, *way) in CAMERA.items()])
    make_film(film, pictures)
    edits.write_text(json.dumps(EDITS, indent=2))
    colorize(film, color, "--labels", str(labels))
    colorize(film, corrected, "--edits", str(edits))
    drawn = folder / "strip.png"
    columns = {"film": film, "labels": labels, "colour": color, "colour, corrected": corrected}
    contact_sheet(columns, drawn, rows=ROWS)
    Image.open(drawn).save(HERE.parent / "strip.jpg", quality=QUALITY)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
