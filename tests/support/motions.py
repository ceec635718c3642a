"""Moving pictures whose motion is known, and helpers for `Motion`, for the tests of flow."""

import cv2
import numpy as np
from semcolor.flow import Motion


def texture(height: int, width: int, seed: int = 0, blur: float = 3) -> np.ndarray:
    """(height, width) float32 of mean 128 and standard deviation 35."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32), (0, 0), blur)
    return 128 + 35 * noise / noise.std()


def shifted(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """`picture` moved right by x and down by y."""
    height, width = picture.shape
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def pan(frames: int, x: float, y: float, size: tuple[int, int] = (128, 192)) -> np.ndarray:
    """(frames, h, w) uint8: a texture that moves by (x, y) a frame."""
    picture = texture(*size)
    return np.stack([np.clip(shifted(picture, i * x, i * y), 0, 255) for i in range(frames)]).astype(np.uint8)


def disc(frames: int, step: int, radius: int = 28, size: tuple[int, int] = (128, 192), flat: bool = False):
    """A textured disc that crosses a textured or a flat background: (frames, h, w) uint8 and its mask, bool."""
    background, surface = texture(*size, seed=1), texture(2 * radius + 1, 2 * radius + 1, seed=2)
    if flat:
        background[:] = 110
    y, x = np.mgrid[: size[0], : size[1]]
    pictures, masks = [], []
    for i in range(frames):
        left, top = 8 + i * step, size[0] // 2 - radius
        mask = (x - left - radius) ** 2 + (y - top - radius) ** 2 <= radius**2
        picture = background.copy()
        picture[mask] = surface[y[mask] - top, x[mask] - left]
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
        masks.append(mask)
    return np.stack(pictures), np.stack(masks)


def same(one: Motion, two: Motion) -> bool:
    """Whether two motions are equal to the bit."""
    return all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(two).values(), strict=True))


def worn(picture: np.ndarray, frames: int, flicker: float = 0.1, grain: float = 6, damage: bool = True):
    """A still picture as a worn print shows it: (frames, h, w) uint8, and each frame's exposure, (frames,) float.

    Exposure flickers by +-`flicker`, and the grain has the standard deviation `grain`. With `damage` there are also two
    wandering scratches and about eight specks of dust a frame, black and white.
    """
    rng = np.random.default_rng(0)
    height, width = picture.shape
    exposure = rng.uniform(1 - flicker, 1 + flicker, frames)
    scratches = rng.integers(width // 8, width, 2)
    film = []
    for gain in exposure:
        noise = cv2.GaussianBlur(rng.normal(size=picture.shape).astype(np.float32), (0, 0), 0.7)
        frame = picture * np.float32(gain) + noise * np.float32(grain) / noise.std()
        scratches += rng.integers(-1, 2, 2)
        for _ in range(rng.poisson(8) if damage else 0):
            place = int(rng.integers(0, width)), int(rng.integers(0, height))
            cv2.circle(frame, place, int(rng.integers(1, height // 64)), float(rng.choice([10, 245])), -1)
        if damage:
            frame[:, scratches] = 25, 235
        film.append(np.clip(frame, 0, 255).astype(np.uint8))
    return np.stack(film), exposure


def grainy(thumbs: np.ndarray, grain: float) -> np.ndarray:
    """Moving pictures (N, h, w) uint8 with exposure that flickers by a tenth, and grain of that standard deviation."""
    rng = np.random.default_rng(0)
    film = thumbs * rng.uniform(0.9, 1.1, (len(thumbs), 1, 1)) + rng.normal(0, grain, thumbs.shape)
    return np.clip(film, 0, 255).astype(np.uint8)
