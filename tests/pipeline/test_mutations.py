"""A damaged film is read, or refused in one sentence, in bounded time. Nothing ends in another error."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from semcolor.errors import SemcolorError
from semcolor.pipeline.film import open_film
from semcolor.pipeline.reader import FilmReader
from support.films import make_film, shot

CONTAINERS = {
    ".mp4": {"audio": "aac"},
    ".mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "full_range": True},
    ".mkv": {"codec": "ffv1", "subtitles": True, "attachment": True},
    ".avi": {"codec": "mpeg4", "audio": "pcm_s16le"},
    ".ts": {"codec": "mpeg2video"},
    ".mpg": {"codec": "mpeg1video"},
    ".nut": {"codec": "libx265", "options": {"x265-params": "log-level=error"}},
    ".flv": {"codec": "flv"},
}
"""Suffix → how the film is made that is then damaged."""

LONGEST = 30.0
"""Greatest number of seconds for one damaged film of six frames, on a busy machine."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Suffix → content of a film of six frames."""
    folder = tmp_path_factory.mktemp("whole")
    pictures = shot("coffee", 6, (48, 64))
    return {s: make_film(folder / f"film{s}", pictures, **how).read_bytes() for s, how in CONTAINERS.items()}


def mutated(content: bytes, chance: np.random.Generator) -> bytes:
    """The content, with bytes changed, zeroed, cut off, cut out or doubled, mostly in the headers."""
    data = bytearray(content)
    for _ in range(chance.integers(1, 4)):
        end = len(data) if chance.random() < 0.5 else min(len(data), 1500)
        at = int(chance.integers(0, max(end, 1)))
        length = int(chance.integers(1, 64))
        match chance.integers(0, 6):
            case 0:
                for place in chance.integers(0, max(end, 1), 8):
                    data[place : place + 1] = bytes([chance.integers(0, 256)])
            case 1:
                data[at : at + length] = bytes(len(data[at : at + length]))
            case 2:
                data[at : at + length] = b"\xff" * len(data[at : at + length])
            case 3:
                del data[at:]
            case 4:
                del data[at : at + length]
            case _:
                data[at:at] = data[at : at + length]
    return bytes(data)


def read(path: Path) -> str:
    """The sentence with which a film is refused; "" if it can be read to its end."""
    try:
        for frames in FilmReader(open_film(path), 16, 32):
            assert frames.luma.shape[0] == len(frames.chunk)
    except SemcolorError as error:
        return str(error)
    return ""


def check(whole: dict[str, bytes], folder: Path, seeds: range) -> None:
    suffixes = list(whole)
    refused = 0
    for seed in seeds:
        chance = np.random.default_rng(seed)
        path = folder / f"film{suffixes[seed % len(suffixes)]}"
        path.write_bytes(mutated(whole[path.suffix], chance))
        begun = time.monotonic()
        try:
            said = read(path)
        except Exception as error:
            raise AssertionError(f"seed {seed} ({path.suffix}) ends in {type(error).__name__}: {error}") from error
        assert time.monotonic() - begun < LONGEST, f"seed {seed}"
        assert not said or (said.endswith((".", ")")) and "\n" not in said), f"seed {seed}: {said}"
        refused += bool(said)
    assert refused > len(seeds) // 4, "the mutations change too little"


def test_whole_films_are_read(whole: dict[str, bytes], tmp_path: Path) -> None:
    for suffix, content in whole.items():
        path = tmp_path / f"film{suffix}"
        path.write_bytes(content)
        assert read(path) == "", suffix


def test_damaged_films_are_read_or_refused(whole: dict[str, bytes], tmp_path: Path) -> None:
    check(whole, tmp_path, range(60))


@pytest.mark.slow
def test_many_damaged_films_are_read_or_refused(whole: dict[str, bytes], tmp_path: Path) -> None:
    check(whole, tmp_path, range(60, 560))
