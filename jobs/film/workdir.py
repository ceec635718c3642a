"""The work folder of an output: whose work is in it, who may use it, and what happened there.

    lock            held by the run (the driver): one run at a time works on an output
    writer.lock     held by whoever changes the parts: by a run's Writers together, of which one that was given up may
                    live on for a while, or by a driver that removes some
    job.json        what the parts belong to (work of another identity is never continued), and, noted before they
                    are renamed into their places, the finished films' digests
    part-*          see `pipeline.writer`
    events.jsonl    one line an event, for whoever asks later why a film took so long or failed
    spill*          Ray's, while it runs embedded

The folder goes when the output stands, unless it is to be kept: then the next run with other edits has parts to go on
from, those that its edits do not touch.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ...errors import OutputError, UserError, WorkError
from ...pipeline.edits.apply import ResolvedEdits
from ...pipeline.files import file_sha256, move_into_place
from ...pipeline.parts import prune
from ...pipeline.storage import Location, digest, upload
from ..cluster import clear_session

_log = logging.getLogger(__name__)

LONGEST_NAME = 200
"""Bytes of the output's name that fit into a file name beside what we add; most file systems allow 255."""

LOCKS = ("writer.lock", "lock")
RAYS = "spill"  # the names of its files begin with this; see `cluster`

SHARED = "source and output must lie on storage that all nodes see."

PATIENCE = 90.0
"""Seconds to wait for a Writer that was given up: Ray ends a cut-off node's workers after about a minute."""


def work_folder(output: Location, base: Path | None = None) -> Path:
    """Beside the output, so that renaming is atomic and free space is that of the output; or in the folder `base`.

    Raises UserError if the output is a URL and there is no `base`.
    """
    name = Path(output).name
    if base:
        name = f"{hashlib.sha256(os.fsencode(output)).hexdigest()[:8]}-{name}"
    elif isinstance(output, str):
        raise UserError(f"{output}: give --work FOLDER as well, where the film is made before it is uploaded.")
    if len(name.encode()) > LONGEST_NAME:
        name = hashlib.sha256(name.encode()).hexdigest()
    return (base or Path(output).parent) / f".semcolor-{name}"


@contextmanager
def claimed(work: Path, keep: bool = False) -> Iterator[None]:
    """The work folder, held by this run alone. It goes when the run is through, unless `keep`, and if it fails with
    nothing committed.

    Ray must be down by then: it makes its spill folder anew as long as it runs. Raises OutputError where another
    run holds the folder.
    """
    lock = _claim(work)
    try:
        try:
            yield
        except BaseException:
            if not any(work.glob("part-*.json")):
                with suppress(OSError, WorkError):  # what went wrong before is what is to be said
                    _remove(work)
            raise
        if not keep:
            _remove(work)
    finally:
        lock.close()


def _claim(work: Path) -> IO[str]:
    while True:
        work.mkdir(exist_ok=True)
        try:
            lock = (work / "lock").open("w")
        except FileNotFoundError:  # the run that held the folder has just removed it
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), (work / "lock").stat()):
                return lock
        except BlockingIOError:
            lock.close()
            raise OutputError(f"another run is working on this output ({work}); wait for it or stop it.") from None
        except FileNotFoundError:  # removed between opening and locking
            pass
        lock.close()


def _remove(work: Path) -> None:
    with writer_turn(work):
        clear_session(work / RAYS)
        _empty(work)
    for name in LOCKS:
        (work / name).unlink()
    with suppress(OSError):  # another run may have come after the last lock went: then the folder is its own
        work.rmdir()


