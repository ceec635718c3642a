"""`semcolor-train`: the training command; with --workers, several processes or machines through Ray Train."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ...models import has_cuda
from ...models.training.objective import Settings

NAME = "semcolor-train"
TRIES = 3  # times Ray Train starts the workers anew after one has died; each goes on from the checkpoint


def _worker(job: dict) -> None:
    """One of several workers: Ray Train has joined them to a torch process group."""
    import ray.train.torch

    from ...models.training.trainer import train

    train(**job, device=ray.train.torch.get_device(), wrap=ray.train.torch.prepare_model)


def train_together(job: dict, workers: int, gpu: bool, address: str | None = None) -> None:
    """`models.training.trainer.train` by several workers of a Ray cluster, `job` being its arguments.

    Data and output must lie at the same paths on all machines. Raises RuntimeError where the workers failed.
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
    trainer.fit()


def _command(
    data: Annotated[list[Path], typer.Argument(help="Folders or packed files of photos and labels.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for checkpoint, log, weights and sheet.")],
    minutes: Annotated[float, typer.Option(min=0.01, help="Wall-clock budget of the training itself.")] = 60,
    steps: Annotated[int, typer.Option(min=0, help="Steps instead of minutes; 0: by the clock.")] = 0,
    start: Annotated[
        Path | None, typer.Option(help="Weights to go on from.  [default: an ImageNet encoder, the rest new]")
    ] = None,
    averaged: Annotated[
        bool, typer.Option("--averaged", help="In the end, take the mean of --start's weights and what they became.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, help="Samples a step and worker.")] = 32,
    size: Annotated[int, typer.Option(min=64, help="Side of the crops, a multiple of 32.")] = 128,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate of the decoders.")] = Settings.rate,
    fixed: Annotated[int, typer.Option(min=0, max=7, help="Encoder stages that do not learn.")] = Settings.fixed,
    seed: Annotated[int, typer.Option(help="Of samples and new weights.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"], typer.Option(help="Of the convolutions; auto: what the hardware likes.")
    ] = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Processes that train together, one a GPU, by Ray Train.")] = 1,
    address: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A Ray cluster for --workers.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="Sources whose test photos are reported.  [all]")] = None,
) -> None:
    """Train semcolor's networks. Run again with the same --out to go on after an interruption.

    DATA: see "Training" in the README for the formats. With --steps an interrupted run ends with the same weights as
    one that was not; with --minutes the schedule follows the clock.
    """
    from ...models import WeightsError
    from ...models.checkpoint import load
    from ...models.training.dataset import DataFolder
    from ...models.training.trainer import train

    if device == "auto":
        device = "cuda" if has_cuda() else "cpu"
    elif device not in ("cpu", "cuda") or (device == "cuda" and not has_cuda()):
        raise typer.BadParameter(f"{device} is not available here.", param_hint="--device")
    if workers > 1 and " " in sys.executable:  # they would die before they begin, for ever
        raise typer.BadParameter(
            f"Ray starts none where Python's path has a space: {sys.executable}", param_hint="--workers"
        )
    if averaged and not start:
        raise typer.BadParameter("needs --start.", param_hint="--averaged")
    if size % 32:
        raise typer.BadParameter("must be a multiple of 32.", param_hint="--size")
    try:
        folder = DataFolder(data)
        if start:
            load(start)
    except (ValueError, OSError, WeightsError) as error:
        raise typer.BadParameter(str(error)) from error
    if not folder.photos("train"):
        raise typer.BadParameter("there are no training photos in it.", param_hint="DATA")
    sources = test or folder.sources("test")
    for source in sources:
        if source not in folder.sources("test"):
            raise typer.BadParameter(f"{source} has no test photos.", param_hint="--test")
    given = {"minutes": minutes, "steps": steps, "batch": batch, "size": size, "rate": rate, "fixed": fixed}
    settings = Settings(**given, seed=seed, precision=precision, averaged=averaged)
    job = {
        "data": [path.absolute() for path in data],
        "out": out.absolute(),
        "settings": settings,
        "test": sources,
        "start": start and start.absolute(),
    }
    if workers == 1:
        train(**job, device=device)
    else:
        train_together(job, workers, device == "cuda", address)


def main() -> None:
    typer.run(_command)


if __name__ == "__main__":
    main()
