"""The layouts of training data in a folder or zip file, each read into the same photos and rules.

Ours            photos/<source>/{train,test}/<name>.jpg   a photo, JPEG, PNG or WebP; <name> may have folders of its own
                labels/<source>/{train,test}/<name>.png   its index map in the source's own values, if there is one
                labels_voc/…                              its index map in PASCAL VOC's values, if there is one
                labels_rooms/…                            its index map in the values of `rooms`, if there is one
                labels.json                               what values and sources mean, see `_checked`; it may omit
                                                          the values of a source named cocostuff
COCO-Stuff's    images/{train2017,val2017}/<name>.jpg, annotations/{train2017,val2017}/<name>.png (stuffthingmaps)
photos alone    JPEG, PNG and WebP files anywhere below; the source is the folder's name, all are for training
"""

import io
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from PIL import Image

from ..labels import INDEX, NAMES
from . import cocostuff
from .archive import DataError, File, Store

Array = np.ndarray
Rules = dict[str, dict]

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
SPLITS = ("train", "test")
MAPS = ("labels", "labels_voc", "labels_rooms")
COCO_SPLITS = {"train2017": "train", "val2017": "test"}
LABELLED = re.compile(
    r"(^|/)(labels|labels_voc|labels_rooms|annotations)/|(^|/)labels\.json$|^photos/[^/]+/(train|test)/"
)
ORIENTATION = 274
"""The Exif tag. With values of 5 and above the stored picture is on its side."""


