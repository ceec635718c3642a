"""What one training step lowers: the networks and their losses as one module, so that any engine can wrap it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..colorizer import Colorizer
from .losses import (
    color_difference,
    colourful_loss,
    correct,
    gamut_loss,
    label_loss,
    moved,
    pixel_weight,
    repaint,
    repaint_loss,
    steady_loss,
)


@dataclass(frozen=True)
class Settings:
    """A training run. Either `minutes` (training alone, over all runs that resume one another) or `steps` ends it."""

    minutes: float = 60.0
    steps: int = 0  # where given, the schedule counts these: the same result on every machine of a kind
    batch: int = 32  # samples a step and worker
    size: int = 128  # side of the crops, pixels
    seed: int = 1
    precision: str = "auto"  # of the convolutions: float32, bfloat16, or what the hardware does best
    rate: float = 1.5e-3  # of the decoders; the encoder's is `encoder` times that
    encoder: float = 0.15
    fixed: int = 3  # stages of the encoder that keep their weights: edges and textures are the same in all pictures
    label: float = 1.0  # weight of the label loss
    corrected: float = 0.5  # share of samples whose labels are corrected by what is known before colouring
    repainted: float = 0.375  # share of samples coloured once more with a region's label changed
    follow: float = 1.5  # weight of what these cost where the colour does not follow
    moved: float = 0.125  # share of samples seen once more a few pixels further
    colourful: float = 0.2  # what falling short of the truth's colourfulness costs, in tens of CIEDE2000 units
    skin: float = 2.0  # weight of a skin pixel's colour error
    ema: float = 0.999
    averaged: bool = False  # whether the result is the mean of what was begun with and what it became


class Objective(nn.Module):
    """Grey (B, 1, S, S), Lab (B, 3, S/2, S/2) and known and allowed labels (B, 62, S/4, S/4) as in
    `dataset.Batch` → losses by name, weighted.

    usual (62, 11, 2) and names (62,) bool: of `chroma_prior.chroma_by_label`; without names no label is repainted.
    """

    usual: Tensor
    names: Tensor

    def __init__(self, model: Colorizer, settings: Settings, usual: Tensor, names: Tensor) -> None:
        super().__init__()
        self.model, self.settings = model, settings
        self.register_buffer("usual", usual)
        self.register_buffer("names", names)

    def forward(self, grey: Tensor, lab: Tensor, known: Tensor, allowed: Tensor) -> dict[str, Tensor]:
        s, model, count = self.settings, self.model, len(grey)
        again = round(count * s.moved)
        names = self.names.nonzero()[:, 0]
        other = round(count * s.repainted) if len(names) else 0
        seen, displacement = moved(grey[count - again :])
        features = model.encoder(torch.cat([grey, seen]))
        logits = model.semantic(features)
        labels = logits.detach().float().softmax(1)
        # The samples that are seen twice are coloured by what is read in each view.
        corrected = correct(labels[: count - again], known[: count - again], s.corrected)
        given = torch.cat([corrected, labels[count - again :]])
        painted = model.color(features, given).float()
        ab, truth = painted[:count], lab[:, 1:]
        error = color_difference(ab, truth) * pixel_weight(allowed, (ab.shape[2], ab.shape[3]), s.skin)
        found = {
            "color": error.mean() / 10,
            "colourful": s.colourful * colourful_loss(ab, truth),
            "gamut": gamut_loss(painted),
            "label": s.label * label_loss(logits[:count], allowed),
        }
        if other:
            done = repaint(given[:other], names)
            repainted = model.color([f[:other] for f in features], done.labels).float()
            found["repaint"] = s.follow * repaint_loss(repainted, ab[:other], lab[:other, :1], done, self.usual)
        if again:
            found["moved"] = s.moved * steady_loss(ab[count - again :], painted[count:], displacement)
        return found
