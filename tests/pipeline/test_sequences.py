"""Sequences of pictures: found by their names, read as films, written with the luma and the headers of their source."""

import os
import re
import shutil
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from semcolor import FilmError, InputError, Look, OutputError, UserError, colorize, open_film
from semcolor.pipeline.chunk import Resume
from semcolor.pipeline.files import file_sha256
from semcolor.pipeline.film import Film
from semcolor.pipeline.keeping import kept_spans, own_colors
from semcolor.pipeline.mux import assemble
from semcolor.pipeline.outputs import check_output, prepared
from semcolor.pipeline.pictures import place, placed_sha256
from semcolor.pipeline.reader import FilmReader, read_chunks
from semcolor.pipeline.sequences import needed
from semcolor.pipeline.sequences.curves import codes_of, display_curve
from semcolor.pipeline.sequences.names import find, is_sequence, located
from semcolor.pipeline.stages import chroma_of_frames
from semcolor.pipeline.writer import PartWriter
from support.films import luma_planes, make_film, shots
from support.scans import KODAK, TIMECODE, chunk, codes, grey_pictures, make_scans, samples_of

WEIGHTS = np.array([0.2126, 0.7152, 0.0722])
"""Kr, Kg, Kb of ITU-R BT.709, the matrix of R, G, B pictures."""

FORMATS = [
    *(("dpx", bits, grey) for bits in (8, 10, 12, 16) for grey in (False, True)),
    *(("tif", bits, grey) for bits in (8, 10, 12, 16) for grey in (False, True)),
    *(("png", bits, grey) for bits in (8, 16) for grey in (False, True)),
    *(("exr", bits, grey) for bits in (16, 32) for grey in (False, True)),
]