@dataclass(frozen=True)
class Photo:
    """One photo and its files; in our layout at photos/<source>/<split>/<name>.jpg."""

    source: str
    split: str
    """`train` or `test`."""
    name: str
    path: File
    label_path: File | None = None
    """Index map in the source's own values."""
    voc_path: File | None = None
    """Index map in PASCAL VOC's values."""
    room_path: File | None = None
    """Index map in the values of `rooms`, weak labels of a photo of a room."""

    def rgb(self) -> Array:
        """(H, W, 3) uint8, upright. Raises DataError where the file is not a picture, OSError where it is gone."""
        data = np.frombuffer(self.path.read(), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if picture is None:
            raise DataError(f"{self.path} is not a picture OpenCV can read.")
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(H, W) of `rgb`, read from the head of the file."""
        try:
            with Image.open(io.BytesIO(self.path.read())) as picture:
                w, h = picture.size
                return (w, h) if picture.getexif().get(ORIENTATION, 1) >= 5 else (h, w)
        except Image.UnidentifiedImageError as error:
            raise DataError(f"{self.path} is not a picture.") from error

    def values(self, path: File) -> Array:
        """The index map `path` (H, W) uint8. Raises DataError where it is not a map of this photo's size."""
        data = path.read()
        depth, kind = data[24:26] if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 25 else (0, 0)
        values = None
        if kind == 3:  # OpenCV would give the palette's colours
            with suppress(OSError, SyntaxError):  # what Pillow raises of broken files
                values = np.asarray(Image.open(io.BytesIO(data)))
        elif (depth, kind) == (8, 0):
            values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        if values is None:
            raise DataError(f"{path} is not an index map: a PNG with a palette or one channel of 8 bits.")
        if values.shape != self.size:
            raise DataError(f"{path} has {values.shape[:2]} rows and columns, its photo {self.path} {self.size}.")
        return values


def read_layout(store: Store) -> tuple[Rules, list[Photo]]:
    """All photos of a store, and its rules: `sources` and `scenes` as in labels.json.

    Raises DataError where there are no photos or the rules are wrong, and for data that look labelled but are in no
    known layout: their maps or test photos must not become training photos.
    """
    if "labels.json" in store.names:
        rules, photos = _ours(store)
    elif any(name.startswith(tuple(f"images/{folder}/" for folder in COCO_SPLITS)) for name in store.names):
        rules, photos = _coco(store)
    elif label := next(filter(LABELLED.search, store.names), None):
        raise DataError(
            f"{store.path} holds {label}, but no labels.json (or COCO-Stuff's images/train2017) at its top."
        )
    else:
        source = store.path.resolve().stem if store.path.is_file() else store.path.resolve().name
        rules = {"sources": {}, "scenes": {}}
        photos = [Photo(source, "train", stem, File(store, name)) for stem, name in _pictures(store, "")]
    if not photos:
        raise DataError(f"{store.path} holds no photos.")
    return rules, photos


def _pictures(store: Store, folder: str) -> list[tuple[str, str]]:
    """(path below `folder` without suffix, name) of the pictures below `folder`, which is "" or ends with a slash."""
    names = [name for name in store.names if name.startswith(folder) and name.lower().endswith(PICTURES)]
    return [(name[len(folder) :].rpartition(".")[0], name) for name in names]


def _ours(store: Store) -> tuple[Rules, list[Photo]]:
    file = File(store, "labels.json")
    there = set(store.names)
    photos = []
    for path, name in _pictures(store, "photos/"):
        source, split, stem = (*path.split("/", 2), "", "")[:3]
        if split in SPLITS and stem:
            maps = [f"{kind}/{source}/{split}/{stem}.png" for kind in MAPS]
            photos.append(
                Photo(source, split, stem, File(store, name), *(File(store, m) if m in there else None for m in maps))
            )
    rules = _checked(file)
    mapped = {p.source for p in photos if p.label_path}
    mapped |= {kind for p in photos for kind, path in (("voc", p.voc_path), ("rooms", p.room_path)) if path}
    if "cocostuff" in mapped:
        rules["sources"].setdefault("cocostuff", cocostuff.RULES)
    for source in sorted(mapped - set(rules["sources"])):
        raise DataError(f"{file}: `sources` does not say what the values in the maps of `{source}` mean.")
    return rules, photos


def _coco(store: Store) -> tuple[Rules, list[Photo]]:
    there = set(store.names)
    photos = []
    for folder, split in COCO_SPLITS.items():
        for stem, name in _pictures(store, f"images/{folder}/"):
            known = f"annotations/{folder}/{stem}.png"
            photos.append(
                Photo("cocostuff", split, stem, File(store, name), File(store, known) if known in there else None)
            )
    if not any(photo.label_path for photo in photos):
        raise DataError(f"{store.path} lacks COCO-Stuff's pixel maps, annotations/{{train2017,val2017}}/*.png.")
    return {"sources": {"cocostuff": cocostuff.RULES}, "scenes": {}}, photos


def _checked(file: File) -> Rules:
    """The rules in a labels.json: an object with three keys.

    names: all of `labels.NAMES`, in their order; sources: source (or "voc", "rooms") → value 0..255 → names that
    pixel may have, where a value that is not listed is unknown; scenes: source → names that occur in its photos. Raises
    DataError for any other content.
    """

    def check(good: bool, what: str) -> None:
        if not good:
            raise DataError(f"{file}: {what}.")

    def check_names(names: object, where: str) -> None:
        check(isinstance(names, list) and len(names) > 0, f"{where} is not a list of label names")
        for name in names if isinstance(names, list) else []:
            check(isinstance(name, str) and name in INDEX, f"{where} names {name!r}, which is not a label")

    try:
        rules = json.loads(file.read())
    except ValueError as error:
        raise DataError(f"{file} is not JSON: {error}.") from error
    check(isinstance(rules, dict), "is not a JSON object")
    for key, kind in (("names", list), ("sources", dict), ("scenes", dict)):
        check(key in rules, f"lacks `{key}`")
        check(isinstance(rules[key], kind), f"`{key}` is not a JSON {'array' if kind is list else 'object'}")
    check(rules["names"] == list(NAMES), f"`names` are not the {len(NAMES)} names of this version")
    for source, values in rules["sources"].items():
        check(isinstance(values, dict), f"`sources`, `{source}` is not a JSON object")
        for value, names in values.items():
            where = f"`sources`, `{source}`, {value!r}"
            check(value.isdecimal() and int(value) < 256, f"{where} is not a value from 0 to 255")
            check_names(names, where)
    for source, names in rules["scenes"].items():
        check_names(names, f"`scenes`, `{source}`")
    return {"sources": rules["sources"], "scenes": rules["scenes"]}
