"""The work folder: one run at a time, one writer at a time, no stale work, and an end that may be interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayTaskError
from semcolor.errors import FilmError, OutputError, SemcolorError, WorkError
from semcolor.jobs.film import recovery
from semcolor.jobs.film.events import EventLog
from semcolor.jobs.film.job import Job
from semcolor.jobs.film.workdir import belongs, claimed, deliver, keep_or_clear, seal, sealed, work_folder, writer_turn
from semcolor.pipeline.encode import choose_encoding, chroma_size
from semcolor.pipeline.film import open_film
from semcolor.pipeline.parts import committed
from semcolor.pipeline.reader import read_chunks
from semcolor.pipeline.writer import PartWriter
from support.attempts import Attempts

KEY = {"version": "1", "size": 64, "labels": None}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A work folder with a part and a result in it."""
    work = work_folder(tmp_path / "out.mkv")
    work.mkdir()
    keep_or_clear(work, KEY)
    (work / "part-000000000.json").write_text("{}")
    (work / "film.mkv").write_bytes(b"colour")
    return work


def test_one_run_at_a_time_and_nothing_is_left(tmp_path):
    work = work_folder(tmp_path / "out.mkv")
    with claimed(work):
        keep_or_clear(work, KEY)
        with pytest.raises(OutputError, match="another run"), claimed(work):
            pass
    assert not list(tmp_path.iterdir())
    with pytest.raises(FilmError), claimed(work):
        raise FilmError("broken")
    assert not list(tmp_path.iterdir()), "nothing was committed"


def test_what_is_committed_outlives_a_failure(folder):
    with pytest.raises(KeyboardInterrupt), claimed(folder):
        raise KeyboardInterrupt
    assert (folder / "part-000000000.json").exists() and belongs(folder, KEY)


@pytest.mark.parametrize("other", [{"size": 96}, {"device": "cuda"}])
def test_work_of_another_key_goes(folder, other, caplog):
    keep_or_clear(folder, KEY)
    assert (folder / "part-000000000.json").exists()
    keep_or_clear(folder, KEY | other)
    assert {p.name for p in folder.iterdir()} == {"job.json", "writer.lock"} and "thrown away" in caplog.text
    assert belongs(folder, KEY | other)


def test_fresh_starts_over(folder, caplog):
    keep_or_clear(folder, KEY, fresh=True)
    assert not (folder / "part-000000000.json").exists() and not caplog.text


