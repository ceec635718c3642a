"""Training data in every layout: which photos and labels are read, which data are refused, which samples are drawn."""

import io
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from semcolor.models.labels import INDEX, NAMES
from semcolor.models.training import cocostuff
from semcolor.models.training.archive import DataError
from semcolor.models.training.dataset import Batch, DataFolder, batches
from semcolor.models.training.weak_labels import narrow_by_color
from support.photos import BLUE, RULES, horizon, known, make_hills, names, photo, png, put, same, zipped


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_hills(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def folder(root) -> DataFolder:
    return DataFolder(root)


# What is read


def test_set_aside_photos_are_not_trained_on(folder):
    assert [len(folder.photos(split)) for split in ("train", "val", "test")] == [23, 1, 4]
    assert names(folder, "val") == [("hills", "00019")] and ("hills", "00019") not in names(folder, "train")
    assert folder.sources() == folder.sources("val") == ["hills"] and not folder.photos("test", ["valleys"])
    with pytest.raises(ValueError, match="none of train, val, test"):
        folder.photos("trian")


def test_what_a_pixel_may_be(folder):
    allowed = folder.allowed(folder.photos("test")[0], (40, 48))
    assert allowed[0].sum(-1).tolist() == [1] * 48 and allowed[0, 0, INDEX["sky"]]
    assert allowed[-1, 0, INDEX["grass"]] and allowed[-1, 0, INDEX["tree"]] and allowed[-1, 0].sum() == 2


def test_scene_own_map_and_voc_map_narrow_one_another(tmp_path):
    """Labels are those that all of them allow; a map that contradicts an earlier one is ignored."""
    values = np.array([[0, 1, 2, 3]], np.uint8).repeat(8, 0).repeat(2, 1)
    voc = np.array([[15], [1]], np.uint8).repeat(4, 0).repeat(8, 1)
    put(tmp_path, {"photos/crowd/train/0.jpg": photo(0, (8, 8)), "labels/crowd/train/0.png": png(values)})
    put(tmp_path, {"labels_voc/crowd/train/0.png": png(voc)})
    sources = {"crowd": {"0": ["person", "sky"], "1": ["sky"], "2": ["rock"]}, "voc": RULES["sources"]["voc"]}
    rules = RULES | {"sources": sources, "scenes": {"crowd": ["person", "sky", "tree"]}}
    data = DataFolder(put(tmp_path, {"labels.json": json.dumps(rules).encode()}))
    allowed = data.allowed(data.photos("train")[0], (8, 8))
    narrowed = [[{NAMES[i] for i in allowed[y, x].nonzero()[0]} for x in (0, 2, 4, 6)] for y in (0, 7)]
    assert narrowed[0] == [{"person"}, {"sky"}, {"person"}, {"person"}]
    assert narrowed[1] == [{"person", "sky"}, {"sky"}, {"person", "sky", "tree"}, {"person", "sky", "tree"}]


def test_cocostuff(tmp_path):
    """Values are ids − 1. Classes without a label of ours, and 255, are unknown. Photos of val2017 are test photos."""
    assert len(cocostuff.CLASSES) == len(set(cocostuff.CLASSES)) == 182 and len(cocostuff.RULES) == 178
    assert {n for ours in cocostuff.RULES.values() for n in ours} == set(NAMES)
    values = {"b": 1 - 1, "c": 157 - 1, "d": 106 - 1, "e": 132 - 1, "f": 255}  # person, sky-other, clouds, metal
    put(tmp_path / "images/train2017", {f"{stem}.jpg": photo(0) for stem in "abcdef"})
    put(tmp_path / "images/val2017", {"g.jpg": photo(0)})
    known_maps = {f"{stem}.png": png(np.full((80, 96), v, np.uint8)) for stem, v in values.items()}
    put(tmp_path / "annotations/train2017", known_maps)
    for data in (DataFolder(tmp_path), DataFolder(zipped(tmp_path))):
        person = ["person", "bag", "clothes", "skin", "hair"]
        assert known(data) == [[], person, ["sky"], ["sky"], [], []]
        assert names(data, "test") == [("cocostuff", "g")]


def test_photos_alone(tmp_path):
    files = {"b.JPG": photo(1), "deep/er/a.png": photo(2, suffix=".png"), "c.jpeg": photo(3), "notes.txt": b""}
    holiday = put(tmp_path / "holiday", files | {".trash/d.jpg": photo(4), "__MACOSX/._b.jpg": b""})
    for data in (DataFolder(holiday), DataFolder(zipped(holiday))):
        assert names(data, "train") == [("holiday", "b"), ("holiday", "c"), ("holiday", "deep/er/a")]
        assert known(data) == [[], [], []] and not data.photos("test")
        assert next(batches(data, data.photos("train"), 2, 64, seed=0)).allowed.any(1).all()


def test_the_indices_of_a_palette_count_not_its_colors(tmp_path):
    image = Image.fromarray(horizon(0))
    image.putpalette([255, 0, 0, 7, 7, 7])
    file = io.BytesIO()
    image.save(file, "png")
    assert image.mode == "P"
    make_hills(tmp_path, 1, 0)
    plain = DataFolder(tmp_path)
    expected = plain.allowed(plain.photos("train")[0], (80, 96))
    put(tmp_path, {"labels/hills/train/00000.png": file.getvalue()})
    assert np.array_equal(plain.allowed(plain.photos("train")[0], (80, 96)), expected)


def test_photos_that_lie_on_their_side(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    file = io.BytesIO()
    Image.fromarray(np.zeros((80, 96, 3), np.uint8)).save(file, "jpeg", exif=exif)
    (upright,) = DataFolder(put(tmp_path, {"a.jpg": file.getvalue()})).photos("train")
    assert upright.size == upright.rgb().shape[:2] == (96, 80)


def test_a_source_may_be_spread_over_folders_and_zips(tmp_path, root, folder):
    for i, name in enumerate(sorted(str(p.relative_to(root)) for p in root.rglob("*.*") if p.suffix != ".json")):
        put(tmp_path / f"part{i % 3}", {name: (root / name).read_bytes()})
    parts = [put(tmp_path / f"part{i}", {"labels.json": json.dumps(RULES).encode()}) for i in range(3)]
    for roots in (parts, [zipped(parts[2]), parts[1], zipped(parts[0])]):
        data = DataFolder(roots)
        assert all(names(data, split) == names(folder, split) for split in ("train", "val", "test"))


# What is refused

Changed = dict[str, bytes]
GRAY = np.zeros((80, 96), np.uint8)
MAP = "labels/hills/train/00000.png"


def rules(**changes: object) -> Changed:
    return {"labels.json": json.dumps({k: v for k, v in (RULES | changes).items() if v is not None}).encode()}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels.json": b"{"}, r"labels\.json is not JSON"),
        ({"labels.json": b"[]"}, r"labels\.json: is not a JSON object"),
        (rules(scenes=None), r"labels\.json: lacks `scenes`"),
        (rules(names=["sky"]), r"labels\.json: `names` are not the 62 names"),
        (rules(sources=[]), r"labels\.json: `sources` is not a JSON object"),
        (rules(sources={}), r"labels\.json: `sources` does not say .* `hills`"),
        (rules(sources={"hills": {"0": ["heaven"]}}), r"labels\.json: `sources`, `hills`, '0' names 'heaven'"),
        (rules(sources={"hills": {"0": []}}), r"labels\.json: .* is not a list of label names"),
        (rules(sources={"hills": {"256": ["sky"]}}), r"labels\.json: .* '256' is not a value from 0 to 255"),
        (rules(scenes={"hills": "sky"}), r"labels\.json: `scenes`, `hills` is not a list"),
        ({MAP: b"no picture"}, r"00000\.png is not an index map"),
        ({MAP: png(GRAY)[:60]}, r"00000\.png is not an index map"),
        ({MAP: photo(0, suffix=".png")}, r"00000\.png is not an index map"),
        ({MAP: png(GRAY[:, :90])}, r"00000\.png has \(80, 90\) rows and columns, its photo .*00000\.jpg \(80, 96\)"),
        ({"photos/hills/train/00000.jpg": b""}, r"00000\.jpg is not a picture"),
        ({"photos/hills/train/00000.png": photo(0)}, r"are both photo 00000 of `hills`"),
    ],
)
def test_what_is_wrong_with_the_data_is_said(tmp_path, changed, message):
    put(make_hills(tmp_path / "hills", 1, 0), changed)
    for source in (tmp_path / "hills", zipped(tmp_path / "hills")):
        with pytest.raises(ValueError, match=message):
            data = DataFolder(source)
            next(batches(data, data.photos("train"), 1, 64, seed=0))


def test_what_is_no_data_is_said(tmp_path, root):
    with pytest.raises(DataError, match="gone does not exist"):
        DataFolder(tmp_path / "gone")
    put(tmp_path, {"a.zip": b"no zip", "empty/notes.txt": b"", "lost/photos/hills/test/a.jpg": photo(0)})
    put(tmp_path, {"coco/images/train2017/a.jpg": photo(0), "deep/data/labels.json": b"", "deep/data/a.jpg": photo(0)})
    put(tmp_path, {"other/labels.json": json.dumps(RULES | {"sources": {"hills": {"0": ["water"]}}}).encode()})
    put(tmp_path, {"other/photos/hills/train/x.jpg": photo(0)})
    for name, message in {
        "a.zip": "neither a folder nor a zip",
        "empty": "holds no photos",
        "lost": r"holds photos/hills/test/a\.jpg, but no labels\.json",
        "deep": r"holds data/labels\.json, but no labels\.json .* at its top",
        "coco": "lacks COCO-Stuff's pixel maps",
    }.items():
        with pytest.raises(ValueError, match=message):
            DataFolder(tmp_path / name)
    with pytest.raises(ValueError, match="other gives `hills` another meaning"):
        DataFolder([root, tmp_path / "other"])
    with pytest.raises(ValueError, match="are both photo 00000 of `hills`"):
        DataFolder([root, root])


def test_a_damaged_zip_is_said(tmp_path):
    path = zipped(make_hills(tmp_path / "hills", 1, 0))
    content = bytearray(path.read_bytes())
    at = content.index(b"photos/hills/train/00000.jpg") + 100
    content[at : at + 20] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"hills\.zip/photos/hills/train/00000\.jpg is damaged"):
        DataFolder(path).photos("train")[0].rgb()


