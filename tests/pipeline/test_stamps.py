"""Each container keeps the time stamps of a film as exactly as its unit allows, or the film is refused at once.

The expected stamps are computed here from the units in the formats' own documents, not from the package's rules.
"""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.rational import AVRational
from semcolor.errors import OutputError
from semcolor.pipeline.chunk import Chunk
from semcolor.pipeline.containers import output_format, stored
from semcolor.pipeline.encode import choose_encoding, chroma_size
from semcolor.pipeline.film import Film, open_film
from semcolor.pipeline.mux import assemble
from semcolor.pipeline.outputs import check_output
from semcolor.pipeline.parts import committed
from semcolor.pipeline.writer import PartWriter
from support.films import make_film, packets, shot

FRAMES = 36
"""In so many, each of NTSC has a time stamp of a half millisecond."""

NTSC = (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(48), Fraction(60000, 1001))
"""The rates, as frames per second, whose time stamps include half milliseconds."""

OTHERS = (Fraction(899, 50), Fraction(120000, 1001), *(Fraction(n) for n in (15, 16, 18, 20, 24, 25, 30, 50, 60)))

VFR = Fraction(0)
"""In place of a rate: the frames last 33, 41, 17, 50 or 8 ms."""

RATES = (*NTSC, *OTHERS, VFR)

STARTS = (Fraction(0), Fraction(1, 40), Fraction(1))
"""Seconds at which the first frame is shown."""

MPEG_2_RATES = (*NTSC[:2], NTSC[3], *(Fraction(n) for n in (24, 25, 30, 50, 60)))

UNITS = {"mkv": Fraction(1, 1000), "webm": Fraction(1, 1000), "flv": Fraction(1, 1000), "ts": Fraction(1, 90000)}
"""Seconds per unit of a container's time stamps. The containers that are missing here keep them exactly."""

SOURCES = ("mp4", "mkv", "avi", "ts", "mpg", "nut", "flv")

OUTPUTS = ("mp4", "mov", "mkv", "avi", "ts", "webm", "nut", "flv")


def make_source(folder: Path, suffix: str, rate: Fraction, start: Fraction = STARTS[0]) -> Path:
    """A film of small frames, with B-frames where its codec has some."""
    codec = {"avi": "ffv1", "webm": "libvpx-vp9", "mpg": "mpeg2video"}.get(suffix, "libx264")
    steps = [Fraction(n, 1000) for n in (33, 41, 17, 50, 8)] if rate == VFR else [1 / rate]
    times = [start]
    while len(times) < FRAMES:
        times.append(times[-1] + steps[len(times) % len(steps)])
    base = Fraction(1, math.lcm(*(t.denominator for t in times)))
    if codec == "mpeg2video":
        base = 1 / rate
    return make_film(
        folder / f"source.{suffix}",
        shot("coffee", FRAMES, (32, 48)),
        codec=codec,
        options={"libx264": {"preset": "ultrafast", "bf": "2"}, "mpeg2video": {"bf": "2"}}.get(codec, {}),
        rate=rate or 25,
        time_base=base,
        pts=[int(t / base) for t in times],
    )


def write(film: Film, folder: Path, output: Path) -> Path:
    """The finished film. Raises OutputError if it is refused before the work."""
    container = output_format(output)
    encoding = choose_encoding(film, "libvpx-vp9" if container == "webm" else "libx264", 30, "veryfast", container)
    check_output(film, output, encoding)
    writer = PartWriter(folder, film, encoding)
    chunk = Chunk(0, 0, 0, True, tuple(film.pts.tolist()), film.durations(0, film.frames), (False,) * film.frames)
    ch, cw = chroma_size(film.width, film.height, encoding.pix_fmt)
    luma = np.empty((film.frames, film.height, film.width), np.uint8)
    luma[:] = (np.arange(film.frames) * 5 % 200 + 20)[:, None, None]
    writer.write(chunk, luma, np.full((film.frames, 2, ch, cw), 128, np.uint8), b"")
    return assemble(film, folder, committed(folder), output, encoding)


def seconds(film: Film) -> list[Fraction]:
    return [stamp * film.time_base for stamp in film.pts.tolist()]


def nearest(time: Fraction, unit: Fraction) -> Fraction:
    return math.floor(time / unit + Fraction(1, 2)) * unit


def check(source: Path, suffix: str, folder: Path) -> None:
    """Write a film into a container and compare its time stamps. AVI may refuse the film, but only before the work."""
    film = open_film(source)
    assert film.frames == FRAMES
    try:
        found = seconds(open_film(write(film, folder, folder.parent / f"out.{suffix}")))
    except OutputError as error:
        assert suffix == "avi" and "cannot keep the time stamps" in str(error)
        return
    wanted = [nearest(time, UNITS[suffix]) if suffix in UNITS else time for time in seconds(film)]
    if suffix == "avi":  # it keeps no presentation time stamps, only their distances
        found, wanted = [t - found[0] for t in found], [t - wanted[0] for t in wanted]
    assert found == wanted


