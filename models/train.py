"""`semcolor-train`: train the networks on a folder of photos within a given time, on whatever is there.

Recipe: ImageNet encoder, at first frozen; smooth L1 on a, b; −log of the allowed labels' summed probability;
AdamW with a cosine schedule over the wall-clock budget; an exponential mean of the weights is what is kept.
"""

import copy
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from . import weights
from .colorizer import Colorizer
from .data import Batch, DataFolder, batches
from .evaluate import evaluate_tests, sheet
from .pretrained import imagenet_encoder


@dataclass(frozen=True)
class Settings:
    """A training run. `minutes` counts training alone, over all runs that resume one another."""

    minutes: float
    batch: int = 32
    size: int = 128  # side of the crops, pixels
    seed: int = 1
    rate: float = 2e-3  # of the decoders; the encoder's is a tenth
    frozen: float = 0.35  # share of the time in which the encoder does not learn
    corrected: float = 0.5  # share of samples whose labels are corrected by what is known before colouring
    vivid: float = 1 / 40  # extra weight of a pixel's colour error per ab unit of its true chroma
    ema: float = 0.998


def label_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """−log Σ p(allowed), mean over the pixels that anything is known of. Both (B, 62, h, w).

    The fewer names are allowed the more a pixel counts: "any of forty" would else feed whichever is likeliest.
    """
    log_p = logits.float().log_softmax(1)
    said = log_p.masked_fill(~allowed, -torch.inf).logsumexp(1)
    weight = allowed.sum(1).float().pow(-1) * ~allowed.all(1)
    return -(said * weight).sum() / weight.sum().clamp(min=1)


def color_loss(ab: Tensor, truth: Tensor, vivid: float) -> Tensor:
    """Smooth L1 (quadratic within 10 units), colourful pixels weighted up: they are rare. Both (B, 2, h, w)."""
    weight = 1 + vivid * torch.linalg.vector_norm(truth, dim=1, keepdim=True).clamp(max=80)
    error = F.smooth_l1_loss(ab.float(), truth, beta=10.0, reduction="none")
    return (error * weight).mean() / 10


def correct(labels: Tensor, allowed: Tensor, share: float) -> Tensor:
    """Predicted probabilities with what is known put in, for a share of the samples.

    So that the colour follows the label that is given, also where the network would have read another.
    """
    masked = labels * allowed
    masked = masked / masked.sum(1, keepdim=True).clamp(min=1e-6)
    chosen = torch.rand(len(labels), 1, 1, 1, device=labels.device) < share
    usable = (labels * allowed).sum(1, keepdim=True) > 1e-4
    even = allowed / allowed.sum(1, keepdim=True)
    return torch.where(chosen, torch.where(usable, masked, even), labels)


