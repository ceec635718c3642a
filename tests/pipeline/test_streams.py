"""The streams beside the pictures: what reaches the output, and what a refusal advises."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from semcolor.errors import AssembleError, OutputError, UserError
from semcolor.jobs.batch.manifest import FILMS
from semcolor.pipeline.containers import output_format
from semcolor.pipeline.film import open_film
from semcolor.pipeline.matroska import add_chapters
from semcolor.pipeline.outputs import check_output, prepared
from semcolor.pipeline.selection import Selection, parse_selection
from semcolor.pipeline.sequences import dpx
from semcolor.pipeline.suffixes import output_suffix
from support.films import packets
from support.matrix import colored
from support.scans import make_scans
from support.sei import make_timed
from support.streams import COVER, Recipe, Sound, brew, checked, written

NTSC = Fraction(30000, 1001)

TIMECODES = {
    "mov": Recipe(timecode="10:20:30:05", sounds=[Sound("pcm_s16le")]),
    "mp4": Recipe(timecode="01:00:00;02", rate=NTSC, sounds=[Sound("aac")]),
    "mkv": Recipe(timecode="10:20:30:05"),
    "nut": Recipe(timecode="10:20:30:05"),
    "avi": Recipe(timecode="10:20:30:05", codec="mpeg4", sounds=[Sound("pcm_s16le")]),
    "mxf": Recipe(timecode="10:20:30:05", codec="mpeg2video", sounds=[Sound("pcm_s16le")]),
    "gxf": Recipe(timecode="10:20:30:05", codec="mpeg2video", size=(576, 720), sounds=[Sound("pcm_s16le")]),
    "mpg": Recipe(codec="mpeg2video", options={"gop_timecode": "10:20:30:05"}),
    "ts": Recipe(codec="mpeg2video", options={"gop_timecode": "10:20:30:05"}),
}
"""Suffix of a film that states a timecode → how it is made."""


def stated(path: Path) -> list[tuple[str, str]]:
    """(kind of the place, timecode) of all timecodes that a file states, read independently of the package."""
    with av.open(str(path)) as container:
        places = [("file", container.metadata), *((s.type, s.metadata) for s in container.streams)]
        return [(kind, v) for kind, tags in places for k, v in tags.items() if k.lower() == "timecode"]


def group_timecode(path: Path) -> str:
    """The timecode in the first header of a group of pictures (ISO/IEC 13818-2, 6.3.8), read from the bytes."""
    content = path.read_bytes()
    at = content.index(b"\0\0\1\xb8") + 4
    bits = int.from_bytes(content[at : at + 4], "big") >> 7
    return f"{bits >> 19 & 31:02}:{bits >> 13 & 63:02}:{bits >> 6 & 63:02}:{bits & 63:02}"


@pytest.mark.parametrize("suffix", TIMECODES)
def test_a_timecode_comes_out(suffix: str, tmp_path: Path) -> None:
    recipe = TIMECODES[suffix]
    film = open_film(brew(tmp_path / f"in.{suffix}", recipe))
    wanted = recipe.timecode or group_timecode(tmp_path / f"in.{suffix}")
    for output, codec, place in (
        ("out.mov", "libx264", "data"),
        ("out.mp4", "libx264", "data"),
        ("out.mkv", "libx264", "video"),
        ("out.avi", "libx264", "file"),
        ("out.mxf", "ffv1", "file"),
    ):
        try:
            result, words = written(film, tmp_path / output, codec)
        except OutputError as error:  # some sources begin late, or have other sound; that says nothing of timecode
            assert output in ("out.avi", "out.mxf") and re.search(r"time stamps of|carry audio:0 \(aac\)", str(error))
            continue
        assert (place, wanted) in [(kind, text.replace(".", ";")) for kind, text in stated(result)]
        assert [wanted in word and "is kept" in word for word in words] == [True]


@pytest.mark.parametrize(
    ("timecode", "rate"), [("10:20:30:05", 25), ("01:02:03;04", NTSC), ("23:59:59:12", 50), ("00:00:00:03", 25)]
)
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_timecode_beside_frames_comes_out(codec: str, timecode: str, rate: int | Fraction, tmp_path: Path) -> None:
    """It is that of the first frame, and within the first second it is the encoder's own count."""
    film = open_film(make_timed(tmp_path / "in.ts", codec, timecode, Fraction(rate)))
    wanted = [] if timecode.startswith("00:00:00") else [timecode]
    for output, place in (("out.mov", "data"), ("out.mkv", "video")):
        result, words = written(film, tmp_path / output)
        found = [text.replace(".", ";") for kind, text in stated(result) if kind == place]
        assert found == wanted and len(words) == len(wanted)


