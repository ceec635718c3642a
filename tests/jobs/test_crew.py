"""Actors as threads of this process: order, errors, an end in the middle of work, and a film that they make."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest
from semcolor.errors import FilmError, SemcolorError
from semcolor.jobs.commands import video
from semcolor.jobs.film import crew as crew_module
from semcolor.jobs.film import driver
from semcolor.jobs.film.crew import Stopped, ThreadCrew
from semcolor.jobs.film.workdir import work_folder
from semcolor.pipeline.reader import FilmReader
from semcolor.pipeline.writer import PartWriter
from support.films import make_film, shots
from support.processes import run_python, wait_until

NONE = {"num_cpus": 0.0}
FAST = ["--size", "64", "--codec", "ffv1", "--quiet"]


class Worker:
    def __init__(self, log: list[Any]) -> None:
        self._log = log

    def note(self, value: Any) -> Any:
        self._log.append(value)
        return value

    def pair(self, value: Any) -> tuple[Any, Any]:
        return value, -value

    def hold(self, value: Any) -> list[Any]:
        return [value]

    def fail(self) -> None:
        raise FilmError("the film is bad")

    def work_for_ever(self) -> None:
        self._log.append("begun")
        while True:
            time.sleep(0.001)

    def close(self) -> None:
        self._log.append("closed")


@pytest.fixture
def crew() -> Iterator[ThreadCrew]:
    crew = ThreadCrew()
    yield crew
    crew.end()
    assert not [thread for thread in threading.enumerate() if thread.name == "Worker"]


def test_an_actor_answers_in_order_and_waits_for_what_others_make(crew):
    log: list[Any] = []
    first, second = crew.start(Worker, log, needs=NONE), crew.start(Worker, log, needs=NONE)
    one, minus = first.pair.options(num_returns=2).remote(1)
    refs = [second.note.remote(ref) for ref in (minus, one, 7)]
    assert crew.get(refs) == log == [-1, 1, 7]
    assert crew.ready(refs) == set(refs) and crew.wait(refs, 0)


def test_an_error_reaches_everyone_who_waits_for_its_result(crew):
    one, two = crew.start(Worker, [], needs=NONE), crew.start(Worker, [], needs=NONE)
    bad = one.fail.remote()
    with pytest.raises(FilmError, match="the film is bad") as caught:
        crew.get(two.note.remote(bad))
    assert crew.cause(caught.value) is caught.value and crew.cause(FilmError("of the driver itself")) is None
    assert crew.get(one.note.remote(3)) == 3, "the actor goes on"


def test_the_end_comes_in_the_middle_of_a_call_and_nobody_waits_in_vain():
    crew, log = ThreadCrew(), []
    busy, waiting = crew.start(Worker, log, needs=NONE), crew.start(Worker, log, needs=NONE)
    never = busy.work_for_ever.remote()
    refs = [waiting.note.remote(never), busy.note.remote(1), waiting.note.remote(2)]
    wait_until(lambda: log, 10)
    started = time.monotonic()
    crew.end()
    assert time.monotonic() - started < 10 and log == ["begun", "closed", "closed"]
    for ref in (never, *refs):
        with pytest.raises(Stopped):
            ref.result(0)


class Late(Worker):
    def __init__(self, ready: threading.Event) -> None:
        super().__init__([])
        ready.wait()


def test_the_end_comes_before_the_first_call_and_nobody_waits_in_vain():
    crew, ready = ThreadCrew(), threading.Event()
    late = crew.start(Late, ready, needs=NONE)
    ref = late.note.remote(1)
    ending = threading.Thread(target=crew.end)
    ending.start()
    wait_until(late._ended.is_set, 10)
    ready.set()
    ending.join(10)
    with pytest.raises(Stopped):
        ref.result(0)


class Large:
    """Something large, that a test watches."""


def test_arguments_and_results_go_when_nobody_needs_them(crew):
    actor, large = crew.start(Worker, [], needs=NONE), Large()
    seen = weakref.ref(large)
    ref = actor.hold.remote(large)
    del large
    assert crew.get(ref) == [seen()]
    del ref
    gc.collect()
    assert seen() is None


@pytest.fixture(scope="module")
def two_shots(film_folder: Path) -> Path:
    """Grey MKV, 64x48, shots of 50 and 30 frames: two parts."""
    return make_film(film_folder / "two.mkv", shots((50, 30), (48, 64)))


def _run(source: Path, output: Path, *options: str) -> int:
    return video.run([str(source), "-o", str(output), *FAST, *options])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "No space left on device; 50 frames are done and kept"),
        (FilmError("the film is bad."), "the film is bad."),
        (ValueError("odd"), "a worker failed: ValueError: odd; 50 frames are done and kept"),
    ],
    ids=["full disk", "bad film", "mistake of ours"],
)
def test_a_failure_ends_the_film_with_a_sentence_and_the_next_run_continues(
    error, said, two_shots, tmp_path, events, monkeypatch, capsys
):
    output, write = tmp_path / "out.mkv", PartWriter.write

    def fail(self: PartWriter, chunk: Any, *arguments: Any, **more: Any) -> Any:
        if chunk.start >= 50:
            raise error
        return write(self, chunk, *arguments, **more)

    monkeypatch.setattr(PartWriter, "write", fail)
    assert _run(two_shots, output) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("semcolor-video: ") and said in line
    assert not output.exists() and list(work_folder(output).glob("part-*.json")) and "lost" not in events.names()
    assert not list(work_folder(output).glob("*.tmp")), "the open part is let go of"
    monkeypatch.setattr(PartWriter, "write", write)
    assert _run(two_shots, output) == 0
    assert [line["frame"] for line in events.lines if line["event"] == "resumed"] == [50]
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.slow
def test_want_of_memory_halves_the_artists(two_shots, tmp_path, events, monkeypatch):
    read, failed = FilmReader.__iter__, []

    def fail(self: FilmReader) -> Iterator[Any]:
        if not failed:
            failed.append(True)
            raise MemoryError
        return read(self)

    monkeypatch.setattr(FilmReader, "__iter__", fail)
    assert _run(two_shots, tmp_path / "out.mkv") == 0
    assert [event for event in events.names() if event in ("lost", "restarted")] == ["lost", "restarted"]
    assert "memory ran out" in next(line["what"] for line in events.lines if line["event"] == "lost")


@pytest.mark.slow
def test_ray_takes_over_at_the_end_of_a_part(parts_film, tmp_path, ray_running, events, monkeypatch):
    """As on a machine of many cores: here two, of which threads may use one."""
    whole, output = tmp_path / "whole.mkv", tmp_path / "out.mkv"
    assert _run(parts_film, whole, "--workers", "1") == 0
    assert "handed over" not in events.names()
    events.lines.clear()
    monkeypatch.setattr(driver, "cores", lambda: 2)
    monkeypatch.setattr(driver, "LONG", 260)
    for place in (driver, crew_module):
        monkeypatch.setattr(place, "MOST_ARTISTS", 1)
    monkeypatch.setattr(ThreadCrew, "most_artists", 1)
    assert _run(parts_film, output) == 0
    told = [(line["event"], line.get("frame", line.get("start"))) for line in events.lines]
    assert [each for each in told if each[0] != "artist ready"] == [
        ("started", 0),
        ("part committed", 0),
        ("handed over", 120),
        ("part committed", 120),
        ("finished", None),
    ]
    assert output.read_bytes() == whole.read_bytes() and set(tmp_path.iterdir()) == {whole, output}


@pytest.mark.slow
def test_where_ray_does_not_start_threads_make_the_whole_film(two_shots, tmp_path, events, monkeypatch, caplog):
    @contextmanager
    def refuse(*_: object) -> Iterator[None]:
        raise SemcolorError("Ray does not start on this machine: no.")
        yield

    monkeypatch.setattr(driver, "cores", lambda: 2)
    monkeypatch.setattr(driver, "LONG", 10)
    monkeypatch.setattr(driver, "MOST_ARTISTS", 1)
    monkeypatch.setattr(driver, "connected", refuse)
    assert _run(two_shots, tmp_path / "out.mkv", "--chunk", "16") == 0
    assert "Ray does not start on this machine: no: the film is made without Ray" in caplog.text
    assert "handed over" not in events.names() and events.names()[-1] == "finished"


@pytest.mark.slow
def test_neither_ray_nor_torch_is_imported(tmp_path, short_film):
    code = (
        "import sys; from semcolor.jobs.commands.video import run; "
        f"code = run([{str(short_film)!r}, '-o', {str(tmp_path / 'out.mp4')!r}, '--size', '64', '-q']); "
        "heavy = {'torch', 'ray', 'kornia', 'pandas'} & set(sys.modules); sys.exit(str(heavy) if heavy else code)"
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr


def test_the_bytes_do_not_depend_on_how_many_threads_call_opencv():
    """DIS gives other motion with other numbers of threads, and its own guard is for the whole process."""
    before = cv2.getNumThreads()
    crew = ThreadCrew()
    try:
        assert cv2.getNumThreads() == 1
    finally:
        crew.end()
    assert cv2.getNumThreads() == before
