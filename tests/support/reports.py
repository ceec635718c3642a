"""Films with their reports, made in one process and without networks: colours and labels follow from the luma."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from semcolor.models.labels import INDEX
from semcolor.pipeline.chunk import Chunk
from semcolor.pipeline.containers import output_format
from semcolor.pipeline.encode import Encoding, choose_encoding
from semcolor.pipeline.files import file_sha256
from semcolor.pipeline.film import Film, open_film
from semcolor.pipeline.frames import Colors, Thumbs
from semcolor.pipeline.mux import assemble
from semcolor.pipeline.parts import gaps, standing
from semcolor.pipeline.pictures import choose_pictures
from semcolor.pipeline.reader import read_chunks
from semcolor.pipeline.report.build import Made, write_report
from semcolor.pipeline.report.lumacheck import LumaCheck
from semcolor.pipeline.report.records import Report, Settings, Timings
from semcolor.pipeline.sequences.names import is_pattern
from semcolor.pipeline.stages import Composing
from semcolor.pipeline.writer import PartWriter

LABELS = [INDEX[name] for name in ("hair", "clothes", "wall", "sky")]

SETTINGS = Settings(
    size=64,
    steady=1.0,
    scenes=0.0,
    vivid=1.0,
    keep_colour="never",
    motion="dis",
    weights_sha256="0" * 64,
    device="cpu",
    precision="float32",
    edits=0,
    sheet=None,
    codec="libx264",
    pix_fmt="yuv420p",
    options={"crf": "16"},
)

TIMINGS = Timings(
    finished="1921-03-04T05:06:07+00:00",
    seconds=1.0,
    frames=1,
    resumed=0,
    restarts=0,
    workers=1,
    stages={"reading": 0.5},
)


def colors_of(thumbs: Thumbs) -> Colors:
    """Colours and labels that follow from each thumb alone."""
    n, h, w = thumbs.pictures.shape
    small = np.stack([cv2.resize(t, (w // 2, h // 2)) for t in thumbs.pictures])
    ab = np.stack([small / 8.0 - 8, 20 - small / 10.0], 1).astype(np.float16)
    labels = np.zeros((n, len(INDEX), h // 4, w // 4), np.uint8)
    band = small[:, ::2, ::2] // 64
    for place, label in enumerate(LABELS):
        labels[:, label] = np.where(band == place, 200, 10)
    return Colors(ab, labels)


def _chosen(film: Film, output: Path, codec: str) -> tuple[Film, Encoding]:
    """The film as it is read, and its encoding."""
    if is_pattern(output):
        return choose_pictures(film, output)
    return film, choose_encoding(film, codec, container=output_format(output))


def make_parts(
    film: Film, folder: Path, output: Path, *, codec: str = "libx264", chunk: int = 32, stop: int | None = None
) -> None:
    """Write the missing parts of a film with the notes for its report; `stop`: end after so many parts, as a crash
    would."""
    film, encoding = _chosen(film, output, codec)
    writer = PartWriter(folder, film, encoding, parts=standing(folder), luma_check=LumaCheck(film, encoding))
    composing = Composing(film, encoding, report=True)
    missing = gaps(folder, writer.parts, film.frames)
    for frames in chain.from_iterable(read_chunks(film, chunk, 64, gap) for gap in missing):
        own: Chunk = frames.chunk
        if own.beyond:
            continue
        made = composing.compose(frames, colors_of(frames.thumbs))
        writer.write(own, frames.luma, made.chroma, b"", note=made.note)
        if stop and len(writer.parts) >= stop:
            return


def report_film(source: Path, output: Path, report: Path, **how: object) -> Report:
    """Make the film `output`, and its report at `report`. `how`: see `make_parts`."""
    folder = report.with_name(f"{report.stem}.work")
    film = open_film(source)
    make_parts(film, folder, output, **how)  # type: ignore[arg-type]
    return finish(film, folder, output, report, codec=str(how.get("codec", "libx264")))


def finish(film: Film, folder: Path, output: Path, report: Path, codec: str = "libx264") -> Report:
    """Join the parts, move the film to its place, and write the report."""
    (film, encoding), parts = _chosen(film, output, codec), standing(folder)
    result = assemble(film, folder, parts, output, encoding)
    if encoding.pictures is None:
        result = result.replace(output)
    files = {"film": (result, output, file_sha256(result))}
    made = Made(
        film=film,
        encoding=encoding,
        folder=folder,
        parts=parts,
        files=files,
        findings=film.findings,
        settings=SETTINGS,
        timings=TIMINGS,
    )
    return write_report(made, report)
