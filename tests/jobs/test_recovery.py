"""Workers, nodes and drivers are killed, disks fill up: the film comes out the same, and nothing stays behind."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from semcolor.errors import SemcolorError, WorkError
from semcolor.jobs.commands.video import run
from semcolor.jobs.film import attempt, driver, recovery, sizing, workdir
from semcolor.jobs.film.actors import Steadier
from semcolor.jobs.film.recovery import TRIES
from semcolor.pipeline.chunk import Chunk, Resume
from semcolor.pipeline.film import open_film
from support.attempts import Attempts
from support.processes import Meanwhile, ray_workers, start_module, wait_until

FAST = ["--size", "64", "--workers", "1", "--codec", "ffv1", "--chunk", "16", "--quiet"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without cores, and two nodes of one core each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # no token in the home folder
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def colorize(cluster: Any, parts_film: Path) -> Callable[..., int]:
    def call(output: Path, *options: str) -> int:
        return run([str(parts_film), "-o", str(output), "--address", cluster.address, *FAST, *options])

    return call


@pytest.fixture(scope="module")
def stopped_late(colorize: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film, coloured without interruption, by a run that was killed before it had cleaned up."""
    output = tmp_path_factory.mktemp("whole") / "whole.mkv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workdir, "_remove", lambda folder: None)
        assert colorize(output) == 0
    return output


@pytest.fixture(scope="module")
def whole(stopped_late: Path) -> bytes:
    return stopped_late.read_bytes()


def _parts(output: Path) -> list[Path]:
    return list(workdir.work_folder(output).glob("part-*.json"))


def test_a_finished_film_is_recognised(colorize, stopped_late, whole, capsys):
    folder = workdir.work_folder(stopped_late)
    assert folder.exists()
    assert colorize(stopped_late, "--vivid", "0.5") == 2, "another film than the one that stands there"
    assert "exists already" in capsys.readouterr().err and folder.exists()
    started = time.monotonic()
    assert colorize(stopped_late) == 0
    assert time.monotonic() - started < 20, "nothing is coloured again"
    assert list(stopped_late.parent.iterdir()) == [stopped_late] and stopped_late.read_bytes() == whole


def test_a_gpu_that_the_cluster_has_not_is_said(colorize, tmp_path, capsys):
    started = time.monotonic()
    assert colorize(tmp_path / "out.mkv", "--device", "cuda") == 2
    assert "no usable GPU" in capsys.readouterr().err and time.monotonic() - started < 60
    assert not list(tmp_path.iterdir())


def test_a_lost_worker_is_replaced(colorize, whole, tmp_path, events, capfd):
    """Of two kinds one after another, each in another part."""
    output = tmp_path / "out.mkv"

    def kill() -> None:
        for parts, kind in ((0, "Artist"), (1, "Writer")):
            wait_until(lambda parts=parts: events.names().count("part committed") >= parts)
            wait_until(lambda kind=kind: ray_workers(kind))[0].kill()

    with Meanwhile(kill):
        assert colorize(output) == 0
    assert output.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [output]
    names = events.names()
    assert names[0] == "started" and names[-1] == "finished"
    assert names.count("lost") == names.count("restarted") == events.lines[-1]["restarts"] >= 2
    assert capfd.readouterr().out == "", "Ray's own words about it are kept away"


def test_a_part_that_is_lost_is_made_again_before_a_later_one_that_stands(
    colorize, whole, tmp_path, events, monkeypatch
):
    """Of two Writers one stands still in the first part until the other has committed the second, and dies."""
    output = tmp_path / "out.mkv"
    first, second = (workdir.work_folder(output) / name for name in ("part-000000000.nut.tmp", "part-000000120.json"))
    monkeypatch.setattr(attempt, "writers", lambda *_: 2)
    monkeypatch.setattr(sizing.Sizes, "window", lambda *_: 40)

    def kill() -> None:
        wait_until(first.exists)
        (writer,) = (w for w in ray_workers("Writer") if str(first) in [file.path for file in w.open_files()])
        writer.suspend()
        wait_until(second.exists)
        writer.kill()

    with Meanwhile(kill):
        assert colorize(output) == 0
    assert output.read_bytes() == whole and list(tmp_path.iterdir()) == [output]
    kept = [(line["event"], line["frame"]) for line in events.lines if line["event"] in ("lost", "restarted")]
    assert kept == [("lost", 140), ("restarted", 140)]
    assert [line["start"] for line in events.lines if line["event"] == "part committed"] == [0]


