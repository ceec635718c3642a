"""Damage of film: makes a clean grey picture look like a scan of an old print.

Each damage is a function of a picture (H, W) float32 0..1, a generator of random numbers, and its strength 0..1.
"""

from collections.abc import Callable

import cv2
import numpy as np

Array = np.ndarray
Damage = Callable[[Array, np.random.Generator, float], Array]


def fade(gray: Array, rng: np.random.Generator, strength: float) -> Array:
    """Lost contrast: lifted blacks, lowered whites, a bent tone curve."""
    gray = np.maximum(gray, 0) ** np.float32(np.exp(rng.normal(0, 0.4 * strength)))
    low, high = rng.uniform(0, 0.25 * strength), 1 + rng.uniform(-0.3, 0.1) * strength
    return low + (high - low) * gray


def blur(gray: Array, rng: np.random.Generator, strength: float) -> Array:
    """A soft lens or a copy of a copy."""
    return cv2.GaussianBlur(gray, (0, 0), 0.3 + rng.uniform(0.2, 2.0) * strength)


def vignette(gray: Array, rng: np.random.Generator, strength: float) -> Array:
    """Darker towards the corners."""
    h, w = gray.shape
    y, x = np.linspace(-1, 1, h)[:, None], np.linspace(-1, 1, w)[None]
    return gray * (1 - rng.uniform(0.2, 0.7) * strength * (x * x + y * y) / 2).astype(np.float32)


def grain(gray: Array, rng: np.random.Generator, strength: float) -> Array:
    """Silver grain: noise, fine or clumped."""
    noise = rng.standard_normal(gray.shape, np.float32) * np.float32(rng.uniform(0.01, 0.09) * strength)
    return gray + (cv2.GaussianBlur(noise, (0, 0), 0.8) * 1.8 if rng.random() < 0.5 else noise)


def scratches(gray: Array, rng: np.random.Generator, strength: float) -> Array:
    """Vertical lines, white or black, nearly straight, often over the whole height."""
    gray = gray.copy()
    h, w = gray.shape
    for _ in range(rng.integers(1, 2 + round(4 * strength))):
        x = rng.uniform(0, w)
        top, bottom = (0, h) if rng.random() < 0.6 else sorted(rng.uniform(0, h, 2))
        ends = [(round(x + rng.normal(0, 1.5)), round(top)), (round(x + rng.normal(0, 1.5)), round(bottom))]
        layer = cv2.line(np.zeros_like(gray), ends[0], ends[1], rng.uniform(0.3, 0.9), 1, cv2.LINE_AA)
        gray = gray + layer * (1 - 2 * (rng.random() < 0.5))
    return gray


def dust(gray: Array, rng: np.random.Generator, strength: float) -> Array:
    """Specks, blotches and hairs, white (dirt on the negative) or black."""
    gray = gray.copy()
    h, w = gray.shape
    for _ in range(rng.integers(1, 3 + round(12 * strength))):
        at = (int(rng.integers(w)), int(rng.integers(h)))
        value = float(rng.random() < 0.6)
        if rng.random() < 0.15:  # a hair
            bend = np.cumsum(rng.normal(0, 2.5, (8, 2)), 0) + at
            cv2.polylines(gray, [bend.round().astype(np.int32)], False, value, 1, cv2.LINE_AA)
        else:
            axes = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
            cv2.ellipse(gray, at, axes, float(rng.uniform(0, 180)), 0, 360, value, -1, cv2.LINE_AA)
    return gray


def compression(gray: Array, rng: np.random.Generator, strength: float) -> Array:
    """Blocks and ringing of a low bit rate."""
    quality = int(rng.integers(max(5, round(60 - 50 * strength)), 71))
    coded = cv2.imencode(".jpg", np.clip(gray * 255, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255


def flicker(gray: Array, rng: np.random.Generator, strength: float) -> Array:
    """Uneven exposure: the gain differs from that of neighbouring frames, and over the picture."""
    h, w = gray.shape
    slope = rng.normal(0, 0.12 * strength, 2)
    plane = slope[0] * np.linspace(-1, 1, h)[:, None] + slope[1] * np.linspace(-1, 1, w)[None]
    return gray * (1 + rng.normal(0, 0.1 * strength) + plane).astype(np.float32)


DAMAGES: dict[str, Damage] = {
    "flicker": flicker,
    "blur": blur,
    "vignette": vignette,
    "fade": fade,
    "grain": grain,
    "scratches": scratches,
    "dust": dust,
    "compression": compression,
}
"""In the order in which they happen: exposure, lens, ageing, wear, the digital copy."""

SHARE = {"fade": 0.8, "grain": 0.5, "flicker": 0.3, "blur": 0.3, "vignette": 0.2, "compression": 0.25}
"""Share of the training samples that have a damage."""

UNCOMMON = 0.12
"""The same, for the other damages."""


def age(gray: Array, rng: np.random.Generator) -> Array:
    """A random mixture of damages of random strength, as training sees it. (H, W) 0..1, same shape."""
    for name, damage in DAMAGES.items():
        if rng.random() < SHARE.get(name, UNCOMMON):
            gray = damage(gray, rng, rng.uniform(0, 1))
    return np.clip(gray, 0, 1).astype(np.float32)


def bars(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Letterbox or pillarbox bars for a picture of `shape` = (H, W): bool, true inside the bars."""
    h, w = shape
    mask = np.zeros(shape, bool)
    thick = rng.uniform(0.04, 0.25)
    if rng.random() < 0.5:
        mask[: round(h * thick)] = mask[h - round(h * thick) :] = True
    else:
        mask[:, : round(w * thick)] = mask[:, w - round(w * thick) :] = True
    return mask
