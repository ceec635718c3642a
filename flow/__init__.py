"""Motion between frames, and colours and labels held steady along it.

Arrays in, arrays out: this floor knows frames as NumPy arrays, never files of video.

    motion   flow and visibility between neighbouring frames       warp     pictures moved along a flow
    steady   the running estimate of a shot's colours and labels   metrics  how steady a result is
"""

from .motion import Motion, estimate
from .steady import LOOKAHEAD, Steadier

__all__ = ["LOOKAHEAD", "Motion", "Steadier", "estimate"]
