"""Edits of labels and colours.

sheet     the JSON that people write, read strictly
resolve   a sheet resolved for a film: moments → frames, regions → masks
apply     resolved edits applied to frames
"""
