"""Parts are durable, the same whatever the chunks, and make up a film that keeps all that the source had."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from semcolor.errors import AssembleError, OutputError, WorkError
from semcolor.flow import LOOKAHEAD
from semcolor.pipeline.chunk import PART_FRAMES, Chunk, Resume, ends_part
from semcolor.pipeline.containers import output_format
from semcolor.pipeline.encode import Encoding, choose_encoding, chroma_size, labels_encoding
from semcolor.pipeline.extras import Kind
from semcolor.pipeline.files import move_into_place
from semcolor.pipeline.film import Film, open_film
from semcolor.pipeline.frames import Frames
from semcolor.pipeline.mux import assemble
from semcolor.pipeline.outputs import check_output
from semcolor.pipeline.partencoder import PartEncoder
from semcolor.pipeline.parts import committed, gaps, prune, standing, sweep
from semcolor.pipeline.reader import read_chunks
from semcolor.pipeline.writer import PartWriter
from support.films import luma_planes, make_film, packets, shot, shots

_read: dict[tuple[str, int], list[Frames]] = {}
"""What was read of films from their starts on, by path and size of chunks: most tests need the same."""


def _frames_of(film: Film, chunk: int, start: Resume | None) -> Iterable[Frames]:
    if start:
        return read_chunks(film, chunk, 32, start)
    key = str(film.path), chunk
    if key not in _read:
        _read[key] = list(read_chunks(film, chunk, 32))
    return _read[key]


def painted(
    film: Film, encoding: Encoding, chunk: int = 32, start: Resume | None = None
) -> Iterator[tuple[Chunk, np.ndarray, np.ndarray, bytes]]:
    """Chunks with a chroma that depends on the frame only, and a state that tells where it is from."""
    ch, cw = chroma_size(encoding.width, encoding.height, encoding.pix_fmt)
    ramp = np.linspace(0.3, 0.7, cw)[None, None, :] * (1 << film.bits)
    for frames in _frames_of(film, chunk, start):
        c, luma = frames.chunk, frames.luma
        if c.beyond:
            return
        chroma = np.empty((len(c), 2, ch, cw), luma.dtype)
        chroma[:] = (ramp + np.arange(c.start, c.stop)[:, None, None] % 7)[:, None]
        yield c, luma, chroma, f"after {c.stop}".encode()


def colorize(source: Path, output: Path, folder: Path, options: dict[str, str] | None = None, **settings: Any) -> Film:
    film = open_film(source)
    encoding = choose_encoding(film, container=output_format(output), **settings)
    if options:
        encoding = replace(encoding, options=tuple(options.items()))
    check_output(film, output, encoding)
    writer = PartWriter(folder, film, encoding)
    for c, luma, chroma, state in painted(film, encoding):
        writer.write(c, luma, chroma, state)
    move_into_place(assemble(film, folder, committed(folder), output, encoding), output)
    assert [p.name for p in output.parent.glob(".*")] == []
    return film


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("source", "size", "codec"),
    [
        ({}, (96, 128), "ffv1"),
        ({}, (95, 127), "ffv1"),
        ({"pix_fmt": "yuv422p10le"}, (96, 128), "ffv1"),
        ({"pix_fmt": "yuv444p12le"}, (96, 128), "ffv1"),
        ({"pix_fmt": "gray16le"}, (96, 128), "ffv1"),
        ({"full_range": True}, (96, 128), "ffv1"),
        ({}, (96, 128), "libx264"),
        ({}, (95, 127), "libx264"),
        ({"pix_fmt": "yuv420p10le"}, (96, 128), "libx264"),
        ({"full_range": True}, (96, 128), "libx264"),
    ],
)
def test_luma_is_bit_identical(tmp_path: Path, source: dict, size: tuple[int, int], codec: str) -> None:
    settings: dict = {"codec": "ffv1", "pix_fmt": "yuv444p" if size[0] % 2 else "yuv420p"} | source
    path = make_film(tmp_path / "a.mkv", shot("coffee", 12, size), **settings)
    more = {"qp": "0"} if codec == "libx264" else {}
    film = colorize(path, tmp_path / "b.mkv", tmp_path / "w", more, codec=codec)
    assert (luma_planes(tmp_path / "b.mkv") == luma_planes(path)).all()
    result = open_film(tmp_path / "b.mkv")
    assert (result.full_range, result.bits, result.matrix) == (film.full_range, film.bits, film.matrix)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_time_stamps_and_sound(vfr_film: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    film = colorize(vfr_film, output, tmp_path / "w")
    result = open_film(output)
    seconds = [int(p) * film.time_base for p in film.pts]
    base = result.time_base
    assert result.pts.tolist() == [round(s / base) for s in seconds]
    if suffix != ".mkv":
        assert [int(p) * base for p in result.pts] == seconds
    before, after = packets(vfr_film, "audio"), packets(output, "audio")
    assert [data for data, _ in after] == [data for data, _ in before]
    for (_, was), (_, now) in zip(before, after, strict=True):
        assert was is not None and now is not None and abs(was - now) <= Fraction(1, 2000)


def test_everything_else_is_kept(cut_film: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    colorize(cut_film, output, tmp_path / "w")
    for kind in ("audio", "subtitle"):
        assert packets(output, kind) == packets(cut_film, kind)
    with av.open(str(cut_film)) as a, av.open(str(output)) as b:
        assert b.metadata["title"] == a.metadata["title"]
        assert [(c["start"], c["metadata"]["title"]) for c in b.chapters()] == [
            (c["start"], c["metadata"]["title"]) for c in a.chapters()
        ]
        assert [s.type for s in b.streams] == [s.type for s in a.streams]
        assert [int(s.disposition) for s in b.streams] == [int(s.disposition) for s in a.streams]
        assert b.streams[3].data == a.streams[3].data == b"found in the can"  # type: ignore[attr-defined]


def test_chapters_of_mp4(short_film: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    colorize(short_film, output, tmp_path / "w")
    with av.open(str(output)) as result:
        assert [c["metadata"]["title"] for c in result.chapters()] == ["One", "Two"]
        assert result.metadata["title"] == "Coffee"
        assert sorted(s.type for s in result.streams) == ["audio", "data", "video"]


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_tags_shape_rotation_and_fields(tmp_path: Path, order: str) -> None:
    tags = {"color_primaries": 5, "color_trc": 6, "colorspace": 5}
    path = make_film(
        tmp_path / "a.mov",
        shot("coffee", 8),
        codec="prores_ks" if order == "bff" else "libx264",
        pix_fmt="yuv422p10le" if order == "bff" else "yuv420p",
        tags=tags,
        sample_aspect=Fraction(16, 15),
        rotation=90,
        interlaced=order,
    )
    film = colorize(path, tmp_path / "b.mov", tmp_path / "w")
    result = open_film(tmp_path / "b.mov")
    assert film.interlaced and film.top_field_first == (order == "tff")
    for name in ("primaries", "trc", "colorspace", "sample_aspect", "display_matrix", "interlaced", "top_field_first"):
        assert getattr(result, name) == getattr(film, name), name


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
@pytest.mark.parametrize("source", ["a.ts", "a.avi", "a.mkv"])
def test_sources_container(tmp_path: Path, source: str, codec: str) -> None:
    if (source, codec) == ("a.ts", "ffv1"):
        pytest.skip("transport streams hold no ffv1")
    audio = {"a.ts": "aac", "a.avi": "pcm_s16le", "a.mkv": "flac"}[source]
    old = "mpeg4" if source == "a.avi" else "libx264"
    path = make_film(tmp_path / source, shots((40, 30)), codec=old, audio=audio)
    output = tmp_path / f"out{path.suffix}"
    film = colorize(path, output, tmp_path / "w", codec=codec)
    assert open_film(output).frames == film.frames
    assert [p for p, _ in packets(output, "audio")] == [p for p, _ in packets(path, "audio")]


@pytest.mark.slow
def test_parts_do_not_depend_on_chunks(long_film: Path, tmp_path: Path) -> None:
    film = open_film(long_film)
    encoding = choose_encoding(film)
    results = []
    for chunk in (16, 24, 48):
        writer = PartWriter(tmp_path / str(chunk), film, encoding)
        for c, luma, chroma, state in painted(film, encoding, chunk):
            writer.write(c, luma, chroma, state)
        parts = committed(tmp_path / str(chunk))
        assert [(p.start, p.frames) for p in parts] == [(0, 288), (288, 282), (570, 70)]
        assert all(p.frames >= PART_FRAMES for p in parts[:-1])
        results.append({n: b for n, b in content(tmp_path / str(chunk)).items() if n.endswith((".nut", ".state"))})
    assert results[0] == results[1] == results[2]
    assert results[0]["part-000000000.state"] == b"after 288" and results[0]["part-000000288.state"] == b""


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_several_writers_make_the_same_parts(long_film: Path, tmp_path: Path, count: int) -> None:
    film = open_film(long_film)
    encoding = choose_encoding(film)
    alone = PartWriter(tmp_path / "alone", film, encoding)
    several = [PartWriter(tmp_path / "several", film, encoding, parts=[]) for _ in range(count)]
    queues: list[list] = [[] for _ in several]
    part, begin = 0, 0
    for c, luma, chroma, state in painted(film, encoding):
        alone.write(c, luma, chroma, state)
        queues[part % count].append((begin, (c, luma, chroma, state)))
        if ends_part(c, begin, film.frames):
            part, begin = part + 1, c.stop
    assert part == len(alone.parts) == 3
    while any(queues):  # all at once, the later ones before the earlier ones
        for writer, queue in reversed(list(zip(several, queues, strict=True))):
            if queue:
                start, chunk = queue.pop(0)
                writer.skip_to(start)
                writer.write(*chunk)
    assert content(tmp_path / "several") == content(tmp_path / "alone")
    assert committed(tmp_path / "several") == alone.parts


def test_a_part_is_begun_at_its_beginning_and_ended_before_the_next(long_film: Path, tmp_path: Path) -> None:
    film = open_film(long_film)
    encoding = choose_encoding(film)
    chunks = list(painted(film, encoding))
    writer = PartWriter(tmp_path, film, encoding, parts=[])
    writer.skip_to(0)
    with pytest.raises(WorkError, match="frame 32 came where frame 0 is due"):
        writer.write(*chunks[1])
    writer.write(*chunks[0])
    with pytest.raises(WorkError, match="is open"):
        writer.skip_to(288)
    writer.abort()
    writer.skip_to(288)
    for chunk in (c for c in chunks if 288 <= c[0].start < 570):
        writer.write(*chunk)
    (tmp_path / "part-000000000.nut.tmp").touch()
    PartWriter(tmp_path, film, encoding, parts=writer.parts)
    assert (tmp_path / "part-000000000.nut.tmp").exists(), "another's"
    sweep(tmp_path, writer.parts)
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == {"part-000000288"}


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 10, 15, 19])
def test_goes_on_after_a_kill(long_film: Path, tmp_path: Path, stop: int) -> None:
    film = open_film(long_film)
    encoding = choose_encoding(film, "ffv1")
    whole = PartWriter(tmp_path / "whole", film, encoding)
    for c, luma, chroma, state in painted(film, encoding):
        whole.write(c, luma, chroma, state)

    folder = tmp_path / "killed"
    writer = PartWriter(folder, film, encoding)
    for n, (c, luma, chroma, state) in enumerate(painted(film, encoding)):
        if n == stop:
            break
        writer.write(c, luma, chroma, state)
    before = committed(folder)
    again = PartWriter(folder, film, encoding)  # the first writer is left as a kill would leave it
    assert again.parts == before and not list(folder.glob("*.tmp"))
    start = gaps(folder, before, film.frames)[0]
    assert start.frame == (before[-1].stop if before else 0)
    for c, luma, chroma, state in painted(film, encoding, 32, start):
        again.write(c, luma, chroma, state)
    assert content(folder) == content(tmp_path / "whole")


def test_retried_chunks_and_wrong_chunks(long_film: Path, tmp_path: Path) -> None:
    film = open_film(long_film)
    encoding = choose_encoding(film)
    writer = PartWriter(tmp_path, film, encoding)
    chunks = list(painted(film, encoding))
    for c, luma, chroma, state in chunks[:12]:
        part = writer.write(c, luma, chroma, state)
        if part:
            assert part.stop == 288 and writer.write(c, luma, chroma, state) == part
    with pytest.raises(WorkError, match="frame 384 came where frame 352"):
        writer.write(Chunk(0, 384, 0, True, (0,), (0,), (False,)), *chunks[0][1:3])
    c, luma, chroma, state = chunks[12]
    with pytest.raises(WorkError, match="chroma"):
        writer.write(c, luma, chroma[:, :, 1:], state)
    assert not list(tmp_path.glob("*.tmp")), "an error abandons the open part"
    assert gaps(tmp_path, committed(tmp_path), film.frames)[0].frame == 288


def test_only_whole_parts_count(long_film: Path, tmp_path: Path) -> None:
    film = open_film(long_film)
    encoding = choose_encoding(film)
    writer = PartWriter(tmp_path, film, encoding)
    for c, luma, chroma, state in painted(film, encoding):
        writer.write(c, luma, chroma, state)
    assert len(committed(tmp_path)) == 3
    second = tmp_path / writer.parts[1].files["film"]
    second.write_bytes(second.read_bytes()[:-1] + b"x")
    assert len(committed(tmp_path)) == 1
    PartWriter(tmp_path, film, encoding)
    assert {p.name.split(".")[0] for p in tmp_path.iterdir()} == {"part-000000000"}
    receipt = tmp_path / "part-000000000.json"
    receipt.write_text(json.dumps({"start": 0}))
    assert committed(tmp_path) == []


def test_labels_film(cut_film: Path, tmp_path: Path) -> None:
    film = open_film(cut_film)
    encoding, labels = choose_encoding(film), labels_encoding(film, 160, 64)
    folder = tmp_path / "w"
    writer = PartWriter(folder, film, encoding, {Kind.LABELS: labels})
    for c, luma, chroma, state in painted(film, encoding):
        pictures = np.full((len(c), 64, 160, 3), (200, 40, 40), np.uint8)
        writer.write(c, luma, chroma, state, {Kind.LABELS: (pictures,)})
    result = assemble(film, folder, committed(folder), tmp_path / "labels.mp4", labels, "labels", copy_streams=False)
    move_into_place(result, tmp_path / "labels.mp4")
    result = open_film(tmp_path / "labels.mp4")
    assert (result.width, result.height, result.frames) == (160, 64, film.frames)
    with av.open(str(tmp_path / "labels.mp4")) as container:
        frame = next(container.decode(video=0))
        assert np.abs(frame.to_ndarray(format="rgb24").reshape(-1, 3).mean(0) - (200, 40, 40)).max() < 4


def test_assembling_checks_the_film(cut_film: Path, tmp_path: Path) -> None:
    film = open_film(cut_film)
    encoding = choose_encoding(film)
    writer = PartWriter(tmp_path / "w", film, encoding)
    for c, luma, chroma, state in painted(film, encoding):
        writer.write(c, luma, chroma, state)
    output = tmp_path / "out.mkv"
    output.write_text("the old one")
    os.truncate(tmp_path / "w" / writer.parts[0].files["film"], 20000)
    with pytest.raises(AssembleError):
        assemble(film, tmp_path / "w", writer.parts, output, encoding)
    assert output.read_text() == "the old one"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mkv", "w"]


def test_bad_outputs(cut_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = open_film(cut_film)
    (tmp_path / "there.mkv").touch()
    (tmp_path / "link.mkv").symlink_to(cut_film)
    os.link(cut_film, tmp_path / "hard.mkv")
    encoding = choose_encoding(film)
    for name, words in {
        "there.mkv": "exists already",
        "link.mkv": "is the input",
        "hard.mkv": "is the input",
        "no/out.mkv": "folder does not exist",
        ".": "is a folder",
        "out": "no suffix",
        "out.xyz": ".xyz",
        "out.jpg": ".jpg",
        "out.mp4": r"\.mp4 cannot carry subtitle:0 \(srt\) and attachment:0 \(note\.txt\); choose \.mkv",
        "out.webm": ".webm cannot carry this film",
    }.items():
        with pytest.raises(OutputError, match=words) as caught:
            check_output(film, tmp_path / name, encoding)
        assert "\n" not in str(caught.value)
    check_output(film, tmp_path / "there.mkv", encoding, overwrite=True)
    check_output(film, tmp_path / "out.mkv", encoding)
    assert (tmp_path / "there.mkv").stat().st_size == 0

    def refuse(**_: object) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match="cannot be written"):
        check_output(film, tmp_path / "out.mkv")


def test_codecs_that_do_not_fit(tmp_path: Path) -> None:
    film = open_film(make_film(tmp_path / "a.mkv", shot("coffee", 2), codec="ffv1", pix_fmt="yuv420p12le"))
    with pytest.raises(OutputError, match="12-bit.*ffv1"):
        choose_encoding(film)
    anamorphic = make_film(tmp_path / "c.mkv", shot("coffee", 3), sample_aspect=Fraction(16, 15), interlaced="tff")
    other = open_film(anamorphic)
    for codec, words in (("ffv1", "16/15"), ("libx265", "interlaced")):
        with pytest.raises(OutputError, match=words):
            check_output(other, tmp_path / "out.mkv", choose_encoding(other, codec))
    for codec in ("nonsense", "aac"):
        with pytest.raises(OutputError, match=codec):
            choose_encoding(film, codec)
    short = open_film(make_film(tmp_path / "b.mkv", shot("coffee", 2)))
    with pytest.raises(OutputError, match="preset"):
        choose_encoding(short, preset="nonsense")


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx264", "libx265", "ffv1"])
def test_encoding_is_repeatable(cut_film: Path, tmp_path: Path, codec: str) -> None:
    film = open_film(cut_film)
    encoding = choose_encoding(film, codec)
    for name in ("a", "b"):
        writer = PartWriter(tmp_path / name, film, encoding)
        for c, luma, chroma, state in painted(film, encoding):
            writer.write(c, luma, chroma, state)
    assert content(tmp_path / "a") == content(tmp_path / "b")


@pytest.mark.slow
@pytest.mark.parametrize("missing", [(0,), (1,), (0, 2), (0, 1, 2)])
def test_missing_parts_are_made_again(long_film: Path, tmp_path: Path, missing: tuple[int, ...]) -> None:
    film = open_film(long_film)
    encoding = choose_encoding(film, "ffv1")
    writer = PartWriter(tmp_path, film, encoding)
    for c, luma, chroma, state in painted(film, encoding):
        writer.write(c, luma, chroma, state)
    whole = content(tmp_path)
    assert gaps(tmp_path, writer.parts, film.frames) == []
    for number in missing:
        (tmp_path / writer.parts[number].files["film"]).unlink()
    parts = standing(tmp_path)
    assert parts == [part for n, part in enumerate(writer.parts) if n not in missing]
    open_ends = gaps(tmp_path, parts, film.frames)
    again, count = PartWriter(tmp_path, film, encoding, parts=parts), 0
    for gap in open_ends:
        assert gap.state == (b"after 288" if gap.frame == 288 else b"")
        for c, luma, chroma, state in painted(film, encoding, 16, gap):
            again.write(c, luma, chroma, state)
            count += len(c)
    assert count == sum(writer.parts[n].frames for n in missing)
    assert {n: b for n, b in content(tmp_path).items() if not n.endswith(".json")} == {
        n: b for n, b in whole.items() if not n.endswith(".json")
    }
    assert again.parts == committed(tmp_path) and len(again.parts) == 3


@pytest.mark.slow
def test_parts_that_were_steered_otherwise_go(long_film: Path, tmp_path: Path) -> None:
    film = open_film(long_film)
    encoding = choose_encoding(film, "ffv1")
    asked = []

    def steered(shot: int, first: int, stop: int, seen: int) -> str:
        asked.append((shot, first, stop, seen))
        return "edited" if first == 288 else ""

    writer = PartWriter(tmp_path, film, encoding, edits=steered)
    for c, luma, chroma, state in painted(film, encoding):
        writer.write(c, luma, chroma, state)
    assert asked == [(0, 0, 288, 288 + LOOKAHEAD), (0, 288, 570, 570), (570, 570, 640, 640)]
    prune(tmp_path, steered)
    assert standing(tmp_path) == writer.parts and asked[3:] == asked[:3]
    prune(tmp_path)
    assert [part.start for part in standing(tmp_path)] == [0, 570]


def test_x264_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    """Also where a row of macroblocks fills no register: its AVX-512 code then reads what happens to lie behind."""
    film = open_film(make_film(tmp_path / "film.mkv", shots((40,), (64, 80))))
    encoding = choose_encoding(film)
    pictures = [(c, luma, chroma) for c, luma, chroma, _ in painted(film, encoding)]
    seen = set()
    for _ in range(10):
        file = io.BytesIO()
        encoder = PartEncoder(file, encoding, 0)
        for picture in pictures:
            encoder.write(*picture)
        encoder.close()
        seen.add(file.getvalue())
    assert len(seen) == 1
