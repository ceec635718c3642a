"""`python -m semcolor.models.training.pack DATA... --out NAME.zip`: scale training data down into a few files.

A packed file is an ordinary zip, not compressed, in our layout (see `layouts`), so any program opens it and
`DataFolder` reads it as it reads a folder. Names are kept, so the same photos are set aside as in the folder.
"""

import glob
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import cv2
import typer
from rich.console import Console
from rich.progress import track

from ...errors import OutputError, UserError
from .. import checkpoint
from ..labels import NAMES
from .archive import DataError
from .commandline import Version, run
from .dataset import DataFolder
from .layouts import MAPS, Photo
from .rooms import RULES, find_rooms, room_map

MIB = 2**20
QUALITY = 92
"""Of JPEG."""

HEADERS = 76
"""Bytes of the two headers that a zip has for each file, without the file's name, which both contain."""

END = 22
"""Bytes of a zip's last record."""

AT_ONCE = 64
"""Photos in memory."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Split = Literal["train", "test", "all"]
Entries = list[tuple[str, bytes]]
"""Names and contents of files."""

Rooms = dict[Photo, bool]
"""Photos of rooms, each with whether it shows the room itself, and not things or people in it."""


def pack(
    roots: Path | Sequence[Path],
    out: Path,
    short: int = 192,
    limit: int = 58 * MIB,
    split: Split = "all",
    sources: Sequence[str] | None = None,
    quiet: bool = True,
    rooms: Path | None = None,
) -> list[Path]:
    """Pack photos and label maps into zip files.

    JPEG and WebP files that are small enough are copied byte for byte. Every picture is read, so what could be packed
    can be trained on. The files appear when all are complete; after an error none does.

    Args:
        roots: folders or zip files, as for `DataFolder`.
        out: the file if one is enough. Several are NAME-1.zip, NAME-2.zip … beside it, and each can be used alone.
        short: largest short side of the photos, pixels.
        limit: largest size of a file, bytes.
        split: photos to pack.
        sources: sources to pack, by default all.
        quiet: whether to show no progress.
        rooms: weights that look for photos of rooms; these get weak labels (`rooms`). By default none does.

    Returns:
        The files.

    Raises:
        DataError: as by `DataFolder`, and where there is nothing to pack.
        UserError: an argument is wrong.
        OutputError: `out` exists or cannot be written.
    """
    if out.suffix != ".zip":
        raise OutputError(f"{out} does not end in .zip.")
    if not out.parent.is_dir():
        raise OutputError(f"{out.parent} is not a folder; create it first.")
    for old in (out, *out.parent.glob(f"{glob.escape(out.stem)}-[0-9]*.zip")):
        if old.exists():
            raise OutputError(f"{old} is there already; delete it or give another name.")
    data = DataFolder(roots)
    chosen = {"train": ("train", "val"), "test": ("test",), "all": ("train", "val", "test")}[split]
    for source in sources or ():
        if not any(data.photos(part, [source]) for part in chosen):
            raise UserError(f"there is no photo of a source `{source}`; the sources are {', '.join(data.sources())}.")
    photos = [photo for part in chosen for photo in data.photos(part, sources)]
    photos.sort(key=lambda photo: (photo.source, photo.split, photo.name))
    if not photos:
        raise DataError(f"there are no photos of {split} to pack.")
    inside = _rooms(data, photos, rooms) if rooms else {}
    rules = ("labels.json", json.dumps({"names": NAMES, **data.rules}, indent=1, ensure_ascii=False).encode())

    shown = track(
        _made_small(photos, short, inside), "packing", len(photos), console=Console(stderr=True), disable=quiet
    )
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-") as folder:
        parts = []
        for number, entries in enumerate(_parts(shown, limit - END - _bytes([rules])), 1):
            parts.append(Path(folder) / f"{out.stem}-{number}.zip")
            _write(parts[-1], [rules, *entries])
        names = [out] if len(parts) == 1 else [out.with_name(part.name) for part in parts]
        return [part.rename(name) for part, name in zip(parts, names, strict=True)]


def _rooms(data: DataFolder, photos: Sequence[Photo], weights: Path) -> Rooms:
    """The photos of rooms, each with whether it shows the room itself. Adds the rules of their maps to the data's."""
    model = checkpoint.load(weights)
    data.rules["sources"]["rooms"] = RULES
    new = [photo for photo in photos if not photo.room_path]
    return {photo: "ceiling" in data.rules["scenes"].get(photo.source, ()) for photo in find_rooms(data, new, model)}