# What is drawn


def test_batches_depend_on_seed_and_number_alone(folder):
    photos = folder.photos("train")
    run = batches(folder, photos, 3, 64, seed=5)
    first, second = next(run), next(run)
    assert same(second, next(batches(folder, photos, 3, 64, seed=5, first=1, threads=3)))
    assert not torch.equal(first.gray, second.gray)
    assert first.gray.shape == (3, 1, 64, 64) and first.lab.shape == (3, 3, 32, 32)
    assert first.allowed.shape == (3, 62, 16, 16) and first.allowed.any(1).all()
    # The truth's colours are those of the photo: bluish above, greenish below.
    assert first.lab[:, 2].min() < -20 and first.lab[:, 2].max() > 20


def test_colors_and_labels_lie_on_one_another(folder):
    batch = next(batches(folder, folder.photos("train"), 32, 64, seed=1))
    sky = batch.allowed[:, INDEX["sky"]] & (batch.allowed.sum(1) == 1)
    blue = torch.nn.functional.avg_pool2d(batch.lab[:, 2:], 2)[:, 0] < -5
    assert (sky == blue).float().mean() > 0.98


def test_workers_share_the_batches_of_one(folder):
    photos = folder.photos("train")

    def draw(count: int, **which: int) -> list[Batch]:
        run = batches(folder, photos, 2, 64, seed=5, **which)
        return [next(run) for _ in range(count)]

    alone = draw(6)
    assert all(same(a, b) for a, b in zip(draw(3, rank=0, world=2), alone[0::2], strict=True))
    assert all(same(a, b) for a, b in zip(draw(2, rank=1, world=2, first=1), alone[3::2], strict=True))
    assert not any(same(a, b) for a in alone[0::2] for b in alone[1::2])