def write(film: Film, output: Path, folder: Path, stop: int | None = None, size: int = 16) -> Path:
    """Paint a film in one colour, and write it; without networks. `stop`: end after this many chunks."""
    film, encoding = prepared(film, output)
    folder.mkdir(exist_ok=True)
    writer = PartWriter(folder, film, encoding)
    rows = encoding.height if encoding.pictures else encoding.height // 2
    columns = encoding.width if encoding.pictures else encoding.width // 2
    for number, frames in enumerate(read_chunks(film, chunk=size, size=32)):
        if number == stop:
            writer.abort()
            return folder
        h, w = (side // 2 for side in frames.thumbs.pictures.shape[1:])
        ab = np.broadcast_to(np.array([25, -30], np.float16)[:, None, None], (len(frames.chunk), 2, h, w))
        writer.write(frames.chunk, frames.luma, chroma_of_frames(film, frames, ab, (rows, columns)))
    return assemble(film, folder, writer.parts, output, encoding)


@pytest.mark.parametrize("suffix, bits, grey", FORMATS)
def test_a_picture_keeps_its_luma_depth_and_number(tmp_path, suffix, bits, grey):
    """Luma in the source's own code values stays within half a code value, and so it rounds to the source's."""
    source = make_scans(tmp_path / "in", suffix, bits, grey=grey)
    film = open_film(source, fps=24)
    result = write(film, tmp_path / "out" / f"scan_%06d.{suffix}", tmp_path / "work")
    assert sorted(os.listdir(result)) == sorted(os.listdir(source)) and "scan_086401." + suffix in os.listdir(result)
    again = open_film(f"{result}/scan_%06d.{suffix}", fps=24)
    assert (again.bits, again.coding) == (film.bits, film.coding)
    for n, path in enumerate(sorted(result.iterdir())):
        picture = samples_of(path)
        own = grey_pictures()[n]
        assert np.abs(picture[..., 0].astype(float) - picture[..., 2]).mean() > 0.02 * own.mean() * picture.max()
        luma = picture.astype(np.float64) @ WEIGHTS
        if suffix == "exr":
            assert picture.dtype == (np.float16 if bits == 16 else np.float32)
            light = (own**2.4 * 1.5).astype(picture.dtype).astype(float)
            assert (np.abs(luma - light) <= light * (1e-3 if bits == 16 else 1e-6) + 1e-6).all()
        else:
            assert np.abs(luma - codes(own, bits)).max() < 0.5


def test_luma_of_rgb_scans_is_that_of_their_channels(tmp_path):
    """A tinted scan: luma is the weighted sum of its channels, and the output has it within a code value."""
    import tifffile

    (tmp_path / "in").mkdir()
    tinted = np.stack([codes(grey_pictures(1)[0] * share, 16) for share in (1, 0.9, 0.7)], -1)
    tifffile.imwrite(tmp_path / "in/a_1.tif", tinted, photometric="rgb")
    film = open_film(tmp_path / "in", fps=18)
    (frames,) = read_chunks(film, size=32)
    assert np.abs(frames.luma[0] - tinted.astype(float) @ WEIGHTS).max() <= 0.51
    result = write(film, tmp_path / "out/a_%d.tif", tmp_path / "work")
    assert np.abs(samples_of(result / "a_1.tif").astype(float) @ WEIGHTS - tinted.astype(float) @ WEIGHTS).max() < 1


@pytest.mark.parametrize("coding, bits", [("display", 10), ("log", 10), ("linear", 16)])
def test_a_tint_can_be_kept(tmp_path, coding, bits):
    """A tinted scan is told as tinted, and `--keep-colour always` gives it back within two code values."""
    import tifffile

    (tmp_path / "in").mkdir()
    tinted = np.stack([grey_pictures(1)[0] * 0.8 * share for share in (1, 0.8, 0.5)], -1)
    values = codes_of(tinted, coding, bits) if coding != "display" else tinted * 1023
    values = np.rint(values).astype(np.uint16)
    tifffile.imwrite(tmp_path / "in/a1.tif", values, photometric="rgb", bitspersample=bits if bits != 16 else None)
    film = open_film(tmp_path / "in", fps=18, transfer=coding)
    assert [shot.kind.word for shot in own_colors(film, 32)] == ["tinted"]
    spans = kept_spans(film, Look(size=32, keep_colour="always"))
    (frames,) = read_chunks(film, size=32, kept=spans)
    film, encoding = prepared(film, tmp_path / "out/a%d.tif")
    (tmp_path / "work").mkdir()
    writer = PartWriter(tmp_path / "work", film, encoding)
    ab = np.zeros((1, 2, *(side // 2 for side in frames.thumbs.pictures.shape[1:])), np.float16)
    writer.write(frames.chunk, frames.luma, chroma_of_frames(film, frames, ab, (48, 64)))
    result = assemble(film, tmp_path / "work", writer.parts, tmp_path / "out/a%d.tif", encoding)
    written = samples_of(result / "a1.tif").astype(int)
    assert np.abs(written @ WEIGHTS - values @ WEIGHTS).max() < 1
    step = 1 if coding == "display" else np.abs(np.diff(values.astype(float), axis=-1)).max() / 10
    assert np.abs(written - values).max() <= 2 * step


def test_jpeg_is_coded_again_with_its_own_quantisation(tmp_path):
    """So luma stays as it is, except in blocks that reach black or white, where decoding has clipped it."""
    source = make_scans(tmp_path / "in", "jpg", 8, grey=True, pictures=np.clip(grey_pictures(), 0.1, 0.9))
    result = write(open_film(source, fps=16), tmp_path / "out/scan_%06d.jpg", tmp_path / "work")
    for path in sorted(result.iterdir()):
        with Image.open(source / path.name) as before, Image.open(path) as after:
            assert after.quantization[0] == before.quantization[0]
            assert after.info["dpi"] == before.info["dpi"] and after.getexif()[0x010E] == before.getexif()[0x010E]
            after.draft("YCbCr", after.size)
            difference = np.array(after.getchannel(0)).astype(int) - np.array(before)
        assert not difference.any()


def test_dpx_headers_are_kept_byte_for_byte(tmp_path):
    """Only the fields that describe how samples are stored may change, and the name of the file."""
    source = make_scans(tmp_path / "in", "dpx", 10, grey=True)
    result = write(open_film(source), tmp_path / "out/graded_%04d.dpx", tmp_path / "work")
    before, after = (source / "scan_086400.dpx").read_bytes(), (result / "graded_86400.dpx").read_bytes()
    assert after[1664:1680] == KODAK and after[1920:1924] == TIMECODE + b"\1" and after[2048:2058] == b"user data "
    changed = {n for n in range(2148) if before[n] != after[n]}
    own = {*range(16, 20), *range(36, 136), *range(800, 801), *range(804, 806), *range(808, 812)}
    assert changed <= own, sorted(changed - own)


def test_tags_chunks_and_attributes_are_kept(tmp_path):
    import OpenEXR
    import tifffile

    source = make_scans(tmp_path / "tif", "tif", 16, grey=True, compression="lzw")
    result = write(open_film(source, fps=24), tmp_path / "a/scan_%06d.tif", tmp_path / "work1")
    with tifffile.TiffFile(result / "scan_086400.tif") as file:
        tags = {tag.name: tag.value for tag in file.pages.first.tags}
    assert (tags["ImageDescription"], tags["Software"], tags["XResolution"]) == ("frame 1", "scanner", (2400, 1))
    assert (tags["DateTime"], tags["Compression"]) == ("1921:05:06 07:08:09", 5)
    source = make_scans(tmp_path / "png", "png", 16, grey=True)
    result = write(open_film(source, fps=24), tmp_path / "b/scan_%06d.png", tmp_path / "work2")
    with Image.open(result / "scan_086400.png") as picture:
        assert picture.info["Comment"] == "frame 1" and round(picture.info["dpi"][0]) == 25
    source = make_scans(tmp_path / "exr", "exr", 16)
    result = write(open_film(source), tmp_path / "c/scan_%06d.exr", tmp_path / "work3")
    before, after = (OpenEXR.File(str(f / "scan_086400.exr"), separate_channels=True) for f in (source, result))
    assert after.header()["reelName"] == "A001" and after.header()["framesPerSecond"] == 24
    assert after.header()["compression"] == before.header()["compression"]
    assert (after.channels()["matte.A"].pixels == before.channels()["matte.A"].pixels).all()


def test_alpha_is_kept(tmp_path):
    (tmp_path / "in").mkdir()
    picture = np.dstack([codes(grey_pictures(1)[0], 8)] * 3 + [np.arange(64, dtype=np.uint8)[None].repeat(48, 0)])
    cv2.imwrite(str(tmp_path / "in/a1.png"), picture)
    result = write(open_film(tmp_path / "in", fps=24), tmp_path / "out/a%d.png", tmp_path / "work")
    written = cv2.imread(str(result / "a1.png"), cv2.IMREAD_UNCHANGED)
    assert (written[..., 3] == picture[..., 3]).all()


def test_grey_profiles_do_not_describe_colour(tmp_path):
    """A grey ICC profile is left out, and the user is told."""
    from PIL import ImageCms

    rgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = rgb[:16] + b"GRAY" + rgb[20:]
    for name, profile, kept in (("grey", grey, None), ("rgb", rgb, rgb)):
        source = tmp_path / name
        source.mkdir()
        mode = Image.fromarray(codes(grey_pictures(1)[0], 8)).convert("RGB")
        mode.save(source / "a1.png", icc_profile=profile)
        film, _ = prepared(open_film(source, fps=24), tmp_path / f"out-{name}/a%d.png")
        assert any("profile" in found.what for found in film.findings) == (kept is None)
        result = write(film, tmp_path / f"out-{name}/a%d.png", tmp_path / f"work-{name}")
        with Image.open(result / "a1.png") as picture:
            assert picture.info.get("icc_profile") == kept


def test_the_networks_see_scans_as_a_display_shows_them(tmp_path):
    """Log code values, linear light and halves of one picture give the same thumbs as the picture itself."""
    shown = np.stack([cv2.GaussianBlur(picture, (0, 0), 3) for picture in grey_pictures(1)])
    log = codes_of(shown, "log", 10) / 1023
    light = np.where(shown > 0.04045, ((shown + 0.055) / 1.055) ** 2.4, shown / 12.92)
    films = {
        "display": open_film(make_scans(tmp_path / "a", "png", 8, pictures=shown), fps=24),
        "log": open_film(make_scans(tmp_path / "b", "dpx", 10, pictures=log)),
        "linear": open_film(make_scans(tmp_path / "c", "tif", 16, pictures=light), fps=24, transfer="linear"),
        "half": open_film(make_scans(tmp_path / "d", "exr", 32, pictures=(light / 1.5) ** (1 / 2.4))),
    }
    thumbs = {}
    for name, film in films.items():
        (frames,) = read_chunks(film, size=64)
        assert film.coding == name
        thumbs[name] = frames.thumbs.pictures.astype(int)
    for name in ("log", "linear", "half"):  # means of light are not means of what is shown
        assert np.abs(thumbs[name] - thumbs["display"]).max() <= 4


def test_curves_of_printing_density():
    """Kodak's reference points: code 95 is black, 685 is white, and the curves invert each other."""
    curve = display_curve("log", 10)
    assert curve[95] == 0 and curve[685] == pytest.approx(1) and (np.diff(curve) >= 0).all()
    assert curve[468] == pytest.approx(0.461, abs=0.002)  # 18 % grey, which sRGB shows as 0.461
    assert np.abs(codes_of(curve[100:680], "log", 10) - np.arange(100, 680)).max() < 0.5
    assert display_curve("half", 16)[np.float16(0.18).view(np.uint16)] == pytest.approx(0.461, abs=0.002)


def test_a_hint_of_the_header_or_the_option_tells_the_transfer(tmp_path):
    log, video = (make_scans(tmp_path / str(t), "dpx", 10, transfer=t) for t in (1, 6))
    assert open_film(log).coding == "log" and open_film(video).coding == "display"
    assert open_film(log, transfer="display").coding == "display" and open_film(video, transfer="log").coding == "log"
    exr = make_scans(tmp_path / "exr", "exr", 16)
    with pytest.raises(InputError, match="hold linear light"):
        open_film(exr, transfer="log")
    with pytest.raises(InputError, match="is no sequence"):
        open_film(make_film(tmp_path / "film.mp4", shots((3,))), transfer="log")


def test_rates_come_from_headers_or_from_the_user(tmp_path):
    dpx = make_scans(tmp_path / "dpx", "dpx", 8, rate=23.976)
    assert open_film(dpx).rate == Fraction(24000, 1001) and open_film(dpx, fps="18").rate == 18
    with pytest.raises(InputError, match="no frame rate.*--fps 24"):
        open_film(make_scans(tmp_path / "png", "png", 8))
    for undefined in (float("nan"), float("inf"), 0.0):
        with pytest.raises(InputError, match="no frame rate"):
            open_film(make_scans(tmp_path / "undefined", "dpx", 8, rate=undefined))


@pytest.mark.parametrize(
    "given", ["", "scan_%06d.png", "scan_######.png", "scan_*.png", "*.png", "scan_08639[9]*.png", "scan_0864??.png"]
)
def test_sequences_are_found_by_folder_and_pattern(tmp_path, given):
    folder = make_scans(tmp_path / "in", "png", 8, pictures=grey_pictures(12))
    (folder / "notes.txt").write_text("reel 1")
    pattern, numbers = find(folder / given)
    assert pattern.path == str(folder / "scan_%06d.png")
    assert numbers == (
        [86399] if "[" in given else list(range(86400, 86411)) if "?" in given else list(range(86399, 86411))
    )
    assert is_sequence(folder / given)


def test_numbers_need_no_zeros(tmp_path):
    folder = make_scans(tmp_path / "in", "png", 8, name="{}", first=9, pictures=grey_pictures(3))
    pattern, numbers = find(folder)
    assert (pattern.name, numbers, [pattern.of(n) for n in numbers]) == (
        "%d.png",
        [9, 10, 11],
        ["9.png", "10.png", "11.png"],
    )


def test_mistakes_in_a_sequence_are_one_sentence(tmp_path):
    folder = make_scans(tmp_path / "in", "png", 8, pictures=grey_pictures(12))
    for number in (86401, 86404, 86405):
        (folder / f"scan_{number:06}.png").unlink()
    _refused(folder, "3 pictures are missing (86401, 86404 to 86405)", fps=24)
    _refused(folder / "scan_%06d.tif", "no picture matches scan_%06d.tif", fps=24)
    _refused(tmp_path / "nowhere/scan_%06d.tif", "there is no folder", fps=24)
    (tmp_path / "empty").mkdir()
    _refused(tmp_path / "empty", "is a folder without numbered pictures", fps=24)

    mixed = make_scans(tmp_path / "mixed", "png", 8)
    make_scans(mixed, "png", 8, first=86402, pictures=grey_pictures(1, (48, 80)))
    _refused(mixed, "scan_086402.png: from this picture on they have 80x48", fps=24)
    shutil.copy(make_scans(tmp_path / "deep", "png", 16) / "scan_086401.png", mixed / "scan_086402.png")
    _refused(mixed, "64x48, 16 bits, RGB instead of 64x48, 8 bits, RGB", fps=24)
    (mixed / "scan_086402.png").unlink()
    make_scans(mixed, "png", 8, name="b_{:04}")
    _refused(mixed, "several sequences (b_%05d.png and scan_%06d.png)", fps=24)
    shutil.copy(mixed / "scan_086399.png", mixed / "scan_86399.png")
    _refused(mixed / "scan_*.png", "several pictures have the number 86399", fps=24)
    (mixed / "scan_086399.png").unlink()
    _refused(mixed / "scan_*.png", "number 86400 is not named scan_86400.png", fps=24)
    cut = make_scans(tmp_path / "cut", "dpx", 10)
    whole = (cut / "scan_086400.dpx").read_bytes()
    (cut / "scan_086400.dpx").write_bytes(whole[:-100])
    _refused(cut, "scan_086400.dpx is cut off")
    (cut / "scan_086400.dpx").write_bytes(b"not a picture")
    _refused(cut, "scan_086400.dpx is not a DPX picture")
    _refused(cut, "has no tracks", track=0)
    for suffix in ("tif", "png", "jpg", "exr"):
        broken = make_scans(tmp_path / suffix, suffix, 16 if suffix == "exr" else 8)
        next(broken.iterdir()).write_bytes(b"not a picture at all")
        _refused(broken, "picture", fps=24)


def _refused(place: Path, sentence: str, **settings) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)) as caught:
        open_film(place, **settings)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_picture_that_breaks_while_it_is_read_is_named(tmp_path):
    for suffix in ("png", "tif", "jpg", "dpx", "exr"):
        folder = make_scans(tmp_path / suffix, suffix, 16 if suffix == "exr" else 8)
        film = open_film(folder, fps=24)
        path = folder / f"scan_086400.{suffix}"
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises((FilmError, UserError), match="scan_086400"):
            list(read_chunks(film, size=32))
    path.unlink()
    with pytest.raises(FilmError, match="no longer there"):
        list(read_chunks(film, size=32))


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    folder = make_scans(tmp_path / "in", "tif", 8)

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(needed, "import_module", missing)
    with pytest.raises(UserError, match=r"needs the package tifffile: pip install 'semcolor\[scans\]'"):
        open_film(folder, fps=24)


def test_the_fingerprint_sees_every_picture(tmp_path):
    folder = make_scans(tmp_path / "in", "tif", 8)
    before = open_film(folder, fps=24).fingerprint()
    assert open_film(folder, fps=24).fingerprint() == before != open_film(folder, fps=25).fingerprint()
    path = folder / "scan_086400.tif"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 + 10] ^= 1
    path.write_bytes(data)
    assert open_film(folder, fps=24).fingerprint() != before


def test_an_interrupted_sequence_continues_with_the_same_bytes(tmp_path):
    """Three parts of two shots; the second part is interrupted."""
    pictures = shots((50, 60, 50), (48, 64)).astype(np.float32).mean(-1) / 255
    source = make_scans(tmp_path / "in", "dpx", 10, pictures=pictures, transfer=6)
    film, output = open_film(source), tmp_path / "out/scan_%06d.dpx"
    whole = write(film, output, tmp_path / "once", size=96)
    write(film, output, tmp_path / "twice", stop=5)
    parts = [name for name in os.listdir(tmp_path / "twice") if name.endswith(".json")]
    assert len(parts) == 1 and not [n for n in os.listdir(tmp_path / "twice") if n.endswith(".tmp")]
    committed = (tmp_path / "twice/part-000000000.pictures").stat().st_mtime_ns
    again = write(film, output, tmp_path / "twice")
    assert (tmp_path / "twice/part-000000000.pictures").stat().st_mtime_ns == committed
    assert file_sha256(whole) == file_sha256(again) and len(os.listdir(again)) == 160

    (tmp_path / "twice/part-000000050.pictures/scan_086455.dpx").write_bytes(b"damaged")
    assert file_sha256(write(film, output, tmp_path / "twice")) == file_sha256(whole)


def test_reading_resumes_anywhere(tmp_path):
    source = make_scans(tmp_path / "in", "png", 16, pictures=grey_pictures(40))
    film = open_film(source, fps=24)
    chunks = list(FilmReader(film, 16, 32))
    (resumed, last) = FilmReader(film, 16, 32, Resume(frame=16, shot_start=16))
    assert (resumed.luma == chunks[1].luma).all() and (last.thumbs.pictures == chunks[2].thumbs.pictures).all()
    assert film.when(17) == "frame 17 (scan_086416.png, 0:00:00.708)"


def test_a_sequence_is_placed_whole_or_picture_by_picture(tmp_path):
    result = make_scans(tmp_path / "result", "png", 8)
    digest, output = file_sha256(result), tmp_path / "out/scan_%06d.png"
    place(result, output)
    assert placed_sha256(output) == digest and not result.exists()
    result = make_scans(tmp_path / "result", "png", 8, pictures=grey_pictures(2))
    (tmp_path / "out/notes.txt").write_text("kept")
    place(result, output)
    assert sorted(os.listdir(tmp_path / "out")) == ["notes.txt", "scan_086399.png", "scan_086400.png"]
    assert placed_sha256(output) == file_sha256(result)


def test_a_sequence_becomes_a_film(tmp_path):
    """Luma as displayed stays; printing density and linear light go through the display curve, to 10 bits."""
    values = codes(grey_pictures(), 10)
    film = open_film(make_scans(tmp_path / "a", "dpx", 10, transfer=6))
    write_film = tmp_path / "a.mkv"
    encoded, encoding = prepared(film, write_film, "ffv1")
    folder = tmp_path / "work"
    folder.mkdir()
    check_output(encoded, write_film, encoding)
    writer = PartWriter(folder, encoded, encoding)
    for frames in read_chunks(encoded, size=32):
        writer.write(frames.chunk, frames.luma, np.full((len(frames.chunk), 2, 24, 32), 512, np.uint16))
    assert (luma_planes(assemble(encoded, folder, writer.parts, write_film, encoding)) == values).all()

    log = open_film(make_scans(tmp_path / "b", "dpx", 10))
    shown, _ = prepared(log, write_film, "ffv1")
    assert (shown.coding, shown.bits) == ("display", 10)
    (frames,) = read_chunks(shown, size=32)
    assert (frames.luma == np.rint(display_curve("log", 10)[values] * 1023)).all()
    half, encoding = prepared(open_film(make_scans(tmp_path / "c", "exr", 16)), tmp_path / "c.mov", "prores_ks")
    assert (half.bits, encoding.bits) == (16, 10)  # rounded once, to ProRes's limited range


@pytest.mark.parametrize(
    "suffix, pix_fmt, bits", [("png", "yuv420p", 8), ("dpx", "yuv420p10le", 10), ("tif", "yuv420p10le", 16)]
)
def test_a_film_becomes_a_sequence(tmp_path, suffix, pix_fmt, bits):
    """Limited-range Y' becomes R'G'B' of full range with the same luma, within half a code value."""
    codec = "ffv1"
    path = make_film(tmp_path / "film.mkv", shots((3,), (48, 64)), codec=codec, pix_fmt=pix_fmt)
    film = open_film(path)
    result = write(film, tmp_path / f"out/f_%04d.{suffix}", tmp_path / "work")
    assert sorted(os.listdir(result)) == [f"f_{n:04}.{suffix}" for n in range(3)]
    step = 1 << (film.bits - 8)
    for luma, written in zip(luma_planes(path), sorted(result.iterdir()), strict=True):
        wanted = np.clip((luma.astype(float) - 16 * step) / (219 * step), 0, 1) * ((1 << bits) - 1)
        own = samples_of(written).astype(float) @ np.array([0.299, 0.587, 0.114])
        assert np.abs(own - wanted).max() < 0.8
    again = open_film(result, fps=25)
    assert (again.bits, again.rate, again.coding) == (bits, 25, "display")


@pytest.mark.slow
def test_a_range_keeps_the_numbers_of_its_frames(tmp_path):
    pictures = shots((6,), (48, 64))
    source = make_scans(tmp_path / "in", "dpx", 8, pictures=pictures.astype(np.float32).mean(-1) / 255, transfer=6)
    film = make_film(tmp_path / "film.mkv", pictures, codec="ffv1")
    colorize(open_film(source), tmp_path / "a", Look(size=64), spans=[(2, 4), (5, 6)])
    colorize(open_film(film), tmp_path / "b/f_%03d.png", Look(size=64), spans=[(2, 4), (5, 6)])
    assert sorted(os.listdir(tmp_path / "a")) == [f"scan_0864{n}.dpx" for n in ("01", "02", "04")]
    assert sorted(os.listdir(tmp_path / "b")) == [f"f_{n:03}.png" for n in (2, 3, 5)]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".semcolor")]


