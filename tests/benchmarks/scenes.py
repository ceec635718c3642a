"""Whether shots of the same place keep their colours: made films in which two clips are cut into each other.

A film is A1 B1 A2 B2: two pieces of each clip, one after the other. The second pieces are brighter by 10 % and show
another part of the picture. Where both pieces of a clip show the same, their steady colours are compared, with scenes
and without. Every place is followed through the whole clip, from frame to frame: two frames that lie far apart in a
fast clip have too little in common for their motion to be measured. A place that no frame of the first piece showed
must not change.

The thresholds of `flow.scenes` were chosen on other clips and photos than those that are measured here: on road_lane,
people_walking, film_roof, and photos of the training parts; the rest of `flow.revisit` on bigbuckbunny, blackswan,
dance-twirl and paragliding-launch.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from common import DATA, Results, Row, mean_row, options, run
from footage import Clip, all_clips, decoded
from semcolor.flow import estimate
from semcolor.flow.scenes import Seen, same_place, see
from semcolor.flow.warp import remap
from semcolor.models.painter import Painter
from semcolor.models.sight import Sight
from semcolor.pipeline.film import open_film
from semcolor.pipeline.inprocess import _colored, _painter
from semcolor.pipeline.look import Look
from semcolor.pipeline.scenefinding import LOOKS, find_scenes, is_portrait, spread_out

CHOSEN_ON = ("road_lane", "people_walking")
"""Clips on which the thresholds were chosen; they are not measured."""

SEEN = 0.9
"""Share of the picture's width and height that a piece shows."""

CORNERS = (0.0, 0.2), (0.8, 0.9)
"""Where it lies in the first and in the second pieces, as shares of the room that is left, along x and y."""

BRIGHTER = 1.1
"""Factor of luma in the second pieces."""

VISIBLE = 128
"""Visibility (0..255) above which a place of the whole clip is the same in the next frame."""


def measure(given: argparse.Namespace, results: Results) -> None:
    clips = [clip for clip in all_clips(results, given.clips) if clip.name not in CHOSEN_ON]
    rows: list[Row] = []
    costs: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for one, other in list(pairwise([*clips, clips[0]]))[:: 2 if len(clips) % 2 == 0 else 1]:
            its, cost = judge(one, other, given.frames, given.size, Path(folder))
            rows += its
            costs.append(cost)
    results.add("Two clips cut into each other", [*rows, mean_row("mean", rows)])
    results.add("What it costs", [*costs, mean_row("mean", costs)])
    results.add("False links", false_links(results, clips, given))


