"""Colours that the source already has are found shot by shot, and kept where the user wants it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from semcolor import Look, ShotColor, colorize, open_film, own_colors
from semcolor.errors import InputError
from semcolor.pipeline.chunk import Resume
from semcolor.pipeline.compose import Layer, Layered, chroma_planes
from semcolor.pipeline.encode import choose_encoding, subsampling
from semcolor.pipeline.keeping import kept_spans
from semcolor.pipeline.owncolors import OwnColor, add_own, kind_of, shots_of, tell
from semcolor.pipeline.parts import colors_of_parts, committed
from semcolor.pipeline.reader import read_chunks
from semcolor.pipeline.writer import PartWriter
from semcolor.pipeline.ycbcr import PlaneFormat
from support.films import make_film, samples, shot

GREY, TINTED, COLOR = OwnColor

CODINGS: dict[str, dict[str, Any]] = {
    "x264.mkv": {"options": {"crf": "30", "preset": "ultrafast"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"b": "300000"}},
    "jpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "full_range": True, "options": {"qmin": "8", "qmax": "8"}},
    "dv.dv": {"codec": "dvvideo"},
    "ten.mkv": {"codec": "ffv1", "pix_fmt": "yuv422p10le"},
    "rgb.mkv": {"codec": "ffv1", "pix_fmt": "bgr0"},
}


def toned(pictures: np.ndarray, white: tuple[float, ...], dark: tuple[float, ...] = (0, 0, 0)) -> np.ndarray:
    """Grey pictures with grain, in which black is `dark` and white is `white`."""
    gray = pictures.mean(-1, keepdims=True) + np.random.default_rng(1).normal(0, 8, (*pictures.shape[:3], 1))
    share = gray.clip(0, 255) / 255
    return (share * np.array(white) + (1 - share) * np.array(dark)).round().astype(np.uint8)


def still_shot(photo: str, size: tuple[int, int]) -> np.ndarray:
    """Two frames of a photo."""
    return np.repeat(shot(photo, 1, size), 2, 0)


LOOKS = {
    "grey": (GREY, lambda p: toned(p, (255, 255, 255))),
    "the cast of a scanner": (GREY, lambda p: toned(p, (255, 250, 242))),
    "amber": (TINTED, lambda p: toned(p, (255, 190, 90))),
    "night blue": (TINTED, lambda p: toned(p, (110, 150, 255))),
    "sepia": (TINTED, lambda p: toned(p, (255, 235, 200), (40, 20, 5))),
    "toned and tinted": (TINTED, lambda p: toned(p, (255, 200, 120), (10, 25, 70))),
    "colour": (COLOR, lambda p: p),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_each_look_is_told_however_it_is_coded(coding: str, tmp_path: Path) -> None:
    pictures = still_shot("astronaut", (576, 720) if coding.startswith("dv") else (288, 352))
    for name, (kind, paint) in LOOKS.items():
        path = make_film(tmp_path / coding, paint(pictures), gray=False, **CODINGS[coding])
        film = open_film(path)
        assert own_colors(film) == (ShotColor(0, film.frames, kind),), name


@pytest.mark.parametrize("photo", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photos_are_in_colour(photo: str, tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mkv", still_shot(photo, (144, 176)), gray=False, options={"crf": "30"})
    assert [s.kind for s in own_colors(open_film(path))] == [COLOR], photo


def test_gray_formats_have_no_colours(tmp_path: Path) -> None:
    film = open_film(make_film(tmp_path / "a.mkv", shot("coffee", 2), codec="ffv1", pix_fmt="gray"))
    assert [s.kind for s in own_colors(film)] == [GREY]
    assert kept_spans(film, Look(keep_colour="always")) == ()


def test_a_quarter_of_a_shot_decides() -> None:
    assert kind_of(100, 0, 25) is COLOR and kind_of(100, 0, 24) is GREY
    assert kind_of(100, 20, 5) is TINTED and kind_of(100, 25, 0) is TINTED and kind_of(100, 80, 20) is TINTED


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lossless film of 4:2:2 in 10 bits with three shots: grey, in colour, tinted."""
    size = (64, 96)
    pictures = [
        LOOKS["grey"][1](shot("coffee", 20, size)),
        shot("astronaut", 30, size),
        LOOKS["amber"][1](shot("chelsea", 25, size)),
    ]
    path = tmp_path_factory.mktemp("mixed") / "mixed.mkv"
    return make_film(path, np.concatenate(pictures), codec="ffv1", pix_fmt="yuv422p10le", gray=False)


