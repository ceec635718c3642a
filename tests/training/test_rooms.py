"""Rooms are told from the open air, and their ceiling, walls and floor by where they are."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from semcolor.models import WEIGHTS
from semcolor.models.labels import INDEX, NAMES
from semcolor.models.training import pack
from semcolor.models.training.dataset import DataFolder
from semcolor.models.training.rooms import BRIGHT, CEILING, FLOOR, INDOORS, RULES, TOP, WALL, log_odds, room_map
from support.photos import make_hills, put


def room(seed: int = 0) -> np.ndarray:
    """(96, 128, 3) uint8: a pale ceiling, a wall with a white window, a dark floor, and dark lines between them."""
    rgb = np.zeros((96, 128, 3), np.uint8)
    rgb[:22], rgb[25:66], rgb[69:] = (205, 200, 195), (150, 120, 90), (90, 60, 40)
    rgb[30:58, 76:108] = 255
    return rgb + np.random.default_rng(seed).integers(0, 3, (96, 128, 1), dtype=np.uint8) * (rgb < 250)


def test_the_surfaces_of_a_room_are_found():
    found = room_map(room(), whole=True)
    middles = {"ceiling": (10, 60), "wall": (45, 30), "floor": (85, 60), "window": (40, 90)}
    values = {"ceiling": CEILING, "wall": WALL, "floor": FLOOR, "window": BRIGHT}
    assert {name: found[at] for name, at in middles.items()} == values
    assert 0.6 < (found > 0).mean() < 1


def test_a_photo_of_things_in_a_room_promises_less():
    found = room_map(room(), whole=False)
    assert found[10, 60] == TOP and found[45, 30] == WALL and FLOOR not in found
    assert not room_map(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8), whole=True).any()


def test_the_rules_name_labels():
    assert set(INDOORS) <= set(NAMES) and not {"sky", "tree", "building"} & set(INDOORS)
    assert all(set(names) <= set(INDOORS) for names in RULES.values())


def test_what_is_unknown_is_told_from_what_is_known():
    rng = np.random.default_rng(0)
    room_or_not = np.arange(800) % 4 == 0
    seen = rng.normal(0, 1, (800, 30)).astype(np.float32)
    seen[:, 3] += 3 * room_or_not
    known = np.arange(800) < 400
    hidden = np.where(known, room_or_not, ~room_or_not)  # what they are is not read
    assert ((log_odds(seen, known, hidden) > 0) == room_or_not)[~known].mean() > 0.9


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> DataFolder:
    """Kitchens, hills, and three photos of a source without a scene: two rooms and a hill; packed with `--rooms`."""
    root = make_hills(tmp_path_factory.mktemp("data"), 8, 0)
    scenes = {"kitchen": ["ceiling", "wall", "floor", "window", "light"]}
    rules = json.loads((root / "labels.json").read_text()) | {"scenes": scenes}
    put(root, {"labels.json": json.dumps(rules).encode()})
    for i in range(8):
        folder = "photos/kitchen/train" if i < 6 else "photos/other/train"
        put(root / folder, {f"{i}.png": cv2.imencode(".png", room(i)[..., ::-1])[1].tobytes()})
    put(root / "photos/other/train", {"hill.jpg": Path(root / "photos/hills/train/00000.jpg").read_bytes()})
    return DataFolder(pack.pack(root, root / "all.zip", rooms=WEIGHTS))


def test_packing_adds_weak_labels_of_rooms(packed):
    rooms = {(p.source, p.name) for p in packed.photos("train") if p.room_path}
    assert rooms == {*(("kitchen", str(i)) for i in range(6)), ("other", "6"), ("other", "7")}
    kitchen, other = packed.photos("train", ["kitchen"])[0], packed.photos("train", ["other"])[0]
    single = packed.allowed(kitchen, (96, 128))[85, 60]
    assert single.sum() == 1 and single[INDEX["floor"]]
    allowed = packed.allowed(other, (96, 128))
    assert set(np.array(NAMES)[allowed[10, 60]]) == {"ceiling", "wall"} and not allowed[..., INDEX["sky"]].any()
