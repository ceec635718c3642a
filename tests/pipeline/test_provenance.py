"""A finished film states that a network made its colours, where its container has a place for that."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from semcolor import Look, open_film, still
from semcolor.errors import OutputError
from semcolor.pipeline.containers import output_format
from semcolor.pipeline.encode import choose_encoding, chroma_size
from semcolor.pipeline.mux import assemble
from semcolor.pipeline.parts import committed
from semcolor.pipeline.provenance import DIGITAL_SOURCE_TYPE, SENTENCE
from semcolor.pipeline.reader import read_chunks
from semcolor.pipeline.stills import FORMATS, check_still, encoded
from semcolor.pipeline.writer import PartWriter
from support.films import luma_planes, make_film, shot, shots

PLACES = {
    "mkv": {"DIGITAL_SOURCE_TYPE", "SEMCOLOR"},
    "nut": {"DIGITAL_SOURCE_TYPE", "SEMCOLOR"},
    "flv": {"DIGITAL_SOURCE_TYPE", "SEMCOLOR"},
    "wmv": {"DIGITAL_SOURCE_TYPE", "SEMCOLOR"},
    "mp4": {"xmp"},
    "m4v": {"xmp"},
    "3gp": {"xmp"},
    "mov": {"xmp"},
    "avi": {"comment"},
    "ts": set(),
}
"""Suffix → the names under which a reader finds the statement."""


def _made(folder: Path, suffix: str, colored: bool, **metadata: str) -> Path:
    """A film with chroma, in a container."""
    folder.mkdir(exist_ok=True)
    film = open_film(make_film(folder / f"a-{colored}.mkv", shot("coffee", 6, (64, 96)), metadata=metadata))
    work, output = folder / f"w-{colored}", folder / f"out.{suffix}"
    encoding = choose_encoding(film, "mpeg4" if suffix == "wmv" else "libx264", container=output_format(output))
    writer, size = PartWriter(work, film, encoding), chroma_size(film.width, film.height, encoding.pix_fmt)
    for frames in read_chunks(film, 32, 32):
        writer.write(frames.chunk, frames.luma, np.full((len(frames.chunk), 2, *size), 120, np.uint8))
    return assemble(film, work, committed(work), output, encoding, colored=colored)


def _tags(path: Path) -> dict[str, str]:
    with av.open(str(path), options={"export_xmp": "1"}) as container:
        return dict(container.metadata)


@pytest.mark.parametrize("suffix", PLACES)
def test_a_film_states_what_made_its_colours(tmp_path, suffix):
    plain, stating = (_made(tmp_path, suffix, colored, title="A reel") for colored in (False, True))
    tags = _tags(stating)
    found = {name for name, text in tags.items() if DIGITAL_SOURCE_TYPE in text or SENTENCE in text}
    assert found == PLACES[suffix]
    if found:
        said = " ".join(tags[name] for name in found)
        assert DIGITAL_SOURCE_TYPE in said and SENTENCE in said
    assert not any("digitalsourcetype" in text for text in _tags(plain).values())
    assert {name: text for name, text in tags.items() if name not in found} == _tags(plain), "nothing else changes"
    assert (luma_planes(stating) == luma_planes(plain)).all()
    again = _made(tmp_path / "again", suffix, True, title="A reel")
    assert again.read_bytes() == stating.read_bytes(), "no date"


def test_a_comment_of_the_source_stays(tmp_path):
    made = _made(tmp_path, "avi", True, comment="from the attic")
    assert _tags(made)["comment"] == "from the attic"


def _xmp(path: Path) -> bytes:
    with Image.open(path) as picture:
        return picture.info.get("xmp", b"")


@pytest.mark.parametrize("suffix", [*FORMATS, ".JPG"])
def test_a_picture_file_states_it_as_xmp(tmp_path, suffix):
    picture = shot("coffee", 1, (64, 96))[0]
    for colored in (False, True):
        path = tmp_path / f"{colored}{suffix}"
        path.write_bytes(encoded(picture, suffix, colored))
        with Image.open(path) as read:
            assert read.format == FORMATS[suffix.lower()]
            off = np.abs(np.asarray(read.convert("RGB")).astype(int) - picture)
        assert off.mean() < 5 if read.format == "JPEG" else not off.any()
        stated = DIGITAL_SOURCE_TYPE.encode() in _xmp(path) and SENTENCE.encode() in _xmp(path)
        assert stated == colored and bool(_xmp(path)) == colored


def test_a_still_that_webp_cannot_hold_is_refused(tmp_path):
    film = open_film(make_film(tmp_path / "a.mkv", shots((2,), (64, 96))))
    check_still(film, tmp_path / "a.webp", False)
    for large in (replace(film, height=16384), replace(film, width=16000, sample_aspect=Fraction(16, 15))):
        with pytest.raises(OutputError, match="at most 16383 pixels; use .png or .jpg"):
            check_still(large, tmp_path / "a.webp", False)
        check_still(large, tmp_path / "a.png", False)


@pytest.mark.slow
def test_a_still_states_it_unless_its_colours_are_the_film_s_own(tmp_path):
    film = open_film(make_film(tmp_path / "a.mkv", shots((3,), (64, 96)), codec="ffv1", pix_fmt="yuv444p", gray=False))
    for keep, stated in (("never", True), ("always", False)):
        path = tmp_path / f"{keep}.png"
        shown = still(film, 1, path, Look(size=64, keep_colour=keep))
        assert (DIGITAL_SOURCE_TYPE.encode() in _xmp(path)) == stated
        with Image.open(path) as read:
            assert (np.asarray(read) == shown).all()