def test_timecode_and_keycode_of_scans_come_out(tmp_path: Path) -> None:
    film = open_film(make_scans(tmp_path / "scans", "dpx", 10))
    for output, place, keyed in (("out.mov", "data", False), ("out.mkv", "video", True), ("out.nut", "file", True)):
        read, encoding = prepared(film, tmp_path / output, "libx264")
        words = check_output(read, tmp_path / output, encoding)
        with av.open(str(colored(read, tmp_path / f"work-{output}", tmp_path / output, encoding))) as container:
            tags = {name.lower(): value for name, value in container.metadata.items()}
        result = tmp_path / f"work-{output}" / f"film{Path(output).suffix}"
        assert (place, "01:02:03:00") in stated(result)
        assert tags.get("keycode") == ("02 03 561234 0027+04" if keyed else None)
        assert [word.partition(": ")[2] for word in words] == [
            f"the timecode 01:02:03:00 is kept {'in a timecode track' if place == 'data' else 'as metadata'}.",
            "the keycode 02 03 561234 0027+04 is "
            + ("kept as metadata." if keyed else "lost: this container states none, but .mkv does."),
        ]


def test_headers_without_addresses_state_none(tmp_path: Path) -> None:
    folder = make_scans(tmp_path / "scans", "dpx", 10)
    path = sorted(folder.iterdir())[0]
    whole = path.read_bytes()
    for at, value, timecode, keycode in (
        (1920, bytes(4), "", "02 03 561234 0027+04"),
        (1920, b"\xff" * 4, "", "02 03 561234 0027+04"),
        (1920, b"\x25\0\0\0", "", "02 03 561234 0027+04"),
        (1920, b"\x10\x20\x30\x45", "10:20:30;05", "02 03 561234 0027+04"),
        (1664, bytes(16), "01:02:03:00", ""),
        (1664, b"\xff" * 16, "01:02:03:00", ""),
    ):
        little = whole[:4] == b"XPDS" and at == 1920
        path.write_bytes(whole[:at] + (value[::-1] if little else value) + whole[at + len(value) :])
        assert dpx.addresses(path, Fraction(24)) == (timecode, keycode)


def test_a_timecode_that_a_container_cannot_state(tmp_path: Path) -> None:
    film = open_film(brew(tmp_path / "in.mxf", TIMECODES["mxf"]))
    (word,) = checked(replace(film, selection=Selection(drop=("audio",))), tmp_path / "out.ts")
    assert "10:20:30:05 is lost" in word
    track = open_film(brew(tmp_path / "in.mov", Recipe(timecode="10:20:30:05")))
    with pytest.raises(OutputError, match=r"\.m4v cannot carry data:0 \(timecode\).*--drop data:0"):
        checked(track, tmp_path / "out.m4v")
    without = replace(track, selection=Selection(drop=("data:0",)))
    assert stated(written(without, tmp_path / "out.m4v")[0]) == []
    assert stated(written(without, tmp_path / "out.mov")[0]) == []
    none = open_film(brew(tmp_path / "in.mpg", Recipe(codec="mpeg2video")))
    assert checked(none, tmp_path / "out.mov") == ()


@pytest.mark.parametrize("codec", ["wmav2", "adpcm_ms"])
def test_sound_that_matroska_holds_only_as_wav_does(codec: str, tmp_path: Path) -> None:
    source = brew(tmp_path / "in.wmv", Recipe(codec="wmv2", sounds=[Sound(codec), Sound("mp3")]))
    first, _ = written(open_film(source), tmp_path / "first.mkv")
    second, _ = written(open_film(first), tmp_path / "second.mkv", "libx265")
    for result in (first, second):
        assert [content for content, _ in packets(result, "audio")] == [c for c, _ in packets(source, "audio")]
        with av.open(str(result)) as container:
            assert [s.codec_context.name for s in container.streams.audio] == [codec, "mp3float"]
            assert container.metadata.get("encoder", "Lavf") == "Lavf"


