"""One step of training, and what it changes. `run` takes the steps. This module imports neither Ray nor av.

The recipe: an ImageNet encoder or given weights, the losses of `objective`, AdamW with a cosine schedule. The result is
an exponential moving average of the weights.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .. import pick_precision
from ..colorizer import Colorizer
from ..labels import NAMES
from .chroma_prior import BINS
from .config import TrainingSettings
from .dataset import Batch, step_seed
from .imagenet import imagenet_encoder
from .objective import Objective

Usual = tuple[Tensor, Tensor]
"""The result of `chroma_by_label`."""

Wrap = Callable[[nn.Module], nn.Module]
"""Wraps a module so that workers share gradients; each engine has its own."""

BURST = 3.0
"""A step whose loss is this many times the usual one is left out."""

IN_A_ROW = 3
"""After this many such steps in a row the model is at fault, and no longer the batches."""

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
