"""Chroma and labels that are steady along a shot.

The estimate is a running mean, weighted by confidence. What the shot has shown so far is carried to the present frame
by the backward flow, together with its weight: the number of frames that it stands for. The network's new answer, which
is first averaged with those that follow it (see `lookahead`), is averaged in. Where the present pixel was not visible
before, the weight is zero and only the new answer counts, so there are no ghosts.

The weight is capped, so that the estimate follows slow true changes. Where the estimate stands for many frames, its
step from frame to frame is bounded, so that a lasting change comes smoothly instead of popping. The idea is that of
temporal filters for rendered or per-frame processed video (Bonneel et al., "Blind Video Temporal Consistency",
SIGGRAPH Asia 2015; Yang et al., "A Survey of Temporal Antialiasing Techniques", 2020). Visibility takes the place of
colour clamping, because here the new frame is the unsteady one.

A mean of frames has less contrast in its colours than the frames: where they differ, they cancel each other. The ratio
of the two contrasts is one number a frame, and it is averaged over time, too. The colours that are shown are stretched
by it, away from a point a third of the way from grey to the picture's mean colour, so they are steady but not washed
out. The stretch is the same everywhere in the picture: where the network's answers differ most, a stronger colour would
most often be a stronger mistake.

A shot's first frame shows the mean of its own colours and those that follow. Its labels are those that the first
frames, followed back to it, agree on.

All of this is float32 in a fixed order, frame by frame, so the result does not depend on how a shot was cut into
chunks.
"""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np

from .lookahead import BLOCK, FIRST_LABELS, average_ahead
from .motion import Motion, one_thread
from .past import Answer, Past, begin, spread_of, step

STATE_VERSION = 5
"""Version of saved states. It changes with everything that changes a shot's colours, so that a run never continues the
state of another steadier."""


class Steadier:
    """Steadies the chunks of a film, which must come in order.

    Args:
        strength: 0 to 1. At 0 every frame stays exactly as the network gave it. Below 1 the past loses part of its
            weight with each frame: at 0.5 a colour stands for about two frames in each direction of time and flickers
            a third to two thirds as much as the network's; at 0.9 it is nearly as steady as at 1.

    Raises:
        ValueError: `strength` is outside its range.
    """

    def __init__(self, strength: float = 1.0) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"strength is 0 to 1, not {strength}")
        self.strength = strength
        self._past: Past | None = None

    def blend(
        self,
        ab: np.ndarray,
        labels: np.ndarray,
        motion: Motion,
        shot_start: int,
        after: tuple[np.ndarray, Motion] | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Steady colours and labels of the next chunk.

        Args:
            ab: (N, 2, h/2, w/2) float16, CIE Lab a and b of each frame.
            labels: (N, L, h/4, w/4) uint8, label probabilities * 255.
            motion: of the same N frames. Its entry 0 leads back to the previous chunk's last frame.
            shot_start: number of the chunk's first frame, counted from the shot's first frame. At 0 a new shot begins
                and the past is forgotten.
            after: ab and motion of the frames that follow in the shot: at least LOOKAHEAD frames, or all there are.
                None means that the shot ends with this chunk; the past is then forgotten. If `after` is given, N must
                be a multiple of `BLOCK`.

        Returns:
            Colours and labels to show, in the shapes and types of `ab` and `labels`.

        Raises:
            ValueError: the arrays do not fit together, or the chunk does not continue the shot.
        """
        _check(ab, labels, motion, shot_start, after)
        if self.strength == 0:
            return ab.copy(), labels.copy()
        if shot_start == 0:
            self._past = None
        elif self._past is None:
            raise ValueError(
                f"the chunk starts at frame {shot_start} of its shot, but nothing is known of the frames before"
            )
        steady_ab, steady_labels = np.empty_like(ab), np.empty_like(labels)
        with one_thread():
            frames = ab.astype(np.float32)
            means = average_ahead(frames, motion, after, self.strength)
            answers = [Answer(means[i], spread_of(frames[i]), labels[i]) for i in range(len(ab))]
            for i, answer in enumerate(answers):
                if self._past is None:
                    self._past, steady_labels[i] = self._first(answers[:FIRST_LABELS], motion)
                else:
                    flow, visible = motion.backward[i], motion.backward_visible[i]
                    self._past, steady_labels[i] = step(self._past, answer, flow, visible, self.strength)
                steady_ab[i] = self._past.shown()
        if after is None:
            self._past = None
        return steady_ab, steady_labels

    def _first(self, answers: list[Answer], motion: Motion) -> tuple[Past, np.ndarray]:
        """The past of a shot's first frame, and the labels to show in it.

        The labels come from all frames of `answers`, followed back to the first one; the colours are its own.
        """
        past, shown = begin(answers[-1])
        for i in reversed(range(len(answers) - 1)):
            # Backwards in time, the frame that follows is the past.
            flow, visible = motion.forward[i + 1], motion.forward_visible[i + 1]
            past, shown = step(past, answers[i], flow, visible, self.strength)
        return replace(past, ab=answers[0].ab), shown

    def state(self) -> bytes:
        """The past, for `restore`: a NumPy archive without pickles, with the same bytes for the same past."""
        arrays = {"version": np.int64(STATE_VERSION), "strength": np.float64(self.strength)}
        if self._past is not None:
            arrays |= vars(self._past)
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    def restore(self, state: bytes) -> None:
        """Continue exactly from what `state` returned.

        Raises:
            ValueError: the state is from a steadier of another version or strength.
        """
        with np.load(io.BytesIO(state), allow_pickle=False) as arrays:
            if arrays["version"] != STATE_VERSION:
                raise ValueError(f"steadier's state has version {arrays['version']}, expected {STATE_VERSION}")
            if arrays["strength"] != self.strength:
                raise ValueError(f"steadier's state has strength {arrays['strength']}, not {self.strength}")
            names = Past.__dataclass_fields__
            self._past = Past(**{name: arrays[name] for name in names}) if "ab" in arrays else None


def _check(
    ab: np.ndarray, labels: np.ndarray, motion: Motion, shot_start: int, after: tuple[np.ndarray, Motion] | None
) -> None:
    """Raises ValueError if the arguments of `Steadier.blend` do not fit together."""
    for colors, its in ((ab, motion), *([after] if after else [])):
        count, *grid = its.backward_visible.shape
        if colors.shape != (count, 2, *grid):
            raise ValueError(f"ab has shape {colors.shape}, its motion {(count, *grid)}")
        if colors.dtype != np.float16:
            raise ValueError(f"ab is float16, not {colors.dtype}")
    if labels.ndim != 4 or (len(labels), *labels.shape[2:]) != (len(ab), ab.shape[2] // 2, ab.shape[3] // 2):
        raise ValueError(f"labels have shape {labels.shape}, ab {ab.shape}")
    if labels.dtype != np.uint8:
        raise ValueError(f"labels are uint8, not {labels.dtype}")
    if shot_start < 0 or shot_start % BLOCK:
        raise ValueError(f"a chunk starts at a multiple of {BLOCK} frames of its shot, not at {shot_start}")
    if after and len(ab) % BLOCK:
        raise ValueError(f"{len(ab)} frames are not a multiple of {BLOCK}, and the shot does not end with them")
