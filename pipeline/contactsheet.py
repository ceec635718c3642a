"""A contact sheet: the same frames of several films beside one another, to see at a glance what came out."""

from pathlib import Path

import av
import cv2
import numpy as np

HEIGHT = 200  # of a tile, pixels


def contact_sheet(films: dict[str, Path], output: Path, rows: int = 6) -> None:
    """One column a film (title → path), `rows` frames evenly spread over its length; a picture file (PNG, JPEG).

    Tiles have the first film's shape; what a wider one shows on its right (the labels' legend) is left out.
    """
    frames = {title: _frames(path, rows) for title, path in films.items()}
    height, width = next(iter(frames.values()))[0].shape[:2]
    columns = [_column(title, column, round(HEIGHT * width / height)) for title, column in frames.items()]
    cv2.imwrite(str(output), np.hstack(columns)[..., ::-1])


def _frames(path: Path, count: int) -> list[np.ndarray]:
    """`count` frames (H, W, 3) uint8 R'G'B', from the middle of as many equal stretches."""
    with av.open(str(path)) as container:
        total = sum(1 for packet in container.demux(video=0) if packet.size)
        wanted = {(2 * i + 1) * total // (2 * count) for i in range(count)}
        container.seek(0)
        return [f.to_ndarray(format="rgb24") for i, f in enumerate(container.decode(video=0)) if i in wanted]


def _column(title: str, frames: list[np.ndarray], width: int) -> np.ndarray:
    """Frames of one size below one another, HEIGHT high and `width` wide."""
    head = np.zeros((28, width, 3), np.uint8)
    cv2.putText(head, title, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    shown = frames[0].shape[0] * width // HEIGHT
    tiles = [cv2.resize(f[:, :shown], (width, HEIGHT), interpolation=cv2.INTER_AREA) for f in frames]
    return np.vstack([head, *tiles])
