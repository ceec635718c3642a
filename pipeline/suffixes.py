"""The suffix of an output that gets no name of its own: the source's, if such a file can hold the film.

The module imports nothing heavy, so that commands can name their output at once.
"""

from __future__ import annotations

KEPT = (".avi", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mts", ".nut", ".ts")
"""Suffixes of containers that hold H.264 with exact time stamps."""

KEPT_WITH = {
    ".webm": ("libvpx", "libvpx-vp9", "libaom-av1", "libsvtav1"),
    ".mxf": ("dnxhd", "ffv1", "jpeg2000", "mpeg2video", "prores", "prores_aw", "prores_ks"),
    ".asf": ("ffv1", "mpeg4", "msmpeg4", "wmv1", "wmv2"),
    ".wmv": ("ffv1", "mpeg4", "msmpeg4", "wmv1", "wmv2"),
}
"""Suffixes of containers that hold only some codecs → these codecs."""

INSTEAD = {".3gp": ".mp4", ".3g2": ".mp4"}
"""Suffixes of containers that cannot be written whole → a suffix for the colour film; ``.mkv`` for all others."""


def output_suffix(suffix: str, codec: str) -> str:
    """The suffix of a colour film.

    Args:
        suffix: the source's, with its dot; "" for none.
        codec: FFmpeg's name of the encoder.
    """
    known = suffix.lower()
    if known in KEPT or codec in KEPT_WITH.get(known, ()):
        return suffix
    return INSTEAD.get(known, ".mkv")


def why_other(suffix: str, codec: str) -> str:
    """The end of a sentence: why a colour film gets another suffix than its source."""
    if not suffix:
        return "the source's name has no suffix"
    return f"{suffix} files cannot hold {codec}" if suffix.lower() in KEPT_WITH else f"{suffix} files cannot be written"
