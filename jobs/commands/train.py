"""`semcolor-train`: the training command; with --workers, several processes or machines through Ray Train."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ...errors import SemcolorError, UserError
from ...models import has_cuda
from ...models.training.config import TrainingSettings
from . import options

NAME = "semcolor-train"
TRIES = 3
"""Times Ray Train starts the workers anew after one has died. Each time they go on from the checkpoint."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _worker(job: dict) -> None:
    """One of several workers: Ray Train has joined them to a torch process group."""
    import ray.train.torch

    from ...models.training.run import train

    train(**job, device=ray.train.torch.get_device(), wrap=ray.train.torch.prepare_model)


def train_together(job: dict, workers: int, gpu: bool, address: str | None = None) -> None:
    """`models.training.run.train` by several workers of a Ray cluster, `job` being its arguments.

    Data and output must lie at the same paths on all machines. Raises SemcolorError where the workers failed.
    """
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    # Without an address Ray would join whatever cluster the temp folder names.
    ray.init(address or "local", include_dashboard=False, log_to_driver=True, ignore_reinit_error=True)
    trainer = TorchTrainer(
        _worker,
        train_loop_config=job,
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=RunConfig(
            name="ray", storage_path=str(job["out"]), failure_config=FailureConfig(max_failures=TRIES)
        ),
    )
    try:
        trainer.fit()
    except RuntimeError as error:  # Ray Train's own, which holds each worker's
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise SemcolorError(f"the workers failed: {reason}; the same command goes on from the checkpoint.") from error


@app.command()
def _command(
    data: Annotated[list[Path], typer.Argument(help="Folders or packed files of photos and labels.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for checkpoint, log, weights and sheet.")],
    minutes: Annotated[float, typer.Option(min=0.01, help="Wall-clock budget of the training itself.")] = 60,
    steps: Annotated[int, typer.Option(min=0, help="Steps instead of minutes; 0: by the clock.")] = 0,
    start: Annotated[
        Path | None, typer.Option(help="Weights to start from.  [default: an ImageNet encoder, the rest new]")
    ] = None,
    averaged: Annotated[
        bool, typer.Option("--averaged", help="Write the mean of --start's weights and the trained ones.")
    ] = False,
    blend: Annotated[
        list[Path] | None, typer.Option(help="Write the mean of these weights and the trained ones; may be repeated.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Samples per step and worker.")] = 32,
    size: Annotated[int, typer.Option(min=64, help="Side of the crops, a multiple of 32.")] = 128,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate of the decoders.")] = TrainingSettings.rate,
    fixed: Annotated[
        int, typer.Option(min=0, max=7, help="Encoder stages that do not learn.")
    ] = TrainingSettings.fixed,
    encoder: Annotated[
        float, typer.Option(min=0, help="Learning rate of the encoder, as a factor of --rate.")
    ] = TrainingSettings.encoder,
    coloured: Annotated[
        float, typer.Option(min=0, max=1, help="Share of samples that are coloured; the others teach labels alone.")
    ] = TrainingSettings.coloured,
    region_steps: Annotated[
        int, typer.Option(min=0, help="Steps that teach the following of regions, after the rest; 0: none.")
    ] = TrainingSettings.region_steps,
    resident: Annotated[
        bool, typer.Option("--resident", help="Hold all photos in the device's memory and make the batches there.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of random samples and new weights.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(help="Of the convolutions; auto: what the hardware does best."),
    ] = "auto",
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that train together through Ray Train, one per GPU.")
    ] = 1,
    address: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A Ray cluster for --workers.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="Sources whose test photos are reported.  [all]")] = None,
    version: options.Version = False,
) -> None:
    """Train semcolor's networks. Run again with the same --out to go on after an interruption.

    DATA: see "Training" in the README for the formats. With --steps an interrupted run ends with the same weights as
    one that was not; with --minutes the schedule follows the clock.
    """
    from ...models.checkpoint import load
    from ...models.training.dataset import DataFolder
    from ...models.training.run import check_start, train

    if device == "auto":
        device = "cuda" if has_cuda() else "cpu"
    elif device not in ("cpu", "cuda") or (device == "cuda" and not has_cuda()):
        raise typer.BadParameter(f"{device} is not available here.", param_hint="--device")
    if workers > 1 and " " in sys.executable:  # each would die before it begins
        raise typer.BadParameter(
            f"Ray starts no workers where Python's path has a space: {sys.executable}.", param_hint="--workers"
        )
    if averaged and not start:
        raise typer.BadParameter("needs --start.", param_hint="--averaged")
    if size % 32:
        raise typer.BadParameter("must be a multiple of 32.", param_hint="--size")
    folder = DataFolder(data)
    for given_weights in (*([start] if start else []), *(blend or [])):
        load(given_weights)
    if not folder.photos("train"):
        raise UserError(f"{', '.join(map(str, data))}: there are no training photos in it.")
    sources = test or folder.sources("test")
    for source in sources:
        if source not in folder.sources("test"):
            raise typer.BadParameter(f"{source} has no test photos.", param_hint="--test")
    given = {"minutes": minutes, "steps": steps, "batch": batch, "size": size, "rate": rate, "fixed": fixed}
    given |= {"encoder": encoder, "coloured": coloured, "resident": resident, "region_steps": region_steps}
    settings = TrainingSettings(**given, seed=seed, precision=precision, averaged=averaged)
    check_start(out, settings, start)
    job = {
        "data": [path.absolute() for path in data],
        "out": out.absolute(),
        "settings": settings,
        "test": sources,
        "start": start and start.absolute(),
        "blend": [path.absolute() for path in blend or []],
    }
    if workers == 1:
        train(**job, device=device)
    else:
        train_together(job, workers, device == "cuda", address)


def run(arguments: list[str] | None = None) -> int:
    """The command's exit code; see `options.ended`."""
    return options.run_command(app, arguments, NAME)


def main() -> None:
    options.exit_with(run)


if __name__ == "__main__":
    main()
