"""Films without time stamps, films of several tracks, and films that are damaged, as the reader gets them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from semcolor.errors import InputError
from semcolor.jobs.batch.manifest import Asked, read_request
from semcolor.pipeline.chunk import Resume
from semcolor.pipeline.film import open_film
from semcolor.pipeline.findings import CONCEALED, LOST, Finding, findings, sentences
from semcolor.pipeline.reader import luma_sha256, read_chunks
from semcolor.pipeline.timecode import parse_rate
from support.films import luma_planes, make_film, shot
from support.odd import join_tracks, pack_b_frames, with_stamps


def read(film) -> np.ndarray:
    """(frames, H, W): the luma that the reader hands out."""
    return np.concatenate([frames.luma for frames in read_chunks(film, 16, 64)])


@pytest.mark.parametrize(
    ("given", "rate"),
    [("18", Fraction(18)), ("17.98", Fraction(899, 50)), ("24000/1001", Fraction(24000, 1001)), (16, Fraction(16))],
)
def test_frame_rates(given, rate):
    assert parse_rate(given) == rate


@pytest.mark.parametrize("given", ["", "0", "fast", "24/0", "-18", "1e3", "nan", "1001", "24:1"])
def test_other_texts_are_no_frame_rates(given):
    with pytest.raises(ValueError, match="is not a frame rate; write a number"):
        parse_rate(given)


RAW = {
    "a.h264": {"options": {"bf": "3"}},
    "a.hevc": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "a.m2v": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "a.m4v": {"codec": "mpeg4", "options": {"bf": "2"}, "container": "m4v"},
    "a.mjpeg": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "full_range": True},
    "a.y4m": {"codec": "rawvideo", "container": "yuv4mpegpipe"},
}


@pytest.mark.parametrize("name", RAW)
def test_a_raw_stream_gets_its_time_stamps_from_the_rate(name: str, tmp_path: Path) -> None:
    path = make_film(tmp_path / name, shot("coffee", 20), **RAW[name])
    film = open_film(path, fps="24000/1001")
    assert film.pts.tolist() == list(range(20)) and film.time_base == Fraction(1001, 24000) and film.last_duration == 1
    assert film.seconds == pytest.approx(20 * 1001 / 24000) and film.rate == Fraction(24000, 1001)
    assert (read(film) == luma_planes(path)).all()


@pytest.mark.parametrize("name", ["a.h264", "a.hevc"])
def test_a_raw_stream_may_state_its_rate(name: str, tmp_path: Path) -> None:
    path = make_film(tmp_path / name, shot("coffee", 20), rate=18, **RAW[name])
    film = open_film(path)
    assert film.frames == 20 and film.time_base == Fraction(1, 18)
    assert (read(film) == luma_planes(path)).all()


def test_a_raw_stream_without_a_rate_needs_one(tmp_path: Path) -> None:
    settings = {"codec": "libx265", "options": {"x265-params": "log-level=none:vui-timing-info=0"}}
    path = make_film(tmp_path / "a.hevc", shot("coffee", 20), **settings)
    with pytest.raises(InputError, match="states no frame rate; give it with --fps"):
        open_film(path)
    assert open_film(path, fps=24).seconds == pytest.approx(20 / 24)


def test_a_film_with_time_stamps_takes_no_rate(short_film: Path) -> None:
    with pytest.raises(InputError, match="has time stamps of its own; leave --fps out"):
        open_film(short_film, fps=18)
    with pytest.raises(InputError, match="--fps: 'fast' is not a frame rate"):
        open_film(short_film, fps="fast")


def test_findings_are_told_together_where_they_follow_each_other(short_film: Path) -> None:
    film = open_film(short_film)
    found = findings(film.findings, damaged=[3, 4, 5, 9], lost=[6])
    assert [f.frame for f in found] == [3, 4, 5, 6, 9]
    assert found[3] == Finding(6, LOST) and found[4] == Finding(9, CONCEALED)
    said = [line.removeprefix(f"{film.path}: ") for line in sentences(film.path, film.when, found)]
    assert said == [
        f"each of frame 3 (0:00:00.120) to frame 5 (0:00:00.200) {CONCEALED}.",
        f"frame 6 (0:00:00.240) {LOST}.",
        f"frame 9 (0:00:00.360) {CONCEALED}.",
    ]


@pytest.mark.parametrize("line", ['{"source": "a.h264", "fps": 18, "track": 1}', "source,fps,track\na.h264,18.0,1\n"])
def test_a_manifest_gives_rate_and_track(line: str, tmp_path: Path) -> None:
    path = tmp_path / ("films.jsonl" if line.startswith("{") else "films.csv")
    path.write_text(line)
    asked = read_request([str(path)], {}).asked[0]
    assert isinstance(asked, Asked) and (asked.wish.fps, asked.wish.track) == ("18", 1)
    assert asked.wish.decisive()["fps"] == "18"


def test_a_manifest_with_another_rate_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "films.jsonl").write_text('{"source": "a.h264", "fps": "fast"}')
    mistake = read_request([str(tmp_path / "films.jsonl")], {}).asked[0]
    assert isinstance(mistake, str) and "'fast' is not a frame rate" in mistake


ORDERS = {
    "h264": ("a.avi", {"options": {"bf": "3", "g": "12"}}),
    "a pyramid of B-frames": ("a.avi", {"options": {"bf": "4", "b-pyramid": "normal"}}),
    "interlaced h264": ("a.avi", {"options": {"bf": "2"}, "interlaced": "tff"}),
    "h264 in ASF": ("a.asf", {"options": {"bf": "3", "g": "12"}}),
    "packed B-frames": ("plain.avi", {"codec": "mpeg4", "options": {"bf": "1", "g": "12"}}),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_time_stamps_in_the_order_of_decoding_are_put_in_order(kind: str, tmp_path: Path) -> None:
    name, settings = ORDERS[kind]
    path = make_film(tmp_path / name, shot("coffee", 30), **settings)
    if kind.startswith("packed"):
        path = pack_b_frames(path, tmp_path / "packed.avi")
    film = open_film(path)
    whole = list(read_chunks(film, 16, 64))
    luma = np.concatenate([frames.luma for frames in whole])
    assert film.frames == 30 and film.findings == () and not any(f.chunk.lost or f.chunk.damaged for f in whole)
    assert (np.diff(film.pts) * film.time_base == Fraction(1, 25)).all()
    assert (luma == luma_planes(path)).all()
    assert (luma == luma_planes(make_film(tmp_path / "same.mp4", shot("coffee", 30), **settings))).mean() > 0.9
    start = Resume(16, 0, 16, luma_sha256(luma[15]))
    assert (next(read_chunks(film, 16, 64, start)).luma == luma[16:]).all()


def test_a_cover_without_a_mark_is_not_the_film(tmp_path: Path) -> None:
    cover = make_film(tmp_path / "cover.mkv", shot("rocket", 1, (192, 128)), codec="mjpeg", pix_fmt="yuvj420p")
    reel = make_film(tmp_path / "reel.mp4", shot("coffee", 20), audio="aac")
    both = join_tracks(tmp_path / "both.mkv", cover, reel, sound=reel)
    film = open_film(both)
    assert (film.stream, film.frames, film.width) == (1, 20, 128)
    assert film.others == ("video mjpeg", "audio aac")
    assert open_film(both, track=0).frames == 1
    with pytest.raises(InputError, match=r"no video track 2; its video tracks are 0 \(mjpeg\), 1 \(h264\)"):
        open_film(both, track=2)


@pytest.mark.parametrize(("lengths", "default", "chosen"), [((20, 20), 1, 1), ((20, 20), None, 0), ((4, 20), 0, 1)])
def test_of_several_tracks_the_film_is_chosen(
    lengths: tuple[int, int], default: int | None, chosen: int, tmp_path: Path
) -> None:
    reels = [make_film(tmp_path / f"{n}.mp4", shot("coffee", length)) for n, length in enumerate(lengths)]
    both = join_tracks(tmp_path / "both.mkv", *reels, default=default)
    assert open_film(both).stream == chosen
    assert [open_film(both, track=n).frames for n in (0, 1)] == list(lengths)


def test_a_doubled_time_stamp_is_repaired(tmp_path: Path) -> None:
    whole = make_film(tmp_path / "whole.mkv", shot("coffee", 10), options={"bf": "0"})
    stamps = [40 * n for n in range(10)]
    stamps[5] = stamps[4]  # the next frame is 80 ms later, so there is room for it
    path = with_stamps(whole, tmp_path / "doubled.mkv", stamps)
    film = open_film(path)
    assert film.pts.tolist() == [40 * n for n in range(10)] and (read(film) == luma_planes(path)).all()
    assert [(f.frame, "time stamp of the frame before" in f.what) for f in film.findings] == [(5, True)]
    with pytest.raises(InputError, match=r"frame 5 \(0:00:00.200\) had the time stamp of the frame before"):
        open_film(path, strict=True)


def test_where_no_time_stamp_can_be_told_the_rate_helps(tmp_path: Path) -> None:
    whole = make_film(tmp_path / "whole.mkv", shot("coffee", 10), options={"bf": "0"})
    stamps = [0, 40, 80, 120, 120, 121, 240, 280, 320, 360]
    path = with_stamps(whole, tmp_path / "doubled.mkv", stamps)
    with pytest.raises(InputError, match=r"the time stamp of frame 4 is .* give .* --fps \(for instance --fps 25\)"):
        open_film(path)
    film = open_film(path, fps=25)
    assert film.seconds == pytest.approx(0.4) and (read(film) == luma_planes(path)).all()
