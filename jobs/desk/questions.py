"""What the page asks about places of a frame: labels, regions, and the colours that a region can carry."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import cv2
import numpy as np

from ...models.labels import NAMES
from ...pipeline.edits.orders import chroma_of
from ...pipeline.edits.regions import Region
from ...pipeline.film import Film
from ...pipeline.studio import picker
from ...pipeline.studio.studio import Studio
from ...pipeline.ycbcr import PlaneFormat
from .encoded import png


class Questions:
    """Answers questions; of frames, the painter's thread does it."""

    def __init__(self, film: Film, studio: Studio, ask: Callable[..., Future]) -> None:
        """
        Args:
            film: the open film.
            studio: the film, open.
            ask: `Session.ask`.
        """
        self._film, self._studio, self._ask = film, studio, ask

    def probe(self, frame: int, x: float, y: float) -> Future:
        """What is read at a place of a frame: labels with their probabilities, the likeliest first."""

        def work() -> dict[str, Any]:
            labels = self._studio.view(frame).labels
            _, height, width = labels.shape
            column = min(int(x / self._film.width * width), width - 1)
            row = min(int(y / self._film.height * height), height - 1)
            chance = labels[:, row, column] / 255
            order = np.argsort(-chance)[:4]
            return {"labels": [[NAMES[n], round(float(chance[n]), 3)] for n in order if chance[n] >= 0.02]}

        return self._ask(work, ("probe", frame))

    def region(self, frame: int, place: Region) -> Future:
        """A region in its own frame: its outline in pixels of the source, its lumas and the label read there."""

        def work() -> dict[str, Any]:
            mask = self._studio.region(frame, place)
            labels, _ = self._studio.labels(self._studio.view(frame))
            inside = cv2.resize(mask, labels.shape[::-1], interpolation=cv2.INTER_NEAREST) >= 128
            read = np.bincount(labels[inside], minlength=len(NAMES)) if inside.any() else np.zeros(len(NAMES))
            order = [int(n) for n in np.argsort(-read)[:4] if read[n]]
            return {
                "outline": self.outline(mask),
                "share": round(float((mask >= 128).mean()), 4),
                "lumas": picker.lumas(self._studio.gray(frame), mask),
                "labels": [[NAMES[n], round(float(read[n] / read.sum()), 3)] for n in order],
            }

        return self._ask(work)

    def followed(self, frame: int) -> Future:
        """The outlines of the followed regions in a frame: place of the region, outline, whether it is known."""

        def work() -> list[dict[str, Any]]:
            height, width = (side // 2 for side in self._studio.source.thumb(frame).shape)
            found = []
            for region in self._studio.regions:
                if region.first <= frame < region.extent.order.stop:
                    data = region.mask(frame)
                    mask = np.frombuffer(data, np.uint8).reshape(height, width) if data else None
                    known = region.known(frame)
                    outline = [] if mask is None else self.outline(mask)
                    found.append({"place": region.place, "known": known, "outline": outline})
            return found

        return self._ask(work, "followed")

    def outline(self, mask: np.ndarray) -> list[list[list[float]]]:
        """The borders of a mask as polygons in pixels of the source."""
        large = cv2.resize(mask, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
        contours, _ = cv2.findContours((large >= 128).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        scale = np.array([self._film.width / large.shape[1], self._film.height / large.shape[0]])
        smooth = [cv2.approxPolyDP(c, 1.5, True)[:, 0] for c in contours if len(c) > 3]
        return [np.round((c + 0.5) * scale, 1).tolist() for c in smooth if len(c) > 2]

    def disc(self, luma: int) -> tuple[bytes, float]:
        """The picture of a picker at a luma, as PNG, and the a and b at its borders. Any thread may ask."""
        shown, reach = picker.disc(luma, PlaneFormat.of(self._film))
        return png(shown), reach

    def given(self, color: str, lumas: list[int]) -> dict[str, Any]:
        """The colours that pixels of some lumas get where a colour is asked, and its a and b. Any thread may ask."""
        return {"given": picker.given(color, lumas, PlaneFormat.of(self._film)), "ab": chroma_of(color)}
