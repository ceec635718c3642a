"""A contact sheet: the same frames of several films side by side in one picture, to compare them at a glance."""

from pathlib import Path

import cv2
import numpy as np

from .opening import open_container

HEIGHT = 200
"""Height of a tile in pixels."""


def contact_sheet(films: dict[str, Path], output: Path, rows: int = 6) -> None:
    """Write a contact sheet with one column for each film.

    Tiles have the shape of the first film. The right side of a wider film (the legend of the labels) is cut off.

    Args:
        films: title → path of each film.
        output: a picture file (PNG, JPEG).
        rows: number of frames for each film, evenly spread over its length.
    """
    frames = {title: _frames(path, rows) for title, path in films.items()}
    height, width = next(iter(frames.values()))[0].shape[:2]
    columns = [_column(title, column, round(HEIGHT * width / height)) for title, column in frames.items()]
    cv2.imwrite(str(output), np.hstack(columns)[..., ::-1])


def _frames(path: Path, count: int) -> list[np.ndarray]:
    """`count` frames (H, W, 3) uint8 R'G'B': the middle frame of each of `count` equal stretches of the film."""
    with open_container(path) as container:
        total = sum(1 for packet in container.demux(video=0) if packet.size)
        wanted = {(2 * i + 1) * total // (2 * count) for i in range(count)}
        container.seek(0)
        return [f.to_ndarray(format="rgb24") for i, f in enumerate(container.decode(video=0)) if i in wanted]


def _column(title: str, frames: list[np.ndarray], width: int) -> np.ndarray:
    """A title above frames of one size, each drawn `HEIGHT` high and `width` wide."""
    head = np.zeros((28, width, 3), np.uint8)
    cv2.putText(head, title, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    shown = frames[0].shape[0] * width // HEIGHT
    tiles = [cv2.resize(f[:, :shown], (width, HEIGHT), interpolation=cv2.INTER_AREA) for f in frames]
    return np.vstack([head, *tiles])