def _empty(work: Path, but: tuple[str, ...] = ()) -> None:
    """All goes but the locks, and what begins with one of `but`. job.json goes last: whoever is stopped here must
    find what belongs together together."""
    for path in sorted(work.iterdir(), key=lambda path: path.name == "job.json"):
        if path.name in LOCKS or path.name.startswith(but):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def writer_turn(work: Path, patience: float | None = None, shared: bool = False) -> IO[str]:
    """The right to change the parts, until the returned file is closed or the process ends, however it ends.

    `shared` with other Writers: it is the right to add some.

    Raises WorkError if another process keeps it for `patience` seconds (PATIENCE), or if this machine does not see
    the folder.
    """
    end = time.monotonic() + (PATIENCE if patience is None else patience)
    try:
        lock = (work / "writer.lock").open("a+")  # NFS wants to read what is shared, to write what is not
    except FileNotFoundError:
        raise WorkError(f"{work} is not there on every node of the cluster; {SHARED}") from None
    while True:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > end:
                lock.close()
                raise WorkError(
                    f"a lost worker still writes in {work}; the same command goes on once it is gone."
                ) from None
            time.sleep(0.1)


def keep_or_clear(work: Path, identity: dict, fresh: bool = False) -> None:
    """Work of the same identity stays, any other goes; all goes if `fresh`.

    Where only the sheet of edits is another, the parts stay: each knows what it was steered by, see `drop_touched`.
    """
    own, asked = _job(work).get("identity", {}), _plain(identity)
    with writer_turn(work):
        if not fresh and own == asked:
            return
        if not fresh and own and own | {"sheet": None} == asked | {"sheet": None}:
            _empty(work, but=(RAYS, "part-", "masks-", "job.json", "events.jsonl"))
        else:
            if not fresh and any(work.glob("part-*")):
                _log.warning("%s: work with other settings is thrown away", work)
            _empty(work, but=(RAYS,))
        _write_job(work, {"identity": identity})


def drop_touched(work: Path, control: ResolvedEdits | None) -> None:
    """Remove the parts that were steered otherwise than `control` would steer them."""
    with writer_turn(work):
        prune(work, control.digest) if control else prune(work)


def belongs(work: Path, identity: dict) -> bool:
    """Whether what is in the folder agrees with all that `identity` says (values that JSON knows)."""
    own = _job(work).get("identity", {})
    return bool(own) and own == own | _plain(identity)


def seal(work: Path, results: dict[str, Path], facts: dict) -> None:
    """Note that these files of the work folder, by kind ("film", "labels"), are the finished films; and facts."""
    done = {kind: [path.name, file_sha256(path)] for kind, path in results.items()}
    _write_job(work, _job(work) | {"done": done, "facts": facts})


def sealed(work: Path, targets: dict[str, Location]) -> dict:
    """The facts noted by `seal`, if every target, by kind, stands in its place or lies finished in the folder,
    with its digest; else {}."""
    job = _job(work)
    done = job.get("done", {})
    whole = done.keys() == targets.keys() and all(
        any(_sha256(where) == sha256 for where in (work / name, targets[kind])) for kind, (name, sha256) in done.items()
    )
    return job["facts"] if whole else {}


def _sha256(where: Location) -> str:
    """ "" where no file is."""
    if isinstance(where, str):
        return digest(where)
    return file_sha256(where) if where.is_file() else ""


def deliver(work: Path, targets: dict[str, Location]) -> None:
    """Put the sealed films that are still in the folder in their places, each whole and at once.

    What is uploaded stays in the folder as well, until all of it goes.
    """
    for kind, (name, _) in _job(work)["done"].items():
        result, target = work / name, targets[kind]
        if not result.exists():  # a run before this one was stopped after renaming it
            continue
        if isinstance(target, str):
            upload(result, target)
            continue
        try:
            move_into_place(result, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            beside = target.with_name(work_folder(target).name + ".tmp")  # the labels may go to another disk
            shutil.copyfile(result, beside)
            move_into_place(beside, target)
            result.unlink()


def _plain(identity: dict) -> dict:
    return json.loads(json.dumps(identity))


def _job(work: Path) -> dict:
    try:
        return json.loads((work / "job.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}


def _write_job(work: Path, job: dict) -> None:
    temporary = work / "job.tmp"
    temporary.write_text(json.dumps(job, sort_keys=True))
    move_into_place(temporary, work / "job.json")
