"""What travels with the pixels: which frames of the film a chunk holds, and where a run goes on.

Chunks never cross a cut and are counted from the shot's first frame: a chunk begins at a multiple of the
chunk size, so only a shot's last chunk is shorter. All permitted sizes divide `PART_STEP`; a part of the
output may end at a shot's end or at a multiple of `PART_STEP` frames of the shot, which is a chunk's end
whatever the size. So the output's bytes do not depend on the chunk size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

PART_STEP = 96
"""Inside a shot, a part of the output may end at multiples of this many frames only."""

PART_FRAMES = 240
"""Frames that a part must hold to close inside a shot."""

SHOT_FRAMES = 48
"""Frames that it must hold to close where a shot ends: so most shots have a part of their own, made again alone."""

CHUNK_SIZES = (16, 24, 32, 48, 96)
"""Permitted numbers of frames in a chunk: divisors of `PART_STEP`, at least 16."""


@dataclass(frozen=True)
class Chunk:
    """Neighbouring frames of one shot."""

    shot: int
    """Number of the shot."""
    start: int
    """Number of the first frame, counted from the film's first frame."""
    shot_start: int
    """Number of the first frame, counted from the shot's first frame; 0: a new shot begins here."""
    ends_shot: bool
    """The next frame, if any, belongs to another shot."""
    pts: tuple[int, ...]
    """Presentation time stamps, in units of `Film.time_base`."""
    durations: tuple[int, ...]
    """Durations in units of `Film.time_base`; 0 where unknown."""
    interlaced: tuple[bool, ...]
    """Whether the frame's two fields were taken at different times; the order of fields is the film's."""
    damaged: tuple[int, ...] = ()
    """Numbers of the frames in which FFmpeg found errors and concealed them, counted from the film's first frame."""
    beyond: bool = False
    """Behind the place where the reader was to stop: wanted only for their say in the colours before it."""

    def __len__(self) -> int:
        return len(self.pts)

    def __getitem__(self, wanted: slice) -> Chunk:
        """Some of the frames, as a chunk of their own."""
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
        )

    @property
    def stop(self) -> int:
        """Number of the frame after the last one."""
        return self.start + len(self)

    @property
    def may_end_part(self) -> bool:
        """A part of the output may end with this chunk: the temporal state is wanted here."""
        return self.ends_shot or (self.shot_start + len(self)) % PART_STEP == 0


def ends_part(chunk: Chunk, begin: int, frames: int) -> bool:
    """Whether the part whose first frame is `begin` ends with this chunk, in a film of so many frames."""
    enough = SHOT_FRAMES if chunk.ends_shot else PART_FRAMES
    return chunk.stop == frames or (chunk.may_end_part and chunk.stop - begin >= enough)


@dataclass(frozen=True)
class Resume:
    """The place where a chunk begins, so that reading, steadying and writing can go on from it."""

    frame: int = 0
    """Number of the next frame."""
    shot: int = 0
    """Number of the next frame's shot."""
    shot_start: int = 0
    """Number of the next frame, counted from the shot's first frame."""
    luma_sha256: str = ""
    """Digest of the luma of the frame before: proves that seeking came out at the right place. "" at frame 0."""
    state: bytes = b""
    """The temporal stage's state after the frame before; b"" where a shot begins."""
    stop: int | None = None
    """Number of the frame to stop before, where a chunk ends whatever its size; None: the film's end. If the shot goes
    on there, a chunk of `flow.LOOKAHEAD` frames or less follows that is `Chunk.beyond`."""
