"""Apply resolved edits to frames, at three places of the pipeline.

    amend    between the two networks: apply label edits, so the network paints from the edited labels
    forget   before steadying: where a label edit begins or ends inside a shot, the frames before and after it do not
             affect each other
    finish   after steadying: apply references, and over them palette and colour edits, which `compose` paints at full
             size; they are as steady as masks and labels

Each depends only on the frame, so the result does not depend on how a film was divided into chunks.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...errors import WorkError, reason_of
from ...flow import Motion
from ...flow.warp import warp
from ..compose import Layer, Layered
from .archive import key_name, key_planes, mask_name, sure_name
from .orders import ColorTransfer, ResolvedEdit


@dataclass(frozen=True)
class ResolvedEdits:
    """All resolved edits of a film. Picklable; each process reads the masks itself.

    Unless stated otherwise, arrays are those of one frame: labels (62, h/4, w/4), ab (2, h/2, w/2) of CIE Lab.
    """

    orders: tuple[ResolvedEdit, ...]
    """The palette and the edits, in order; a later one wins."""
    transfers: tuple[ColorTransfer, ...]
    """The references, and what key frames say of labels."""
    masks: Path
    """Zip file: `mask_name` → (h/2, w/2) uint8, 255 inside the region. A mask that is missing is empty. And `key_name`
    → a and b (2, h/2, w/2) float16, and how surely they hold (h/2, w/2) uint8."""
    keyed: tuple[tuple[int, int], ...] = ()
    """Pairs (first frame, number after the last) of the shots that have key frames."""
    linked: tuple[tuple[int, int, tuple[int, ...]], ...] = ()
    """Triples (first frame, number after the last, frames whose colours it takes) of the shots that take colours of an
    earlier one; see `pipeline.revisiting`. There references act before that, and not in `finish`."""

    def lost(self, when: Callable[[int], str]) -> list[str]:
        """A sentence for each region that is lost within its shot; `when` names a frame (`Film.when`)."""
        return [
            f"{order.name}: its region is lost from {when(frame)} on; draw it again, in a frame where it is seen."
            for order in self.orders
            for frame in order.lost
        ]

    def again(self, when: Callable[[int], str]) -> list[str]:
        """A sentence for each edit whose region was found again in other shots; `when` names a frame (`Film.when`)."""
        shots: dict[str, list[str]] = {}
        for number, order in enumerate(self.orders):
            if order.again and self.entry(sure_name(number)):
                shots.setdefault(order.name, []).append(when(order.first))
        return [
            f"{name}: its region was found again in the {'shot' if len(its) == 1 else 'shots'} of {', '.join(its)}."
            for name, its in shots.items()
        ]

    def amend(self, frame: int, labels: np.ndarray) -> np.ndarray:
        """Apply the label edits to the label probabilities of a frame.

        Args:
            frame: number of the frame.
            labels: (62, h/4, w/4) float32 probabilities; may be read-only.

        Returns:
            A new array; `labels` itself if no label edit applies to the frame.
        """
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
                moved = labels[order.label] * np.float32(order.strength)
                labels[order.relabel] += moved
                labels[order.label] -= moved
        return labels

    def breaks(self, first: int, stop: int) -> set[int]:
        """Those of the frames `first` .. `stop` - 1 in which a label edit of a region begins, or has just ended."""
        return {
            frame
            for number, order in enumerate(self.orders)
            for frame in (order.first, order.stop)
            if order.breaks and first <= frame < stop and self._read(number, frame)
        }

    def forget(self, start: int, motion: Motion) -> Motion:
        """Motion in which the frames before and after a label edit's begin or end do not see each other in its region.

        (When a label is replaced everywhere, the colour fades over about a second; the past is not reset.)

        Args:
            start: number of the first frame of `motion`.
            motion: motion of neighbouring frames.
        """
        seen = motion.backward_visible, motion.forward_visible
        for number, order in enumerate(self.orders):
            for frame in (order.first, order.stop):
                if order.breaks and 0 <= frame - start < len(motion):
                    mask = self._mask(number, frame, motion.backward_visible.shape[1:])
                    if mask.any():
                        if seen[0] is motion.backward_visible:
                            seen = tuple(array.copy() for array in seen)  # arrays from Ray are read-only
                        before = warp(mask, motion.forward[frame - start])  # where the region was one frame ago
                        for array, region in zip(seen, (mask, before), strict=True):
                            array[frame - start] *= cv2.dilate(region, np.ones((5, 5), np.uint8)) < 128
        return replace(motion, backward_visible=seen[0], forward_visible=seen[1])

    def finish(self, start: int, ab: np.ndarray, labels: np.ndarray) -> np.ndarray | list[Layered]:
        """Apply references, palette and colour edits to the steady chroma of N frames.

        Args:
            start: number of the first frame.
            ab: (N, 2, h/2, w/2) float16: steady chroma, a and b of CIE Lab.
            labels: (N, 62, h/4, w/4) uint8: steady label probabilities × 255.

        Returns:
            For each frame its chroma with layers, as `compose.chroma_planes` takes it; `ab` itself if nothing applies
            to any frame.
        """
        frames = range(start, start + len(ab))
        painting = [*(order for order in self.orders if order.relabel is None), *self.transfers]
        if not any(change.holds(frame) for change in painting for frame in frames) and not self._keyed(frames):
            return ab
        return [self._finish(frame, *both) for frame, *both in zip(frames, ab, labels, strict=True)]

    def _finish(self, frame: int, ab: np.ndarray, labels: np.ndarray) -> Layered:
        shape, read = ab.shape[1:], label_shares(labels)
        below = ab.astype(np.float32)
        if not self._linked(frame, frame + 1):
            below = self.referred(frame, below, labels)
        below = self.keyed_colors(frame, below)
        layers = []
        for number, order in enumerate(self.orders):
            if order.holds(frame) and order.relabel is None:
                if order.label is not None:
                    within = _enlarged(read[order.label], shape)
                else:
                    within = self._mask(number, frame, shape).astype(np.float32) / 255
                wanted = ab if order.ab is None else order.ab
                layers.append(Layer(within, wanted, bordered=order.label is None, strength=order.strength))
        return Layered(below.clip(-127, 127).astype(np.float16), tuple(layers))

    def referred(self, frame: int, ab: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The colours (2, h/2, w/2) float32 of a frame under references, and under what key frames say of labels.

        `labels`: (62, h/4, w/4) probabilities of any scale.
        """
        held = [transfer for transfer in self.transfers if transfer.holds(frame)]
        read = label_shares(labels) if held else labels
        for transfer in held:
            before = ab
            for label, (mean, wanted, stretch) in transfer.changes.items():
                old, new, factor = (np.array(x, np.float32)[:, None, None] for x in (mean, wanted, stretch))
                ab = ab + (new + (before - old) * factor - before) * _enlarged(read[label], ab.shape[1:])
        return ab

    def keyed_colors(self, frame: int, ab: np.ndarray) -> np.ndarray:
        """The colours (2, h/2, w/2) float32 of a frame under the key frames of its shot."""
        if not self.keyed_at(frame):
            return ab
        carried, known = self._key(frame, ab.shape[1:])
        return ab + (carried - ab) * known

    def keyed_at(self, frame: int) -> bool:
        """Whether the shot of a frame has key frames."""
        return self._keyed(range(frame, frame + 1))

    def digest(self, shot: int, first: int, stop: int, seen: int) -> str:
        """Digest of all edits that affect the colours of the frames `first` .. `stop` - 1.

        Label edits act before steadying, so all those between `shot` and `seen` count. Colour edits and references act
        after steadying, so they affect only their own frames.

        Args:
            shot: number of the first frame of the shot in which the frames begin.
            first: number of the first frame.
            stop: number after the last frame.
            seen: number after the last frame that affects the steadying of these frames; see `flow.horizon`.

        Returns:
            SHA-256, hexadecimal; "" if no edit affects the frames.
        """
        found: list[Any] = self._referring(first, stop)
        for sources in self._linked(shot, seen):  # references act before steadying there, and on what it takes, too
            found += self._referring(shot, seen)
            found += [[n, what] for n in sources if (what := self._referring(n, n + 1))]
            found += [[n, hashlib.sha256(self._carried(n)).hexdigest()] for n in sources if self.keyed_at(n)]
        if self._keyed(range(first, stop)):
            found.append([hashlib.sha256(self._carried(frame)).hexdigest() for frame in range(first, stop)])
        for number, order in enumerate(self.orders):
            begin, end = (shot, seen) if order.ab is None else (first, stop)
            span = max(order.first, begin), min(order.stop, end)
            if span[0] >= span[1]:
                continue
            masks: list[bytes] = []
            if order.label is None:  # one frame more: `forget` needs the mask where a label edit ends
                masks = [self._read(number, frame) for frame in range(span[0], min(order.stop + 1, end))]
            if order.label is not None or any(masks):
                shapes = [hashlib.sha256(mask).hexdigest() for mask in masks]
                found.append((span, order.label, order.relabel, order.ab, order.strength, shapes))
        return hashlib.sha256(json.dumps(found).encode()).hexdigest() if found else ""

    def _linked(self, first: int, stop: int) -> list[tuple[int, ...]]:
        """The frames whose colours are taken by those of the frames `first` .. `stop` - 1 that follow a scene; a list
        for each shot. Shots with key frames of their own take none."""
        return [
            sources
            for begin, end, sources in self.linked
            if begin < stop and first < end and not self._keyed(range(begin, end))
        ]

    def _referring(self, first: int, stop: int) -> list[Any]:
        """What references change in the frames `first` .. `stop` - 1, as JSON takes it."""
        spans = [(max(each.first, first), min(each.stop, stop), each.changes) for each in self.transfers]
        return [((begin, end), sorted(changes.items())) for begin, end, changes in spans if begin < end]

    def _share(self, number: int, order: ResolvedEdit, frame: int, labels: np.ndarray) -> np.ndarray:
        """(h/4, w/4) float32: share of each pixel of the label map to which the order applies."""
        strength = np.float32(order.strength)
        if order.label is not None:
            return label_shares(labels)[order.label] * strength
        height, width = labels.shape[1:]
        mask = self._mask(number, frame, (2 * height, 2 * width)).astype(np.float32) / 255
        return cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) * strength

    def _mask(self, number: int, frame: int, shape: tuple[int, ...]) -> np.ndarray:
        """The mask of an order in a frame, (h/2, w/2) uint8; 255 inside its region."""
        data = self._read(number, frame)
        return np.frombuffer(data, np.uint8).reshape(shape) if data else np.zeros(shape, np.uint8)

    def _keyed(self, frames: range) -> bool:
        """Whether one of the frames belongs to a shot with key frames."""
        return any(first < frames.stop and frames.start < stop for first, stop in self.keyed)

    def _key(self, frame: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The colours (2, h/2, w/2) that key frames give a frame, and how surely they hold, (h/2, w/2) 0..1."""
        data = self._carried(frame)
        if not data:
            return np.zeros((2, *shape), np.float32), np.zeros(shape, np.float32)
        ab, known = key_planes(data)
        return ab.reshape(2, *shape).astype(np.float32), known.reshape(shape).astype(np.float32) / 255

    def _carried(self, frame: int) -> bytes:
        """What `key_bytes` has made of a frame's colours from key frames; b"" where there are none."""
        return self.entry(key_name(frame))

    def _read(self, number: int, frame: int) -> bytes:
        """The bytes of a mask; b"" for an empty one."""
        return self.entry(mask_name(number, frame))

    def confidence(self, number: int, frame: int) -> float:
        """How sure the place of an order's region is in a frame, 0 to 1; 1 where it was not measured."""
        if number not in self._confidences:
            self._confidences[number] = json.loads(self.entry(sure_name(number)) or b"{}")
        return self._confidences[number].get(str(frame), 1.0)

    @cached_property
    def _confidences(self) -> dict[int, dict[str, float]]:
        """Number of an order → what was read of its `sure_name`."""
        return {}

    def entry(self, name: str) -> bytes:
        """The bytes of an entry of the archive; b"" where there is none, as of empty masks."""
        try:
            return self._archive.read(name)
        except KeyError:
            return b""
        except (OSError, zipfile.BadZipFile) as error:
            raise WorkError(f"{self.masks} cannot be read: {reason_of(error)}.") from error

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.masks)
        except (OSError, zipfile.BadZipFile) as error:
            raise WorkError(f"{self.masks} cannot be read: {reason_of(error)}.") from error

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def label_shares(labels: np.ndarray) -> np.ndarray:
    """Shares of the labels in each pixel. They are proportional to squared probabilities, so the likeliest dominates.

    Args:
        labels: (62, h, w) probabilities of any scale.

    Returns:
        (62, h, w) float32; the shares of a pixel add up to 1.
    """
    squares = np.square(labels.astype(np.float32))
    return squares / np.maximum(squares.sum(0), np.float32(1e-6))


def _enlarged(plane: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A plane enlarged to (rows, columns)."""
    return cv2.resize(plane, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