def _made_small(photos: Sequence[Photo], short: int, rooms: Rooms) -> Iterator[Entries]:
    with ThreadPoolExecutor() as pool:
        for i in range(0, len(photos), AT_ONCE):  # not all at once: they would wait in memory
            yield from pool.map(partial(_small, short=short, rooms=rooms), photos[i : i + AT_ONCE])


def _small(photo: Photo, short: int, rooms: Rooms) -> Entries:
    """The files of one photo: the photo and its maps."""
    stem = f"{photo.source}/{photo.split}/{photo.name}"
    data, rgb = photo.path.read(), photo.rgb()
    h, w = rgb.shape[:2]
    scale = short / min(h, w)
    size = (max(short, round(w * scale)), max(short, round(h * scale)))
    if scale < 1:
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    suffix = _suffix(data)
    if scale < 1 or not suffix:  # else it is a small JPEG or WebP already
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        suffix = ".jpg"
    entries = [(f"photos/{stem}{suffix}", data)]
    for kind, path in zip(MAPS, (photo.label_path, photo.voc_path, photo.room_path), strict=True):
        if path is not None:
            values, data = photo.values(path), path.read()
            if scale < 1:
                values = cv2.resize(values, size, interpolation=cv2.INTER_NEAREST_EXACT)
                data = cv2.imencode(".png", values)[1].tobytes()
            entries.append((f"{kind}/{stem}.png", data))
    if photo in rooms:
        data = cv2.imencode(".png", room_map(rgb, rooms[photo]))[1].tobytes()
        entries.append((f"{MAPS[2]}/{stem}.png", data))
    return entries


def _suffix(data: bytes) -> str:
    """The suffix of a picture that a packed file holds as it is, "" for one of another format."""
    if data.startswith(b"\xff\xd8"):
        return ".jpg"
    return ".webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def _bytes(entries: Entries) -> int:
    """Bytes that the files take in a zip."""
    return sum(HEADERS + 2 * len(name.encode()) + len(data) for name, data in entries)


def _parts(photos: Iterable[Entries], room: int) -> Iterator[Entries]:
    """Join the files of one photo after another as long as they fit into `room` bytes; a photo is never split."""
    part, used = [], 0
    for entries in photos:
        need = _bytes(entries)
        if need > room:
            raise UserError(f"{entries[0][0]} alone is larger than a packed file may be; give a larger --max-mib.")
        if used + need > room:
            yield part
            part, used = [], 0
        part += entries
        used += need
    yield part


def _write(path: Path, entries: Entries) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries:
            file = zipfile.ZipInfo(name)  # its date is 1980: the same data make the same bytes
            file.external_attr = 0o644 << 16
            archive.writestr(file, data)


@app.command()
def _command(
    data: Annotated[list[Path], typer.Argument(help="Folders or zip files of photos, in any layout.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="NAME.zip; NAME-1.zip and so on if one file is not enough.")],
    short: Annotated[int, typer.Option(min=32, help="Largest short side of the photos, pixels.")] = 192,
    max_mib: Annotated[float, typer.Option(min=0.01, help="Largest size of a file, MiB.")] = 58,
    split: Annotated[Split, typer.Option(help="Photos to pack.")] = "all",
    source: Annotated[list[str] | None, typer.Option(help="Pack only this source; may be repeated.")] = None,
    rooms: Annotated[
        Path | None,
        typer.Option(help="Weights that look for photos of rooms, which get weak labels of walls and so on."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    version: Version = False,
) -> None:
    """Pack training data into zip files. Photos are scaled down; training reads the zip files as it reads folders."""
    for file in pack(data, out, short, int(max_mib * MIB), split, source, quiet, rooms):
        print(f"{file}: {file.stat().st_size / MIB:.1f} MiB")


def main() -> None:
    sys.exit(run(app, "pack"))


if __name__ == "__main__":
    main()
