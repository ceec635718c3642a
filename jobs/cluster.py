"""Start Ray on this machine, or join a Ray cluster. Importing this module does not import Ray."""

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
from ..pipeline.files import is_utf8

PREFIX = "semcolor-"
"""Prefix of the name of the folder with Ray's own files."""

STORE_MB = (256, 2048)
"""Least and greatest size of an embedded Ray's object store, in MiB."""

EMPTY_AGE = 600.0
"""Seconds after which a session folder without files counts as left over. Ray makes its folder first, and its files a
moment later."""


def cores() -> int:
    """Number of CPU cores that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:  # a container's limit (cgroup v2): microseconds of CPU time per period, or "max"
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return count if quota == "max" else max(1, min(count, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return count


def _check_address(address: str) -> None:
    """Raise UserError if nothing listens at `address`. Ray itself would keep trying for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(f"--address {address}: no Ray cluster answers there ({error.strerror or error}).") from error


@contextmanager
def connected(address: str | None, cpus: int, store_bytes: int, spill: Path) -> Iterator[None]:
    """Keep Ray running for a `with` block. If Ray was started here, it is shut down at the end.

    Args:
        address: a cluster's address (`auto`, `host:port`, `ray://host:port`). None starts an embedded Ray on this
            machine, for this run alone; the other arguments are for that case.
        cpus: number of CPU cores that Ray may give to workers.
        store_bytes: shared memory for the chunks in flight; `STORE_MB` bounds it.
        spill: folder for objects that do not fit into shared memory. A link beside it leads to Ray's own files, which
            are removed at the end of the run.

    Raises:
        UserError: the cluster does not answer.
        SemcolorError: Ray cannot be started here, or the cluster refuses the connection.
    """
    # Turn off Ray's usage statistics and its dump of unhandled errors. These variables, RAY_AUTH_MODE included, must be
    # set before Ray is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    if address is None:
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # a private run needs no token in the home folder
    import ray

    if ray.is_initialized():
        yield
        return
    # Ray prints a page for every worker that dies, whatever its log settings. `film.recovery` reports it in one line.
    ray._private.worker.listen_error_messages = lambda *_: None
    # Ray records the command with its arguments, and fails if a name in them is not UTF-8.
    command = ray._private.utils.get_entrypoint_name().encode(errors="replace").decode()
    ray._private.utils.get_entrypoint_name = lambda: command
    if address:
        _check_address(address)
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    with _session(spill) if address is None else nullcontext() as session:
        with _keeping_handlers(), _in_plain_folder():
            if session:
                low, high = (mb << 20 for mb in STORE_MB)
                try:
                    ray.init(
                        # Not "auto", which would join any cluster that the environment or the temp folder names.
                        address="local",
                        num_cpus=cpus,
                        include_dashboard=False,
                        object_store_memory=min(max(store_bytes, low), high),
                        object_spilling_directory=_spill_folder(spill, session),
                        _temp_dir=str(session),
                        **quiet,
                    )
                except Exception as error:  # Ray raises a bare Exception, for instance on a busy machine
                    raise SemcolorError(f"Ray does not start on this machine: {error}") from error
            else:
                try:
                    ray.init(address=address, **quiet)
                except (ConnectionError, ValueError, RuntimeError) as error:
                    raise UserError(f"--address {address}: no Ray cluster answers there ({error}).") from error
                except Exception as error:  # Ray raises a bare Exception, for instance if it refuses a token
                    raise SemcolorError(f"--address {address}: Ray cannot be joined: {error}") from error
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def _in_plain_folder() -> Iterator[None]:
    """Leave the current folder while Ray starts if its name is not UTF-8, since Ray tells its workers that name."""
    here = os.getcwd()
    if is_utf8(here):
        yield
        return
    os.chdir("/")
    try:
        yield
    finally:
        os.chdir(here)


def _spill_folder(spill: Path, session: Path) -> str:
    """The path of `spill` as Ray can take it: Ray takes only UTF-8, so another name is reached by a link."""
    if is_utf8(str(spill)):
        return str(spill)
    spill.mkdir(exist_ok=True)
    link = session / "spill"
    link.symlink_to(spill)
    return str(link)


@contextmanager
def _keeping_handlers() -> Iterator[None]:
    """Restore the signal handlers after Ray has started.

    When Ray starts, it sets handlers that end the process without unwinding and with Ray's own exit codes.
    """
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
    """Make a folder for Ray's sockets and logs, and remove it at the end, since Ray never does.

    Folders that killed runs left are removed, too. The folder is in /tmp because the path of a socket may have about
    100 bytes at most. A link beside `spill` shows later runs where the folder is.
    """
    clear_session(spill)
    _clear_empty_sessions()
    session = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
    spill.with_name(f"{spill.name}.{session.name}").symlink_to(session)
    try:
        yield session
    finally:
        for link in clear_session(spill):
            link.unlink()


def clear_session(spill: Path) -> list[Path]:
    """Remove Ray's files, and return the links to them.

    The caller removes the links last: the last workers of a killed run may make Ray's folder again, and a later run
    must then find it to remove it again.
    """
    links = [path for path in spill.parent.glob(f"{spill.name}.{PREFIX}*") if path.is_symlink()]
    for link in links:
        shutil.rmtree(Path("/tmp") / link.name.removeprefix(f"{spill.name}."), ignore_errors=True)
    shutil.rmtree(spill, ignore_errors=True)
    return links


def _clear_empty_sessions() -> None:
    """Remove Ray's session folders, of any film, that contain nothing but folders.

    Runs that are killed can leave such folders: a dying worker may make its session folder again after the next run has
    cleaned up.
    """
    for folder in Path("/tmp").glob(f"{PREFIX}*"):
        with suppress(OSError):  # the folder belongs to another user, or has been removed meanwhile
            stat = folder.lstat()
            old = stat.st_uid == os.getuid() and time.time() - stat.st_mtime > EMPTY_AGE
            if old and all(path.is_dir() and not path.is_symlink() for path in folder.rglob("*")):
                shutil.rmtree(folder)
