"""What a film is told to be before it is decoded, and every input that is none."""

from __future__ import annotations

import pickle
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from semcolor.errors import InputError
from semcolor.pipeline.film import open_film
from semcolor.pipeline.reader import FilmReader
from semcolor.pipeline.timecode import timecode
from support.films import luma_planes, make_film, make_sound, photo, shot


def test_probe(short_film: Path) -> None:
    film = open_film(short_film)
    assert (film.width, film.height, film.frames, film.bits) == (128, 96, 48, 8)
    assert (film.pix_fmt, film.matrix, film.full_range, film.interlaced) == ("yuv420p", "bt601", False, False)
    assert film.seconds == pytest.approx(48 / 25)
    assert "audio aac" in film.others
    copy = pickle.loads(pickle.dumps(film))
    assert copy == film and (copy.pts == film.pts).all()
    assert film.fingerprint() == open_film(short_film).fingerprint()


def test_time_stamps_of_variable_rate(vfr_film: Path) -> None:
    film = open_film(vfr_film)
    with av.open(str(vfr_film)) as container:
        decoded = [f.pts for f in container.decode(video=0)]
    assert film.pts.tolist() == decoded
    assert float(film.pts[0] * film.time_base) == pytest.approx(0.30)
    assert sum(film.durations(0, film.frames)) * film.time_base == Fraction(film.seconds).limit_denominator(10**6)


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("ten.mkv", {"codec": "ffv1", "pix_fmt": "yuv422p10le"}, ("yuv422p10le", 10, False)),
        ("full.mp4", {"full_range": True}, ("yuvj420p", 8, True)),
        ("grey.mkv", {"codec": "ffv1", "pix_fmt": "gray"}, ("gray", 8, True)),
        ("deep.mkv", {"codec": "ffv1", "pix_fmt": "gray16le"}, ("gray16le", 16, True)),
        ("rgb.mkv", {"codec": "libx264rgb", "pix_fmt": "rgb24"}, ("yuv444p", 8, True)),
        ("packed.mov", {"codec": "rawvideo", "pix_fmt": "uyvy422"}, ("yuv422p", 8, False)),
        ("anim.gif", {"codec": "gif", "pix_fmt": "rgb8"}, ("yuv444p", 8, True)),
    ],
)
def test_formats(tmp_path: Path, name: str, settings: dict, expected: tuple) -> None:
    film = open_film(make_film(tmp_path / name, shot("coffee", 3), **settings))
    if name in ("grey.mkv", "deep.mkv"):  # the maker tags them as limited range, and a tag is believed
        expected = (*expected[:2], False)
    assert (film.luma_fmt, film.bits, film.full_range) == expected


def test_tags(tmp_path: Path) -> None:
    tags = {"color_primaries": 9, "color_trc": 14, "colorspace": 9}
    path = make_film(
        tmp_path / "a.mp4", shot("coffee", 3), tags=tags, sample_aspect=Fraction(16, 15), rotation=90, interlaced="tff"
    )
    film = open_film(path)
    assert (film.primaries, film.trc, film.colorspace, film.matrix) == (9, 14, 9, "bt2020")
    assert film.sample_aspect == Fraction(16, 15) and film.display_matrix
    assert film.interlaced and film.top_field_first


def test_bad_inputs(tmp_path: Path) -> None:
    make_sound(tmp_path / "sound.m4a")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a film\n" * 100)
    (tmp_path / "notes.txt").write_text("not a film\n" * 100)
    cv2.imwrite(str(tmp_path / "still.jpg"), photo("coffee"))
    with av.open(str(tmp_path / "none.mkv"), "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"  # type: ignore[attr-defined]
        out.start_encoding()
    for name, words in {
        "missing.mp4": "no such file",
        ".": "is a folder",
        "empty.mp4": "is empty",
        "text.mp4": "not a video",
        "notes.txt": "not a video",
        "sound.m4a": "sound but no pictures",
        "still.jpg": "still picture",
        "none.mkv": "no frames",
    }.items():
        with pytest.raises(InputError, match=words) as caught:
            open_film(tmp_path / name)
        assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize("keep", [0.4, 0.97])
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
def test_cut_off(tmp_path: Path, name: str, keep: float) -> None:
    path = make_film(tmp_path / name, shot("coffee", 100), codec="mpeg4", audio="aac")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    if name == "a.mp4":  # its table of frames is gone
        with pytest.raises(InputError, match="cut off"):
            open_film(path)
        return
    film = open_film(path)
    (found,) = film.findings
    assert found.frame is None and f"cut off; {film.frames} frames could be read" in found.what
    assert keep * 95 - 25 < film.frames <= 100
    assert sum(len(frames.chunk) for frames in FilmReader(film, 16, 64)) == film.frames
    with pytest.raises(InputError, match="cut off.*leave --strict out"):
        open_film(path, strict=True)


def test_timecode() -> None:
    assert timecode(Fraction(3723040, 1000)) == "1:02:03.040"


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video", "mpeg4"])
def test_a_film_cut_inside_a_group_of_pictures_begins_with_the_next(codec: str, tmp_path: Path) -> None:
    options = {"x265-params": "log-level=none:keyint=30:open-gop=1"} if codec == "libx265" else {"g": "30", "bf": "2"}
    whole = make_film(tmp_path / "whole.ts", shot("rocket", 60), codec=codec, options=options)
    content, packet = whole.read_bytes(), 188
    start = len(content) // 5 // packet * packet  # inside the first group; the tables in front are kept
    cut = tmp_path / "cut.ts"
    cut.write_bytes(content[: 3 * packet] + content[start:])
    film = open_film(cut)
    assert film.findings[0].what.startswith("begins inside a group of pictures: its first ")
    with av.open(str(whole)) as container:
        second = [n for n, frame in enumerate(container.decode(video=0)) if frame.key_frame][1]
    assert film.pts.tolist() == open_film(whole).pts[second:].tolist()
    luma = np.concatenate([frames.luma for frames in FilmReader(film, 16, 64)])
    assert (luma == luma_planes(whole)[second:]).all()
    with pytest.raises(InputError, match="begins inside a group of pictures.*leave --strict out"):
        open_film(cut, strict=True)
