"""Luma of the full range in codecs that have only the limited one: what can be got back, and what is rounded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from semcolor.errors import OutputError
from semcolor.pipeline.chunk import Chunk
from semcolor.pipeline.encode import choose_encoding
from semcolor.pipeline.film import Film, open_film
from semcolor.pipeline.outputs import check_output, prepared
from semcolor.pipeline.partencoder import PartEncoder
from semcolor.pipeline.report.lumacheck import LumaCheck
from semcolor.pipeline.scaling import Scaling
from semcolor.pipeline.sequences.curves import display_curve
from support.films import luma_planes, make_film
from support.matrix import colored
from support.scans import codes, grey_pictures, make_scans

LIMITED_ONLY = ("prores", "prores_aw", "prores_ks")
"""Encoders that have only the limited range."""


def ramp(bits: int = 8, size: tuple[int, int] = (128, 256)) -> np.ndarray:
    """(H, W): each value of a sample of 8 bits in each row; with more bits, 256 values from black to white."""
    values = np.rint(np.linspace(0, (1 << bits) - 1, size[1])).astype(np.uint8 if bits == 8 else np.uint16)
    return np.broadcast_to(values, size)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """A film of the full range, 8 bits, whose luma has all values."""
    path = tmp_path_factory.mktemp("full") / "full.mkv"
    pictures = np.repeat(ramp()[None, :, :, None], 4, 0).repeat(3, -1)
    found = open_film(make_film(path, pictures, codec="ffv1", full_range=True, tags={"colorspace": 1}))
    assert found.full_range and set(luma_planes(path).flat) == set(range(256))
    return found


@pytest.mark.parametrize("coded", [9, 10, 12, 16])
def test_each_of_256_values_comes_back(coded: int) -> None:
    """With the arithmetic of docs/limits.md, which the package does not share."""
    scaling, values, one = Scaling(8, coded, narrowed=True), np.arange(256, dtype=np.uint8), 1 << (coded - 8)
    luma, chroma = scaling.luma(values).astype(int), scaling.chroma(values).astype(int)
    assert scaling.kind == "scaled" and scaling.shift == scaling.rounding == 0
    assert (luma[0], luma[255], chroma[128]) == (16 * one, 235 * one, 128 * one)
    assert len(set(luma)) == len(set(chroma)) == 256
    assert (np.rint((luma - 16 * one) * 255 / (219 * one)) == values).all()
    assert (np.rint((chroma - 128 * one) * 255 / (224 * one)) + 128 == values).all()
    back, whole = scaling.luma_back(luma.astype(np.uint16))
    assert back.dtype == np.uint8 and (back == values).all() and whole


def test_what_no_sample_becomes_is_no_whole_value() -> None:
    scaling = Scaling(8, 10, narrowed=True)
    _, whole = scaling.luma_back(np.array([[64, 65]], np.uint16))  # 64 is black, 67 the next value
    assert not whole and not Scaling(8, 10).luma_back(np.array([[4, 5]], np.uint16))[1]


@pytest.mark.parametrize(("given", "coded", "steps"), [(10, 10, 0.6), (12, 10, 2.3), (16, 10, 37.4), (16, 12, 9.4)])
def test_deeper_luma_is_rounded_to_the_nearest_value(given: int, coded: int, steps: float) -> None:
    scaling = Scaling(given, coded, narrowed=True)
    values = np.arange(1 << given, dtype=np.uint16)
    back = scaling.luma_back(scaling.luma(values))[0].astype(int)
    assert scaling.kind == "rounded" and round(scaling.rounding, 1) == steps
    assert np.abs(back - values).max() <= scaling.rounding + 0.5
    assert (back[0], back[-1]) == (0, values[-1]) and (np.diff(back) >= 0).all()


def test_every_sample_of_a_part_comes_back(film: Film, tmp_path: Path) -> None:
    """A lossless codec stands in for ProRes, so that only the scale is looked at."""
    plain = choose_encoding(film, "prores_ks")
    encoding = replace(plain, codec="ffv1", options=())
    luma, chroma = np.stack([ramp()] * 3), np.broadcast_to(ramp(size=(128, 128)), (3, 2, 128, 128))
    check, chunk = LumaCheck(film, encoding), Chunk(0, 0, 0, True, (0, 1, 2), (1, 1, 1), (False,) * 3)
    encoder = PartEncoder(tmp_path / "part.nut", encoding, 0)
    encoder.write(chunk, luma, chroma)
    encoder.close()
    check.add(chunk, luma)
    found = check.compare(tmp_path / "part.nut")
    assert (found["decoded"], found["identical"], found["differences"]["0"]) == (3, 3, [0.0, 0, None])
    with av.open(str(tmp_path / "part.nut")) as part:
        frame = next(part.decode(video=0))
        y, cb, cr = (np.frombuffer(p, "<u2").reshape(128, -1) for p in frame.planes)
    assert (np.rint((y[:, :256].astype(int) - 64) * 255 / 876) == luma[0]).all()
    for plane in (cb, cr):
        assert (np.rint((plane[:, :128].astype(int) - 512) * 255 / 896) + 128 == chroma[0, 0]).all()


@pytest.mark.parametrize("codec", LIMITED_ONLY)
@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_a_codec_of_the_limited_range_takes_the_full_one(codec: str, suffix: str, film: Film, tmp_path: Path) -> None:
    output = tmp_path / f"out{suffix}"
    film, encoding = prepared(film, output, codec)
    assert (encoding.bits, encoding.full_range, encoding.samples) == (10, False, Scaling(8, 10, True))
    assert film.findings == () and check_output(film, output, encoding) == ()
    result = colored(film, tmp_path / "work", output, encoding)
    again = open_film(result)
    assert (again.bits, again.full_range, again.frames) == (10, False, film.frames)
    off = np.abs(luma_planes(result) - (64 + luma_planes(Path(film.path)) * (876 / 255)))
    assert off.mean() < 2 and off.max() < 16  # ProRes's own loss, in steps of 10 bits


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "ffv1", "dnxhd"])
def test_other_codecs_keep_the_full_range(codec: str, film: Film) -> None:
    encoding = choose_encoding(film, codec)
    assert encoding.full_range and encoding.samples == Scaling(8, 8)


def test_limited_luma_is_shifted_as_before(film: Film) -> None:
    limited = replace(film, full_range=False)
    encoding = choose_encoding(limited, "prores_ks")
    assert encoding.samples == Scaling(8, 10) and encoding.samples.kind == "shifted"
    for bits in (12, 16):  # what is lost would be lost for no other reason than depth
        with pytest.raises(OutputError, match=f"cannot keep {bits}-bit luma"):
            choose_encoding(replace(limited, bits=bits), "prores_ks")


@pytest.mark.parametrize(("suffix", "bits"), [("png", 16), ("tif", 12), ("dpx", 10)])
def test_the_rounding_of_deep_scans_is_told(suffix: str, bits: int, tmp_path: Path) -> None:
    folder = make_scans(tmp_path / "in", suffix, bits, grey=suffix != "dpx")
    output = tmp_path / "out.mov"
    scans = open_film(folder, fps=24, transfer="display")
    film, encoding = prepared(scans, output, "prores_ks")
    (found,) = film.findings
    steps = ((1 << bits) - 1) / 876 / 2
    assert f"rounded by up to {steps:.1f} steps of {bits} bits" in found.what
    check_output(film, output, encoding)
    result = colored(film, tmp_path / "work", output, encoding)
    wanted = 64 + codes(grey_pictures(), bits) * (876 / ((1 << bits) - 1))
    off = luma_planes(result) - wanted
    assert np.abs(off).mean() < 5 and abs(off.mean()) < 0.5  # ProRes's own loss in a picture full of detail
    with pytest.raises(OutputError, match="leave --strict out"):
        prepared(replace(scans, strict=True), output, "prores_ks")
    prepared(replace(scans, strict=True), tmp_path / "out.mkv", "ffv1")  # what the sentence advises


def test_luma_of_log_scans_is_rounded_once(tmp_path: Path) -> None:
    scans = open_film(make_scans(tmp_path / "in", "dpx", 10, grey=False))
    film, encoding = prepared(scans, tmp_path / "out.mov", "prores_ks")
    assert scans.coding == "log" and film.findings == ()
    shown = display_curve("log", 10)
    given = np.rint(shown * 65535).astype(np.uint16)
    assert (film.bits, encoding.bits) == (16, 10)
    off = np.abs(encoding.samples.luma(given) - (64 + shown * 876))
    assert off.max() < 0.51


def test_a_codec_of_8_bits_and_the_limited_range_is_refused(film: Film, tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    with pytest.raises(OutputError, match="color range cannot be kept; take --codec") as caught:
        check_output(film, output, choose_encoding(film, "libvpx"))
    codec = str(caught.value).rpartition("--codec ")[2].rstrip(".")
    check_output(film, output, choose_encoding(film, codec))


def test_a_format_of_the_codec_may_be_chosen(film: Film) -> None:
    encoding = choose_encoding(film, "prores_ks", pix_fmt="yuv444p10le")
    assert (encoding.pix_fmt, encoding.full_range, encoding.samples) == ("yuv444p10le", False, Scaling(8, 10, True))
    with pytest.raises(OutputError, match="use yuv422p10le or yuv444p10le"):
        choose_encoding(film, "prores_ks", pix_fmt="yuv422p")
