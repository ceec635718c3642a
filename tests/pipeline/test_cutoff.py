"""Files that end early are told from whole ones, and read as far as they go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from semcolor.errors import InputError
from semcolor.pipeline.film import open_film
from semcolor.pipeline.reader import read_chunks
from support.films import make_film, shot

CONTAINERS = {
    ".mkv": {"codec": "mpeg4"},
    ".webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
    ".avi": {"codec": "mpeg4"},
    ".flv": {"codec": "flv"},
    ".asf": {"codec": "msmpeg4"},
    ".mxf": {"codec": "mpeg2video"},
    ".ts": {"codec": "mpeg2video"},
    ".m2ts": {"codec": "mpeg2video"},
    ".mpg": {"codec": "mpeg1video"},
    ".vob": {"codec": "mpeg2video"},
    ".ivf": {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
    ".y4m": {"codec": "rawvideo", "container": "yuv4mpegpipe"},
    ".gif": {"codec": "gif", "pix_fmt": "rgb8"},
}
"""Suffix → how the film is made."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Suffix → a film of 30 frames."""
    folder = tmp_path_factory.mktemp("whole")
    return {s: make_film(folder / f"film{s}", shot("coffee", 30), **how) for s, how in CONTAINERS.items()}


def read(path: Path) -> np.ndarray:
    """(frames, H, W): the luma that the reader hands out."""
    return np.concatenate([frames.luma for frames in read_chunks(open_film(path), 16, 32)])


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_a_whole_film_is_whole(suffix: str, whole: dict[str, Path]) -> None:
    film = open_film(whole[suffix], strict=True)
    assert film.findings == () and film.frames == 30


@pytest.mark.parametrize("keep", [0.6, 0.9])
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_a_film_that_ends_early_is_told(suffix: str, keep: float, whole: dict[str, Path], tmp_path: Path) -> None:
    content = whole[suffix].read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content[: int(len(content) * keep) + 101])
    film = open_film(path)
    assert [found.what for found in film.findings if found.frame is None] == [
        f"is damaged or cut off; {film.frames} frames could be read"
    ]
    assert 1 <= film.frames <= 30
    luma, right = read(path), max(film.frames - 3, 0)  # at the cut, frames may be damaged
    assert len(luma) == film.frames and (luma[:right] == read(whole[suffix])[:right]).all()
    with pytest.raises(InputError, match="is damaged or cut off.*leave --strict out"):
        open_film(path, strict=True)