def test_chapters_beside_such_sound_are_kept(tmp_path: Path) -> None:
    recipe = Recipe(codec="wmv2", sounds=[Sound("wmav2")], chapters=True, frames=100)
    source = brew(tmp_path / "in.wmv", recipe, "asf")
    result, _ = written(open_film(source), tmp_path / "out.mkv")
    with av.open(str(source)) as given, av.open(str(result)) as made:
        chapters = [
            [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]) for c in each.chapters()]
            for each in (given, made)
        ]
        assert chapters[0] == chapters[1] and len(chapters[1]) == 2
        made.seek(3_000_000)
        assert next(made.decode(video=0)).pts > 0  # the index still leads to its frames
    assert [content for content, _ in packets(result, "audio")] == [c for c, _ in packets(source, "audio")]
    again, _ = written(open_film(result), tmp_path / "again.mkv", "libx265")
    with av.open(str(again)) as made:
        assert [c["metadata"] for c in made.chapters()] == [{"title": "0"}, {"title": "1"}]
    if shutil.which("ffprobe"):
        asked = ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", str(result)]
        told = subprocess.run(asked, check=True, capture_output=True)
        assert [c["tags"]["title"] for c in json.loads(told.stdout)["chapters"]] == ["0", "1"] and not told.stderr


@pytest.mark.parametrize("content", [b"", b"not Matroska at all", bytes(64)])
def test_what_is_no_matroska_gets_no_chapters(content: bytes) -> None:
    chapter = {"id": 0, "start": 0, "end": 1, "time_base": Fraction(1), "metadata": {}}
    with pytest.raises(AssembleError, match="chapters cannot be written"):
        add_chapters(io.BytesIO(content), [chapter])


def test_only_chapters(tmp_path: Path) -> None:
    film = open_film(brew(tmp_path / "in.mp4", Recipe(sounds=[Sound()], chapters=True)))
    only = replace(film, selection=Selection(only=("chapters",)))
    with av.open(str(written(only, tmp_path / "out.mkv")[0])) as container:
        assert not container.streams.audio and len(container.chapters()) == 2


@pytest.mark.parametrize(("source", "output"), [("mkv", "mkv"), ("mkv", "mp4"), ("mp4", "mkv"), ("mp4", "mp4")])
def test_a_cover_stays_a_cover(source: str, output: str, tmp_path: Path) -> None:
    film = open_film(brew(tmp_path / f"in.{source}", Recipe(cover=True, sounds=[Sound()])))
    result, _ = written(film, tmp_path / f"out.{output}")
    with av.open(str(result)) as container:
        pictures = [s for s in container.streams.video if int(s.disposition) & 1 << 10]
        assert len(container.streams.video) == 2 and len(pictures) == 1
        if output == "mkv":
            assert pictures[0].metadata["filename"] == "cover.jpg"
        assert next(bytes(p) for p in container.demux(pictures[0]) if p.size) == COVER


def test_packets_for_menus_of_dvds_are_left_out_with_a_word(tmp_path: Path) -> None:
    source = brew(tmp_path / "in.vob", Recipe(codec="mpeg2video", sounds=[Sound("mp2")]), "dvd")
    _, (word,) = written(open_film(source), tmp_path / "out.mkv")
    assert "data:0 (dvd_nav_packet) is left out" in word


def test_mxf_longer_than_the_trial(tmp_path: Path) -> None:
    for rate in (Fraction(25), NTSC):
        seconds = 75 / float(rate)
        recipe = Recipe(codec="mpeg2video", frames=75, rate=rate, sounds=[Sound("pcm_s16le", seconds)])
        film = open_film(brew(tmp_path / "in.mxf", recipe))
        for codec in ("prores_ks", "ffv1", "mpeg2video"):
            assert open_film(written(film, tmp_path / f"{codec}{rate.numerator}.mxf", codec)[0]).frames == 75
    uneven = open_film(brew(tmp_path / "in.mkv", Recipe(sounds=[Sound("pcm_s16le", 1.5)])))
    with pytest.raises(OutputError, match=r"its sound lasts 1\.500 s and its pictures 1\.000 s"):
        checked(uneven, tmp_path / "out.mxf", "ffv1")


