"""Another program shows the colours that were meant: FFmpeg's own command decodes the film and makes R'G'B'."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from semcolor.errors import OutputError
from semcolor.pipeline.chunk import Chunk
from semcolor.pipeline.containers import output_format
from semcolor.pipeline.encode import Encoding, choose_encoding, chroma_size
from semcolor.pipeline.film import Film, open_film
from semcolor.pipeline.mux import assemble
from semcolor.pipeline.outputs import check_output
from semcolor.pipeline.writer import PartWriter
from semcolor.pipeline.ycbcr import PlaneFormat
from support.films import make_film, shot

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="FFmpeg's commands are not installed")

COLORS = np.array(
    [
        [200, 40, 40],
        [40, 160, 60],
        [50, 70, 200],
        [220, 200, 60],
        [128, 128, 128],
        [230, 230, 230],
        [90, 40, 110],
        [20, 20, 20],
    ]
)
"""R'G'B' of the test picture's stripes. All of them are in the gamut of every matrix."""

FLAGS = "accurate_rnd+full_chroma_int+bitexact"
"""Options of FFmpeg's conversion to R'G'B'. By default it is quick, with errors of up to 3 of 255."""

WIDE, HIGH = 32, 128
"""Width of a stripe and height of the picture, in pixels."""

MATRICES = {"bt601": 6, "bt709": 1, "bt2020": 9}
"""Matrix → its tag."""

RGB_OF = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""Kr and Kb (ITU-R BT.601, BT.709, BT.2020), written out again."""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Film]:
    """Bits of luma → a grey film of three frames as large as the test picture."""
    folder, pictures = tmp_path_factory.mktemp("players"), shot("coffee", 3, (HIGH, WIDE * len(COLORS)))
    formats = {8: "yuv420p", 10: "yuv420p10le"}
    return {
        bits: open_film(make_film(folder / f"{bits}.mkv", pictures, codec="ffv1", pix_fmt=name))
        for bits, name in formats.items()
    }


def planes_of(fmt: PlaneFormat) -> np.ndarray:
    """(3, stripes): Y, Cb and Cr of the colours as samples."""
    kr, kb = RGB_OF[fmt.matrix]
    red, green, blue = COLORS.T / 255
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    one = 1 << (fmt.bits - 8)
    low, span = (0, 256 * one - 1) if fmt.full_range else (16 * one, 219 * one)
    wide = 256 * one - 1 if fmt.full_range else 224 * one
    chroma = [(blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)]
    return np.rint([low + span * luma, *(128 * one + wide * c for c in chroma)]).astype(int)