def test_outputs_that_cannot_be_written_are_refused_before_the_work(tmp_path):
    film = open_film(make_scans(tmp_path / "in", "png", 16), fps=24)
    mistakes = {
        "in/scan_%06d.png": "is the input itself",
        "nowhere/deep/scan_%06d.png": "its folder does not exist",
        "out/a_%02d_%06d.png": "give one place for the frame's number",
        "out/a_*.png": "give one place for the frame's number",
        "out/a_%06d.exr": "made of EXR pictures only",
        "out/a_%06d.jpg": "JPEG cannot keep 16-bit luma",
        "out/a_%06d.bmp": ".bmp",
    }
    make_scans(tmp_path / "full", "png", 8)
    mistakes["full/scan_%06d.png"] = "already; use --overwrite"
    for output, sentence in mistakes.items():
        with pytest.raises(OutputError, match=re.escape(sentence)):
            its, encoding = prepared(film, tmp_path / output)
            check_output(its, tmp_path / output, encoding)
    check_output(*(prepared(film, tmp_path / "full/scan_%06d.png")[0], tmp_path / "full/scan_%06d.png"), overwrite=True)
    assert located(tmp_path / "new", film.scans and film.scans.pattern) == str(tmp_path / "new/scan_%06d.png")
    assert located(tmp_path, None) == str(tmp_path) and located("film.mkv", None) == "film.mkv"


def test_files_named_like_patterns_are_films(tmp_path):
    path = make_film(tmp_path / "100%06d.mp4", shots((3,)))
    assert open_film(path).frames == 3 and not is_sequence(path)
    picture = make_scans(tmp_path / "in", "png", 8) / "scan_086399.png"
    with pytest.raises(InputError, match="is a still picture"):
        open_film(picture)


def test_png_chunks_that_describe_samples_are_not_copied(tmp_path):
    """A palette's transparency or a background of one channel would describe the colour picture wrongly."""
    source = make_scans(tmp_path / "in", "png", 8, grey=True)
    for path in source.iterdir():
        data = path.read_bytes()
        path.write_bytes(data[:33] + chunk(b"bKGD", b"\0\1") + chunk(b"sBIT", b"\7") + data[33:])
    result = write(open_film(source, fps=24), tmp_path / "out/scan_%06d.png", tmp_path / "work")
    data = (result / "scan_086400.png").read_bytes()
    assert b"bKGD" not in data and b"sBIT" not in data and b"tEXt" in data
    with av.open(str(result / "scan_086400.png")) as container:
        assert next(iter(container.decode(video=0))).format.name == "rgb24"
