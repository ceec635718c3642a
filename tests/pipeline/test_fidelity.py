"""What a film has is kept, or refused before the work: one film of each kind. A benchmark, fidelity.py, has all."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.films import make_film, shot
from support.matrix import CODECS, CONTAINERS, FEW, PROPERTIES, Cell, few_cells, outcomes
from support.probes import contents, pictures, stamps_apart

REFUSED = {
    ("MPEG-2", "same"): "no time stamp",
    ("MP2", "same"): "no time stamp",
}


def test_every_kind_and_every_container_is_among_the_cells() -> None:
    cells = few_cells()
    assert [cell.row for cell in cells] == [*CODECS, *PROPERTIES]
    assert {cell.suffix for cell in cells} == set(CONTAINERS) and len(FEW) == len(cells)


@pytest.mark.parametrize("cell", few_cells(), ids=lambda cell: f"{cell.row}{cell.suffix}".replace(" ", ""))
def test_a_film_keeps_all_that_it_has(cell: Cell) -> None:
    for outcome in outcomes([cell]):
        wanted = "refused" if (cell.row, outcome.output) in REFUSED else "kept"
        assert outcome.state == wanted, f"{outcome.output}: {outcome.detail}"


def test_the_comparison_sees_what_differs(tmp_path: Path) -> None:
    """A comparison that cannot fail would prove nothing."""
    one = make_film(tmp_path / "a.mkv", shot("coffee", 4), codec="ffv1", audio="pcm_s16le", chapters=True)
    two = make_film(tmp_path / "b.mkv", shot("rocket", 4), codec="ffv1", audio="aac", rate=30)
    given, made = pictures(one, None), pictures(two, None)
    assert (given.luma != made.luma).any() and given.luma.shape == (4, 96, 128)
    assert "frame 1 is shown at 0.033" in stamps_apart(given.stamps, made.stamps, {".mkv"}, ".mkv")
    assert "3 time stamps" in stamps_apart(given.stamps, made.stamps[:3], {".mkv"}, ".mkv")
    assert contents(one, None)["packets"] != contents(two, None)["packets"]
    assert contents(one, None)["chapters"] and not contents(two, None)["chapters"]
