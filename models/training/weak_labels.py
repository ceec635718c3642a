"""Labels told by colour, where a photo says only what scene it is: the teacher sees colour, the student grey.

Blue and smooth above is sky, blue below the horizon of a sea picture is water, white in a glacier's foreground is
snow, saturated green is a plant, smooth green below is grass, and what stays grey under a mountain's sky is mountain,
nearer rock. Between houses the sky reaches the picture's top, and what is neither bluish, white nor green is neither
sky nor plant, in the middle of a picture of buildings a building: facades were read as trees, since nothing said that
they are none. In photos of other sources only green tells: what is green is a plant, and a background that is clearly
of another colour is none. By Indian roads what may be a building, a tree or a wall is no wall: walls have a value of
their own there, and a name that two values share would be read wherever it is unclear which of them it is. Colour
never contradicts a label map. A pixel that no rule names keeps what is allowed.
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


def tell_by_colour(rgb: np.ndarray, allowed: np.ndarray, source: str) -> np.ndarray:
    """Narrow what a scene's pixels may be. rgb (h, w, 3) uint8, allowed (h, w, 62) bool; returns the same shape."""
    lightness, a, b = cv2.split(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))
    mean = cv2.blur(lightness, (5, 5))
    smooth = cv2.blur(lightness * lightness, (5, 5)) - mean * mean < 16
    depth = np.linspace(0, 1, len(rgb))[:, None]  # 0 at the top
    blue, green, white = b < -4, (a < -6) & (b > 8), (lightness > 75) & (np.hypot(a, b) < 12)
    light_blue = blue & (lightness > 45)

    told = np.zeros_like(allowed)
    scene, houses = source.startswith("scenes_"), source in (BUILDINGS, STREET)
    horizon = 0.3 if source == GLACIER else 0.5
    if scene and source != FOREST:
        sky = smooth & (depth < horizon) & (light_blue | (white & (depth < horizon - 0.1)))
        if houses:
            sky = np.logical_and.accumulate(sky)
        told[sky, INDEX["sky"]] = True
    if source == SEA:
        told[blue & (depth > 0.55), INDEX["water"]] = True
    if source == GLACIER:
        told[(lightness > 65) & (np.hypot(a, b) < 20) & (depth > 0.4), INDEX["snow"]] = True
    if source == MOUNTAIN:
        bare = ~told.any(-1) & ~green & ~white & ~(blue & smooth)
        told[bare & (depth > 0.25) & (depth < 0.6), INDEX["mountain"]] = True
        told[bare & (depth > 0.8), INDEX["rock"]] = True
    plant = cv2.medianBlur(green.astype(np.uint8), 5).astype(bool) & ~told.any(-1)
    lawn = plant & smooth & (depth >= 0.5)
    told[plant & ~lawn, INDEX["tree"]] = True
    told[lawn | (plant & (depth >= 0.6)), INDEX["grass"]] = True

    if houses:
        clouds = (light_blue | white) & (depth < horizon)
        bare = ~told.any(-1) & ~((a < -2) & (b > 3)) & ~clouds & (lightness > 20)
        facade = bare & (depth > 0.15) & (depth < 0.7) & (source == BUILDINGS)
        told[facade, INDEX["building"]] = True
        told[bare & ~facade] = ~OUTDOORS

    if not scene:  # without this, whatever is unknown is read as tree: nothing ever said that it is not
        other = cv2.medianBlur(((lightness > 30) & ((a > 3) | (b < -3))).astype(np.uint8), 5).astype(bool) & ~plant
        told[other] = True
        told[other[..., None] & PLANTS] = False

    if source == ROADS:
        allowed = allowed.copy()
        allowed[allowed[..., INDEX["building"]] & ~allowed.all(-1), INDEX["wall"]] = False

    narrowed = allowed & told
    return np.where(narrowed.any(-1, keepdims=True), narrowed, allowed)
