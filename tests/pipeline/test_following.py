"""`semcolor.follow`: a region of one frame, in every frame of its shot; and what is said where it is lost."""

import json

import numpy as np
import pytest
from semcolor import UserError, follow, open_film
from semcolor.jobs.commands.video import run
from semcolor.pipeline.edits.apply import ResolvedEdits
from semcolor.pipeline.edits.orders import ResolvedEdit
from semcolor.pipeline.following import LOST_FRAMES, lost_since
from support.films import make_film
from support.motions import disc


def _rgb(luma: np.ndarray) -> np.ndarray:
    return np.repeat(luma[..., None], 3, -1)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film of a disc that moves over a still, and where the disc is."""
    thumbs, masks = disc(12, 3, 40, (160, 256))
    return open_film(make_film(tmp_path_factory.mktemp("follow") / "disc.mkv", _rgb(thumbs))), masks


def test_a_region_is_followed_both_ways_at_the_films_size(film):
    opened, masks = film
    found = {place.frame: place for place in follow(opened, 6, masks[6].astype(np.uint8) * 255)}
    assert sorted(found) == list(range(12))
    for n, place in found.items():
        assert place.mask.shape == (160, 256) and place.mask.dtype == np.uint8
        shown = place.mask >= 128
        assert (shown & masks[n]).sum() / (shown | masks[n]).sum() > 0.8
    assert found[6].confidence == 1 and all(0.5 < place.confidence <= 1 for place in found.values())


def test_a_mask_of_another_size_is_refused(film):
    with pytest.raises(UserError, match="it must be uint8 \\(160, 256\\), the film's size"):
        list(follow(film[0], 0, np.zeros((80, 128), np.uint8)))


def test_lost_is_what_stays_unsure():
    sure = {n: 1.0 for n in range(40)} | {n: 0.1 for n in range(25, 40)} | {n: 0.1 for n in range(3, 8)}
    assert lost_since(sure, 12, 12) == (25,)
    assert lost_since({n: 0.2 for n in range(40)}, 20, 20) == (21, 19)
    assert lost_since({n: 0.2 for n in range(LOST_FRAMES - 1)}, -1, -1) == ()


def test_a_lost_region_is_named_with_its_frame(tmp_path):
    lost = ResolvedEdit(0, 40, None, ab=(0, 0), lost=(25, 3), name="edits[2]")
    edits = ResolvedEdits((ResolvedEdit(0, 40, 28, ab=(5, 5)), lost), (), tmp_path)
    assert edits.lost(lambda n: f"frame {n}") == [
        f"edits[2]: its region is lost from frame {n} on; draw it again, in a frame where it is seen." for n in (25, 3)
    ]


def test_the_commands_last_lines_name_a_lost_region(tmp_path, capsys):
    """A disc leaves the picture and does not come back."""
    thumbs, masks = disc(30, 9, 40, (96, 160), flat=True)
    gone = [n for n, mask in enumerate(masks) if not mask.any()]
    assert len(gone) > LOST_FRAMES
    source = make_film(tmp_path / "leaves.mkv", _rgb(thumbs))
    rows, columns = np.nonzero(masks[0])
    box = [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
    sheet = tmp_path / "edits.json"
    sheet.write_text(json.dumps({"edits": [{"frame": 0, "region": {"box": box}, "action": {"colour": "#aa2020"}}]}))
    assert run([str(source), "-o", str(tmp_path / "out.mkv"), "--edits", str(sheet), "--size", "96"]) == 0
    said = capsys.readouterr().err.splitlines()[-1]
    assert "edits[0]: its region is lost from frame " in said
