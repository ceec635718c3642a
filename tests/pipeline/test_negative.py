"""A film that looks like a negative is told, with advice that works; positives are not."""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from semcolor import colorize, open_film
from semcolor.models.painter import Painter
from semcolor.pipeline.negative import DOUBT, doubt, looks_negative, samples, warning
from support.films import luma_planes, make_film, shot

SEEN = ((0.0, 0.0, 0.9), (1.0, 1.0, 0.9), (0.5, 0.2, 0.6), (0.3, 0.8, 0.7))
"""Windows of the photos: (x, y, zoom)."""


def pictures(negative: bool) -> np.ndarray:
    """Sixteen windows of photos with people, sky and trees."""
    each = [shot(name, 1, (144, 192), seen, seen) for name in ("astronaut", "rocket") for seen in SEEN]
    film = np.concatenate(each).mean(-1, keepdims=True).repeat(3, -1).astype(np.uint8)
    return 255 - film if negative else film


def all_key(path: Path, negative: bool) -> Path:
    return make_film(path, pictures(negative), codec="ffv1", audio="pcm_s16le")


def test_the_rule_wants_more_than_one_picture_and_counts_them_all() -> None:
    assert doubt([]) == doubt([9.0]) == 0
    assert doubt([0.3] * 12) >= DOUBT > doubt([0.3] * 2)
    assert doubt([0.3, -0.3] * 6) == 0


def test_samples_come_from_all_over_the_film_without_leaders(tmp_path: Path) -> None:
    film = np.concatenate([np.zeros((6, 96, 128, 3), np.uint8), shot("astronaut", 6)])
    found = samples(open_film(make_film(tmp_path / "a.mov", film, codec="prores_ks", pix_fmt="yuv422p10le")))
    assert len(found) == 6 and all(picture.std() > 12 for picture in found)
    again = samples(open_film(make_film(tmp_path / "b.mp4", shot("coffee", 60))))
    assert len(again) == 8  # one keyframe: every eighth frame from the start


def painted_as(certain: float) -> object:
    """A painter whose labels are uncertain for dark pictures, and the more certain the brighter a picture is."""

    def paint(thumbs: np.ndarray) -> tuple[None, np.ndarray]:
        sure = certain * float(thumbs.mean()) / 255
        labels = np.full((1, 62, 2, 2), 255 * (1 - sure) / 62, np.float32)
        labels[:, 0] += 255 * sure
        return None, labels.round().astype(np.uint8)

    return paint


def test_the_side_that_is_understood_better_decides() -> None:
    dark, bright = ([np.full((8, 8), level, np.uint8)] * 6 for level in (40, 215))
    assert looks_negative(dark, painted_as(1.0))  # pyright: ignore[reportArgumentType]
    assert not looks_negative(bright, painted_as(1.0))  # pyright: ignore[reportArgumentType]
    assert not looks_negative(dark, painted_as(0.0))  # pyright: ignore[reportArgumentType]


def test_no_positive_film_of_photos_is_warned_of(tmp_path: Path) -> None:
    assert not looks_negative(samples(open_film(all_key(tmp_path / "a.mkv", False))), Painter("cpu").paint)


def test_the_advice_makes_the_positive(tmp_path: Path) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("FFmpeg's command is not installed")
    path = all_key(tmp_path / "a negative.mkv", True)
    text = warning(open_film(path))
    command = shlex.split(text[text.index("ffmpeg ") :])
    subprocess.run([*command[:1], "-v", "error", *command[1:]], check=True, cwd=tmp_path)
    positive = tmp_path / "positive.mkv"
    given, made = luma_planes(path).astype(int), luma_planes(positive).astype(int)
    assert (made == 16 + 235 - given.clip(16, 235)).all()
    assert open_film(positive).others == open_film(path).others != ()


def test_colorize_warns_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from semcolor.pipeline import inprocess

    film = open_film(make_film(tmp_path / "a.mkv", shot("coffee", 3), codec="ffv1"))
    for answer in (True, False):
        monkeypatch.setattr(inprocess, "looks_negative", lambda pictures, paint, answer=answer: answer)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            colorize(film, tmp_path / f"{answer}.mkv")
        assert [r.getMessage() for r in caplog.records] == [warning(film)] * answer
