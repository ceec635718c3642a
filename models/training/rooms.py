"""Weak labels of rooms: which photos show one, and where its ceiling, walls and floor are.

No data set here has drawn labels of rooms. Which photos show a room is learned from those of which something is known:
the scenes of some sources, and labels such as `sofa` or `road`. Where a ceiling, a wall or a floor is follows from the
place of smooth areas in the picture (Hoiem, Efros, Hebert, "Recovering Surface Layout from an Image", IJCV 2007, use
the same cues). `pack --rooms` writes both as label maps, `labels_rooms/`.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from ..colorizer import Colorizer
from ..labels import INDEX
from .dataset import DataFolder
from .layouts import Photo

Array = np.ndarray

INDOORS = (
    *("background", "wall", "ceiling", "floor", "window", "door", "curtain", "cabinet", "shelves", "light", "wood"),
    *("chair", "sofa", "bed", "bedcloth", "diningtable", "tvmonitor", "computer", "keyboard", "mouse", "book", "sign"),
    *("bottle", "cup", "plate", "food", "flower", "pottedplant", "bag", "platform", "cat", "dog"),
    *("person", "clothes", "skin", "hair"),
)
"""What a pixel of a room may be."""

UNKNOWN, CEILING, WALL, FLOOR, BRIGHT, TOP = range(6)
"""The values of the maps."""

RULES = {
    str(UNKNOWN): list(INDOORS),
    str(CEILING): ["ceiling"],
    str(WALL): ["wall"],
    str(FLOOR): ["floor"],
    str(BRIGHT): ["window", "light"],
    str(TOP): ["ceiling", "wall"],
}
"""Value → names, as in `labels.json`."""

FURNITURE = ("sofa", "bed", "tvmonitor", "computer", "keyboard", "diningtable", "ceiling")
OPEN_AIR = (
    *("sky", "road", "building", "grass", "tree", "water", "mountain", "snow", "sidewalk"),
    *("car", "bus", "train", "truck", "boat", "aeroplane", "motorbike", "bicycle", "horse", "cow", "sheep"),
)
CERTAIN = 2.0
"""Log-odds from which on a photo counts as one of a room."""

SEEN = (128, 160)
"""Height and width at which the network looks at a photo."""


def find_rooms(folder: DataFolder, photos: Sequence[Photo], model: Colorizer) -> list[Photo]:
    """The photos that show a room.

    Scenes decide where they are known, and labels of the open air. Logistic regression on the encoder's features and on
    colour, learned from the photos of which something is known, decides for the rest.

    Args:
        folder: the data.
        photos: those to choose from; the training photos among them are learned from.
        model: its encoder and SemanticNet are used.
    """
    hints = np.array([hint(folder, photo) for photo in photos])
    known = np.array([photo.split == "train" for photo in photos]) & (hints != 0)
    if len(set(hints[known])) < 2:
        return [photo for photo, says in zip(photos, hints, strict=True) if says > 0]
    seen = np.stack([features(model, photo) for photo in photos])
    score = np.where(hints == 0, log_odds(seen, known, hints > 0), np.where(hints > 0, np.inf, -np.inf))
    return [photo for photo, odds in zip(photos, score, strict=True) if odds > CERTAIN]


def hint(folder: DataFolder, photo: Photo) -> int:
    """What the scene and the labels of a photo say: 1 a room, −1 the open air, 0 nothing."""
    scene = folder.rules["scenes"].get(photo.source)
    if scene:
        return 1 if "ceiling" in scene else -1
    allowed = folder.allowed(photo, (32, 40))
    share = (allowed & (allowed.sum(-1, keepdims=True) == 1)).mean((0, 1))
    if share[[INDEX[name] for name in OPEN_AIR]].sum() > 0.05:
        return -1
    return int(share[[INDEX[name] for name in FURNITURE]].sum() > 0.03)


@torch.no_grad()
def features(model: Colorizer, photo: Photo) -> Array:
    """(542,) float32: mean colours on a grid of 4×4, mean label probabilities, mean features at 1/16 and 1/32."""
    rgb = cv2.resize(photo.rgb(), SEEN[::-1], interpolation=cv2.INTER_AREA)
    gray = torch.from_numpy(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))[None, None].float() / 255
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    maps = model.encoder(gray)
    labels = model.semantic(maps).softmax(1)
    means = [part[0].mean((1, 2)).numpy() for part in (labels, maps[-2], maps[-1])]
    return np.concatenate([cv2.resize(lab, (4, 4), interpolation=cv2.INTER_AREA).ravel(), *means]).astype(np.float32)


def log_odds(seen: Array, known: Array, room: Array) -> Array:
    """Logistic regression with both classes of equal weight.

    Args:
        seen: (N, D) features.
        known: (N,) bool: those to learn from.
        room: (N,) bool: what they are; only `known` ones are read.

    Returns:
        (N,) log-odds.
    """
    mean, spread = seen[known].mean(0), seen[known].std(0) + 1e-3
    x = torch.from_numpy(((seen - mean) / spread).clip(-4, 4)).float()
    given, wanted = x[torch.from_numpy(known)], torch.from_numpy(room[known]).float()
    weight = torch.where(wanted > 0, 0.5 / wanted.mean(), 0.5 / (1 - wanted.mean()))
    slope = torch.zeros(x.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    search = torch.optim.LBFGS([slope, bias], max_iter=60)

    def loss() -> torch.Tensor:
        search.zero_grad()
        error = F.binary_cross_entropy_with_logits(given @ slope + bias, wanted, weight=weight)
        error = error + 0.02 * slope.square().sum()
        error.backward()
        return error

    search.step(loss)
    return (x @ slope + bias).detach().numpy()


def room_map(rgb: Array, whole: bool) -> Array:
    """Where the ceiling, walls and floor of a room are.

    Smooth areas that reach the top and stay in the upper third are ceiling; those that reach the bottom and stay in the
    lower part are floor; large ones at the border between them are wall; white ones are a window or a lamp. In a photo
    of things or people in a room, the upper area may be a wall as well, and the lower one may be a table.

    Args:
        rgb: (h, w, 3) uint8, a photo of a room.
        whole: whether it shows the room itself, and not things or people in it.

    Returns:
        (h, w) uint8, the values of `RULES`.
    """
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 1.2).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    h, w = lab.shape[:2]
    edges = sum(np.hypot(cv2.Sobel(c, -1, 1, 0), cv2.Sobel(c, -1, 0, 1)) for c in cv2.split(lab))
    smooth = cv2.erode((np.asarray(edges) < 14).astype(np.uint8), np.ones((3, 3), np.uint8))
    count, parts, boxes, middles = cv2.connectedComponentsWithStats(smooth, connectivity=4)
    found = np.full((h, w), UNKNOWN, np.uint8)
    for part in range(1, count):
        left, top, wide, high, area = boxes[part] / [w, h, w, h, w * h]
        if area < 0.01:
            continue
        inside = parts == part
        light, bottom, middle = lab[..., 0][inside].mean(), top + high, middles[part][1] / h
        border = left < 0.03 or left + wide > 0.97 or top < 0.03
        if light > 92 and area < 0.15:
            found[inside] = BRIGHT
        elif top < 0.03 and bottom < 0.4 and wide > 0.3 and light > 45:
            found[inside] = CEILING if whole else TOP
        elif whole and bottom > 0.97 and top > 0.55 and wide > 0.3:
            found[inside] = FLOOR
        elif border and area > 0.03 and middle < 0.55 and bottom < 0.9 and high > 0.2 and light > 20:
            found[inside] = WALL
    return cv2.medianBlur(found, 5)