def test_one_writer_at_a_time(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("semcolor.jobs.film.workdir.PATIENCE", 0.2)
    turn = writer_turn(folder)
    with pytest.raises(WorkError, match="still writes"):
        writer_turn(folder)
    with pytest.raises(WorkError, match="still writes"):  # clearing is writing
        keep_or_clear(folder, KEY | {"size": 96})
    assert (folder / "part-000000000.json").exists()
    turn.close()
    writer_turn(folder, patience=0).close()
    with pytest.raises(WorkError, match="storage that all nodes see"):
        writer_turn(tmp_path / "elsewhere")


def test_a_run_s_writers_share_their_turn(folder):
    turns = [writer_turn(folder, shared=True, patience=0) for _ in range(2)]
    for turn in turns:
        with pytest.raises(WorkError, match="still writes"):
            writer_turn(folder, patience=0)
        turn.close()
    with writer_turn(folder, patience=0), pytest.raises(WorkError, match="still writes"):
        writer_turn(folder, shared=True, patience=0)


@pytest.mark.parametrize("placed", [(), ("film",), ("film", "labels")])
def test_a_run_killed_while_it_puts_films_in_place_is_finished_by_the_next(folder, tmp_path, placed):
    (folder / "labels.mp4").write_bytes(b"labels")
    targets = {"film": tmp_path / "out.mkv", "labels": tmp_path / "labels.mp4"}
    assert not sealed(folder, targets)
    facts = {"shots": 2, "damaged": [7]}
    seal(folder, {"film": folder / "film.mkv", "labels": folder / "labels.mp4"}, facts)
    for kind in placed:
        (folder / f"{kind}{targets[kind].suffix}").rename(targets[kind])
    assert sealed(folder, targets) == facts
    deliver(folder, targets)
    assert targets["film"].read_bytes() == b"colour" and targets["labels"].read_bytes() == b"labels"
    assert sealed(folder, targets) == facts
    targets["film"].write_bytes(b"edited")
    assert not sealed(folder, targets), "that is not the film that was made"


def test_events_are_lines_and_never_in_the_way(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log("started", frame=0, film=tmp_path)
    log("lost", details="two\nlines")
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "lost"] and lines[0]["time"].endswith("+00:00")
    EventLog(tmp_path / "gone" / "events.jsonl")("failed")


def test_parts_are_verified_once_and_remember_damage(cut_film, tmp_path):
    film = open_film(cut_film)
    encoding = choose_encoding(film, "ffv1")
    size = chroma_size(film.width, film.height, encoding.pix_fmt)
    writer, damaged = PartWriter(tmp_path, film, encoding), []
    for frames in read_chunks(film, 48, 64):
        chunk, luma = frames.chunk, frames.luma
        chunk = replace(chunk, damaged=(chunk.start,))
        damaged += chunk.damaged
        writer.write(chunk, luma, np.full((len(chunk), 2, *size), 128, np.uint8))
    known = committed(tmp_path)
    assert [n for part in known for n in part.damaged] == damaged and len(damaged) > 3
    path = tmp_path / known[0].files["film"]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert committed(tmp_path, known) == known
    assert committed(tmp_path) == [], "who has not seen it whole does not believe it"
    path.unlink()
    assert committed(tmp_path, known) == []


@pytest.fixture
def attempt(tmp_path, monkeypatch) -> Callable[..., Attempts]:
    monkeypatch.setattr(recovery.time, "sleep", lambda seconds: None)

    def call(*ends: BaseException | None) -> Attempts:
        attempts = Attempts(*ends)
        monkeypatch.setattr(recovery, "Attempt", attempts)
        nothing: Any = None
        film: Any = SimpleNamespace(frames=100)
        events = EventLog(tmp_path / "events.jsonl")
        job = Job(
            film=film,
            encoding=nothing,
            extras={},
            summary=False,
            edits=None,
            kept=(),
            settings=nothing,
            sizes=nothing,
            device="cpu",
            precision="float32",
            workers=4,
            work=tmp_path,
            identity={},
        )
        recovery.finish_parts(job, [], events, lambda done, shots: None)
        return attempts

    return call


def _raised(cause: BaseException) -> RayTaskError:
    """As Ray brings home what a worker raised, through two stages."""
    inner = RayTaskError("blend", "Traceback", cause, proctitle="ray", pid=1, ip="127.0.0.1")
    return RayTaskError("write", "Traceback", inner, proctitle="ray", pid=1, ip="127.0.0.1")


def test_losses_are_made_good_and_want_of_memory_halves_the_artists(attempt):
    lost = _raised(ActorDiedError())
    assert [job.workers for job in attempt(lost, lost, None).jobs] == [4, 4, 4]
    hungry = OutOfMemoryError("the node was running low on memory")
    assert [job.workers for job in attempt(hungry, lost, None).jobs] == [4, 2, 2]
    with pytest.raises(SemcolorError, match=r"memory ran out .*, 3 times at the same place; nothing was done"):
        attempt(lost, lost, hungry)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (FilmError("frame 7 could not be decoded."), "^frame 7 could not be decoded.$"),
        (OSError(28, "No space left on device", "/part"), "^/part: No space left on device; nothing was done.$"),
        (OSError(28, "No space left on device"), "/.*: No space left on device; "),
        (KeyError("labels"), "a worker failed: KeyError: 'labels'; "),
    ],
)
def test_what_would_be_the_same_again_is_not_tried_again(attempt, cause, said):
    with pytest.raises(SemcolorError, match=said):
        attempt(_raised(cause))
