"""Ray, embedded on a laptop or joined on a cluster. Importing this module does not import Ray."""

import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from ..errors import SemcolorError, UserError

PREFIX = "semcolor-"  # of the folder for Ray's own files
STORE_MB = (256, 2048)  # least and most of the embedded object store
SHELL_AGE = 600.0  # seconds; Ray's own files are there a moment after its folder


def cores() -> int:
    """CPU cores this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:  # a container's limit (cgroup v2): microseconds of CPU time a period, or "max"
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return count if quota == "max" else max(1, min(count, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return count


def _reach(address: str) -> None:
    """Raise UserError if nothing listens there: Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(f"--address {address}: no Ray cluster answers there ({error.strerror or error}).") from error


@contextmanager
def connected(address: str | None, cpus: int, store_bytes: int, spill: Path) -> Iterator[None]:
    """A running Ray, shut down at the end if it was started here.

    address: a cluster's (`auto`, `host:port`, `ray://host:port`); None starts one on this machine, for this run
    alone, with `cpus` cores to give, `store_bytes` of shared memory for chunks in flight, and the folder `spill`
    for what does not fit; beside it, a link leads to Ray's own files, which go with the run.
    Raises UserError where the cluster does not answer, SemcolorError where none can be started here or Ray refuses.
    """
    # Nobody is told that semcolor runs, and of what is lost with a worker one word is enough. All of these must be set
    # before Ray is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    if address is None:
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # a private run needs no token in the home folder
    import ray

    if ray.is_initialized():
        yield
        return
    # It prints a page for every worker that dies, whatever its log settings; `film.recovery` says it in a line.
    ray._private.worker.listen_error_messages = lambda *_: None
    if address:
        _reach(address)
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    with _session(spill) if address is None else nullcontext() as session:
        with _own_handlers():
            if address is None:
                low, high = (mb << 20 for mb in STORE_MB)
                try:
                    ray.init(
                        # Not "auto": that would join whatever cluster the environment or the temp folder names.
                        address="local",
                        num_cpus=cpus,
                        include_dashboard=False,
                        object_store_memory=min(max(store_bytes, low), high),
                        object_spilling_directory=str(spill),
                        _temp_dir=str(session),
                        **quiet,
                    )
                except Exception as error:  # Ray's own is a bare one, for instance where the machine is too busy
                    raise SemcolorError(f"Ray does not start on this machine: {error}") from error
            else:
                try:
                    ray.init(address=address, **quiet)
                except (ConnectionError, ValueError, RuntimeError) as error:
                    raise UserError(f"--address {address}: no Ray cluster answers there ({error}).") from error
                except Exception as error:  # of no narrower kind, for instance a token that is refused
                    raise SemcolorError(f"--address {address}: Ray cannot be joined: {error}") from error
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def _own_handlers() -> Iterator[None]:
    """Ray, as it starts, sets handlers that end the process without unwinding, with exit codes of its own."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SystemExit as end:
        raise SystemExit(128 + signal.SIGTERM if end.code == signal.SIGTERM else end.code) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)


@contextmanager
def _session(spill: Path) -> Iterator[Path]:
    """A folder for Ray's sockets and logs, which Ray itself never removes; what killed runs left goes, too.

    It lies in /tmp since the path of a socket may not be longer than about 100 bytes. A link beside `spill` tells
    later runs where.
    """
    clear_session(spill)
    _clear_shells()
    session = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
    spill.with_name(f"{spill.name}.{session.name}").symlink_to(session)
    try:
        yield session
    finally:
        for link in clear_session(spill):
            link.unlink()


def clear_session(spill: Path) -> list[Path]:
    """Remove Ray's files. Returns the links to them: a killed run's last workers may make its folder anew, so that
    it must be looked for again later."""
    links = [path for path in spill.parent.glob(f"{spill.name}.{PREFIX}*") if path.is_symlink()]
    for link in links:
        shutil.rmtree(Path("/tmp") / link.name.removeprefix(f"{spill.name}."), ignore_errors=True)
    shutil.rmtree(spill, ignore_errors=True)
    return links


def _clear_shells() -> None:
    """Remove folders of Ray's, of whatever film, that hold nothing but folders: such are left where runs are killed in
    quick succession, when the last one has ended before the first one's last worker, which makes its folder anew."""
    for folder in Path("/tmp").glob(f"{PREFIX}*"):
        with suppress(OSError):  # somebody else's, or gone by now
            stat = folder.lstat()
            old = stat.st_uid == os.getuid() and time.time() - stat.st_mtime > SHELL_AGE
            if old and all(path.is_dir() and not path.is_symlink() for path in folder.rglob("*")):
                shutil.rmtree(folder)
