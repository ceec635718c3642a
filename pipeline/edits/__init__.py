"""Edits steer the colours.

sheet     what people write, read strictly
resolve   a sheet made ready for a film: moments to frames, regions to masks
apply     the prepared edits at work on frames
"""
