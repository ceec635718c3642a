"""Inputs that are no ordinary films: photos, pipes, strips, and films of several tracks."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import pytest
from semcolor.errors import UserError
from semcolor.jobs.commands import video
from semcolor.jobs.commands.places import places
from semcolor.models import network_size
from semcolor.pipeline.encode import choose_encoding
from semcolor.pipeline.film import open_film
from semcolor.pipeline.outputs import check_output
from semcolor.pipeline.photo import photo_film
from support.films import make_film, photo, shot
from support.odd import join_tracks


@pytest.mark.parametrize("aspect", [0.4, 0.42, 1, 4 / 3, 16 / 9, 2.35, 2.39, 2.76])
def test_films_of_usual_shapes_are_seen_at_the_size_that_was_asked_for(aspect: float) -> None:
    h, w = network_size(aspect, 256)
    assert min(h, w) == 256 and max(h, w) == 32 * round(256 * max(aspect, 1 / aspect) / 32)


@pytest.mark.parametrize("size", [64, 256, 512])
@pytest.mark.parametrize("aspect", [1 / 16, 1 / 8, 4, 8, 16])
def test_strips_take_about_as_long_as_wide_films(aspect: float, size: int) -> None:
    h, w = network_size(aspect, size)
    assert h * w <= 1.5 * 3 * size**2 and h % 32 == w % 32 == 0
    assert 0.6 < w / h / aspect < 1.6


def test_tracks_of_the_same_size_are_copied_beside_the_film(tmp_path: Path) -> None:
    cover = make_film(tmp_path / "cover.mkv", shot("rocket", 1), codec="mjpeg", pix_fmt="yuvj420p")
    reel = make_film(tmp_path / "reel.mp4", shot("coffee", 20), audio="aac")
    both = join_tracks(tmp_path / "both.mkv", cover, reel, sound=reel)
    film = open_film(both)
    check_output(film, tmp_path / "out.mkv", choose_encoding(film))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_photo_becomes_a_photo(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"photo{suffix}"
    cv2.imwrite(str(path), cv2.cvtColor(photo("coffee", (96, 128)), cv2.COLOR_RGB2GRAY))
    assert video.run([str(path), "--size", "64", "-q"]) == 0, capsys.readouterr()
    colored = cv2.imread(str(tmp_path / f"photo.color{suffix}"))
    assert colored is not None and colored.shape == (96, 128, 3) and colored.std(axis=2).mean() > 1
    assert video.run([str(path), "--labels", str(tmp_path / "labels.mkv"), "--overwrite"]) == 2
    assert "is a photo; only options of the look apply" in capsys.readouterr().err


def test_the_luma_of_a_photo_is_its_grey(tmp_path: Path) -> None:
    gray = cv2.cvtColor(photo("coffee", (96, 128)), cv2.COLOR_RGB2GRAY)
    cv2.imwrite(str(tmp_path / "photo.png"), gray)
    with photo_film(tmp_path / "photo.png") as film:
        assert (film.width, film.height, film.frames, film.full_range) == (128, 96, 1, True)


def test_a_broken_photo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(UserError, match="not a picture that can be read"), photo_film(tmp_path / "photo.png"):
        pass


@pytest.mark.parametrize("name", ["-", "pipe"])
def test_a_pipe_must_be_saved_first(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if name == "pipe":
        os.mkfifo(name)
    with pytest.raises(UserError, match="save (it|the film) as a file first"):
        open_film(name)


def test_the_film_of_a_raw_stream_is_matroska_by_default() -> None:
    assert places("reel.h264", None, False, "libx264")[1] == Path.cwd() / "reel.color.mkv"
    assert places("reel.mp4", None, False, "libx264")[1] == Path.cwd() / "reel.color.mp4"
