"""On which kind of device the networks run, and what an artist takes of the cluster. Ray must be running."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ..errors import UserError
from ..models import has_cuda

MOTION_GPU = 0.4
"""Share of each GPU for RAFT, where it measures motion. The artist has the rest, so two artists never share a GPU."""

PATIENCE = 50.0
"""Seconds to wait for a free GPU to try."""


def count_slots(device: str) -> int:
    """GPUs or CPU cores of the cluster at this moment; nodes come and go."""
    import ray

    return int(ray.cluster_resources().get("GPU" if device == "cuda" else "CPU", 0))


def choose(wanted: str, gpus: int) -> str:
    """``cuda`` or ``cpu`` for ``--device``, where so many GPUs can be used. Raises UserError."""
    if wanted == "cuda" and not gpus:
        raise UserError("--device cuda: no usable GPU here; use --device cpu, or --address of a cluster with GPUs.")
    return "cuda" if gpus and wanted != "cpu" else "cpu"


def choose_workers(wanted: str, workers: int | None, local: bool) -> tuple[str, int]:
    """(device, number of artists) for a film; `workers` as asked for, None for all there is room for.

    On this machine alone (`local`), a GPU counts only if torch can use it: Ray counts what the driver lists. Raises
    UserError for what the running Ray cannot give.
    """
    gpus = count_slots("cuda")
    device = choose(wanted, 0 if local and gpus and not has_cuda() else gpus)
    most = count_slots(device)
    artists = workers or most
    if not 0 < artists <= most:
        raise UserError(f"--workers {artists}: there are {most} {units(device)}.")
    return device, artists


def choose_probed(wanted: str) -> str:
    """``cuda`` or ``cpu`` for a batch: a worker tries whether torch can use a GPU. Raises UserError."""
    import ray
    from ray.exceptions import GetTimeoutError

    gpus = count_slots("cuda") if wanted != "cpu" else 0
    if gpus:
        probe: Any = ray.remote(has_cuda).options(num_gpus=1, num_cpus=0)
        with suppress(GetTimeoutError):  # others use all GPUs: films wait for their turn
            gpus = int(ray.get(probe.remote(), timeout=PATIENCE))
    return choose(wanted, gpus)


def units(device: str) -> str:
    """What the device's slots are called in messages."""
    return "GPUs" if device == "cuda" else "CPU cores"


def artist_resources(device: str, raft: bool = False) -> dict[str, float]:
    """What an artist takes of the cluster; `raft`: motion is measured by RAFT on the same GPUs."""
    if device == "cuda":
        return {"num_gpus": 1 - MOTION_GPU if raft else 1, "num_cpus": 0}
    return {"num_cpus": 1}
