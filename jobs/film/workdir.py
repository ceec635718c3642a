"""The work folder of an output: who owns it, who may change it, and how its results are delivered.

A run makes a film in a hidden folder beside the output (or in `--work`). The folder contains:

    lock            held by the driver of a run, so that only one run at a time works on an output
    writer.lock     the right to change the parts. Shared by the Writers of a run, who add parts (a lost Writer may
                    hold it for up to a minute); exclusive for a driver that deletes parts
    job.json        the record of the folder: the identity of the job that its parts belong to and, once the films are
                    finished, their names, their digests and facts about them
    part-*          the parts of the film; see `pipeline.writer`
    masks-*         the regions that edits follow through the film; see `pipeline.edits.resolve`
    scenes.zip      the shots whose colours later shots take; see `pipeline.scenes`
    found.json      what an earlier run found out about the source; see `remember`
    events.jsonl    the log of what happened; see `events`
    spill*          Ray's files while it runs embedded; see `cluster`

The life of a folder:

1. `claimed` makes the folder and takes `lock`.
2. `keep_or_clear` compares job.json with the identity of the new job. Parts of another job are never continued.
   `drop_touched` then removes the parts that other edits would change.
3. The Writers add parts. Each holds `writer_turn` shared.
4. `seal` writes the digests of the finished films into job.json, before any film is moved.
5. `deliver` moves the films to their places. If a run is stopped here, the next one finds with `sealed` that only this
   step is left.
6. At its end, `claimed` removes the folder, unless the user wants to keep it. From a kept folder, the next run with
   other edits takes the parts that these edits do not touch.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ...errors import OutputError, UserError, WorkError
from ...pipeline.edits.apply import ResolvedEdits
from ...pipeline.extras import Kind
from ...pipeline.files import file_sha256, move_into_place
from ...pipeline.parts import prune
from ...pipeline.pictures import place, placed_sha256
from ...pipeline.sequences.names import is_pattern
from ...pipeline.storage import Location, digest, upload
from ..cluster import clear_session

_log = logging.getLogger(__name__)

LONGEST_NAME = 200
"""Longest output name, in bytes, that becomes part of the folder's name. Most file systems allow names of 255 bytes,
and we add a prefix and suffixes."""

LOCKS = ("writer.lock", "lock")
"""Files with the locks, in the order in which they are removed."""

SPILL = "spill"
"""Prefix of the names of Ray's files; see `cluster`."""

SCENES = "scenes.zip"
"""Name of the file of the film's scenes."""

FOUND = "found.json"
"""Name of the file of `remember`."""

SHARED = "source and output must be on storage that all nodes see."
"""Remedy, for messages about a folder that some nodes do not see."""

PATIENCE = 90.0
"""Seconds to wait for a lost Writer to end. Ray ends the workers of a disconnected node after about a minute."""


def work_folder(output: Location, base: Path | None = None) -> Path:
    """The path of the work folder for `output`.

    The folder is beside the output, so that a rename is atomic and the free space is that of the output's disk. If
    `base` is given, it is in that folder instead.

    Raises UserError if the output is a URL and there is no `base`.
    """
    name = Path(output).name
    if is_pattern(output) and not isinstance(output, str):  # beside the folder of the pictures
        name, output = f"{output.parent.name}-{name}", output.parent
    if base:
        name = f"{hashlib.sha256(os.fsencode(output)).hexdigest()[:8]}-{name}"
    elif isinstance(output, str):
        raise UserError(f"{output}: give --work FOLDER as well; the film is made there and then uploaded.")
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return (base or Path(output).parent) / f".semcolor-{name}"


@contextmanager
def claimed(work: Path, keep: bool = False) -> Iterator[None]:
    """Hold the work folder for this run alone, for the length of a `with` block.

    The folder is removed when the block ends without an error, unless `keep` is set. After an error it is removed only
    if no part has been committed. Ray must be shut down by then, because it makes its spill folder again while it runs.

    Raises OutputError if another run holds the folder.
    """
    lock = _claim(work)
    try:
        try:
            yield
        except BaseException:
            if not any(work.glob("part-*.json")):
                with suppress(OSError, WorkError):  # the first error is the one to report
                    _remove(work)
            raise
        if not keep:
            _remove(work)
    finally:
        lock.close()


def _claim(work: Path) -> IO[str]:
    """Make the folder if needed and take its `lock`, which is held until the returned file is closed."""
    while True:
        work.mkdir(exist_ok=True)
        try:
            lock = (work / "lock").open("w")
        except FileNotFoundError:  # another run has just removed the folder
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), (work / "lock").stat()):
                return lock
        except BlockingIOError:
            lock.close()
            raise OutputError(f"another run is working on this output ({work}); wait for it or stop it.") from None
        except FileNotFoundError:  # another run removed the lock after we had opened it
            pass
        lock.close()


def _remove(work: Path) -> None:
    """Remove the folder with all that is in it. The caller holds `lock`."""
    with writer_turn(work):
        clear_session(work / SPILL)
        _empty(work)
    for name in LOCKS:
        (work / name).unlink()
    with suppress(OSError):  # a run that came after the locks were removed owns the folder now
        work.rmdir()


