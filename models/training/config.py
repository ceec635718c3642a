"""The settings of a training run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """A training run. `minutes` or `steps` ends it.

    The names of the fields are keys in checkpoints and in the recipe of a weights file.
    """

    minutes: float = 60.0
    """Time for the training alone, over all runs that resume one another."""
    steps: int = 0
    """Where not 0, the schedule counts steps and not minutes: the result is the same on every machine of a kind."""
    batch: int = 32
    """Samples per step and worker."""
    size: int = 128
    """Side of the crops, pixels."""
    seed: int = 1
    precision: str = "auto"
    """Of the convolutions: `float32`, `bfloat16`, or `auto`, what the hardware does best."""
    rate: float = 1.5e-3
    """Learning rate of the decoders."""
    encoder: float = 0.15
    """Learning rate of the encoder, as a factor of `rate`."""
    fixed: int = 3
    """Stages of the encoder that keep their weights: edges and textures are the same in all pictures."""
    label: float = 1.0
    """Weight of the label loss."""
    coloured: float = 1.0
    """Share of samples that are coloured. The others teach labels alone, for half the time."""
    corrected: float = 0.5
    """Share of samples whose labels are corrected by what is known before ColorNet sees them."""
    repainted: float = 0.375
    """Share of samples coloured once more with the label of one region changed."""
    follow: float = 1.5
    """Weight of the repaint loss."""
    moved: float = 0.125
    """Share of samples seen once more, moved by a few pixels."""
    colourful: float = 0.2
    """Weight of the colorfulness loss, in tens of CIEDE2000 units."""
    skin: float = 2.0
    """Weight of the colour error of a skin pixel."""
    ema: float = 0.999
    """Decay of the exponential moving average of the weights."""
    region_steps: int = 2000
    """Steps that teach RegionNet, after the other networks; 0: it keeps the weights that the run starts from."""
    resident: bool = False
    """Whether all photos are held in the device's memory and batches are made there."""
    averaged: bool = False
    """Whether the result is the mean of the weights that the run started from and those it ended with."""