class Trainer:
    """Model, optimiser and averaged model of one run; `state` and `restore` make it survive a kill."""

    def __init__(self, settings: Settings, device: torch.device) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.device = settings, device
        # Channels last is for tensor cores; plain memory trains a quarter faster on a CPU (measured).
        self.layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        self.model = Colorizer(imagenet_encoder()).to(device, memory_format=self.layout)
        self.mean = copy.deepcopy(self.model).requires_grad_(False)
        heads = [p for n, p in self.model.named_parameters() if not n.startswith("encoder.")]
        self.optimiser = torch.optim.AdamW(
            [{"params": heads, "share": 1.0}, {"params": self.model.encoder.parameters(), "share": 0.1}],
            lr=settings.rate,
            weight_decay=1e-4,
        )
        self.steps, self.seconds = 0, 0.0

    @property
    def progress(self) -> float:
        return min(1.0, self.seconds / (60 * self.settings.minutes))

    def step(self, batch: Batch) -> tuple[float, float]:
        """One step; returns (colour loss, label loss)."""
        started, s = time.perf_counter(), self.settings
        learning = self.progress >= s.frozen
        warm = min(1.0, (self.steps + 1) / 100)
        cosine = 0.5 * (1 + torch.cos(torch.tensor(torch.pi * self.progress)).item())
        for group in self.optimiser.param_groups:
            group["lr"] = s.rate * group["share"] * warm * max(0.01, cosine)
        grey = batch.grey.to(self.device, memory_format=self.layout)
        ab, allowed = batch.ab.to(self.device), batch.allowed.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            with torch.set_grad_enabled(learning):
                features = self.model.encoder(grey)
            logits = self.model.semantic(features)
            labels = correct(logits.detach().float().softmax(1), allowed, s.corrected)
            painted = self.model.color(features, labels)
        losses = color_loss(painted, ab, s.vivid), label_loss(logits, allowed)
        self.optimiser.zero_grad(set_to_none=True)
        (losses[0] + 0.5 * losses[1]).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.steps += 1
        decay = min(s.ema, self.steps / (self.steps + 10))
        with torch.no_grad():
            for mean, now in zip(self.mean.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        self.seconds += time.perf_counter() - started
        return losses[0].item(), losses[1].item()

    def state(self) -> dict:
        return {
            "settings": asdict(self.settings),
            "model": self.model.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "steps": self.steps,
            "seconds": self.seconds,
            "rng": torch.get_rng_state(),
        }

    def restore(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps, self.seconds = state["steps"], state["seconds"]
        torch.set_rng_state(state["rng"])


def train(data: Path, out: Path, settings: Settings, device: torch.device, test: list[str]) -> None:
    """Train, evaluate on the test splits of `test`, and write weights, log and sheet into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    folder = DataFolder(data)
    trainer, checkpoint = Trainer(settings, device), out / "checkpoint.pt"
    if checkpoint.exists():
        trainer.restore(torch.load(checkpoint, map_location=device, weights_only=True))
    photos = folder.photos("train")
    source = batches(folder, photos, settings.batch, settings.size, settings.seed, first=trainer.steps)
    saved = shown = time.monotonic()
    sums = [0.0, 0.0, 0]
    with (out / "log.jsonl").open("a") as log:
        while trainer.progress < 1:
            colour, label = trainer.step(next(source))
            sums = [sums[0] + colour, sums[1] + label, sums[2] + 1]
            now = time.monotonic()
            if now - shown > 20:
                line = {
                    "steps": trainer.steps,
                    "minutes": round(trainer.seconds / 60, 2),
                    "color": round(sums[0] / sums[2], 4),
                    "label": round(sums[1] / sums[2], 4),
                    "samples_per_second": round(sums[2] * settings.batch / (now - shown), 1),
                    "minutes_left": round(settings.minutes - trainer.seconds / 60, 1),
                }
                print(json.dumps(line), file=log, flush=True)
                print("  ".join(f"{k} {v}" for k, v in line.items()), file=sys.stderr)
                sums, shown = [0.0, 0.0, 0], now
            if now - saved > 120 or trainer.progress >= 1:
                partial = checkpoint.with_suffix(".partial")
                torch.save(trainer.state(), partial)
                partial.replace(checkpoint)
                saved = now
    model = trainer.mean.eval()
    figures = evaluate_tests(model, folder, test)
    recipe = asdict(settings) | {
        "steps": trainer.steps,
        "samples": trainer.steps * settings.batch,
        "photos": len(photos),
        "device": device.type,
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    weights.save(model, out / "semcolor.safetensors", {"recipe": recipe, "figures": figures})
    sheet(model, [p for s in test for p in folder.photos("test", [s])[:6]], out / "sheet.jpg")
    print(json.dumps(figures, indent=1))


def _command(
    data: Annotated[Path, typer.Argument(help="Folder with photos/, labels/ and labels.json.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for checkpoint, log, weights and sheet.")],
    minutes: Annotated[float, typer.Option(help="Wall-clock budget of the training itself.")] = 60,
    batch: Annotated[int, typer.Option(min=1, help="Samples a step.")] = 32,
    size: Annotated[int, typer.Option(min=64, help="Side of the crops, a multiple of 32.")] = 128,
    seed: Annotated[int, typer.Option(help="Of samples and new weights.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    test: Annotated[list[str] | None, typer.Option(help="Sources whose test photos are reported.")] = None,
) -> None:
    """Train semcolor's networks. Run again with the same --out to go on after an interruption."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if size % 32:
        raise typer.BadParameter("must be a multiple of 32", param_hint="--size")
    if not (data / "labels.json").is_file() or not (data / "photos").is_dir():
        raise typer.BadParameter(f"{data} holds no photos/ and labels.json", param_hint="DATA")
    settings = Settings(minutes=minutes, batch=batch, size=size, seed=seed)
    train(data, out, settings, torch.device(device), test or ["bsds", "ccp", "idd", "stock"])


def main() -> None:
    typer.run(_command)


if __name__ == "__main__":
    main()