def chroma_of_film(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.array(
            [[samples(plane, np.uint16) for plane in frame.planes[1:]] for frame in container.decode(video=0)]
        )


def test_the_counts_do_not_depend_on_chunks_and_interruptions(mixed: Path, tmp_path: Path) -> None:
    film = open_film(mixed)
    wanted = (ShotColor(0, 20, GREY), ShotColor(20, 50, COLOR), ShotColor(50, 75, TINTED))
    assert own_colors(film, 64) == wanted
    assert own_colors(film, 64, 30, 40) == wanted[1:2] and own_colors(film, 64, 49, 51) == wanted[1:]
    for chunk in (16, 32):
        counts = []
        for frames in read_chunks(film, chunk, 64):
            counts = add_own(counts, frames.chunk)
        assert shots_of(counts) == wanted
    cut_in_two = [c for start, stop in ((0, 60), (60, 75)) for c in parts_of(film, start, stop)]
    assert shots_of(cut_in_two) == wanted
    encoding = choose_encoding(film, "ffv1")
    writer = PartWriter(tmp_path, film, encoding)
    for frames in read_chunks(film, 16, 64):
        chroma = np.full((len(frames.chunk), 2, 64, 48), 512, np.uint16)
        writer.write(frames.chunk, frames.luma, chroma[:, :, : 64 if "422" in encoding.pix_fmt else 32], b"state")
    assert colors_of_parts(committed(tmp_path)) == wanted  # read from the receipts


def parts_of(film: Any, start: int, stop: int) -> list:
    counts = []
    for frames in read_chunks(film, 16, 64):
        first, last = max(start, frames.chunk.start), min(stop, frames.chunk.stop)
        if first < last:
            counts = add_own(counts, frames[first - frames.chunk.start : last - frames.chunk.start].chunk)
    return counts


@pytest.mark.parametrize(("keep", "spans"), [("never", []), ("auto", [(20, 50)]), ("always", [(20, 50), (50, 75)])])
def test_kept_chroma_is_the_sources_bit_for_bit(mixed: Path, tmp_path: Path, keep: Any, spans: list) -> None:
    film, output = open_film(mixed), tmp_path / "out.mkv"
    look = Look(size=64, keep_colour=keep)
    encoding = choose_encoding(film, "ffv1", keep_colour=keep)
    assert subsampling(encoding.pix_fmt) == ("420" if keep == "never" else "422")
    found = colorize(film, output, look, encoding=encoding)
    assert [s.kind for s in found] == [GREY, COLOR, TINTED]
    before, after = chroma_of_film(mixed), chroma_of_film(output)
    same = [after.shape == before.shape and bool((after[n] == before[n]).all()) for n in range(75)]
    assert same == [any(first <= n < stop for first, stop in spans) for n in range(75)]


def test_a_range_keeps_the_same_shots(mixed: Path, tmp_path: Path) -> None:
    film, output = open_film(mixed), tmp_path / "out.mkv"
    encoding = choose_encoding(film, "ffv1", keep_colour="auto")
    found = colorize(film, output, Look(size=64, keep_colour="auto"), spans=[(15, 24)], encoding=encoding)
    assert found == (ShotColor(15, 20, GREY), ShotColor(20, 24, COLOR))
    before, after = chroma_of_film(mixed)[15:24], chroma_of_film(output)
    assert [bool((a == b).all()) for a, b in zip(after, before, strict=True)] == [False] * 5 + [True] * 4


def test_a_resumed_reader_keeps_the_same_chroma(mixed: Path) -> None:
    film = open_film(mixed)
    kept = kept_spans(film, Look(size=64, keep_colour="auto"))
    whole = {f.chunk.start: f.chroma for f in read_chunks(film, 16, 64, kept=kept)}
    again = next(iter(read_chunks(film, 16, 64, Resume(frame=36, shot=1, shot_start=16), kept)))
    assert whole[0] is None and whole[50] is None
    assert again.chroma is not None and (again.chroma == whole[36]).all()


def test_only_drawn_regions_paint_over_kept_chroma() -> None:
    rng = np.random.default_rng(2)
    own = rng.integers(90, 160, (2, 32, 32)).astype(np.uint8)
    thumb, luma = np.full((64, 64), 120, np.uint8), np.full((64, 64), 120, np.uint8)
    fmt, ab, whole = PlaneFormat("bt601", 8, False), np.zeros((2, 32, 32), np.float16), np.ones((32, 32), np.float32)
    label = Layered(ab, (Layer(whole, (40.0, 0.0), bordered=False),))
    assert (chroma_planes(label, thumb, luma, (32, 32), fmt, own) == own).all()
    half = np.zeros((32, 32), np.float32)
    half[:, :16] = 1
    drawn = chroma_planes(Layered(ab, (Layer(half, (40.0, 0.0)),)), thumb, luma, (32, 32), fmt, own)
    assert (drawn[:, :, 22:] == own[:, :, 22:]).all()
    assert drawn[1, :, :10].min() > 145 and np.ptp(drawn[:, :, :10], axis=(1, 2)).max() == 0
    undone = Layered(ab, (Layer(half, (40.0, 0.0)), Layer(half, ab)))
    restored = chroma_planes(undone, thumb, luma, (32, 32), fmt, own)
    assert (restored[:, :, :10] == own[:, :, :10]).all() and (restored[:, :, 22:] == own[:, :, 22:]).all()


def test_the_sentences_name_ranges_and_a_remedy_that_works(mixed: Path) -> None:
    film = open_film(mixed)
    shots = own_colors(film, 64)
    lost, kept = tell(film, shots, "never")
    assert kept == [] and lost == [
        "the film is already in colour in frames 20 to 49 (from 0:00:00.800); these colours were replaced, and "
        "--keep-colour auto keeps them.",
        "the film is already tinted in frames 50 to 74 (from 0:00:02.000); these colours were replaced, and "
        "--keep-colour always keeps them.",
    ]
    for value, left in (("auto", 1), ("always", 0)):
        lost, kept = tell(film, shots, value)  # pyright: ignore[reportArgumentType]
        assert (len(lost), len(kept)) == (left, 2 - left)
        assert all("were kept" in line for line in kept)


def test_a_matrix_that_the_output_cannot_have_is_refused(tmp_path: Path) -> None:
    tags = {"colorspace": 8}  # YCgCo
    path = make_film(tmp_path / "a.mkv", shot("coffee", 3), codec="ffv1", gray=False, tags=tags)
    with pytest.raises(InputError, match="matrix 8.*--keep-colour never"):
        kept_spans(open_film(path), Look(keep_colour="auto"))
    assert kept_spans(open_film(path), Look(keep_colour="never")) == ()


def test_the_summary_of_a_batch_tells_which_films_had_colours(tmp_path: Path) -> None:
    from semcolor.jobs.batch.records import OwnColors, Record
    from semcolor.jobs.batch.report import write_summary
    from semcolor.jobs.batch.state import Records
    from support.batches import make_batch_plan
    from support.files import touch

    jobs = make_batch_plan(tmp_path, touch(tmp_path / "a.mkv"), touch(tmp_path / "b.mkv")).to_do
    (tmp_path / "state" / "films").mkdir(parents=True)
    records = Records(tmp_path / "state")
    batch = records.begin(jobs, 2, 0)
    for job in jobs:
        record = Record.of(job, batch, "running")
        record.state, record.frames, record.done, record.seconds = "done", 100, 100, 10.0
        if job.source.endswith("a.mkv"):
            record.own = [OwnColors(first_frame=20, frames=30, kind="colour", kept=False)]
        records.write(job.key, record)
    assert write_summary(records, batch, jobs)["own_colours"] == 1
    details = {Path(f["source"]).name: f for f in json.loads((records.folder / "summary.json").read_text())["details"]}
    assert details["a.mkv"]["own_colours"] == [{"first_frame": 20, "frames": 30, "kind": "colour", "kept": False}]
    assert details["b.mkv"]["own_colours"] == []
    page = (records.folder / "summary.html").read_text()
    assert "(30 frames were already in colour, and these colours replaced)" in page
