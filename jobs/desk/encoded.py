"""Pictures as the page gets them."""

from __future__ import annotations

import cv2
import numpy as np

from ...pipeline.studio.preview import HEIGHT


def png(picture: np.ndarray) -> bytes:
    """A picture as PNG, compressed little, for speed.

    Args:
        picture: (H, W) uint8, (H, W, 3) uint8 R'G'B', or (H, W, 4) with opacity.
    """
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    _, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes()


def jpeg(picture: np.ndarray) -> bytes:
    """A picture as JPEG of at most `HEIGHT` rows.

    Args:
        picture: (H, W) uint8, or (H, W, 3) uint8 R'G'B'.
    """
    if picture.shape[0] > HEIGHT:
        size = 2 * round(HEIGHT * picture.shape[1] / picture.shape[0] / 2), HEIGHT
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return data.tobytes()
