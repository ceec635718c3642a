"""Labels and colours as people want them, applied to frames: what `resolve` has prepared, at work in three places.

    amend    between the two networks: label edits, so that the colour is painted from them
    forget   before steadying: where a label edit begins or ends inside a shot, the past holds no longer
    finish   after steadying: references, and above them palette and edits of colour, which `compose` paints at full
             size; they are as steady as masks and labels are

Each depends on the frame alone, so nothing changes with how a film was cut into chunks.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...errors import WorkError
from ...flow import Motion
from ...flow.warp import warp
from ..compose import Layer, Layered


@dataclass(frozen=True)
class ResolvedEdit:
    """An edit, with all found out that the film must be asked for."""

    first: int
    stop: int
    """Frames `first` .. `stop` - 1."""
    label: int | None
    """Whatever is read as this label; None: a region that has masks."""
    relabel: int | None = None
    """Read as this label."""
    ab: tuple[float, float] | None = None
    """Painted in this chroma; (0, 0) is neutral. With neither, the region keeps what the network paints."""

    def holds(self, frame: int) -> bool:
        return self.first <= frame < self.stop


@dataclass(frozen=True)
class ColorTransfer:
    """A reference's colours for a range of frames."""

    first: int
    stop: int
    changes: dict[int, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]]
    """Label → mean a, b of the film, of the reference, and by how much differences from the mean are stretched."""

    def holds(self, frame: int) -> bool:
        return self.first <= frame < self.stop


