"""The frames that a chunk holds, and the place where a run resumes.

A chunk never crosses a cut. Inside a shot, each chunk begins at a multiple of the chunk size, counted from the shot's
first frame, so only a shot's last chunk is shorter. A part of the output may end at a shot's end or at a multiple of
`PART_STEP` frames of the shot. All permitted chunk sizes divide `PART_STEP`, so a chunk ends there whatever its size,
and the output's bytes do not depend on the chunk size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

PART_STEP = 96
"""Inside a shot, a part of the output may end only at multiples of this many frames."""

PART_FRAMES = 240
"""Minimum length of a part that ends inside a shot, in frames."""

SHOT_FRAMES = 48
"""Minimum length of a part that ends with a shot, in frames. Small, so most shots are their own part and can be
re-rendered alone."""

CHUNK_SIZES = (16, 24, 32, 48, 96)
"""Permitted chunk sizes in frames: divisors of `PART_STEP`, at least 16."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive frames of one shot."""

    shot: int
    """Number of the shot."""
    start: int
    """Number of the first frame, counted from the film's first frame."""
    shot_start: int
    """Number of the first frame, counted from the shot's first frame; 0 where a new shot begins."""
    ends_shot: bool
    """Whether the shot ends with this chunk: the next frame, if any, belongs to another shot."""
    pts: tuple[int, ...]
    """Presentation time stamps in units of `Film.time_base`."""
    durations: tuple[int, ...]
    """Durations in units of `Film.time_base`; 0 where unknown."""
    interlaced: tuple[bool, ...]
    """For each frame, whether its two fields were taken at different times; `Film.field_order` gives their order."""
    damaged: tuple[int, ...] = ()
    """Numbers of the frames in which FFmpeg found errors and concealed them, counted from the film's first frame."""
    lost: tuple[int, ...] = ()
    """Numbers of the frames that could not be decoded, counted in the same way. The picture before stands for each."""
    beyond: bool = False
    """Whether the frames follow the requested end. They are read only because the steadier looks ahead."""
    own: tuple[int, ...] = ()
    """For each frame, the colours that it already has (`owncolors.OwnColor`); () if they were not measured."""

    def __len__(self) -> int:
        return len(self.pts)

    def __getitem__(self, wanted: slice) -> Chunk:
        """A chunk of only the frames in the slice."""
        first, stop, _ = wanted.indices(len(self))
        return replace(
            self,
            start=self.start + first,
            shot_start=self.shot_start + first,
            ends_shot=self.ends_shot and stop == len(self),
            pts=self.pts[first:stop],
            durations=self.durations[first:stop],
            interlaced=self.interlaced[first:stop],
            damaged=tuple(n for n in self.damaged if first <= n - self.start < stop),
            own=self.own[first:stop],
            lost=tuple(n for n in self.lost if first <= n - self.start < stop),
        )

    @property
    def stop(self) -> int:
        """Number of the frame after the last one."""
        return self.start + len(self)

    @property
    def may_end_part(self) -> bool:
        """Whether a part of the output may end with this chunk. If so, the steadier's state is kept here."""
        return self.ends_shot or (self.shot_start + len(self)) % PART_STEP == 0


def ends_part(chunk: Chunk, begin: int, frames: int) -> bool:
    """Whether the part that begins with frame `begin` ends with this chunk, in a film of `frames` frames."""
    enough = SHOT_FRAMES if chunk.ends_shot else PART_FRAMES
    return chunk.stop == frames or (chunk.may_end_part and chunk.stop - begin >= enough)


@dataclass(frozen=True)
class Resume:
    """A place where a chunk begins and where reading, steadying and writing can resume."""

    frame: int = 0
    """Number of the next frame."""
    shot: int = 0
    """Number of the next frame's shot."""
    shot_start: int = 0
    """Number of the next frame, counted from the shot's first frame."""
    luma_sha256: str = ""
    """Digest of the previous frame's luma; proves that a seek arrived at the right frame. "" at frame 0."""
    state: bytes = b""
    """The steadier's state after the previous frame; b"" where a shot begins."""
    stop: int | None = None
    """Number of the frame before which reading stops; a chunk of any size ends there. None: the film's end.

    If the shot continues after `stop`, one more chunk of at most `flow.LOOKAHEAD` frames follows, marked
    `Chunk.beyond`."""
