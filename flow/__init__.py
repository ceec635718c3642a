"""Motion between frames, and colours and labels held steady along it.

Arrays in, arrays out: this floor knows frames as NumPy arrays, never files of video.

    motion      flow between neighbouring frames            raft        the same by a network, if its weights are given
    visibility  what of each frame its neighbour shows      warp        pictures moved along a flow
    lookahead   each frame averaged with those to come      steady      a shot's colours and labels held still
    confidence  how far what is carried may be believed     hysteresis  labels that give way only to likelier ones
    snap        an outline drawn to the edges it means      track       a region followed through its shot
    metrics     how steady a result is
"""

from .lookahead import BLOCK, LOOKAHEAD, horizon
from .motion import Estimator, Motion, estimate
from .steady import Steadier

__all__ = ["BLOCK", "LOOKAHEAD", "Estimator", "Motion", "Steadier", "estimate", "horizon"]
