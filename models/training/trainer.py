"""Train the networks within a given time or number of steps, on a CPU or GPU. This module imports neither Ray nor av.

The recipe: an ImageNet encoder or given weights, the losses of `objective`, AdamW with a cosine schedule. The result is
an exponential moving average of the weights. Several processes that have joined a torch process group (Ray Train does
this) train together: each makes its own batches, and the first one writes the files.
"""

import copy
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ...errors import UserError
from .. import checkpoint as weights
from .. import pick_precision
from ..colorizer import Colorizer
from ..labels import NAMES
from .chroma_prior import BINS, chroma_by_label
from .config import TrainingSettings
from .dataset import Batch, DataFolder, batches, step_seed
from .evaluate import choose_vividness, evaluate_tests, write_contact_sheet
from .imagenet import check_package, imagenet_encoder
from .objective import Objective
from .regions import teach_regions
from .resident import Resident, resident_batches

Usual = tuple[Tensor, Tensor]
"""The result of `chroma_by_label`."""

Wrap = Callable[[nn.Module], nn.Module]
"""Wraps a module so that workers share gradients; each engine has its own."""

BURST = 3.0
"""A step whose loss is this many times the usual one is left out."""

IN_A_ROW = 3
"""After this many such steps in a row the model is at fault, and no longer the batches."""

CHECKPOINT = "checkpoint.pt"
ENDS = ("minutes", "steps", "region_steps")
"""Settings that may change between the parts of a run."""

COUNTS = ("steps", "seconds", "usual_loss", "bursts", "in_a_row")
"""Attributes of a `Trainer` that its state holds."""


