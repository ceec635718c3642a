"""`python -m semcolor.models.training.pack DATA... --out NAME.zip`: training data made small, in a few files.

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

from ..labels import NAMES
from .dataset import DataFolder
from .layouts import MAPS, Photo

MIB = 2**20
QUALITY = 92  # of JPEG
HEADERS = 76  # bytes of the two headers that a zip has for each file, besides its name, which stands in both
END = 22  # bytes of a zip's last record
AT_ONCE = 64  # photos

Split = Literal["train", "test", "all"]
Entries = list[tuple[str, bytes]]  # name and content of files


def pack(
    roots: Path | Sequence[Path],
    out: Path,
    short: int = 192,
    limit: int = 58 * MIB,
    split: Split = "all",
    sources: Sequence[str] | None = None,
    quiet: bool = True,
) -> list[Path]:
    """Pack photos and maps of `roots`, the photos' short side at most `short` pixels, into files of `limit` bytes.

    One file is `out`; if more are needed, they are NAME-1.zip, NAME-2.zip … beside it, each usable alone or with the
    others. JPEG files that are small enough are copied byte for byte. Every picture is read: what could be packed can
    be trained on. Returns the files; they appear when all are complete, and after an error none does.

    Raises ValueError and FileNotFoundError as `DataFolder` does and where nothing is to be packed, FileExistsError
    rather than replace a file.
    """
    if out.suffix != ".zip":
        raise ValueError(f"{out} does not end in .zip")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out.parent} is not a folder")
    for old in (out, *out.parent.glob(f"{glob.escape(out.stem)}-[0-9]*.zip")):
        if old.exists():
            raise FileExistsError(f"{old} is there already; delete it or give another name")
    data = DataFolder(roots)
    chosen = {"train": ("train", "val"), "test": ("test",), "all": ("train", "val", "test")}[split]
    for source in sources or ():
        if not any(data.photos(part, [source]) for part in chosen):
            raise ValueError(f"there is no photo of a source `{source}`; the sources are {', '.join(data.sources())}")
    photos = [photo for part in chosen for photo in data.photos(part, sources)]
    photos.sort(key=lambda photo: (photo.source, photo.split, photo.name))
    if not photos:
        raise ValueError(f"no photos of {split} to pack")
    rules = ("labels.json", json.dumps({"names": NAMES, **data.rules}, indent=1, ensure_ascii=False).encode())

    shown = track(_made_small(photos, short), "packing", len(photos), console=Console(stderr=True), disable=quiet)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-") as folder:
        parts = []
        for number, entries in enumerate(_parts(shown, limit - END - _bytes([rules])), 1):
            parts.append(Path(folder) / f"{out.stem}-{number}.zip")
            _write(parts[-1], [rules, *entries])
        names = [out] if len(parts) == 1 else [out.with_name(part.name) for part in parts]
        return [part.rename(name) for part, name in zip(parts, names, strict=True)]


def _made_small(photos: Sequence[Photo], short: int) -> Iterator[Entries]:
    with ThreadPoolExecutor() as pool:
        for i in range(0, len(photos), AT_ONCE):  # not all at once: they would wait in memory
            yield from pool.map(partial(_small, short=short), photos[i : i + AT_ONCE])


def _small(photo: Photo, short: int) -> Entries:
    """The files of one photo: itself and its maps."""
    place = f"{photo.source}/{photo.split}/{photo.name}"
    data, rgb = photo.path.read(), photo.rgb()
    h, w = rgb.shape[:2]
    scale = short / min(h, w)
    size = (max(short, round(w * scale)), max(short, round(h * scale)))
    if scale < 1:
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    if scale < 1 or not data.startswith(b"\xff\xd8"):  # else it is a small JPEG already
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    entries = [(f"photos/{place}.jpg", data)]
    for kind, path in zip(MAPS, (photo.label_path, photo.voc_path), strict=True):
        if path is not None:
            values, data = photo.values(path), path.read()
            if scale < 1:
                values = cv2.resize(values, size, interpolation=cv2.INTER_NEAREST_EXACT)
                data = cv2.imencode(".png", values)[1].tobytes()
            entries.append((f"{kind}/{place}.png", data))
    return entries


def _bytes(entries: Entries) -> int:
    """What the files take in a zip."""
    return sum(HEADERS + 2 * len(name.encode()) + len(data) for name, data in entries)


def _parts(photos: Iterable[Entries], room: int) -> Iterator[Entries]:
    """Join the files of one photo after another as long as they fit into `room` bytes; a photo is never split."""
    part, used = [], 0
    for entries in photos:
        need = _bytes(entries)
        if need > room:
            raise ValueError(f"{entries[0][0]} alone is larger than a packed file may be")
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


def _command(
    data: Annotated[list[Path], typer.Argument(help="Folders or zip files of photos, in any layout.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="NAME.zip, or NAME-1.zip and so on if one is too small.")],
    short: Annotated[int, typer.Option(min=32, help="Short side of the photos at most, pixels.")] = 192,
    max_mib: Annotated[float, typer.Option(min=0.01, help="Size of a file at most, MiB.")] = 58,
    split: Annotated[Split, typer.Option(help="Which photos.")] = "all",
    source: Annotated[list[str] | None, typer.Option(help="Pack this source alone; may be repeated.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Pack training data into zip files that train as the folder does: photos made small, labels kept."""
    try:
        files = pack(data, out, short, int(max_mib * MIB), split, source, quiet)
    except (ValueError, FileNotFoundError, FileExistsError) as error:
        print(f"pack: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    for file in files:
        print(f"{file}: {file.stat().st_size / MIB:.1f} MiB")


def main() -> None:
    typer.run(_command)


if __name__ == "__main__":
    main()
