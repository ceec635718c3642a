"""Motion between frames, and colours and labels that stay steady along it.

This floor takes arrays and returns arrays: it knows frames as NumPy arrays and knows nothing of video files.

    motion      flow between neighbouring frames         raft        the same by the network RAFT
    visibility  pixels that the neighbouring frame shows warp        pictures moved along a flow
    between     colours of frames between painted ones   steady      steady colours and labels along a shot
    lookahead   each frame averaged with those to come   past        a shot's colours and labels so far
    confidence  how far a carried colour is believed     hysteresis  labels that change only for likelier ones
    snap        a drawn outline moved to luma edges      track       a region followed through its shot
    anchor      matches with a frame far back            carry       chroma of key frames, carried through a shot
    scenes      whether two shots show the same place    revisit     the colours of one shot in another
    metrics     how steady a result is                   sides       inside or outside, where no match is sure
    planes      small operations that the others share
"""

from .between import STRIDE, Answers, complete
from .lookahead import BLOCK, LOOKAHEAD, horizon
from .motion import Estimator, Motion, estimate
from .steady import Steadier

__all__ = [
    "BLOCK",
    "LOOKAHEAD",
    "STRIDE",
    "Answers",
    "Estimator",
    "Motion",
    "Steadier",
    "complete",
    "estimate",
    "horizon",
]