def made(film: Film, encoding: Encoding, folder: Path, output: Path) -> Path:
    """The stripes, encoded and assembled as every film is."""
    dtype = np.uint8 if film.bits == 8 else np.uint16
    y, cb, cr = planes_of(PlaneFormat.of(film)).astype(dtype)
    rows, columns = chroma_size(film.width, film.height, encoding.pix_fmt)
    luma = np.broadcast_to(np.repeat(y, WIDE), (3, HIGH, film.width))
    each = [np.broadcast_to(np.repeat(c, columns // len(COLORS)), (rows, columns)) for c in (cb, cr)]
    chunk = Chunk(0, 0, 0, True, tuple(map(int, film.pts)), film.durations(0, 3), (False,) * 3)
    writer = PartWriter(folder, film, encoding)
    writer.write(chunk, luma, np.broadcast_to(np.stack(each), (3, 2, rows, columns)))
    check_output(film, output, encoding)
    return assemble(film, folder, writer.parts, output, encoding)


def shown(path: Path) -> np.ndarray:
    """(stripes, 3): R'G'B' in the middle of each stripe, as FFmpeg's command shows the last frame."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-sws_flags",
        FLAGS,
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    picture = np.frombuffer(raw, np.uint8).reshape(3, HIGH, -1, 3)[-1]
    return picture[40:88, WIDE // 2 :: WIDE].mean(0)


def tags(path: Path) -> dict[str, str]:
    """What FFmpeg's other command says about the pictures."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_streams", "-of", "json", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"][0]


CASES = [
    *(("ffv1", ".mkv", fmt) for fmt in ("yuv420p", "yuv422p", "yuv444p", "yuv420p10", "yuv422p10le", "yuv444p10le")),
    *(("libx264", ".mp4", fmt) for fmt in ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le")),
    *(("libx265", ".mp4", fmt) for fmt in ("yuv420p", "yuv420p10le", "yuv422p10le")),
    *(("libsvtav1", ".mkv", fmt) for fmt in ("yuv420p", "yuv420p10le")),
    *(("libvpx-vp9", ".webm", fmt) for fmt in ("yuv420p", "yuv444p")),
    *(("prores_ks", ".mov", fmt) for fmt in ("yuv422p10le", "yuv444p10le")),
    *(("dnxhd", ".mov", fmt) for fmt in ("yuv422p", "yuv422p10le", "yuv444p10le")),
]
"""Codec, suffix and pixel format."""


def case(film: Film, matrix: str, full: bool) -> Film:
    """The film with other tags, primaries and transfer of the same standard."""
    tag = MATRICES[matrix]
    return replace(film, colorspace=tag, primaries=tag, trc={9: 14}.get(tag, tag), full_range=full)


CODINGS = list(itertools.product(MATRICES, (False, True)))
"""Each matrix in limited and in full range."""


def each_once() -> list[tuple[str, str, str, str, bool]]:
    """Each case with one coding, FFV1's first and ProRes with all of them. DNxHR has only BT.709."""
    turns = {"dnxhd": [("bt709", False), ("bt709", True)]}
    own = []
    for n, found in enumerate(CASES):
        codings = turns.get(found[0], CODINGS)
        own.append((*found, *codings[n % len(codings)]))
    scaled = [(*found, *coding) for found in CASES if found[0] == "prores_ks" for coding in CODINGS]
    return list(dict.fromkeys([*own, *((*CASES[0], *coding) for coding in CODINGS[1:]), *scaled]))


@needs_ffmpeg
@pytest.mark.parametrize(("codec", "suffix", "pix_fmt", "matrix", "full"), each_once())
def test_the_colours_are_those_that_were_meant(
    codec: str, suffix: str, pix_fmt: str, matrix: str, full: bool, films: dict[int, Film], tmp_path: Path
) -> None:
    bits = 10 if "10" in pix_fmt and codec not in ("prores_ks", "dnxhd") else 8
    film, output = case(films[bits], matrix, full), tmp_path / f"out{suffix}"
    encoding = choose_encoding(film, codec, 4, "ultrafast", output_format(output), pix_fmt=pix_fmt)
    path = made(film, encoding, tmp_path / "work", output)
    off = np.abs(shown(path) - COLORS).max()
    assert off <= 1.5
    assert tags(path)["pix_fmt"].replace("yuvj", "yuv").replace("p12le", "p10le") == encoding.pix_fmt  # ProRes 4444


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "bits", "reason"),
    [
        ("libx264", "yuv420p", 10, "would lose some of the 10 bits"),
        ("libx264", "yuv444p12le", 8, "is not one of libx264's"),
        ("libx264", "rgb24", 8, "is not a planar format"),
        ("libx264", "nv12", 8, "is not a planar format"),
        ("prores_ks", "yuv420p10le", 8, "is not one of prores_ks's"),
        ("libsvtav1", "yuv444p", 8, "is not one of libsvtav1's"),
    ],
)
def test_a_format_that_cannot_be_is_refused_with_formats_that_can(
    codec: str, pix_fmt: str, bits: int, reason: str, films: dict[int, Film]
) -> None:
    with pytest.raises(OutputError, match=reason) as caught:
        choose_encoding(films[bits], codec, pix_fmt=pix_fmt)
    advice = str(caught.value).rpartition("; use ")[2].rstrip(".").split(" or ")
    for name in advice:
        assert choose_encoding(films[bits], codec, pix_fmt=name).pix_fmt == name


@pytest.mark.parametrize("suffix", [".webm", ".mkv"])
def test_a_range_that_gets_lost_is_refused(suffix: str, films: dict[int, Film], tmp_path: Path) -> None:
    film, output = case(films[8], "bt709", True), tmp_path / f"out{suffix}"
    with pytest.raises(OutputError, match="color range cannot be kept"):  # VP8 has no tag for it, and only 8 bits
        check_output(film, output, choose_encoding(film, "libvpx"))
    check_output(film, output, choose_encoding(film, "libvpx-vp9"))
    for codec, fits in (("prores_ks", ".mov"), ("libx264", ".mkv")):
        check_output(film, tmp_path / f"out{fits}", choose_encoding(film, codec))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_h265_has_the_tag_that_apples_players_know(suffix: str, films: dict[int, Film], tmp_path: Path) -> None:
    encoding = choose_encoding(films[8], "libx265", preset="ultrafast")
    with av.open(str(made(films[8], encoding, tmp_path / "work", tmp_path / f"out{suffix}"))) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
        assert len(list(container.decode(video=0))) == 3


def test_ten_bits_stay_ten_bits(films: dict[int, Film]) -> None:
    for codec in ("libx264", "libx265", "libsvtav1", "ffv1", "prores_ks", "dnxhd"):
        encoding = choose_encoding(films[10], codec)
        assert (encoding.bits, encoding.samples.shift) == (10, 0)
