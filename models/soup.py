"""The mean of several weights files, where each was trained on from another of them or from the same.

Runs that differ in settings, data or order then lie in one basin, and their mean is often better than any of them
(Wortsman et al., "Model soups", ICML 2022). `python -m semcolor.models.soup FILE FILE … --out FILE`.
"""

import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from . import WeightsError, weights
from .colorizer import Colorizer


def mean(paths: list[Path]) -> Colorizer:
    """The network whose every weight is the mean of those in `paths`. Raises WeightsError."""
    model, *others = [weights.load(path) for path in paths]
    with torch.no_grad():
        for own, *theirs in zip(model.parameters(), *(other.parameters() for other in others), strict=True):
            own.copy_(torch.stack([own, *theirs]).mean(0))
    return model


def _command(
    files: Annotated[list[Path], typer.Argument(help="Weights files.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The weights file to write.")],
) -> None:
    """Write the mean of several weights files, with the last one's recipe."""
    try:
        model = mean(files)
        recipe = weights.card(files[-1])["recipe"] | {"mean_of": [weights.digest(path) for path in files]}
        weights.save(model, out, {"recipe": recipe, "figures": {}})
    except WeightsError as error:
        print(f"soup: {error}", file=sys.stderr)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    typer.run(_command)