def _empty(work: Path, keep: tuple[str, ...] = ()) -> None:
    """Delete everything except the locks and names starting with a prefix in `keep`.

    job.json is deleted last, so an interrupted clean-up never leaves parts without the record they belong to.
    """
    for path in sorted(work.iterdir(), key=lambda path: path.name == "job.json"):
        if path.name in LOCKS or path.name.startswith(keep):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def writer_turn(work: Path, patience: float | None = None, shared: bool = False) -> IO[str]:
    """Take the right to change the parts of a work folder.

    The right lasts until the returned file is closed or the process ends, however it ends.

    Args:
        work: the work folder.
        patience: seconds to wait for other processes; None: `PATIENCE`.
        shared: share the right with other Writers, in order to add parts. Otherwise it is exclusive.

    Raises:
        WorkError: another process keeps the right for too long, or this machine does not see the folder.
    """
    end = time.monotonic() + (PATIENCE if patience is None else patience)
    try:
        lock = (work / "writer.lock").open("a+")  # NFS: shared locks need read access, exclusive ones write access
    except FileNotFoundError:
        raise WorkError(f"{work} is not visible on every node of the cluster; {SHARED}") from None
    while True:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > end:
                lock.close()
                raise WorkError(
                    f"a lost worker still writes in {work}; the same command continues once that worker has ended."
                ) from None
            time.sleep(0.1)


def keep_or_clear(work: Path, identity: dict, fresh: bool = False) -> None:
    """Keep the work in the folder if it belongs to the job `identity`; otherwise delete it. `fresh`: always delete it.

    If only the sheet of edits differs, the parts are kept. Each part records the edits that it was made with, so
    `drop_touched` can then remove those that the new edits change.
    """
    own, asked = _job(work).get("identity", {}), _plain(identity)
    with writer_turn(work):
        if not fresh and own == asked:
            return
        if not fresh and own and own | {"sheet": None} == asked | {"sheet": None}:
            _empty(work, keep=(SPILL, "part-", "masks-", SCENES, "job.json", FOUND, "events.jsonl"))
        else:
            if not fresh and any(work.glob("part-*")):
                _log.warning("%s: work with other settings is thrown away", work)
            _empty(work, keep=(SPILL,))
        _write_job(work, {"identity": identity})


def drop_touched(work: Path, edits: ResolvedEdits | None) -> None:
    """Remove the parts that were made with other edits than those that `edits` applies to them. None: no edits."""
    with writer_turn(work):
        prune(work, edits.digest) if edits else prune(work)


def belongs(work: Path, identity: dict) -> bool:
    """Whether the folder's record agrees with every entry of `identity`. The record may have more entries.

    The values in `identity` must be values that JSON has.
    """
    own = _job(work).get("identity", {})
    return bool(own) and own == own | _plain(identity)


def seal(work: Path, results: Mapping[Kind, Path], digests: Mapping[Kind, str], facts: dict) -> None:
    """Record in job.json that the films are finished.

    Args:
        work: the work folder.
        results: kind of result ("film", "labels", …) → finished file in the work folder.
        digests: kind of result → SHA-256 of that file.
        facts: further facts about the film, for `sealed` to return.
    """
    done = {kind: [path.name, digests[kind]] for kind, path in results.items()}
    _write_job(work, _job(work) | {"done": done, "facts": facts})


def sealed(work: Path, targets: Mapping[Kind, Location]) -> dict:
    """The facts that `seal` recorded, or {} if the films are not finished.

    They are finished if each of them, with the recorded digest, is still in the folder or already at its target.
    `targets`: kind of result → place of the output.
    """
    job = _job(work)
    done = job.get("done", {})
    whole = done.keys() == targets.keys() and all(
        any(_sha256(where) == sha256 for where in (work / name, targets[kind])) for kind, (name, sha256) in done.items()
    )
    return job["facts"] if whole else {}


def _sha256(where: Location) -> str:
    """Digest of a file or of an object in a store; "" if there is none."""
    if isinstance(where, str):
        return digest(where)
    if is_pattern(where) and not where.exists():
        return placed_sha256(where)
    return file_sha256(where) if where.exists() else ""


def deliver(work: Path, targets: Mapping[Kind, Location]) -> None:
    """Move the sealed films that are still in the folder to their targets. Each appears whole and at once.

    An uploaded film also stays in the folder until the folder is removed.
    """
    for kind, (name, _) in _job(work)["done"].items():
        result, target = work / name, targets[kind]
        if not result.exists():  # an earlier run delivered it and was then stopped
            continue
        if isinstance(target, str):
            upload(result, target)
            continue
        if result.is_dir():  # a sequence of pictures
            place(result, target)
            continue
        try:
            move_into_place(result, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # The target may be on another disk, for instance for the labels.
            beside = target.with_name(work_folder(target).name + ".tmp")
            shutil.copyfile(result, beside)
            move_into_place(beside, target)
            result.unlink()


def remember(work: Path, **found: Any) -> None:
    """Keep what was found out about the source of the folder's job, so that a later run need not look again.

    Args:
        work: the work folder.
        found: names, and values that JSON has.
    """
    temporary = work / "found.tmp"
    temporary.write_text(json.dumps(remembered(work) | found, sort_keys=True))
    move_into_place(temporary, work / FOUND)


def remembered(work: Path) -> dict[str, Any]:
    """All that `remember` has kept."""
    return _read(work / FOUND)


def _plain(identity: dict) -> dict:
    """As JSON returns it: tuples become lists, for instance."""
    return json.loads(json.dumps(identity))


def _job(work: Path) -> dict:
    """The content of job.json; {} if the file is missing or damaged."""
    return _read(work / "job.json")


def _read(path: Path) -> dict[str, Any]:
    """The content of a file of JSON; {} if the file is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def _write_job(work: Path, job: dict) -> None:
    """Replace job.json as a whole, so that it survives a power cut."""
    temporary = work / "job.tmp"
    temporary.write_text(json.dumps(job, sort_keys=True))
    move_into_place(temporary, work / "job.json")
