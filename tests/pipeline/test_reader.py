"""The reader gives the source's luma, cut into chunks, and the same from wherever it goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from semcolor.errors import FilmError, InputError, SemcolorError
from semcolor.pipeline.chunk import CHUNK_SIZES, Resume
from semcolor.pipeline.film import open_film
from semcolor.pipeline.findings import CONCEALED, LOST, findings
from semcolor.pipeline.reader import FilmReader, chunk_size, luma_sha256, read_chunks, thumb_size
from support.films import luma_planes, make_film, packets, shot, shots


@pytest.mark.parametrize(
    ("name", "settings", "size"),
    [
        ("a.mp4", {}, (96, 128)),
        ("odd.mkv", {"codec": "ffv1", "pix_fmt": "yuv444p"}, (95, 127)),
        ("ten.mkv", {"codec": "ffv1", "pix_fmt": "yuv420p10le"}, (96, 128)),
        ("full.mp4", {"full_range": True}, (96, 128)),
        ("grey.mkv", {"codec": "ffv1", "pix_fmt": "gray"}, (96, 128)),
        ("deep.mkv", {"codec": "ffv1", "pix_fmt": "gray16le"}, (96, 128)),
    ],
)
def test_luma_is_the_sources(tmp_path: Path, name: str, settings: dict, size: tuple[int, int]) -> None:
    path = make_film(tmp_path / name, shot("coffee", 20, size), **settings)
    luma = np.concatenate([frames.luma for frames in read_chunks(open_film(path))])
    assert (luma == luma_planes(path)).all() and luma.dtype == luma_planes(path).dtype


def test_gray_rgb_keeps_its_values(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, None, :, None], (2, 32, 256, 3))
    path = make_film(tmp_path / "a.mkv", ramp, codec="libx264rgb", pix_fmt="rgb24", options={"qp": "0"})
    luma = next(read_chunks(open_film(path))).luma
    assert (luma == ramp[..., 0]).all()


def test_packed_is_only_unpacked(tmp_path: Path) -> None:
    pictures = shot("coffee", 2)
    packed = make_film(tmp_path / "a.mov", pictures, codec="rawvideo", pix_fmt="uyvy422")
    planar = make_film(tmp_path / "b.mkv", pictures, codec="ffv1", pix_fmt="yuv422p")
    luma = next(read_chunks(open_film(packed))).luma
    assert (luma == luma_planes(planar)).all()


def test_thumbs_are_full_range(tmp_path: Path) -> None:
    for full in (False, True):
        path = make_film(tmp_path / f"{full}.mp4", shot("coffee", 4, (480, 640)), full_range=full)
        film = open_film(path)
        frames = next(read_chunks(film))
        luma, thumbs = frames.luma, frames.thumbs.pictures
        assert thumbs.shape == (4, *thumb_size(film)) == (4, 256, 352) and thumbs.dtype == np.uint8
        level = luma.mean() if full else (luma.mean() - 16) * 255 / 219
        assert thumbs.mean() == pytest.approx(level, abs=1)


@pytest.mark.parametrize("size", CHUNK_SIZES)
def test_chunks(cut_film: Path, size: int) -> None:
    film = open_film(cut_film)
    reads = list(read_chunks(film, size, 64))
    chunks = [frames.chunk for frames in reads]
    assert sum((c.pts for c in chunks), ()) == tuple(film.pts)
    assert [c.start for c in chunks if c.shot_start == 0] == [0, 40, 65, 165]
    assert [c.shot for c in chunks if c.ends_shot] == [0, 1, 2, 3]
    for frames in reads:
        chunk, luma, thumbs, before = frames.chunk, frames.luma, frames.thumbs.pictures, frames.thumbs.before
        assert chunk.shot_start % size == 0 and len(chunk) == len(luma) == len(thumbs) <= size
        assert len(chunk) == size or chunk.ends_shot
        assert (before is None) == (chunk.shot_start == 0)
    for frames, following in zip(reads, reads[1:], strict=False):
        before = following.thumbs.before
        assert before is None or (before == frames.thumbs.pictures[-1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.mov"])
def test_goes_on_anywhere(tmp_path: Path, name: str) -> None:
    codec = {"a.avi": "mpeg4", "a.mov": "prores_ks"}.get(name, "libx264")
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    path = make_film(tmp_path / name, shots((50, 30, 70)), options={"g": "24", "bf": "2"}, codec=codec, pix_fmt=pix_fmt)
    film = open_film(path)
    whole = list(read_chunks(film, 16, 64))
    for n in range(1, len(whole)):
        chunk = whole[n].chunk
        start = Resume(chunk.start, chunk.shot, chunk.shot_start, luma_sha256(whole[n - 1].luma[-1]))
        rest = list(read_chunks(film, 16, 64, start))
        assert len(rest) == len(whole) - n
        for again, first in zip(rest, whole[n:], strict=True):
            assert again.chunk == first.chunk and (again.luma == first.luma).all()
            assert (again.thumbs.pictures == first.thumbs.pictures).all()
            assert np.array_equal(again.thumbs.before, first.thumbs.before)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "beyond"), [(48, 5), (96, 4), (40, 0)])
def test_it_stops_where_it_is_told(tmp_path: Path, stop: int, beyond: int) -> None:
    """And where the shot goes on there, it shows what follows."""
    film = open_film(make_film(tmp_path / "a.mkv", shots((40, 100) if stop == 40 else (100, 40))))
    whole, part = (list(read_chunks(film, 16, 64, start)) for start in (None, Resume(stop=stop)))
    chunks = [frames.chunk for frames in part]
    assert [len(chunk) for chunk in chunks if chunk.beyond] == [beyond] * bool(beyond)
    assert sum(len(chunk) for chunk in chunks if not chunk.beyond) == stop
    for frames, first in zip(part, whole, strict=False):
        assert frames.chunk.start == first.chunk.start and frames.chunk.shot == first.chunk.shot
        assert (frames.thumbs.pictures == first.thumbs.pictures[: len(frames.chunk)]).all()
        assert np.array_equal(frames.thumbs.before, first.thumbs.before)  # type: ignore[arg-type]


def test_another_film_is_noticed(cut_film: Path) -> None:
    with pytest.raises(FilmError, match="start over"):
        next(read_chunks(open_film(cut_film), start=Resume(40, 1, 0, "0" * 64)))


@pytest.mark.parametrize("frame", [3, 11, 51])
def test_damage_in_one_frame_is_noted(tmp_path: Path, frame: int) -> None:
    path = make_film(tmp_path / "a.mkv", shot("coffee", 60), options={"g": "250", "bf": "0"})
    content = bytearray(path.read_bytes())
    packet = [p for p, _ in packets(path, "video")][frame]
    middle = content.index(packet) + len(packet) // 2
    for at in range(middle, middle + 16):
        content[at] ^= 0xFF
    path.write_bytes(content)
    chunks = [frames.chunk for frames in read_chunks(open_film(path), 16, 64)]
    assert sum(len(chunk) for chunk in chunks) == 60
    assert [n for chunk in chunks for n in chunk.damaged] == [frame]


@pytest.mark.parametrize("seed", range(3))
def test_damage_all_over_is_told_frame_by_frame(tmp_path: Path, seed: int) -> None:
    path = make_film(tmp_path / "a.mkv", shot("coffee", 60), options={"g": "250", "bf": "0"})
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(len(content) // 3, len(content) * 9 // 10, 60):
        content[at] ^= 0xFF
    path.write_bytes(content)
    film = open_film(path)
    chunks = [frames.chunk for frames in read_chunks(film, 16, 64)]
    assert sum(len(chunk) for chunk in chunks) == film.frames <= 60
    found = findings(film.findings, *([n for c in chunks for n in getattr(c, which)] for which in ("damaged", "lost")))
    assert found and {f.what for f in found if f.frame is not None} <= {CONCEALED, LOST}
    with pytest.raises(SemcolorError, match="leave --strict out") as caught:
        list(read_chunks(open_film(path, strict=True), 16, 64))
    assert "\n" not in str(caught.value)


def test_concealed_damage_is_told_with_its_chunk(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mkv", shot("coffee", 60), codec="mpeg4", options={"g": "12"})
    content = bytearray(path.read_bytes())
    packet = [p for p, _ in packets(path, "video")][20]
    middle = content.index(packet) + len(packet) // 2
    content[middle : middle + 2] = bytes(byte ^ 0xFF for byte in content[middle : middle + 2])
    path.write_bytes(content)
    damaged = {frames.chunk.start: frames.chunk.damaged for frames in read_chunks(open_film(path), 16, 64)}
    assert damaged == {0: (), 16: (20,), 32: (), 48: ()}


def test_the_picture_before_stands_for_a_lost_frame(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.avi", shot("coffee", 20), codec="mpeg4")
    whole = luma_planes(path)
    content = bytearray(path.read_bytes())
    packet = [p for p, _ in packets(path, "video")][10]
    at = content.index(packet)
    content[at : at + len(packet)] = bytes(len(packet))
    path.write_bytes(content)
    (frames,) = read_chunks(open_film(path))
    (lost,) = frames.chunk.lost
    assert lost == 10 and len(frames.chunk) == 20 and (frames.luma[lost] == frames.luma[lost - 1]).all()
    assert (frames.luma[:lost] == whole[:lost]).all()
    with pytest.raises(FilmError, match=r"frame 10 \(0:00:00\.\d+\) could not be decoded.*leave --strict out"):
        list(read_chunks(open_film(path, strict=True)))


def test_settings_are_checked(short_film: Path) -> None:
    film = open_film(short_film)
    cases: list[dict[str, Any]] = [{"chunk": 20}, {"chunk": 8}, {"size": 100}]
    for wrong in cases:
        with pytest.raises(InputError):
            FilmReader(film, **wrong)


def test_memory_bound(short_film: Path) -> None:
    film = open_film(short_film)
    assert chunk_size(film, 96) == 96
    assert chunk_size(replace(film, width=3840, height=2160), 96) == 16
    assert chunk_size(replace(film, width=1920, height=1080), 96) == 48
