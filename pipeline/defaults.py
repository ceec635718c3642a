"""Defaults that commands, manifests and the Python API share. It imports nothing heavy, so `--help` is quick."""

from typing import Literal

KeepColour = Literal["never", "auto", "always"]
"""Values of `--keep-colour`."""

SIZE = 256
"""Short side of the networks' input picture, in pixels."""

STEADY = 1.0
"""Strength of steadying, 0 to 1."""

SCENES = 0.0
"""Share of the colours that a shot takes from an earlier shot of the same place, 0 to 1."""

VIVID = 1.0
"""Factor by which chroma is multiplied, 0 to 2."""

CODEC = "libx264"
"""FFmpeg's name of the encoder."""

CRF = 16
"""Constant rate factor of x264 and x265: lower keeps more detail and makes larger files."""

PRESET = "veryfast"
"""Preset of x264 and x265: the trade between encoding speed and file size."""

CHUNK = 32
"""Chunk size in frames."""