def judge(one: Clip, other: Clip, frames: int, size: int, folder: Path) -> tuple[list[Row], Row]:
    """The figures of each second piece of the film of two clips, and what the film cost."""
    wholes = [grays(clip, 2 * frames) for clip in (one, other)]
    count = min(len(whole) // 2 for whole in wholes)
    extent = wholes[0][0].shape
    pieces = [
        piece(cv2.resize(gray, extent[::-1], interpolation=cv2.INTER_AREA), part)
        for part in (0, 1)
        for whole in wholes
        for gray in whole[part * count : (part + 1) * count]
    ]
    film = open_film(written(folder / "film.mkv", pieces))
    began = time.process_time()
    scenes = find_scenes(film, Look(size=size, scenes=1.0), folder / "scenes.zip")
    passed = time.process_time() - began
    held = (folder / "scenes.zip").stat().st_size
    (folder / "scenes.zip").unlink()
    seconds, shown = [], []
    for strength in (0.0, 1.0):
        look = Look(size=size, scenes=strength)
        began = time.process_time()
        with closing(_colored(film, look, [(0, film.frames)], _painter(film, look, "cpu").paint)) as painted:
            shown.append(np.concatenate([colors.ab.astype(np.float32) for _, colors, _ in painted]))
        seconds.append(time.process_time() - began - strength * passed)
    linked = {link.first: link for link in scenes.links} if scenes else {}
    rows = [
        _row(clip, whole, count, (number * count, (2 + number) * count), shown, (2 + number) * count in linked)
        for number, (clip, whole) in enumerate(zip((one, other), wholes, strict=True))
    ]
    following = count * len(linked)
    return rows, {
        "film": f"{one.name} + {other.name}",
        "frames": film.frames,
        "pass, ms of CPU a frame": 1000 * passed / film.frames,
        "without": 1000 * seconds[0] / film.frames,
        "more, a frame that takes colours": 1000 * (seconds[1] - seconds[0]) / following if following else None,
        "file, kB a scene": held / 1000 / len({link.leader for link in linked.values()}) if linked else None,
    }


def _row(
    clip: Clip,
    whole: list[np.ndarray],
    count: int,
    starts: tuple[int, int],
    shown: list[np.ndarray],
    linked: bool,
) -> Row:
    """The figures of the second piece of a clip.

    Args:
        clip: the clip.
        whole: its frames, luma.
        count: frames of a piece.
        starts: the first frames of both pieces in the film.
        shown: the film's colours (N, 2, h/2, w/2) without scenes and with them.
        linked: whether the second piece takes colours.
    """
    without, with_, share, elsewhere = [], [], [], []
    for first, second in ((count - 1, 0), (count // 2, count // 2)):
        grid = shown[0].shape[3], shown[0].shape[2]
        where, matched, ever = _followed(whole, count, first, count + second, grid)
        for colors, kept in zip(shown, (without, with_), strict=True):
            before, after = colors[starts[0] + first], colors[starts[1] + second]
            moved = np.stack([remap(plane, where) for plane in before])
            kept.append(np.hypot(*(moved - after))[matched])
        share.append(float(matched.mean()))
        change = np.hypot(*(shown[1] - shown[0])[starts[1] + second])
        elsewhere.append(float(change[~ever].mean()) if (~ever).any() else 0.0)
    leading = slice(starts[0], starts[0] + count)
    before, after = (float(np.concatenate(each).mean()) for each in (without, with_))
    return {
        "clip": clip.name,
        "linked": float(linked),
        "matched": float(np.mean(share)),
        "ab without": before,
        "ab with": after,
        "share": after / before,
        "change, first piece": float(np.abs(shown[1][leading] - shown[0][leading]).max()),
        "change of what it never showed": float(np.mean(elsewhere)),
    }


def _followed(
    whole: list[np.ndarray], count: int, first: int, second: int, grid: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the places of a frame of the second piece were in a frame of the first one.

    Args:
        whole: (H, W) uint8, the frames of the whole clip, of which the pieces show parts.
        count: frames of the first piece.
        first: number of the frame of the first piece.
        second: number of the frame of the second piece, in the clip.
        grid: (columns, rows) of the chroma grid.

    Returns:
        For each pixel of the second piece its place in the first one, (rows, columns, 2) float32; whether it was
        visible all the way; and whether any frame of the first piece showed it.
    """
    size, last = (2 * grid[0], 2 * grid[1]), np.array(grid) - 1
    thumbs = np.stack([cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in whole[: second + 1]])
    motion = estimate(thumbs, None)
    places = np.dstack(np.meshgrid(*(np.arange(side, dtype=np.float32) for side in grid)))
    at = (np.array(CORNERS[1]) * (1 - SEEN) + SEEN * (places + 0.5) / grid) * grid - 0.5
    at = at.astype(np.float32)
    seen = np.ones(at.shape[:2], bool)
    ever, where, matched = ~seen, at, ~seen
    for frame in range(second, -1, -1):
        if frame < count:
            place = ((((at + 0.5) / grid - np.array(CORNERS[0]) * (1 - SEEN)) / SEEN) * grid - 0.5).astype(np.float32)
            within = ((place > 0) & (place < last)).all(-1)
            ever |= within
            if frame == first:
                where, matched = place, seen & within
        seen &= (remap(motion.backward_visible[frame], at) > VISIBLE) & ((at >= 0) & (at <= last)).all(-1)
        at = at + remap(motion.backward[frame], at)
    return where, matched, ever


def piece(gray: np.ndarray, part: int) -> np.ndarray:
    """A frame of the first (0) or second (1) piece."""
    height, width = gray.shape
    rows, columns = round(height * SEEN) // 2 * 2, round(width * SEEN) // 2 * 2
    x, y = (round(share * room) for share, room in zip(CORNERS[part], (width - columns, height - rows), strict=True))
    seen = gray[y : y + rows, x : x + columns].astype(np.float32)
    return np.clip(np.rint(seen * BRIGHTER if part else seen), 0, 255).astype(np.uint8)


def grays(clip: Clip, frames: int) -> list[np.ndarray]:
    """The first frames of a clip, luma (H, W) uint8."""
    return [frame.to_ndarray(format="gray") for frame in decoded(clip.path, clip.first, frames)]


def written(path: Path, pictures: list[np.ndarray]) -> Path:
    """A lossless film of grey pictures."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=Fraction(25))
        stream.height, stream.width = pictures[0].shape
        stream.pix_fmt = "gray"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "gray")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def false_links(results: Results, clips: list[Clip], given: argparse.Namespace) -> list[Row]:
    """How often different clips, and different photos, are taken for the same place; and the same clip for itself.

    Photos of one source may show the same: frames of one drive, or one person in two pictures.
    """
    sight, painter = Sight(), Painter("cpu")

    def seen(gray: np.ndarray) -> Seen:
        # All pictures at one size, so that all can be compared.
        size = round(given.size * 4 / 3 / 32) * 32, given.size
        thumb = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        return see(thumb, lambda picture: sight.features(picture)[-1])

    def linked(a: list[Seen], b: list[Seen]) -> bool:
        faces = [is_portrait(each[len(each) // 2].thumb, painter) for each in (a, b)]
        return same_place(a, b, any(faces)) > 0

    shots: dict[str, list[list[Seen]]] = {}
    for clip in clips:
        whole, size = grays(clip, 10 * given.frames), given.frames
        pieces = [whole[n : n + size] for n in range(0, len(whole) - size + 1, size)]
        shots[clip.name] = [[seen(shot[n]) for n in spread_out(len(shot), LOOKS)] for shot in pieces]
    flat = [(name, shot) for name, its in shots.items() for shot in its]
    both = [(a, b) for n, a in enumerate(flat) for b in flat[:n]]
    rows = [
        _links("pieces of different clips", [linked(a[1], b[1]) for a, b in both if a[0] != b[0]]),
        _links("pieces of one clip", [linked(a[1], b[1]) for a, b in both if a[0] == b[0]]),
    ]
    draw = random.Random(1)
    for folder in sorted((DATA / "photos").glob("*/test")):
        paths = sorted(folder.iterdir())
        photos = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in draw.sample(paths, min(30, len(paths)))]
        looks = [seen(photo) for photo in photos if photo is not None]
        faces = [is_portrait(look.thumb, painter) for look in looks]
        found = [
            same_place([a], [b], faces[n] or faces[m]) > 0 for n, a in enumerate(looks) for m, b in enumerate(looks[:n])
        ]
        rows.append(_links(f"photos: {folder.parent.name}", found))
    if len(rows) == 2:
        results.skip("photos, which are not there")
    return rows


def _links(what: str, found: list[bool]) -> Row:
    return {"pairs of": what, "pairs": len(found), "linked": sum(found), "share": sum(found) / max(len(found), 1)}


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--frames", type=int, default=24, help="frames of each piece")
    parser.add_argument("--size", type=int, default=256, help="the networks' short side")
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="only these clips")
    run(parser, measure)