REFUSED = {
    "codec for MXF": (Recipe(sounds=[Sound("pcm_s16le")]), "mkv", "out.mxf", "libx264"),
    "codec for WebM": (Recipe(sounds=[Sound("libopus")]), "mkv", "out.webm", "libx264"),
    "codec for AVI": (Recipe(), "mp4", "out.avi", "libx265"),
    "codec for ASF": (Recipe(codec="wmv2", sounds=[Sound("wmav2")]), "wmv", "out.wmv", "libx264"),
    "WMA": (Recipe(codec="wmv2", sounds=[Sound("wmav2")]), "wmv", "out.mp4", "libx264"),
    "attachment": (Recipe(note=True, cover=True), "mkv", "out.mp4", "libx264"),
    "cover": (Recipe(cover=True), "mkv", "out.mov", "libx264"),
    "timecode": (Recipe(timecode="10:20:30:05"), "mov", "out.m4v", "libx264"),
    "two sounds": (Recipe(sounds=[Sound("pcm_s16le"), Sound("mp2")]), "mkv", "out.ts", "libx264"),
    "program stream": (Recipe(), "mp4", "out.mpg", "libx264"),
    "late": (Recipe(sounds=[Sound("pcm_s16le"), Sound("pcm_s16le", 1.0, 0.5)]), "mkv", "out.avi", "libx264"),
}
"""What is refused → (film, its suffix, output, codec)."""


@pytest.mark.parametrize("case", REFUSED)
def test_all_that_a_refusal_advises_works(case: str, tmp_path: Path) -> None:
    recipe, suffix, output, codec = REFUSED[case]
    film = open_film(brew(tmp_path / f"in.{suffix}", recipe))
    with pytest.raises(OutputError) as caught:
        checked(film, tmp_path / output, codec)
    said = str(caught.value)
    assert "\n" not in said and "Errno" not in said and "returned" not in said and "<none>" not in said
    advice = said.rpartition("; ")[2]
    others = re.findall(r"\.\w{2,4}\b", advice)
    dropped, codecs = re.findall(r"--drop ([a-z]+(?::\d)?)", advice), re.findall(r"--codec (\w+)", advice)
    assert others or dropped or codecs, said
    for other in others:
        checked(film, tmp_path / f"other{other}", codec)
    if dropped:
        checked(replace(film, selection=parse_selection(dropped, None)), tmp_path / output, codec)
    for other in codecs:
        checked(film, tmp_path / output, other)


@pytest.mark.parametrize("suffix", ["mov", "mp4", "avi", "mkv"])
@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
def test_a_pause_in_the_sound_is_kept_or_refused(codec: str, suffix: str, tmp_path: Path) -> None:
    film = open_film(brew(tmp_path / "in.mkv", Recipe(frames=100, sounds=[Sound(codec, 3.0, gap=0.5)])))
    lost = suffix == "avi" or (codec == "pcm_s16le" and suffix != "mkv")
    if lost:
        with pytest.raises(OutputError, match=r"its sound has a gap at 1\.\d+ s, and .* 0\.50\d s early"):
            checked(film, tmp_path / f"out.{suffix}")
    else:
        result, _ = written(film, tmp_path / f"out.{suffix}")
        times: list[Any] = [time for _, time in packets(result, "audio")]
        assert max(b - a for a, b in zip(times, times[1:], strict=False)) > Fraction(1, 2)


def test_each_stream_of_sound_is_tried(tmp_path: Path) -> None:
    """The second sound begins after more packets of the first one than a trial copies."""
    sounds = [Sound("pcm_s16le", 4.0), Sound("pcm_s16le", 1.0, start=3.0)]
    film = open_film(brew(tmp_path / "in.mkv", Recipe(frames=100, sounds=sounds)))
    with pytest.raises(OutputError, match=r"audio:1 .*its sound begins at 0\.000 s instead of 3\.000 s"):
        checked(film, tmp_path / "out.avi")