@dataclass(frozen=True)
class ResolvedEdits:
    """Picklable; the masks are read where it works. Arrays are one frame's: labels (62, h/4, w/4), ab (2, h/2, w/2)."""

    orders: tuple[ResolvedEdit, ...]
    transfers: tuple[ColorTransfer, ...]
    masks: Path
    """Zip file: `mask_name` → (h/2, w/2) uint8, 255 inside the order's region; what is missing is empty."""

    def amend(self, frame: int, labels: np.ndarray) -> np.ndarray:
        """Label probabilities as the label edits want them; float32, read-only or not; the same array if none holds."""
        given = labels
        for number, order in enumerate(self.orders):
            if not order.holds(frame) or order.ab is not None:
                continue
            if order.relabel is None:
                within = self._share(number, order, frame, labels)
                labels = labels + (given - labels) * within
            elif order.label is None:
                within = self._share(number, order, frame, labels)
                labels = labels * (1 - within)
                labels[order.relabel] += within
            elif order.relabel != order.label:
                labels = labels.copy()
                labels[order.relabel] += labels[order.label]
                labels[order.label] = 0
        return labels

    def forget(self, start: int, motion: Motion) -> Motion:
        """Past and future do not see each other where a label edit begins or ends; `start` is the first frame's number.

        (A whole label that becomes another one goes over within a second.)
        """
        seen = motion.backward_visible, motion.forward_visible
        for number, order in enumerate(self.orders):
            for frame in (order.first, order.stop):
                if order.label is None and order.relabel is not None and 0 <= frame - start < len(motion):
                    mask = self._mask(number, frame, motion.backward_visible.shape[1:])
                    if mask.any():
                        if seen[0] is motion.backward_visible:
                            seen = tuple(array.copy() for array in seen)  # Ray's are read-only
                        before = warp(mask, motion.forward[frame - start])  # where the region was one frame ago
                        for array, region in zip(seen, (mask, before), strict=True):
                            array[frame - start] *= cv2.dilate(region, np.ones((5, 5), np.uint8)) < 128
        return replace(motion, backward_visible=seen[0], forward_visible=seen[1])

    def finish(self, start: int, ab: np.ndarray, labels: np.ndarray) -> np.ndarray | list[Layered]:
        """Steady chroma as the references want it, and over it what the palette and the edits ask for.

        ab (N, 2, h/2, w/2) float16, labels (N, 62, h/4, w/4) uint8, of the frames `start` …. Returns for each frame
        what `compose.chroma_planes` takes; `ab` itself if nothing holds in any.
        """
        frames = range(start, start + len(ab))
        painting = [*(order for order in self.orders if order.relabel is None), *self.transfers]
        if not any(what.holds(frame) for what in painting for frame in frames):
            return ab
        return [self._finish(frame, *both) for frame, *both in zip(frames, ab, labels, strict=True)]

    def _finish(self, frame: int, ab: np.ndarray, labels: np.ndarray) -> Layered:
        shape, read = ab.shape[1:], label_shares(labels)
        below = ab.astype(np.float32)
        for transfer in self.transfers:
            if transfer.holds(frame):
                before = below
                for label, (mean, wanted, stretch) in transfer.changes.items():
                    old, new, factor = (np.array(x, np.float32)[:, None, None] for x in (mean, wanted, stretch))
                    below = below + (new + (before - old) * factor - before) * _enlarged(read[label], shape)
        layers = []
        for number, order in enumerate(self.orders):
            if order.holds(frame) and order.relabel is None:
                if order.label is not None:
                    within = _enlarged(read[order.label], shape)
                else:
                    within = self._mask(number, frame, shape).astype(np.float32) / 255
                layers.append(Layer(within, ab if order.ab is None else order.ab, bordered=order.label is None))
        return Layered(below.clip(-127, 127).astype(np.float16), tuple(layers))

    def digest(self, shot: int, first: int, stop: int, seen: int) -> str:
        """Of all that steers the colours of frames `first` .. `stop` - 1; "" if nothing does.

        `shot`: the first frame of the shot that they begin in. `seen`: the frame before which everything lies that has
        a say in their steadying. A label edit has it from there on and to its shot's end, what comes after steadying
        concerns its own frames alone.
        """
        found: list[Any] = []
        for transfer in self.transfers:
            span = max(transfer.first, first), min(transfer.stop, stop)
            if span[0] < span[1]:
                found.append((span, sorted(transfer.changes.items())))
        for number, order in enumerate(self.orders):
            begin, end = (shot, seen) if order.ab is None else (first, stop)
            span = max(order.first, begin), min(order.stop, end)
            if span[0] >= span[1]:
                continue
            masks: list[bytes] = []
            if order.label is None:  # one frame more: where a label edit's end is forgotten
                masks = [self._read(number, frame) for frame in range(span[0], min(order.stop + 1, end))]
            if order.label is not None or any(masks):
                shapes = [hashlib.sha256(mask).hexdigest() for mask in masks]
                found.append((span, order.label, order.relabel, order.ab, shapes))
        return hashlib.sha256(json.dumps(found).encode()).hexdigest() if found else ""

    def _share(self, number: int, order: ResolvedEdit, frame: int, labels: np.ndarray) -> np.ndarray:
        """(h/4, w/4) float32: how much of each pixel of the label map the order holds for."""
        if order.label is not None:
            return label_shares(labels)[order.label]
        height, width = labels.shape[1:]
        mask = self._mask(number, frame, (2 * height, 2 * width)).astype(np.float32) / 255
        return cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)

    def _mask(self, number: int, frame: int, shape: tuple[int, ...]) -> np.ndarray:
        """(h/2, w/2) uint8."""
        data = self._read(number, frame)
        return np.frombuffer(data, np.uint8).reshape(shape) if data else np.zeros(shape, np.uint8)

    def _read(self, number: int, frame: int) -> bytes:
        try:
            return self._archive.read(mask_name(number, frame))
        except KeyError:  # empty ones are not kept
            return b""
        except (OSError, zipfile.BadZipFile) as error:
            raise WorkError(f"{self.masks} cannot be read: {error}") from error

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.masks)
        except (OSError, zipfile.BadZipFile) as error:
            raise WorkError(f"{self.masks} cannot be read: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def mask_name(order: int, frame: int) -> str:
    """Name of a mask in the archive."""
    return f"{order}/{frame}"


def label_shares(labels: np.ndarray) -> np.ndarray:
    """Shares of the labels in each pixel, from probabilities (62, h, w) of any scale: squares, so that the likeliest
    counts for most. (62, h, w) float32, sum 1."""
    squares = np.square(labels.astype(np.float32))
    return squares / np.maximum(squares.sum(0), np.float32(1e-6))


def chroma_of(colour: str) -> tuple[float, float]:
    """a, b of CIE Lab (D65) of an sRGB colour `#rrggbb`."""
    rgb = np.array([[[int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]]], np.float32)
    _, a, b = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab)[0, 0]
    return float(a), float(b)


def _enlarged(plane: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return cv2.resize(plane, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
