"""The 62 labels: the 59 of PASCAL-Context and background, in the seed's order, then skin and hair.

Mottaghi et al., "The Role of Context for Object Detection and Semantic Segmentation in the Wild", CVPR 2014.
Old films are full of people, so PASCAL's `person` is split further: skin, hair and clothes.
"""

import colorsys

# fmt: off
NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
    "bag", "bed", "bench", "book", "building", "cabinet", "ceiling", "clothes", "computer", "cup", "door",
    "fence", "floor", "flower", "food", "grass", "ground", "keyboard", "light", "mountain", "mouse", "curtain",
    "platform", "sign", "plate", "road", "rock", "shelves", "sidewalk", "sky", "snow", "bedcloth", "track",
    "tree", "truck", "wall", "water", "window", "wood", "skin", "hair",
)
# fmt: on

INDEX = {name: i for i, name in enumerate(NAMES)}

# The display colour of frequent labels (sRGB 0..255), near to what they look like in the world.
_NATURAL = {
    "background": (96, 96, 96),
    "sky": (112, 178, 255),
    "tree": (28, 120, 44),
    "grass": (120, 200, 60),
    "water": (30, 90, 200),
    "road": (128, 96, 144),
    "sidewalk": (214, 150, 190),
    "building": (190, 110, 70),
    "ground": (160, 130, 90),
    "mountain": (120, 110, 170),
    "rock": (110, 100, 95),
    "snow": (235, 240, 250),
    "person": (230, 60, 60),
    "skin": (255, 178, 140),
    "hair": (90, 50, 30),
    "clothes": (200, 50, 160),
    "car": (250, 210, 40),
    "horse": (140, 70, 20),
    "wall": (200, 190, 150),
    "window": (90, 220, 220),
}


def _palette() -> tuple[tuple[int, int, int], ...]:
    """One sRGB colour per label; those without a natural one step round the hues by the golden angle."""
    colors = []
    for i, name in enumerate(NAMES):
        r, g, b = colorsys.hsv_to_rgb(i * 0.618034 % 1.0, 0.55 + 0.4 * (i % 3) / 2, 0.95 - 0.3 * (i % 2))
        colors.append(_NATURAL.get(name, (round(255 * r), round(255 * g), round(255 * b))))
    return tuple(colors)


PALETTE = _palette()