def test_what_follows_a_lost_chunk_is_not_taken_for_its_sequel():
    """Else another Writer could commit a part that was steadied without it."""
    chunk = Chunk(0, 64, 64, False, (0,), (0,), (False,))
    none: Any = None
    steadier = Steadier(1, [Resume(), Resume(frame=96)])
    steadier.open()
    with pytest.raises(WorkError, match="frame 64 came"):
        steadier.blend(chunk, none, (none, 0.0), None, None)


@pytest.mark.parametrize(("artists", "count"), [(1, 1), (2, 1), (4, 1), (8, 2), (16, 3), (99, 3)])
def test_writers_are_as_many_as_there_is_work_for(monkeypatch, artists, count, parts_film):
    monkeypatch.setattr(sizing, "cores", lambda: 16)
    assert sizing.writers(artists, "cpu") == count
    film = open_film(parts_film)
    sizes = sizing.Sizes.of(film, 256, 32)
    assert sizes.window(artists, 1) == artists + max(artists, 4), "no more than for one"
    frames = 32 * (sizes.window(artists, count) - artists)
    assert frames >= (count - 1) * 120, "the film is read far enough for all of them"
    monkeypatch.setattr(sizing, "cores", lambda: 2)
    assert sizing.writers(artists, "cpu") == sizing.writers(artists, "cuda") == 1
    huge = sizing.Sizes.of(replace(film, width=16000, height=16000), 256, 32)
    assert huge.window(1, 3) == huge.window(1, 1), "memory is bounded"


def test_a_part_that_kills_its_workers_again_and_again_stops_the_film(colorize, tmp_path, events, monkeypatch, capfd):
    """And --fresh begins anew."""

    def enough(*_: object) -> None:
        raise WorkError("enough")

    output, over = tmp_path / "out.mkv", threading.Event()

    def kill() -> None:
        wait_until(lambda: _parts(output))
        while not over.is_set():
            for process in ray_workers("Writer"):
                process.kill()
            time.sleep(0.05)

    with Meanwhile(kill):
        try:
            assert colorize(output) == 1
        finally:
            over.set()
    said = capfd.readouterr().err.splitlines()
    assert f"{TRIES} times at the same place" in said[-1] and "Writer" in said[-1] and "are done and kept" in said[-1]
    log = [json.loads(line) for line in (workdir.work_folder(output) / "events.jsonl").read_text().splitlines()]
    assert [line["failures"] for line in log if line["event"] == "lost"][-TRIES:] == [1, 2, 3]
    assert log[-1]["event"] == "failed"

    events.lines.clear()
    monkeypatch.setattr(driver, "finish_parts", enough)
    assert colorize(output) == 1 and _parts(output)
    assert colorize(output, "--fresh") == 1 and not list(tmp_path.iterdir()), "nothing is left of the work before"
    assert [(e["event"], e.get("frame")) for e in events.lines] == [
        ("resumed", 120),
        ("failed", None),
        ("started", 0),
        ("failed", None),
    ]


def _runs_that_end(monkeypatch, error: Exception, failing: int = 100) -> list[Any]:
    """The first `failing` runs end with `error`, the others well; the list grows with each."""
    attempts = Attempts(*[error] * failing)
    monkeypatch.setattr(recovery, "Attempt", attempts)
    monkeypatch.setattr(recovery, "PAUSES", (0.0, 0.0))
    return attempts.jobs


