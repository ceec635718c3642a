"""Choose the device for the networks, and reserve resources for artists. Ray must be running."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ..errors import UserError
from ..models import has_cuda

MOTION_GPU = 0.4
"""Share of a GPU that RAFT takes when it measures motion. The artist takes the rest, so two artists never share a
GPU."""

PATIENCE = 50.0
"""Seconds to wait for a free GPU on which to try torch."""


def count_slots(device: str) -> int:
    """Number of GPUs or CPU cores in the cluster at this moment. It changes as nodes join and leave."""
    import ray

    return int(ray.cluster_resources().get("GPU" if device == "cuda" else "CPU", 0))


def choose(wanted: str, gpus: int) -> str:
    """``cuda`` or ``cpu`` for the value of `--device`, if `gpus` GPUs are usable. Raises UserError if there is no
    GPU to use."""
    if wanted == "cuda" and not gpus:
        raise UserError("--device cuda: no usable GPU here; use --device cpu, or --address of a cluster with GPUs.")
    return "cuda" if gpus and wanted != "cpu" else "cpu"


def choose_workers(wanted: str, workers: int | None, local: bool) -> tuple[str, int]:
    """The device and the number of artists for a film.

    On this machine alone, a GPU counts only if torch can use it, since Ray counts every GPU that the driver lists.

    Args:
        wanted: value of `--device`.
        workers: number of artists that the user asked for. None: as many as there are GPUs or CPU cores.
        local: Ray runs on this machine alone.

    Raises:
        UserError: the running Ray has no such device, or not so many.
    """
    gpus = count_slots("cuda")
    device = choose(wanted, 0 if local and gpus and not has_cuda() else gpus)
    most = count_slots(device)
    artists = workers or most
    if not 0 < artists <= most:
        raise UserError(f"--workers {artists}: there are {most} {units(device)}.")
    return device, artists


def in_process(wanted: str, workers: int | None, address: str | None, raft: bool) -> bool:
    """Whether a film is made by threads of this process: on the CPU, and without the wish for a cluster or for several
    workers.

    Args:
        wanted: value of `--device`.
        workers: number of artists that the user asked for.
        address: the cluster that the user named.
        raft: RAFT measures motion.

    Raises:
        UserError: a GPU is wanted, and there is none.
    """
    if address or (workers or 1) > 1 or raft:
        return False
    return wanted == "cpu" or not has_cuda() and choose(wanted, 0) == "cpu"


def choose_probed(wanted: str) -> str:
    """``cuda`` or ``cpu`` for a batch. A worker tries whether torch can use a GPU. Raises UserError if there is no
    GPU to use."""
    import ray
    from ray.exceptions import GetTimeoutError

    gpus = count_slots("cuda") if wanted != "cpu" else 0
    if gpus:
        probe: Any = ray.remote(has_cuda).options(num_gpus=1, num_cpus=0)
        with suppress(GetTimeoutError):  # other users hold all GPUs: the films wait for them
            gpus = int(ray.get(probe.remote(), timeout=PATIENCE))
    return choose(wanted, gpus)


def units(device: str) -> str:
    """Name of the device's units in messages."""
    return "GPUs" if device == "cuda" else "CPU cores"


def artist_resources(device: str, raft: bool = False) -> dict[str, float]:
    """Resources that Ray reserves for an artist. `raft`: RAFT measures motion on the same GPUs."""
    if device == "cuda":
        return {"num_gpus": 1 - MOTION_GPU if raft else 1, "num_cpus": 0}
    return {"num_cpus": 1}
