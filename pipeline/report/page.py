"""The report as one page of HTML. It loads nothing: styles, charts and pictures are in the page.

The report as JSON is in the page, too, in the element with the id `report`.
"""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .charts import MOST_CUTS, chroma_chart, clock, color_of, labels_chart, mean_share
from .records import Media, Report

PICTURE_BYTES = 6 << 20
"""Bytes that all pictures of the page may take together, about."""

MOST_PICTURES = 3000
"""Greatest number of pictures. Of a film with more shots, every second one is shown, or every third, and so on."""

FORMS = ((1.0, 80, 20000), (0.75, 75, 9600), (0.5, 70, 5500), (0.4, 60, 3500), (0.3, 45, 2000), (0.25, 25, 1200))
"""(scale, quality as WebP, bytes of a picture of photographs on average) of the forms of a picture."""

ROWS = (
    ("container", "container"),
    ("size of the file", "bytes"),
    ("pictures", "picture.codec"),
    ("frame size", "size"),
    ("pixel aspect ratio", "picture.sample_aspect"),
    ("rotation", "picture.rotation"),
    ("pixel format", "picture.pix_fmt"),
    ("bits of luma", "picture.bits"),
    ("range", "picture.range"),
    ("primaries", "picture.primaries"),
    ("transfer", "picture.transfer"),
    ("matrix", "picture.matrix"),
    ("scan", "picture.scan"),
    ("frames", "picture.frames"),
    ("frames per second", "picture.rate"),
    ("time base", "picture.time_base"),
    ("first time stamp", "start"),
    ("length", "length"),
    ("other streams", "streams"),
    ("chapters", "chapters"),
    ("SHA-256", "sha256"),
)
"""Rows of the table of source and output: heading, and the name of the value."""


class PagePictures:
    """The pictures of the shots, made as small as their number demands."""

    def __init__(self, shots: int) -> None:
        self._every = max(1, -(-shots // MOST_PICTURES))
        self._room = PICTURE_BYTES * 3 // 4 // max(1, -(-shots // self._every))  # base64 makes four bytes of three
        self._form = next((n for n, form in enumerate(FORMS) if form[2] <= self._room), len(FORMS) - 1)
        self._bytes, self._shown = 0, 0
        self.sources: list[str] = []
        """For each shot the address of its picture, which holds the picture itself; empty if it has none."""

    def add(self, jpeg: bytes) -> None:
        """Add the picture of the next shot."""
        if len(self.sources) % self._every:
            self.sources.append("")
            return
        if self._bytes > self._room * self._shown:  # grain, for instance, takes more bytes
            self._form = min(self._form + 1, len(FORMS) - 1)
        scale, quality, _ = FORMS[self._form]
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        self._bytes, self._shown = self._bytes + len(data), self._shown + 1
        self.sources.append("data:image/webp;base64," + base64.b64encode(data).decode())


def write_page(report: Report, pictures: PagePictures, file: Path) -> None:
    """Write the page of a report."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"bytes": in_bytes, "clock": clock, "color": color_of}
    template = environment.get_template("page.html")
    parts = template.stream(
        report=report,
        data=report.model_dump(mode="json"),
        pictures=pictures.sources,
        rows=list(_rows(report)),
        chroma_chart=Markup(chroma_chart(report)),
        labels_chart=Markup(labels_chart(report)),
        mean_share=mean_share,
        cuts_drawn=1 < len(report.shots) <= MOST_CUTS,
    )
    with file.open("w", encoding="utf-8") as out:
        out.writelines(parts)


def in_bytes(count: int) -> str:
    """A number of bytes for people."""
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} bytes" if unit == "bytes" else f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"


def _rows(report: Report) -> list[tuple[str, str, str]]:
    """(heading, value of the source, value of the output) of each row."""
    return [(heading, _value(report.source, name), _value(report.output, name)) for heading, name in ROWS]


def _value(media: Media, name: str) -> str:
    picture = media.picture
    special = {
        "bytes": in_bytes(media.bytes),
        "size": f"{picture.width} × {picture.height}",
        "start": f"{picture.start:g} s",
        "length": f"{clock(picture.seconds)} ({picture.seconds:.3f} s)",
        "chapters": str(len(media.chapters)),
        "streams": str(len(media.streams) - 1),
    }
    if name in special:
        return special[name]
    value = getattr(picture, name.removeprefix("picture."), None) if "." in name else getattr(media, name)
    return str(value) if value not in ("", None) else "none"
