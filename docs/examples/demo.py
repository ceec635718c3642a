"""`make demo`: take a film's colour away, colorize it with `semcolor-video`, and lay the results side by side."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from semcolor.pipeline.contactsheet import contact_sheet
from semcolor.pipeline.encode import choose_encoding, chroma_size
from semcolor.pipeline.files import move_into_place
from semcolor.pipeline.film import open_film
from semcolor.pipeline.mux import assemble
from semcolor.pipeline.parts import committed
from semcolor.pipeline.reader import FilmReader
from semcolor.pipeline.writer import PartWriter


def remove_color(source: Path, output: Path) -> None:
    """The film with its own luma, its sound and no colour."""
    film = open_film(source)
    encoding = choose_encoding(film)
    neutral = 1 << (film.bits - 1)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:  # beside the output: it is renamed into place
        writer = PartWriter(folder, film, encoding)
        for frames in FilmReader(film):
            luma = frames.luma
            size = (len(luma), 2, *chroma_size(film.width, film.height, encoding.pix_fmt))
            writer.write(frames.chunk, luma, np.full(size, neutral, luma.dtype))
        move_into_place(assemble(film, folder, committed(folder), output, encoding), output)


def main(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    gray, color, labels = (folder / f"{source.stem}.{kind}{source.suffix}" for kind in ("grey", "color", "labels"))
    remove_color(source, gray)
    command = ["semcolor-video", str(gray), "-o", str(color), "--labels", str(labels), "--overwrite"]
    print("$", *command, flush=True)
    started = time.monotonic()
    # The command of this very environment, also where another one is on the path.
    subprocess.run([sys.executable, "-m", "semcolor.jobs.commands.video", *command[1:]], check=True)
    sheet = folder / "sheet.jpg"
    contact_sheet({"grey": gray, "labels": labels, "colour": color, "truth": source}, sheet)
    print(f"The film:          {color}  ({time.monotonic() - started:.0f} s)\nThe labels:        {labels}")
    print(f"The contact sheet: {sheet}  (grey, labels, colour, truth)")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
