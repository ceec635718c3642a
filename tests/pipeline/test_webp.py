"""Animations are films with the time of each frame: GIF, which FFmpeg reads, and WebP, which Pillow reads."""

import numpy as np
import pytest
from PIL import Image
from semcolor import InputError, open_film
from semcolor.pipeline import webp
from semcolor.pipeline.reader import read_chunks
from support.films import shot

DURATIONS = [100, 200, 50, 70, 90]
"""Milliseconds."""


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_an_animation_is_a_film(tmp_path, suffix):
    grey = shot("coffee", 5, (48, 64)).mean(-1).astype(np.uint8) // 8 * 8
    first, *others = (Image.fromarray(picture).convert("L") for picture in grey)
    path = tmp_path / f"a.{suffix}"
    settings = {"lossless": True} if suffix == "webp" else {}
    first.save(path, save_all=True, append_images=others, duration=DURATIONS, loop=0, **settings)
    film = open_film(path)
    starts = np.cumsum([0, *DURATIONS[:-1]])
    assert [float(pts * film.time_base * 1000) for pts in film.pts] == pytest.approx(starts)
    assert float(film.last_duration * film.time_base * 1000) == pytest.approx(90)
    (frames,) = read_chunks(film, size=32)
    assert (frames.luma == grey).all()


def test_damaged_and_still_webp_are_refused(tmp_path, monkeypatch):
    pictures = [Image.fromarray(picture) for picture in shot("coffee", 5, (48, 64))]
    path = tmp_path / "a.webp"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="a.webp is damaged or cut off"):
        open_film(path)
    path.write_bytes(data)
    monkeypatch.setattr(webp, "MOST_BYTES", 1000)
    webp._converted.cache_clear()
    with pytest.raises(InputError, match="its 5 pictures are too large for an animation"):
        open_film(path)
    pictures[0].save(path)
    with pytest.raises(InputError, match="is a still picture"):
        open_film(path)
