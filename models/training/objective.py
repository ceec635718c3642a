"""What one training step minimises: the networks and their losses as one module, so that any engine can wrap it."""

import torch
from torch import Tensor, nn

from ..colorizer import Colorizer
from .config import TrainingSettings
from .losses import (
    color_difference,
    colorful_loss,
    correct,
    gamut_loss,
    label_loss,
    moved,
    pixel_weight,
    repaint,
    repaint_loss,
    steady_loss,
)


class Objective(nn.Module):
    """The parts of a `dataset.Batch` → weighted losses by name."""

    usual: Tensor
    """(62, 11, 2) usual chroma, of `chroma_prior.chroma_by_label`."""
    names: Tensor
    """(62,) bool, of the same: labels that a region may be changed to. If none is true, no region is repainted."""

    def __init__(self, model: Colorizer, settings: TrainingSettings, usual: Tensor, names: Tensor) -> None:
        super().__init__()
        self.model, self.settings = model, settings
        self.register_buffer("usual", usual)
        self.register_buffer("names", names)

    def forward(self, gray: Tensor, lab: Tensor, known: Tensor, allowed: Tensor) -> dict[str, Tensor]:
        s, model = self.settings, self.model
        count = round(len(gray) * s.coloured)  # of samples that ColorNet colours, the last ones of the batch
        first = len(gray) - count
        again = round(count * s.moved)
        names = self.names.nonzero()[:, 0]
        other = round(count * s.repainted) if len(names) else 0
        seen, displacement = moved(gray[len(gray) - again :])
        features = model.encoder(torch.cat([gray, seen]))
        logits = model.semantic(features)
        found = {"label": s.label * label_loss(logits[: len(gray)], allowed)}
        if not count:
            return found
        features = [f[first:] for f in features]
        lab, known, allowed = lab[first:], known[first:], allowed[first:]
        labels = logits[first:].detach().float().softmax(1)
        # Samples that are seen twice are coloured by the labels predicted in each view.
        corrected = correct(labels[: count - again], known[: count - again], s.corrected)
        given = torch.cat([corrected, labels[count - again :]])
        painted = model.color(features, given).float()
        ab, truth = painted[:count], lab[:, 1:]
        error = color_difference(ab, truth) * pixel_weight(allowed, (ab.shape[2], ab.shape[3]), s.skin)
        found |= {
            "color": error.mean() / 10,
            "colourful": s.colourful * colorful_loss(ab, truth),
            "gamut": gamut_loss(painted),
        }
        if other:
            done = repaint(given[:other], names)
            repainted = model.color([f[:other] for f in features], done.labels).float()
            found["repaint"] = s.follow * repaint_loss(repainted, ab[:other], lab[:other, :1], done, self.usual)
        if again:
            found["moved"] = s.moved * steady_loss(ab[count - again :], painted[count:], displacement)
        return found
