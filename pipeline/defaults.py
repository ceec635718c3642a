"""Defaults that commands, manifests and the Python API share. Nothing is imported here, so `--help` stays quick."""

SIZE = 256
"""Short side of the networks' picture, pixels."""

STEADY = 1.0
"""Strength of steadying, 0 to 1."""

VIVID = 1.0
"""Factor of the chroma, 0 to 2."""

CODEC = "libx264"
CRF = 16
PRESET = "veryfast"

CHUNK = 32
"""Frames of a chunk."""
