"""The networks: understand a grey picture (labels), then colour it (chroma). Importing this imports no torch."""

from pathlib import Path

WEIGHTS = Path(__file__).with_name("weights") / "semcolor.safetensors"
"""The weights that ship with the package."""
