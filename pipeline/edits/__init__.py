"""Edits of labels and colours.

sheet        the JSON that people write, read strictly
reading      sheets from files and options
resolve      a sheet resolved for a film
resolver     its parts: moments → frames, regions → masks
references   the colours of photos, label by label
coverage     how surely people chose the colours
apply        resolved edits applied to frames
"""
