"""A file that somebody sends makes no run read another file, and none that is damaged ends in a traceback."""

from __future__ import annotations

import io
import os
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest
from PIL import Image
from semcolor.errors import InputError
from semcolor.jobs.commands import video
from semcolor.pipeline.encode import choose_encoding
from semcolor.pipeline.film import open_film
from semcolor.pipeline.opening import ALLOWED, open_container
from semcolor.pipeline.outputs import check_output
from semcolor.pipeline.reader import FilmReader
from support.films import make_film, photo, shot
from support.watching import watched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")

MPD = """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
mediaPresentationDuration="PT1S" minBufferTime="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>
<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1" codecs="avc1.4d400c" width="128" height="96">
<BaseURL>{other}</BaseURL><SegmentBase indexRange="0-9"/></Representation></AdaptationSet></Period></MPD>"""

TEXTS = {
    "ffconcat": "ffconcat version 1.0\nfile {other}\n",
    "ffconcat with a protocol": "ffconcat version 1.0\nfile file:{other}\n",
    "ffconcat after a mark": "\ufeffffconcat version 1.0\nfile {other}\n",
    "HLS": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n",
    "HLS with a map": '#EXTM3U\n#EXT-X-MAP:URI="{other}"\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n',
    "DASH": MPD,
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "PLS": "[playlist]\nFile1={other}\nNumberOfEntries=1\n",
    "ASX": '<asx version="3.0"><entry><ref href="{other}"/></entry></asx>',
    "IMF": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
    "<Id>urn:uuid:0</Id></CompositionPlaylist>",
    "metadata": ";FFMETADATA1\ntitle={other}\n",
    "AviSynth": 'DirectShowSource("{other}")\n',
    "a list of subtitles": "# VobSub index file, v7\nsize: 720x576\n",
}
"""Kind of list → its text."""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film that nobody may open."""
    return make_film(tmp_path_factory.mktemp("other") / "other.mp4", shot("coffee", 4))


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence with which the command refuses its arguments."""
    assert video.run(arguments) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.startswith("semcolor-video: ") and said.err.endswith(".\n")
    assert said.err.count("\n") == 1 and "Traceback" not in said.err
    return said.err


def test_the_watch_sees_that_a_file_is_opened(other: Path, tmp_path: Path) -> None:
    cat = tmp_path / "film.mp4"
    cat.write_text(f"ffconcat version 1.0\nfile {os.path.relpath(other, tmp_path)}\n")
    with watched(other) as watch:
        assert not watch.opened
        av.open(str(cat), options={"safe": "0"}).close()  # as FFmpeg does where nobody stops it
        assert watch.opened


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".m3u8", ".mpd", ".sdp", ".ffconcat", ""])
@pytest.mark.parametrize("kind", TEXTS)
def test_a_list_of_files_is_not_followed(
    kind: str, suffix: str, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = tmp_path / "other.mp4"
    os.link(other, beside)
    for name in ("other.mp4", str(beside)):
        path = tmp_path / f"film{suffix}"
        path.write_text(TEXTS[kind].format(other=name))
        with watched(other) as watch:
            assert "is not a video" in refused([str(path), "-o", str(tmp_path / "out.mkv")], capsys)
            assert not watch.opened
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, "other.mp4"]


