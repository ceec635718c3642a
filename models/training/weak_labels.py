"""Weak labels: the photo's colours narrow the labels that a pixel may have. The networks see grey only.

The rules, by source:

- scenes: smooth blue in the upper part is sky; blue below the horizon of a sea picture is water; white in a glacier's
  foreground is snow; grey below a mountain's sky is mountain, and nearer to the camera rock;
- all sources: saturated green is a tree, and smooth green in the lower part is grass;
- buildings and streets: the sky reaches the top of the picture. A pixel that is neither bluish, white nor green is
  neither sky nor plant, and in the middle of a picture of buildings it is a building. Without this rule facades were
  labelled tree, because no pixel excluded it;
- other sources: a background that clearly has another colour than green is not a plant;
- Indian roads: a pixel that may be building, tree or wall is not wall. Walls have a value of their own there, and a
  label that two values share would win wherever it is unclear which of them a pixel has.

Colour never contradicts a label map. A pixel without a rule keeps its allowed labels.
"""

import cv2
import numpy as np

from ..labels import INDEX, NAMES

SEA, FOREST, MOUNTAIN, GLACIER, STREET, BUILDINGS = (
    f"scenes_{scene}" for scene in ("sea", "forest", "mountain", "glacier", "street", "buildings")
)
ROADS = "idd"
PLANTS = np.isin(np.arange(len(NAMES)), [INDEX["tree"], INDEX["grass"]])
OUTDOORS = PLANTS | np.isin(np.arange(len(NAMES)), [INDEX[name] for name in ("sky", "water", "flower")])


def narrow_by_color(rgb: np.ndarray, allowed: np.ndarray, source: str) -> np.ndarray:
    """Narrow the allowed labels by colour.

    Args:
        rgb: (h, w, 3) uint8.
        allowed: (h, w, 62) bool.
        source: of the photo.

    Returns:
        (h, w, 62) bool, at least one label per pixel that had any.
    """
    lightness, a, b = cv2.split(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))
    mean = cv2.blur(lightness, (5, 5))
    smooth = cv2.blur(lightness * lightness, (5, 5)) - mean * mean < 16
    depth = np.linspace(0, 1, len(rgb))[:, None]  # 0 at the top
    blue, green, white = b < -4, (a < -6) & (b > 8), (lightness > 75) & (np.hypot(a, b) < 12)
    light_blue = blue & (lightness > 45)

    named = np.zeros_like(allowed)
    scene, houses = source.startswith("scenes_"), source in (BUILDINGS, STREET)
    horizon = 0.3 if source == GLACIER else 0.5
    if scene and source != FOREST:
        sky = smooth & (depth < horizon) & (light_blue | (white & (depth < horizon - 0.1)))
        if houses:
            sky = np.logical_and.accumulate(sky)
        named[sky, INDEX["sky"]] = True
    if source == SEA:
        named[blue & (depth > 0.55), INDEX["water"]] = True
    if source == GLACIER:
        named[(lightness > 65) & (np.hypot(a, b) < 20) & (depth > 0.4), INDEX["snow"]] = True
    if source == MOUNTAIN:
        bare = ~named.any(-1) & ~green & ~white & ~(blue & smooth)
        named[bare & (depth > 0.25) & (depth < 0.6), INDEX["mountain"]] = True
        named[bare & (depth > 0.8), INDEX["rock"]] = True
    plant = cv2.medianBlur(green.astype(np.uint8), 5).astype(bool) & ~named.any(-1)
    lawn = plant & smooth & (depth >= 0.5)
    named[plant & ~lawn, INDEX["tree"]] = True
    named[lawn | (plant & (depth >= 0.6)), INDEX["grass"]] = True

    if houses:
        clouds = (light_blue | white) & (depth < horizon)
        bare = ~named.any(-1) & ~((a < -2) & (b > 3)) & ~clouds & (lightness > 20)
        facade = bare & (depth > 0.15) & (depth < 0.7) & (source == BUILDINGS)
        named[facade, INDEX["building"]] = True
        named[bare & ~facade] = ~OUTDOORS

    if not scene:  # without this, unknown pixels are labelled tree: no label map excludes it
        other = cv2.medianBlur(((lightness > 30) & ((a > 3) | (b < -3))).astype(np.uint8), 5).astype(bool) & ~plant
        named[other] = True
        named[other[..., None] & PLANTS] = False

    if source == ROADS:
        allowed = allowed.copy()
        allowed[allowed[..., INDEX["building"]] & ~allowed.all(-1), INDEX["wall"]] = False

    narrowed = allowed & named
    return np.where(narrowed.any(-1, keepdims=True), narrowed, allowed)