def test_what_goes_wrong_in_a_thread_reaches_the_loop(folder):
    lost = folder.photos("train")[0]
    lost = replace(lost, path=replace(lost.path, name="gone.jpg"))
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg"):
        next(batches(folder, [lost], 1, 64, seed=0))
    with pytest.raises(ValueError, match="no photos to train on"):
        batches(folder, [], 1, 64, seed=0)


def test_threads_end_with_the_batches(folder):
    before = set(threading.enumerate())
    run = batches(folder, folder.photos("train"), 1, 64, seed=0, threads=2)
    next(run)
    started = set(threading.enumerate()) - before
    run.close()
    for thread in started:
        thread.join(10)
    assert started and not any(thread.is_alive() for thread in started)


def test_scenes_are_told_by_color():
    rgb = np.zeros((40, 40, 3), np.uint8)
    rgb[:20], rgb[20:] = BLUE, (40, 90, 140)
    allowed = np.zeros((40, 40, 62), bool)
    allowed[..., [INDEX["sky"], INDEX["water"], INDEX["rock"]]] = True
    narrowed = narrow_by_color(rgb, allowed, "scenes_sea")
    assert narrowed[5, 20].sum() == 1 and narrowed[5, 20, INDEX["sky"]]
    assert narrowed[35, 20].sum() == 1 and narrowed[35, 20, INDEX["water"]]
    gray = narrow_by_color(np.full_like(rgb, 90), allowed, "scenes_sea")
    assert np.array_equal(gray, allowed)


