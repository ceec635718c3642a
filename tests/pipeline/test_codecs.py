"""Each codec that a user may ask for is written to the end, or refused in one sentence before the work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from semcolor.errors import OutputError
from semcolor.pipeline.containers import output_format
from semcolor.pipeline.encode import Encoding, choose_encoding, chroma_size
from semcolor.pipeline.film import Film, open_film
from semcolor.pipeline.mux import assemble
from semcolor.pipeline.outputs import check_output
from semcolor.pipeline.reader import read_chunks
from semcolor.pipeline.scaling import Scaling
from semcolor.pipeline.writer import PartWriter
from support.films import luma_planes, make_film, shots

STAMPS = [30 + 4 * n + n % 3 for n in range(40)]
"""Time stamps of the test film, in twenty-fifths of a second: neither even nor from 0 on."""

WORKING = {
    "prores_ks .mov": (8, 10),
    "prores_ks .mkv": (8, 10),
    "prores .mov": (8, 10),
    "prores_aw .mov": (10,),
    "dnxhd .mov": (8, 10),
    "libvpx-vp9 .webm": (8,),
    "libsvtav1 .mkv": (8, 10),
    "ffv1 .mkv": (8, 10),
    "libx264 .mp4": (8, 10),
    "libx265 .mp4": (8, 10),
    "jpeg2000 .mov": (8,),
}
"""Encoder and suffix → bits of the films that it takes."""

REFUSED = {
    "mpeg2video .mkv": (8, 10),  # it takes only some frame rates
    "mjpeg .mov": (8, 10),  # it takes only luma of the full range
    "utvideo .mkv": (8, 10),
    "utvideo .avi": (8,),
    "dnxhd .mov": (8,),  # it has no tag for the BT.601 of the test film
    "dnxhd .mkv": (8,),
    "libvpx-vp9 .webm": (16,),
    "vc2 .mkv": (8,),
    "gif .gif": (8,),
    "rawvideo .mkv": (8,),
    "prores_ks .mp4": (8,),
    "prores_ks .mov": (16,),
}
"""Encoder and suffix → bits of the films that it does not take."""


def cases(table: dict[str, tuple[int, ...]]) -> list[tuple[str, int]]:
    return [(name, bits) for name, depths in table.items() for bits in depths]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Film]:
    """Bits of luma → a film of two shots, 256x128."""
    folder, pictures = tmp_path_factory.mktemp("codecs"), shots((22, 18), (128, 256))
    formats = {8: "yuv420p", 10: "yuv420p10le", 16: "gray16le"}
    return {
        bits: open_film(make_film(folder / f"{bits}.mkv", pictures, codec="ffv1", pix_fmt=name, pts=STAMPS, rate=25))
        for bits, name in formats.items()
    }


def written(film: Film, folder: Path, output: Path, encoding: Encoding) -> Path:
    """The film's own luma without colours, written in parts and joined."""
    writer = PartWriter(folder, film, encoding)
    size = chroma_size(film.width, film.height, encoding.pix_fmt)
    for frames in read_chunks(film, 16, 64):
        chroma = np.full((len(frames.chunk), 2, *size), 1 << (film.bits - 1), frames.luma.dtype)
        writer.write(frames.chunk, frames.luma, chroma, b"state")
    return assemble(film, folder, writer.parts, output, encoding)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "bits"), cases(WORKING))
def test_a_codec_keeps_time_and_luma(name: str, bits: int, films: dict[int, Film], tmp_path: Path) -> None:
    codec, suffix = name.split()
    film, output = films[bits], tmp_path / f"out{suffix}"
    if codec == "dnxhd":
        film = replace(film, colorspace=1)  # BT.709
    encoding = choose_encoding(film, codec, crf=8, preset="ultrafast", container=output_format(output))
    check_output(film, output, encoding)
    result = written(film, tmp_path / "work", output, encoding)
    again = open_film(result)
    assert again.frames == film.frames
    times, wanted = ([p * f.time_base for p in f.pts.tolist()] for f in (again, film))
    assert [round(time, 3) for time in times] == [round(time, 3) for time in wanted]
    given, read = luma_planes(Path(film.path)).astype(int) << encoding.samples.shift, luma_planes(result).astype(int)
    if codec == "ffv1":
        np.testing.assert_array_equal(read, given)
    else:
        assert np.abs(read - given).mean() < 0.02 * 2**again.bits


@pytest.mark.parametrize(("name", "bits"), cases(REFUSED))
def test_a_codec_is_refused_before_the_work(name: str, bits: int, films: dict[int, Film], tmp_path: Path) -> None:
    codec, suffix = name.split()
    film, output = films[bits], tmp_path / f"out{suffix}"
    if suffix == ".avi":  # it holds only even time stamps from 0 on
        film = replace(film, pts=np.arange(film.frames) * film.last_duration)
    with pytest.raises(OutputError) as caught:
        check_output(film, output, choose_encoding(film, codec, container=output_format(output)))
    assert codec in str(caught.value) and str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
@pytest.mark.parametrize(("size", "tag"), [((96, 128), "apch"), ((95, 127), "ap4h")])
def test_the_tag_names_the_profile_of_prores(size: tuple[int, int], tag: str, suffix: str, tmp_path: Path) -> None:
    film = open_film(make_film(tmp_path / "in.mkv", shots((4,), size), codec="ffv1", pix_fmt="yuv444p"))
    output = tmp_path / f"out{suffix}"
    result = written(film, tmp_path / "work", output, choose_encoding(film, "prores_ks"))
    with av.open(str(result)) as container:
        assert container.streams.video[0].codec_context.codec_tag == tag


def test_8_bits_in_a_codec_of_10_bits_are_shifted(films: dict[int, Film]) -> None:
    encoding = choose_encoding(films[8], "prores_ks")
    assert (encoding.pix_fmt, encoding.samples, encoding.part_format) == ("yuv422p10le", Scaling(8, 10), "mov")
    assert (encoding.bits, encoding.samples.shift) == (10, 2)
    plain = choose_encoding(films[8], "libx264")
    assert (plain.pix_fmt, plain.samples.shift, plain.part_format) == ("yuv420p", 0, "nut")