def test_a_name_with_a_pattern_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file is a file, whatever its name. Only where there is no such file, a pattern names a sequence of pictures."""
    real = tmp_path / "film001.png"
    cv2.imwrite(str(real), photo("coffee"))
    for name in ("film%03d.png", "film*.png", "film%03d.mp4"):
        path = tmp_path / name
        without = "no such file" if path.suffix == ".mp4" else "its pictures state no frame rate"
        assert without in refused([str(path), "-o", str(tmp_path / "out.mkv")], capsys)
        with watched(real) as watch:
            path.write_bytes(bytes(100))
            what = "video" if path.suffix == ".mp4" else "picture"
            assert f"is not a {what}" in refused([str(path), "-o", str(tmp_path / "out.mkv")], capsys)
            assert not watch.opened
        path.unlink()


PROTOCOLS = (
    *("subfile:,,start,0,end,0,,:{other}", "concat:{other}|{other}", "data:video/mp4;base64,AAAA", "file:{other}"),
    *("crypto:{other}", "cache:{other}", "async:{other}", "tee:{other}", "pipe:0", "fd:0", "concatf:{other}"),
    *("lavfi:color", "md5:{other}", "unix:{other}", "libamqp:x"),
)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_name_is_no_protocol(
    name: str, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.link(other, tmp_path / "other.mp4")
    with watched(other) as watch:
        assert "no such file" in refused([name.format(other=other), "-o", "out.mkv"], capsys)
        name = name.format(other="other.mp4").replace("/", "_")
        assert "no such file" in refused([name, "-o", "out.mkv"], capsys)
        Path(name).write_bytes(bytes(100))
        assert "is not a video" in refused([name, "-o", "out.mkv"], capsys)
        with pytest.raises(InputError, match="is not a video"):
            open_film(name)
        assert not watch.opened


@pytest.mark.parametrize("name", ["concat:a.mp4|b.mp4", "subfile:,,start,0,end,0,,:a.mp4", "film%03d.mp4", "a?b#c.mp4"])
def test_a_film_with_such_a_name_is_a_film(
    name: str, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(other.read_bytes())
    assert open_film(name).frames == open_film(tmp_path / name).frames == 4


URLS = (
    *("concat://{other}", "subfile://{other}", "tcp://127.0.0.1:9", "udp://127.0.0.1:9", "rtmp://127.0.0.1/x"),
    *("rtsp://127.0.0.1/x", "lavfi://color", "pipe://0", "tee://{other}", "data://x", "x-y.z://a", "reference://a"),
    *("dir://a", "zip://a", "simplecache://a", "dask://a", "jupyter://a", "git://a", "github://a", "s3://"),
)


@pytest.mark.parametrize("url", URLS)
def test_a_url_of_another_protocol_is_refused(
    url: str, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with watched(other) as watch:
        assert video.run([url.format(other=other), "-o", str(tmp_path / "out.mkv")]) in (1, 2)
        said = capsys.readouterr().err
        assert said.startswith("semcolor-video: ") and "Traceback" not in said
        assert not watch.opened


def test_a_list_at_a_url_is_not_followed(other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fsspec")
    os.link(other, tmp_path / "other.mp4")
    (tmp_path / "film.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    with watched(other) as watch:
        url = f"file://{tmp_path}/film.mp4"
        assert "list of other files" in refused([url, "-o", str(tmp_path / "out.mkv")], capsys)
        assert not watch.opened


@pytest.mark.parametrize(
    ("make", "words"),
    [(os.mkfifo, "pipe or a device"), (os.mkdir, "is a folder"), (lambda p: os.symlink("/dev/zero", p), "device")],
)
def test_only_files_are_films(
    make: Callable[[str], None], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "film.mp4")
    make(path)
    assert words in refused([path, "-o", str(tmp_path / "out.mkv")], capsys)


def test_a_track_in_another_file_is_not_read(other: Path, tmp_path: Path) -> None:
    real = tmp_path / "other.mov"
    real.write_bytes(make_film(tmp_path / "film.mov", shot("coffee", 4)).read_bytes())
    film = tmp_path / "film.mov"
    film.write_bytes(_with_alias(film.read_bytes(), b"/volume/other.mov"))
    with watched(real) as watch:
        with pytest.raises(InputError, match="no frames"):
            open_film(film)
        assert not watch.opened
        av.open(str(film), options={"enable_drefs": "1"}).close()
        assert watch.opened, "the file is not such a film"


def _with_alias(content: bytes, path: bytes) -> bytes:
    """A MOV whose first track is in another file (a QuickTime alias)."""
    record = bytes(10) + b"\x06volume" + bytes(21) + bytes(12) + b"\x09other.mov" + bytes(54) + bytes(16)
    record += struct.pack(">hh", 1, 1) + bytes(16) + struct.pack(">hH", 2, len(path)) + path + bytes(len(path) % 2)
    record += struct.pack(">hH", -1, 0) + bytes(32)
    entry = struct.pack(">I4sI", 12 + len(record), b"alis", 0) + record
    return _replaced(content, [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"], struct.pack(">II", 0, 1) + entry)


def _replaced(content: bytes, path: list[bytes], body: bytes) -> bytes:
    """Boxes in which the body of the first box at `path` is another."""
    at, out, done = 0, b"", False
    while at < len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        inner = content[at + 8 : at + size]
        if kind == path[0] and not done:
            inner = _replaced(inner, path[1:], body) if len(path) > 1 else body
            done = True
        out += struct.pack(">I4s", 8 + len(inner), kind) + inner
        at += size
    return out


def test_the_format_is_checked_again(other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semcolor.pipeline.opening.ALLOWED", frozenset({"avi"}))
    with pytest.raises(av.error.ArgumentError), open_container(other):
        pass
    monkeypatch.setattr("semcolor.pipeline.opening._open", lambda *_: av.open(str(other)))
    with pytest.raises(InputError, match="is not a video"), open_container(other):
        pass


def fake_table(path: Path, frames: int) -> Path:
    """A MOV whose tables state one chunk with a number of frames of one size."""
    content = make_film(path, shot("coffee", 4), codec="rawvideo", pix_fmt="yuyv422").read_bytes()
    table = [b"moov", b"trak", b"mdia", b"minf", b"stbl"]
    content = _replaced(content, [*table, b"stsz"], struct.pack(">III", 0, 1, frames))
    path.write_bytes(_replaced(content, [*table, b"stsc"], struct.pack(">IIIII", 0, 1, 1, frames, 1)))
    return path


def sized(path: Path, width: int, height: int) -> Path:
    """A MOV whose header states another size of frames."""
    content = bytearray(make_film(path, shot("coffee", 4), codec="rawvideo", pix_fmt="yuyv422").read_bytes())
    at = content.index(b"stsd") + 12 + 32  # QuickTime's place of the size in the sample description
    assert struct.unpack(">HH", content[at : at + 4]) == (128, 96)
    content[at : at + 4] = struct.pack(">HH", width, height)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: fake_table(p, 10**9), "holds no frames"),  # FFmpeg drops such a table
        (lambda p: fake_table(p, 200_000), "cut off"),
        (lambda p: sized(p, 65535, 65535), "frames of at most 67108864 pixels"),
        (lambda p: sized(p, 8193, 8192), "frames of at most 67108864 pixels"),
        (lambda p: make_film(p, shot("coffee", 4, (16, 512)), codec="ffv1"), "more than 16 times as long"),
    ],
)
def test_absurd_sizes_are_refused(
    make: Callable[[Path], Path], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path / ("film.mkv" if "16" in words else "film.mov"))
    assert words in refused([str(path), "-o", str(tmp_path / "out.mkv")], capsys)


def test_larger_frames_than_the_limit_are_refused(other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semcolor.pipeline.limits.MOST_PIXELS", 128 * 96 - 1)
    with pytest.raises(InputError, match="frames have 128x96 pixels; frames of at most"):
        open_film(other)


@pytest.mark.parametrize(("module", "words"), [("limits", "states 4 frames"), ("survey", "cut the film into pieces")])
def test_more_frames_than_the_limit_are_refused(
    module: str, words: str, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"semcolor.pipeline.{module}.MOST_FRAMES", 3)
    with pytest.raises(InputError, match=words):
        open_film(other)


def with_exif(path: Path, codec: str) -> Path:
    """A film of TIFF pictures, or of JPEG pictures that are turned by their EXIF data."""
    if codec == "tiff":
        return make_film(path, shot("coffee", 4), codec="tiff", pix_fmt="gray")
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by 90 degrees
    with av.open(str(path), "w") as out:
        stream = out.add_mux_stream("mjpeg", rate=25, width=128, height=96, time_base=Fraction(1, 25))
        for number, picture in enumerate(shot("coffee", 4)):
            jpeg = io.BytesIO()
            Image.fromarray(picture).save(jpeg, "JPEG", exif=exif)
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 25), True
            packet.pts, packet.dts, packet.duration = number, number, 1
            out.mux(packet)
    return path


@pytest.mark.parametrize(
    ("codec", "suffix"), [("jpeg", ".mov"), ("jpeg", ".mkv"), ("jpeg", ".avi"), ("jpeg", ".mp4"), ("tiff", ".mov")]
)
def test_pictures_with_exif_data(codec: str, suffix: str, tmp_path: Path) -> None:
    film = open_film(with_exif(tmp_path / f"film{suffix}", codec))
    turned = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    assert film.frames == 4 and film.display_matrix == (() if codec == "tiff" else turned)
    assert sum(len(frames.chunk) for frames in FilmReader(film)) == 4
    check_output(film, tmp_path / "out.mkv", choose_encoding(film))


def test_the_allowed_formats_are_those_of_ffmpeg() -> None:
    names = {name for known in av.formats_available for name in known.split(",")}
    assert names >= ALLOWED
    followers = {"concat", "hls", "dash", "sdp", "rtsp", "imf", "image2", "lavfi", "mlv", "vobsub", "avisynth", "tty"}
    assert not followers & ALLOWED and not [name for name in ALLOWED if name.endswith("_pipe")]
