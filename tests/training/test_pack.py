"""Packed training data: the same photos, labels and batches as in the folder."""

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from semcolor.errors import UserError
from semcolor.models.training import pack
from semcolor.models.training.dataset import DataFolder, batches
from support.photos import known, make_hills, names, photo, png, put, same, zipped


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_hills(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def folder(root) -> DataFolder:
    return DataFolder(root)


def test_a_packed_folder_trains_as_the_folder_does(root, folder, tmp_path):
    """Small photos are copied byte for byte, so every batch is the same, from however many files."""
    (one,) = pack.pack(root, tmp_path / "one.zip")
    several = pack.pack(root, tmp_path / "several.zip", limit=30_000)
    assert one == tmp_path / "one.zip" and [p.name for p in several[:2]] == ["several-1.zip", "several-2.zip"]
    assert sorted(tmp_path.iterdir()) == [one, *sorted(several)] and len(several) > 2
    assert all(p.stat().st_size <= 30_000 for p in several)
    with zipfile.ZipFile(one) as archive:
        assert {i.compress_type for i in archive.infolist()} == {zipfile.ZIP_STORED}
        name = "photos/hills/train/00003.jpg"
        assert archive.read(name) == (root / name).read_bytes()
    expected = next(batches(folder, folder.photos("train"), 4, 64, seed=2))
    for data in (DataFolder(one), DataFolder(several[::-1])):
        assert all(names(data, split) == names(folder, split) for split in ("train", "val", "test"))
        assert known(data) == known(folder) and data.rules == folder.rules
        assert same(next(batches(data, data.photos("train"), 4, 64, seed=2)), expected)
    assert sum(len(DataFolder(p).photos("test")) for p in several) == 4  # each is usable alone
    (again,) = pack.pack(several, tmp_path / "again.zip")
    assert again.read_bytes() == one.read_bytes()


def test_large_photos_are_made_small(tmp_path):
    make_hills(tmp_path / "data", 2, 1, (160, 240))
    put(tmp_path / "data/photos/hills/train", {"00002.png": photo(2, (48, 40), ".png")})
    (path,) = pack.pack(tmp_path / "data", tmp_path / "small.zip", short=64)
    data = DataFolder(path)
    assert [p.size for p in data.photos("train")] == [(64, 96), (64, 96), (48, 40)]
    assert {p.path.name.rpartition(".")[2] for p in data.photos("train")} == {"jpg"}
    large = DataFolder(tmp_path / "data").photos("train")
    for mine, other in zip(data.photos("train"), large, strict=True):
        rgb = cv2.resize(other.rgb(), mine.size[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(rgb.astype(int) - mine.rgb()).mean() < 3
    allowed = data.allowed(data.photos("train")[0], (16, 24))
    assert np.array_equal(allowed, DataFolder(tmp_path / "data").allowed(large[0], (16, 24)))


def test_webp_photos_are_read_and_packed_as_they_are(root, tmp_path):
    """Data may be in several archives beside an older folder, each with a labels.json of its own."""
    sky = png(np.zeros((80, 96), np.uint8))
    for name, numbers in (("one", range(3)), ("two", range(3, 5))):
        make_hills(tmp_path / name, 0, 0)
        for i in numbers:
            put(tmp_path / name / "photos/meadow/train", {f"{i}.webp": photo(i, suffix=".webp")})
            put(tmp_path / name / "labels_voc/meadow/train", {f"{i}.png": sky})
    data = DataFolder([root, zipped(tmp_path / "one"), zipped(tmp_path / "two")])
    assert names(data, "train")[-5:] == [("meadow", str(i)) for i in range(5)]
    meadow = data.photos("train", ["meadow"])
    assert np.abs(meadow[0].rgb().astype(int) - DataFolder(root).photos("train")[0].rgb()).mean() < 4
    (small,) = pack.pack([tmp_path / "one", tmp_path / "two"], tmp_path / "small.zip", short=40)
    (whole,) = pack.pack([tmp_path / "one", tmp_path / "two"], tmp_path / "whole.zip")
    for path, suffix in ((small, ".jpg"), (whole, ".webp")):
        packed = DataFolder(path).photos("train")
        assert [p.path.name for p in packed] == [f"photos/meadow/train/{i}{suffix}" for i in range(5)]
    assert [p.path.read() for p in DataFolder(whole).photos("train")] == [p.path.read() for p in meadow]


def test_a_zip_is_read_by_many_threads(root, folder, tmp_path):
    (path,) = pack.pack(root, tmp_path / "a.zip")
    packed, photos = DataFolder(path).photos("train"), folder.photos("train")
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda p: p.path.read(), packed * 8))
    assert read == [p.path.read() for p in photos] * 8


def run(monkeypatch, capsys, *arguments: object) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["pack", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        pack.main()
    return (stopped.value.code or 0, *capsys.readouterr())  # type: ignore[return-value]


def test_the_command_packs_what_it_is_told(root, tmp_path, monkeypatch, capsys):
    holiday = put(tmp_path / "holiday", {"a.jpg": photo(0)})
    out = tmp_path / "tests.zip"
    assert run(monkeypatch, capsys, root, holiday, "--out", out, "--split", "test", "--quiet")[0] == 0
    assert DataFolder(out).sources() == ["hills"] and not DataFolder(out).photos("train")
    out = tmp_path / "train.zip"
    code, said, _ = run(monkeypatch, capsys, root, holiday, "--out", out, "--split", "train", "--max-mib", "0.03")
    assert code == 0 and said.startswith(f"{tmp_path / 'train-1.zip'}: 0.0 MiB\n")
    data = DataFolder(sorted(tmp_path.glob("train-*.zip")))
    assert data.sources() == ["hills", "holiday"] and not data.photos("test")
    assert names(data, "val") == [("hills", "00019")]
    out = tmp_path / "photos.zip"
    assert run(monkeypatch, capsys, root, holiday, "--out", out, "--source", "holiday")[0] == 0
    assert names(DataFolder(out), "train") == [("holiday", "a")]


def test_a_mistake_ends_in_one_sentence_and_leaves_nothing(root, tmp_path, monkeypatch, capsys):
    put(make_hills(tmp_path / "broken", 70, 0), {"photos/hills/train/00066.jpg": b"no picture"})
    put(tmp_path, {"old.zip": b"", "older-1.zip": b""})
    before = sorted(tmp_path.iterdir())
    for data, out, extra, message in (
        ("gone", "a.zip", [], "gone does not exist"),
        (root, "a.tar", [], "does not end in .zip"),
        (root, "folder/a.zip", [], "folder is not a folder"),
        (root, "old.zip", [], "old.zip is there already"),
        (root, "older.zip", [], "older-1.zip is there already"),
        (root, "a.zip", ["--source", "valleys"], "no photo of a source `valleys`; the sources are hills"),
        ("broken", "a.zip", ["--split", "test"], "no photos of test to pack"),
        ("broken", "a.zip", ["--max-mib", "0.06"], "00066.jpg is not a picture"),
    ):
        code, said, error = run(monkeypatch, capsys, tmp_path / data, "--quiet", "--out", tmp_path / out, *extra)
        assert code == 2 and not said and message in error and error.count("\n") == 1
        assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(UserError, match="alone is larger"):
        pack.pack(root, tmp_path / "a.zip", limit=3000)