def test_selections() -> None:
    chosen = parse_selection(["data:0", "Subtitle, audio:1"], None)
    assert chosen == Selection(drop=("data:0", "subtitle", "audio:1"))
    assert [chosen.keeps("data", n) for n in (0, 1)] == [False, True] and not chosen.keeps("subtitle", 3)
    only = parse_selection(None, "audio:1,chapters")
    assert only.keeps("chapters") and only.keeps("audio", 1) and not only.keeps("audio", 0)
    for drop, keep in ((["sound"], None), (["data:x"], None), ([""], None), (None, ","), (["audio:-1"], None)):
        with pytest.raises(UserError, match="kinds are"):
            parse_selection(drop, keep)


def test_a_stream_that_is_not_there(tmp_path: Path) -> None:
    film = open_film(brew(tmp_path / "in.mkv", Recipe(sounds=[Sound()])))
    with pytest.raises(UserError, match=r"data:0: the film has no such stream .*: audio:0\."):
        checked(replace(film, selection=Selection(drop=("data:0",))), tmp_path / "out.mkv")
    assert checked(replace(film, selection=Selection(drop=("data",))), tmp_path / "out.mkv") == ()
    result, _ = written(replace(film, selection=Selection(only=("video",))), tmp_path / "out.mkv")
    with av.open(str(result)) as container:
        assert [s.type for s in container.streams] == ["video"]


SOURCES = {
    ".webm": Recipe(codec="libvpx-vp9", sounds=[Sound("libopus")]),
    ".wmv": Recipe(codec="wmv2", sounds=[Sound("wmav2")]),
    ".asf": Recipe(codec="msmpeg4", sounds=[Sound("wmav2")]),
    ".vob": Recipe(codec="mpeg2video", sounds=[Sound("ac3")]),
    ".mpg": Recipe(codec="mpeg2video", sounds=[Sound("mp2")]),
    ".m2v": Recipe(codec="mpeg2video"),
    ".mxf": Recipe(codec="mpeg2video", sounds=[Sound("pcm_s16le")]),
    ".gxf": Recipe(codec="mpeg2video", size=(576, 720), sounds=[Sound("pcm_s16le")]),
    ".dv": Recipe(codec="dvvideo", size=(576, 720)),
    ".3gp": Recipe(codec="libx264", sounds=[Sound()]),
    ".h264": Recipe(),
    ".flv": Recipe(codec="flv", options={"bf": "0"}),
    ".avi": Recipe(codec="mpeg4", sounds=[Sound("pcm_s16le")]),
    ".m2ts": Recipe(sounds=[Sound("ac3")]),
}
"""Suffix of a source → how it is made."""


@pytest.mark.parametrize("suffix", SOURCES)
def test_the_default_name_works(suffix: str, tmp_path: Path) -> None:
    film = open_film(brew(tmp_path / f"in{suffix}", SOURCES[suffix]))
    checked(film, tmp_path / f"out{output_suffix(suffix, 'libx264')}")


def test_every_suffix_has_a_default_that_can_be_written() -> None:
    for suffix in (*FILMS, "", ".rm", ".h264", ".gif", ".MOV", ".xyz"):
        assert output_format(f"film{output_suffix(suffix, 'libx264')}")
    assert output_suffix(".MOV", "libx264") == ".MOV"
    assert output_suffix(".webm", "libvpx-vp9") == ".webm" and output_suffix(".webm", "libx264") == ".mkv"
    assert output_suffix(".mxf", "ffv1") == ".mxf" and output_suffix(".3gp", "libx264") == ".mp4"


def test_pictures_that_are_too_narrow_for_x265(tmp_path: Path) -> None:
    film = open_film(brew(tmp_path / "in.mkv", Recipe(size=(64, 48))))
    with pytest.raises(OutputError, match="at least 64 pixels wide; use libx264 or ffv1"):
        checked(film, tmp_path / "out.mkv", "libx265")
    assert checked(film, tmp_path / "out.mkv", "libx264") == checked(film, tmp_path / "out.mkv", "ffv1") == ()