def test_between_houses_the_sky_reaches_the_top_and_walls_are_no_trees():
    """Sky above a brick house with a sky-blue door, a white wall, leaves."""
    rgb = np.full((60, 60, 3), (150, 90, 70), np.uint8)
    rgb[:12], rgb[20:29, 10:20], rgb[12:29, 40:50], rgb[40:] = BLUE, BLUE, 240, (60, 140, 50)
    names = ["sky", "building", "window", "tree", "grass", "road"]
    allowed = np.zeros((60, 60, 62), bool)
    allowed[..., [INDEX[name] for name in names]] = True

    def at(source: str, y: int, x: int) -> list[str]:
        narrowed = narrow_by_color(rgb, allowed, source)[y, x]
        return [name for name in names if narrowed[INDEX[name]]]

    assert at("scenes_buildings", 3, 30) == at("scenes_street", 3, 30) == ["sky"]
    assert at("scenes_buildings", 24, 15) == names  # sky or not: unknown
    assert at("scenes_buildings", 22, 45) == names
    assert at("scenes_buildings", 25, 30) == ["building"]
    assert at("scenes_street", 25, 30) == ["building", "window", "road"]
    assert "building" not in at("scenes_buildings", 50, 30)


def test_a_name_that_two_values_share_is_taken_from_the_wider_one():
    rgb = np.full((4, 4, 3), 90, np.uint8)
    allowed = np.zeros((4, 4, 62), bool)
    allowed[0, :, [INDEX["building"], INDEX["wall"], INDEX["tree"]]] = True
    allowed[1, :, [INDEX["wall"], INDEX["fence"]]] = True
    allowed[2:] = True
    narrowed = narrow_by_color(rgb, allowed, "idd")
    assert np.array_equal(narrowed[1:], allowed[1:])
    assert not narrowed[0, :, INDEX["wall"]].any() and narrowed[0].sum() == 8


def test_what_is_clearly_of_another_color_is_no_plant():
    rgb = np.zeros((40, 60, 3), np.uint8)
    rgb[:, :20], rgb[:, 20:40], rgb[:, 40:] = (60, 140, 50), (170, 90, 70), (120, 120, 120)  # leaves, brick, grey
    allowed = np.ones((40, 60, 62), bool)
    allowed[20:] = False
    allowed[20:, :, INDEX["tree"]] = True  # a label map says so
    narrowed = narrow_by_color(rgb, allowed, "holiday")
    plants = [INDEX["tree"], INDEX["grass"]]
    assert narrowed[5, 10].nonzero()[0].tolist() == [INDEX["tree"]]
    assert not narrowed[5, 30, plants].any() and narrowed[5, 30].sum() == 60
    assert narrowed[5, 50].all()
    assert np.array_equal(narrowed[25:], allowed[25:])


def test_columns_are_told_as_in_the_whole(tmp_path):
    """Also at an edge: the pixels beside it are not smooth and so are not labelled sky."""
    scenes = {"scenes_mountain": ["mountain", "rock", "sky"]}
    put(tmp_path, {"photos/scenes_mountain/train/0.jpg": photo(3)} | rules(scenes=scenes))
    data = DataFolder(tmp_path)
    (mountain,) = data.photos("train")
    rgb = np.full((24, 36, 3), BLUE, np.uint8)
    rgb[:, 18:] //= 2
    whole = data.narrowed_by_color(mountain, rgb)
    assert whole[0, :, INDEX["mountain"]].nonzero()[0].tolist() == [16, 17, *range(18, 36)]
    for left, right in ((0, 16), (0, 18), (1, 17), (10, 26), (18, 34), (20, 36)):
        assert np.array_equal(data.narrowed_by_color(mountain, rgb, slice(left, right)), whole[:, left:right])