@pytest.mark.parametrize("rate", NTSC, ids=float)
@pytest.mark.parametrize("source", ["mp4", "mov", "mpg", "ts"])
def test_ntsc_rates_in_matroska(tmp_path: Path, source: str, rate: Fraction) -> None:
    if source == "mpg" and rate not in MPEG_2_RATES:
        pytest.skip("MPEG-2 knows no such rate")
    check(make_source(tmp_path, source, rate), "mkv", tmp_path / "work")


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES, ids=float)
@pytest.mark.parametrize("source", SOURCES)
def test_every_rate_from_every_container_into_every_container(tmp_path: Path, source: str, rate: Fraction) -> None:
    """Each film into a third of the containers: each of two meets each, and each rate meets all in both places."""
    if source == "mpg" and rate not in MPEG_2_RATES:
        pytest.skip("MPEG-2 knows no such rate")
    start = STARTS[(len(source) + rate.numerator) % len(STARTS)] if source not in ("mpg", "avi") else STARTS[0]
    path = make_source(tmp_path, source, rate, start)
    for suffix in OUTPUTS[(RATES.index(rate) + SOURCES.index(source)) % 3 :: 3]:
        check(path, suffix, tmp_path / suffix)


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS, ids=float)
@pytest.mark.parametrize("source", ["mp4", "mov", "mkv", "ts", "webm", "nut", "flv"])
def test_every_start(tmp_path: Path, source: str, start: Fraction) -> None:
    path = make_source(tmp_path, source, NTSC[0], start)
    for suffix in OUTPUTS:
        check(path, suffix, tmp_path / suffix)


def test_flash_video_that_begins_late(tmp_path: Path) -> None:
    """The encoder's B-frames need decoding time stamps before 25 ms, and FLV stores none before 0."""
    path = make_film(
        tmp_path / "a.flv",
        shot("coffee", FRAMES, (32, 48)),
        options={"bf": "0"},
        time_base=Fraction(1, 1000),
        pts=[25 + 40 * n for n in range(FRAMES)],
    )
    assert open_film(path).pts[0] == 25
    check(path, "flv", tmp_path / "work")


def test_rate_that_players_show(tmp_path: Path) -> None:
    for suffix in ("mkv", "mp4", "avi", "ts"):
        film = open_film(make_source(tmp_path, "mp4", NTSC[0]))
        with av.open(str(write(film, tmp_path / suffix, tmp_path / f"out.{suffix}"))) as container:
            stream = container.streams.video[0]
            assert stream.average_rate == stream.base_rate == NTSC[0], suffix


def test_halves_are_rounded_as_ffmpeg_does() -> None:
    stamps = np.array([-12012, -1001, 0, 1001, 12012, 36036])
    assert stored(stamps, Fraction(1, 24000), Fraction(1, 1000)).tolist() == [-501, -42, 0, 42, 501, 1502]
    packet = av.Packet(b"")
    for stamp in range(-48, 49):
        packet.pts, packet.dts, packet.time_base = 1001 * stamp, 1001 * stamp, Fraction(1, 24000)
        packet.rescale_ts(AVRational(1, 1000))
        assert stored(np.array([1001 * stamp]), Fraction(1, 24000), Fraction(1, 1000)).tolist() == [packet.pts]


def test_stamps_that_cannot_be_stored_are_refused_at_once(tmp_path: Path) -> None:
    pts = [40000 * n for n in range(FRAMES)]
    pts[31] = pts[30] + 200  # millionths of a second
    close = make_film(tmp_path / "close.mp4", shot("coffee", FRAMES, (32, 48)), time_base=Fraction(1, 1000000), pts=pts)
    for output, words in {
        "out.mkv": r"\.mkv cannot keep the time stamps.*frames 30 and 31 would get the same.*1/1000 s; choose \.mp4",
        "out.mpg": r"\.mpg cannot keep the time stamps.*; choose \.mp4 or \.mov\.",
    }.items():
        with pytest.raises(OutputError, match=words) as caught:
            write(open_film(close), tmp_path / "work", tmp_path / output)
        assert "\n" not in str(caught.value)
    check(close, "mp4", tmp_path / "mp4")


def test_film_that_begins_before_zero(tmp_path: Path) -> None:
    """As in a recording of a broadcast whose 33-bit clock begins anew after half a second."""
    path = tmp_path / "a.ts"
    with av.open(str(path), "w", container_options={"avoid_negative_ts": "disabled", "mpegts_copyts": "1"}) as out:
        stream: Any = out.add_stream("libx264", rate=25)
        stream.width, stream.height = 48, 32
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90000)
        for n, picture in enumerate(shot("coffee", FRAMES, (32, 48))):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = (1 << 33) - 45000 + 3600 * n, Fraction(1, 90000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    film = open_film(path)
    assert film.pts[0] == -45000
    for suffix in ("mp4", "mkv", "nut"):
        with pytest.raises(OutputError, match=r"cannot keep the time stamps.*-0\.500 s.*choose \.ts"):
            write(film, tmp_path / suffix, tmp_path / f"out.{suffix}")
    check(path, "ts", tmp_path / "work")


def test_sound_stays_in_step(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", shot("coffee", FRAMES, (32, 48)), rate=NTSC[0], audio="aac")
    for suffix in ("mp4", "mkv", "ts"):
        result = write(open_film(path), tmp_path / suffix, tmp_path / f"out.{suffix}")
        unit = UNITS.get(suffix, Fraction(1, 48000))
        times = [(a[1], b[1]) for a, b in zip(packets(path, "audio"), packets(result, "audio"), strict=True)]
        assert all(was is not None and now is not None and abs(was - now) <= unit / 2 for was, now in times)


def test_sound_that_would_lose_step_is_refused_at_once(tmp_path: Path) -> None:
    pictures = shot("coffee", FRAMES, (32, 48))
    late = open_film(make_film(tmp_path / "late.mov", pictures, audio="pcm_s16le", audio_delay=24000))
    with pytest.raises(OutputError, match=r"its sound begins at 0\.000 s instead of 0\.500 s"):
        write(late, tmp_path / "avi", tmp_path / "out.avi")
    write(late, tmp_path / "mkv", tmp_path / "out.mkv")
    early = open_film(make_film(tmp_path / "early.mp4", pictures, audio="aac"))
    with pytest.raises(OutputError, match=r"its audio begins at -0\.021 s, and time stamps before 0 s cannot be"):
        write(early, tmp_path / "flv", tmp_path / "out.flv")