def _finish_parts(folder: Path, frames: int) -> None:
    job: Any = SimpleNamespace(film=SimpleNamespace(frames=frames), work=folder, workers=1)
    recovery.finish_parts(job, [], lambda *_, **__: None, lambda *_: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ran", "stops"), [(False, False), (True, True)])
def test_workers_put_on_a_lost_node_are_no_failure_of_the_part(monkeypatch, tmp_path, ran, stops):
    """Ray sees late that a node is gone: the part itself has had no try."""
    from ray.core.generated.common_pb2 import ActorDiedErrorContext  # type: ignore[attr-defined]  # made at run time
    from ray.exceptions import ActorDiedError

    died = ActorDiedErrorContext(
        error_message="The actor died because its node has died.", never_started=not ran, actor_id=bytes(16)
    )
    attempts = _runs_that_end(monkeypatch, ActorDiedError(died), failing=TRIES + 1)
    ending = pytest.raises(SemcolorError, match=f"{TRIES} times") if stops else nullcontext()
    with ending:
        _finish_parts(tmp_path, 10)
    assert len(attempts) == (TRIES if stops else TRIES + 2)


def test_parts_of_other_writers_do_not_excuse_the_one_that_fails(monkeypatch, tmp_path):
    from ray.exceptions import ActorDiedError

    attempts = _runs_that_end(monkeypatch, ActorDiedError())

    def standing(*_: object) -> list[Any]:
        return [SimpleNamespace(start=10 * n, frames=10, stop=10 * n + 10) for n in range(1, len(attempts) + 1)]

    monkeypatch.setattr(recovery, "standing", standing)
    with pytest.raises(SemcolorError, match=f"{TRIES} times at the same place; 30 frames are done"):
        _finish_parts(tmp_path, 1000)
    assert len(attempts) == TRIES


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="limits of another process are Linux's")
def test_a_full_disk_is_said_and_loses_nothing(colorize, whole, tmp_path, events, capfd):
    """The kernel refuses the Writer's next bytes, as a full disk would."""
    output = tmp_path / "out.mkv"

    def fill() -> None:
        wait_until(lambda: _parts(output))
        wait_until(lambda: ray_workers("Writer"))[0].rlimit(psutil.RLIMIT_FSIZE, (1000, 1000))

    with Meanwhile(fill):
        assert colorize(output) == 1
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1 and "File too large" in said[0] and "are done and kept" in said[0]
    assert "lost" not in events.names(), "it is not tried again"
    assert not output.exists() and not list(workdir.work_folder(output).glob("*.tmp"))

    assert colorize(output) == 0
    assert output.read_bytes() == whole and list(tmp_path.iterdir()) == [output]


def test_a_killed_driver_leaves_no_worker_and_goes_on(colorize, cluster, parts_film, whole, tmp_path, events):
    output = tmp_path / "out.mkv"
    options = ["-o", output, "--address", cluster.address, *FAST]
    driver = start_module("semcolor.jobs.commands.video", parts_film, *options)
    wait_until(lambda: _parts(output))
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    # At once: the old Writer may be there yet.
    assert colorize(output) == 0
    assert output.read_bytes() == whole and list(tmp_path.iterdir()) == [output]
    assert events.lines[0]["event"] == "resumed" and events.lines[0]["frame"] == 120
    wait_until(lambda: not any(ray_workers(kind) for kind in ("Reader", "Artist", "Steadier", "Writer")), 30)


def test_a_lost_node_is_done_without(colorize, cluster, whole, tmp_path, events):
    """The last test on the cluster: one worker node stays."""
    output = tmp_path / "out.mkv"

    def unplug() -> None:
        wait_until(lambda: _parts(output))
        (artist,) = ray_workers("Artist")
        raylet = artist.ppid()
        (node,) = [n for n in cluster.worker_nodes if n.all_processes["raylet"][0].process.pid == raylet]
        cluster.remove_node(node, allow_graceful=False)

    with Meanwhile(unplug):
        assert colorize(output) == 0
    assert output.read_bytes() == whole and list(tmp_path.iterdir()) == [output]
    assert "restarted" in events.names()
