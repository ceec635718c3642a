"""Damage inside frames: what is noticed, at which frame, and that whole films are told to be whole."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from semcolor.errors import FilmError, InputError
from semcolor.pipeline.chunk import Resume
from semcolor.pipeline.damage import whole_slices
from semcolor.pipeline.film import Film, open_film
from semcolor.pipeline.findings import CONCEALED
from semcolor.pipeline.reader import luma_sha256, read_chunks
from support.films import luma_planes, make_film, shot

HURT = 6
"""Number of the packet that is damaged."""

HASHED: dict[str, Any] = {"codec": "libx265", "options": {"x265-params": "log-level=0:hash=1:bframes=0"}}
"""HEVC with a hash of each picture."""

NOTICED: dict[str, dict[str, Any]] = {
    "ffv1": {"codec": "ffv1", "options": {"level": "3", "slices": "4", "slicecrc": "1"}},
    "h264": {"codec": "libx264", "options": {"bf": "0"}},
    "mjpeg": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "full_range": True},
    "hevc": HASHED,
}
"""Codec → how the film is made. Its packets are in the order of its frames."""

SILENT: dict[str, dict[str, Any]] = {
    "ffv1": {"codec": "ffv1", "options": {"level": "1"}},
    "vp9": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
}
"""Codec that holds nothing by which damage could be told → how the film is made."""


def damaged(film: Film, start: Resume | None = None) -> list[int]:
    return [n for frames in read_chunks(film, 16, 32, start) for n in frames.chunk.damaged]


def lost(film: Film) -> list[int]:
    return [n for frames in read_chunks(film, 16, 32) for n in frames.chunk.lost]


def rewritten(source: Path, target: Path, hurt: int, seed: int) -> Path:
    """A copy of a film, with three bits turned in the later part of one packet."""
    rng = random.Random(seed)
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        stream = given.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for number, packet in enumerate(p for p in given.demux(stream) if p.size):
            content = bytearray(bytes(packet))
            for _ in range(3 if number == hurt else 0):
                content[rng.randrange(len(content) // 3, len(content) - 40)] ^= 1 << rng.randrange(8)
            other = av.Packet(bytes(content))
            other.pts, other.dts, other.time_base, other.stream = packet.pts, packet.dts, packet.time_base, copy
            other.is_keyframe = packet.is_keyframe
            out.mux(other)
    return target


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, pictures = tmp_path_factory.mktemp("damage"), shot("coffee", 20, (120, 160))
    return {codec: make_film(folder / f"{codec}.mkv", pictures, **how) for codec, how in NOTICED.items()}


@pytest.mark.parametrize("codec", NOTICED)
def test_the_damaged_frame_is_told(codec: str, films: dict[str, Path], tmp_path: Path) -> None:
    whole = open_film(films[codec], strict=True)
    assert damaged(whole) == [] and whole.findings == ()
    found = []
    for seed in range(6):
        film = open_film(rewritten(films[codec], tmp_path / f"{seed}.mkv", HURT, seed))
        told = damaged(film)
        assert sorted(told + lost(film)) in ([], [HURT]) and film.frames == 20
        found.append(bool(told))
    assert sum(found) >= {"ffv1": 5, "h264": 5, "mjpeg": 2, "hevc": 2}[codec]
    with pytest.raises(FilmError, match=rf"frame {HURT} .*{CONCEALED[:10]}"):
        damaged(open_film(tmp_path / f"{found.index(True)}.mkv", strict=True))


@pytest.mark.parametrize("codec", NOTICED)
def test_luma_is_what_the_decoder_gives(codec: str, films: dict[str, Path], tmp_path: Path) -> None:
    """To look for damage changes no picture, and a frame that a strict decoder refuses is that of the lenient one."""
    hurt = [rewritten(films[codec], tmp_path / "hurt.mkv", HURT, 1)] if codec in ("ffv1", "mjpeg") else []
    for path in (films[codec], *hurt):
        luma = np.concatenate([frames.luma for frames in read_chunks(open_film(path), 16, 32)])
        np.testing.assert_array_equal(luma, luma_planes(path))


def test_a_resumed_run_tells_the_same(films: dict[str, Path], tmp_path: Path) -> None:
    path = rewritten(films["ffv1"], tmp_path / "late.mkv", 17, 0)
    film = open_film(path)
    assert damaged(film) == [17]
    assert damaged(film, Resume(16, 0, 16, luma_sha256(luma_planes(path)[15]))) == [17]


@pytest.mark.parametrize("codec", SILENT)
def test_what_the_docs_call_silent_is_silent(codec: str, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mkv", shot("coffee", 20, (120, 160)), **SILENT[codec])
    path = rewritten(source, tmp_path / "b.mkv", HURT, 0)
    assert damaged(open_film(path)) == [] and (luma_planes(path) != luma_planes(source)).any()


@pytest.mark.parametrize("slices", ["4", "9", "16"])
def test_the_crc_of_each_slice_is_looked_at(slices: str, tmp_path: Path) -> None:
    options = {"level": "3", "slices": slices, "slicecrc": "1"}
    path = make_film(tmp_path / "a.mkv", shot("coffee", 2, (120, 160)), codec="ffv1", options=options)
    with av.open(str(path)) as container:
        packet = next(bytes(p) for p in container.demux(video=0) if p.size)
    assert whole_slices(packet)
    for at in range(0, len(packet) - 8, len(packet) // 40):
        assert not whole_slices(packet[:at] + bytes([packet[at] ^ 16]) + packet[at + 1 :]), at
    assert whole_slices(b"") and whole_slices(b"123") and whole_slices(bytes(100))


def test_packets_missing_from_a_transport_stream_are_told(tmp_path: Path) -> None:
    """Two of its packets of 188 bytes are gone: one of a frame, and one of the sound."""
    pictures = shot("coffee", 30, (120, 160))
    source = make_film(tmp_path / "a.ts", pictures, codec="mpeg2video", options={"bf": "0"}, audio="ac3")
    assert open_film(source, strict=True).findings == () and damaged(open_film(source)) == []
    content = source.read_bytes()
    cells = [content[at : at + 188] for at in range(0, len(content), 188)]
    kind = [int.from_bytes(cell[1:3], "big") & 0x1FFF for cell in cells]
    begins = [bool(cell[1] & 0x40) for cell in cells]
    inner = [n for n in range(len(cells) // 2, len(cells)) if not begins[n] and not begins[n - 1]]
    picture = next(n for n in inner if kind[n] == kind[n - 1] == 0x100)
    sound = next(n for n in inner if kind[n] == 0x101)
    path = tmp_path / "b.ts"
    path.write_bytes(b"".join(cell for n, cell in enumerate(cells) if n not in (picture, sound)))
    film = open_film(path)
    assert [found.what for found in film.findings] == ["has 1 damaged packet of audio:0; it is copied as it is"]
    frame = sum(begins[n] for n in range(picture) if kind[n] == 0x100) - 1
    assert damaged(film) == [frame]
    with pytest.raises(InputError, match="damaged packet of audio:0.*leave --strict out"):
        open_film(path, strict=True)