def ranks() -> tuple[int, int]:
    """The number of this process among those that train together, and their count."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


@torch.no_grad()
def blend(model: Colorizer, other: Colorizer, share: float) -> None:
    """Move each weight of `model` towards that of `other`, by a share 0..1 of the distance."""
    for own, theirs in zip(model.parameters(), other.parameters(), strict=True):
        own.lerp_(theirs, share)


class Trainer:
    """Model, optimiser and averaged model of one run; `state` and `restore` make it survive a kill.

    A step is a function of the state and its batch: random numbers come from the seed, the step and the worker. A step
    whose loss bursts changes nothing. After several in a row the averaged model replaces the model (Chowdhery et al.,
    "PaLM", 2022, likewise returned to a checkpoint and skipped the batches at a spike).

    The average is made by hand: `torch.optim.swa_utils.AveragedModel` would prefix the names in the checkpoints' state
    dict, and so not resume older checkpoints.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        device: torch.device,
        start: Colorizer | None = None,
        usual: Usual | None = None,
        wrap: Wrap = lambda module: module,
    ) -> None:
        """Prepare a run.

        Args:
            settings: of the run.
            device: of the networks.
            start: the networks to start from; by default new ones with an ImageNet encoder.
            usual: of `chroma_by_label`; without it no region is repainted.
            wrap: applied to the objective.
        """
        torch.manual_seed(settings.seed)
        self.settings, self.device = settings, device
        # Measured on a CPU: channels last is a quarter faster while the encoder is fixed, else a tenth slower.
        last = device.type == "cuda" or settings.fixed >= 6
        self.layout = torch.channels_last if last else torch.contiguous_format
        precision = settings.precision if settings.precision != "auto" else pick_precision(device.type)
        self.dtype = getattr(torch, precision)
        self.model = (start or Colorizer(imagenet_encoder())).to(device, memory_format=self.layout).train()
        # It is taught later. Workers that share gradients would wait for its own in vain.
        self.model.region.requires_grad_(False)
        self.model.encoder.stem.requires_grad_(settings.fixed == 0)
        for stage in self.model.encoder.stages[: settings.fixed]:
            stage.requires_grad_(False)
        self.mean = copy.deepcopy(self.model).requires_grad_(False)
        table, names = usual or (torch.zeros(len(NAMES), BINS, 2), torch.zeros(len(NAMES), dtype=torch.bool))
        self.objective = Objective(self.model, settings, table, names).to(device)
        self.run = wrap(self.objective)
        heads = [p for n, p in self.model.named_parameters() if not n.startswith("encoder.") and p.requires_grad]
        encoder = [p for p in self.model.encoder.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            [{"params": heads, "share": 1.0}, {"params": encoder, "share": settings.encoder}],
            lr=settings.rate,
            weight_decay=1e-4,
        )
        self.steps, self.seconds = 0, 0.0
        self.usual_loss, self.bursts, self.in_a_row = 0.0, 0, 0

    @property
    def progress(self) -> float:
        """Share of the run that is done, 0..1, the same in all workers."""
        if self.settings.steps:
            return min(1.0, self.steps / self.settings.steps)
        return min(1.0, self.seconds / (60 * self.settings.minutes))

    def step(self, batch: Batch) -> dict[str, float]:
        """Make one step. Returns the losses of this worker's batch."""
        started, s, (rank, world) = time.perf_counter(), self.settings, ranks()
        torch.manual_seed(step_seed(s.seed, self.steps * world + rank))
        warm = min(1.0, (self.steps + 1) / 100)
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress))
        for group in self.optimizer.param_groups:
            group["lr"] = s.rate * group["share"] * warm * max(0.01, cosine)
        gray = batch.gray.to(self.device, memory_format=self.layout)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            rest = (part.to(self.device) for part in (batch.lab, batch.known, batch.allowed))
            found = self.run(gray, *rest)
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.stack(list(found.values())).sum()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        loss = loss.detach()
        if world > 1:  # all workers must agree whether it is a burst
            dist.all_reduce(loss)
        if self._bursts(loss.item() / world, norm.item()):
            self._leave_out()
        else:
            self._learn()
        self.steps += 1
        spent = torch.tensor(time.perf_counter() - started, dtype=torch.float64, device=self.device)
        if world > 1:  # all workers must agree when the time is up
            dist.all_reduce(spent, dist.ReduceOp.MAX)
        self.seconds += spent.item()
        return {name: loss.item() for name, loss in found.items()}

    def _bursts(self, loss: float, norm: float) -> bool:
        """Whether a step would do harm, judged by its loss and its gradient's norm."""
        high = self.usual_loss and loss > BURST * self.usual_loss
        if high or not math.isfinite(loss) or not math.isfinite(norm):
            return True
        self.usual_loss += (loss - self.usual_loss) * max(0.02, 1 / (self.steps + 1))
        return False

    def _learn(self) -> None:
        self.in_a_row = 0
        self.optimizer.step()
        decay = min(self.settings.ema, (self.steps + 1) / (self.steps + 11))
        blend(self.mean, self.model, 1 - decay)

    def _leave_out(self) -> None:
        self.bursts, self.in_a_row = self.bursts + 1, self.in_a_row + 1
        if self.in_a_row < IN_A_ROW:
            return
        self.in_a_row = 0
        self.model.load_state_dict(self.mean.state_dict())
        # Forget the gradients' mean. Their mean square stays, so that the next steps are small.
        for moments in self.optimizer.state.values():
            moments["exp_avg"].zero_()

    def state(self) -> dict:
        """All that `restore` needs to go on from here."""
        return {
            "settings": asdict(self.settings),
            "model": self.model.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimizer.state_dict(),
            "usual": self.objective.usual,
            "names": self.objective.names,
            **{name: getattr(self, name) for name in COUNTS},
        }

    def restore(self, state: dict) -> None:
        """Go on from a `state`."""
        self.model.load_state_dict(state["model"])
        self.mean.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimiser"])
        self.objective.usual.copy_(state["usual"])
        self.objective.names.copy_(state["names"])
        for name in COUNTS:
            setattr(self, name, state[name])


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
