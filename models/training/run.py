"""A training run: within a given time or number of steps, on a CPU or GPU. This module imports neither Ray nor av.

Several processes that have joined a torch process group (Ray Train does this) train together: each makes its own
batches, and the first one writes the files.
"""

import copy
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from ...errors import UserError
from .. import checkpoint as weights
from ..colorizer import Colorizer
from .chroma_prior import chroma_by_label
from .config import TrainingSettings
from .dataset import DataFolder, batches
from .evaluate import choose_vividness, evaluate_tests, write_contact_sheet
from .imagenet import check_package
from .regions import teach_regions
from .resident import Resident, resident_batches
from .trainer import Trainer, Wrap, blend, ranks

CHECKPOINT = "checkpoint.pt"
ENDS = ("minutes", "steps", "region_steps")
"""Settings that may change between the parts of a run."""


class Log:
    """Writes the mean losses every 20 seconds, to a file of JSON lines and to stderr."""

    def __init__(self, path: Path, trainer: Trainer, samples: int) -> None:
        self._path, self._trainer, self._samples = path, trainer, samples
        self._sums, self._count, self._shown = {}, 0, time.monotonic()

    def add(self, losses: dict[str, float]) -> None:
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + loss
        self._count += 1
        passed = time.monotonic() - self._shown
        if passed < 20:
            return
        trainer = self._trainer
        used = trainer.seconds / 60
        line = {
            "steps": trainer.steps,
            "minutes": round(used, 2),
            **{name: round(total / self._count, 4) for name, total in self._sums.items()},
            "bursts": trainer.bursts,
            "samples_per_second": round(self._count * self._samples / passed, 1),
            "minutes_left": round(used / trainer.progress - used, 1),
        }
        with self._path.open("a") as file:
            print(json.dumps(line), file=file)
        print("  ".join(f"{k} {v}" for k, v in line.items()), file=sys.stderr)
        self._sums, self._count, self._shown = {}, 0, time.monotonic()


def check_start(
    out: Path, settings: TrainingSettings, start: Path | None, device: torch.device | str = "cpu"
) -> dict | None:
    """The state in `out`/checkpoint.pt, None where there is none.

    Raises UserError where a run cannot begin or go on: the checkpoint is damaged or of other settings, there is no
    `start` to average with, or the package of the ImageNet weights is missing.
    """
    if settings.averaged and start is None:
        raise UserError("only a run that starts from given weights can be averaged with them; give --start.")
    path = out / CHECKPOINT
    if not path.exists():
        if start is None:
            check_package()
        return None
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        begun = {k: v for k, v in saved["settings"].items() if v != getattr(settings, k) and k not in ENDS}
    except Exception as error:  # torch, pickle and zip raise their own; other content lacks the settings
        raise UserError(f"{path} is damaged; delete it to begin anew, or give another --out.") from error
    if begun:
        raise UserError(f"{path} is of a run with {begun}; give another --out.")
    return saved


def train(
    data: list[Path],
    out: Path,
    settings: TrainingSettings,
    device: torch.device | str,
    test: list[str],
    start: Path | None = None,
    wrap: Wrap = lambda module: module,
    blend: Sequence[Path] = (),
) -> None:
    """Train, evaluate on the test splits of `test`, and write weights, log and sheet into `out`.

    The result is the mean of the trained weights and those of `blend`. Goes on from `out`/checkpoint.pt where there is
    one. Raises UserError as `check_start` does, and DataError.
    """
    saved = check_start(out, settings, start, device)
    rank, world = ranks()
    device = torch.device(device)
    out.mkdir(parents=True, exist_ok=True)
    folder, checkpoint = DataFolder(data), out / CHECKPOINT
    photos = folder.photos("train")
    if saved:
        trainer = Trainer(settings, device, Colorizer(), wrap=wrap)
        trainer.restore(saved)
    else:
        begin = weights.load(start) if start else None
        usual = chroma_by_label(folder, photos) if settings.repainted else None
        trainer = Trainer(settings, device, begin, usual, wrap)
    numbers = {"batch": settings.batch, "size": settings.size, "seed": settings.seed}
    numbers |= {"first": trainer.steps, "rank": rank, "world": world}
    if settings.resident:
        source = resident_batches(Resident(folder, photos, trainer.device, settings.size), **numbers)
    else:
        threads = max(1, (os.cpu_count() or 1) // world) if trainer.device.type == "cuda" else 1
        source = batches(folder, photos, **numbers, threads=threads)
    log = Log(out / "log.jsonl", trainer, settings.batch * world) if rank == 0 else None
    kept = time.monotonic()
    while trainer.progress < 1:
        losses = trainer.step(next(source))
        if log:
            log.add(losses)
            if time.monotonic() - kept > 120 or trainer.progress >= 1:
                partial = checkpoint.with_suffix(".partial")
                torch.save(trainer.state(), partial)
                partial.replace(checkpoint)
                kept = time.monotonic()
    if rank == 0:
        _finish(trainer, folder, len(photos), out, test, start, blend)


def _finish(
    trainer: Trainer,
    folder: DataFolder,
    photos: int,
    out: Path,
    test: list[str],
    start: Path | None,
    others: Sequence[Path],
) -> None:
    """Evaluate, and write the weights with recipe and figures, and a contact sheet."""
    _, world = ranks()
    model = copy.deepcopy(trainer.mean).eval()  # a copy: a finished run may be called again
    # The mean of several runs from one start, and of a run and its start, is often better than any (Wortsman et al.,
    # "Model soups", ICML 2022).
    for count, path in enumerate(others, 2):
        blend(model, weights.load(path).to(trainer.device), 1 / count)
    if trainer.settings.averaged and start:
        blend(model, weights.load(start).to(trainer.device), 0.5)
    vividness = choose_vividness(model, folder, test)
    with torch.no_grad():
        model.color.head.weight.mul_(vividness)
        assert model.color.head.bias is not None
        model.color.head.bias.mul_(vividness)
    settings = trainer.settings
    outlines = teach_regions(
        model, folder, folder.photos("train"), steps=settings.region_steps, seed=settings.seed, device=trainer.device
    )
    figures = evaluate_tests(model, folder, test)
    recipe = asdict(trainer.settings) | {
        "steps": trainer.steps,
        "samples": trainer.steps * trainer.settings.batch * world,
        "minutes": round(trainer.seconds / 60, 1),
        "photos": photos,
        "vividness": vividness,
        "bursts": trainer.bursts,
        "workers": world,
        "start": weights.digest(start) if start else "imagenet",
        "blend": [weights.digest(path) for path in others],
        "outlines": outlines,
        "device": trainer.device.type,
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    weights.save(model, out / "semcolor.safetensors", {"recipe": recipe, "figures": figures})
    pictures = [p for s in test for p in folder.photos("test", [s])[:6]]
    if pictures:
        write_contact_sheet(model, pictures, out / "sheet.jpg")
    print(json.dumps(figures, indent=1))
