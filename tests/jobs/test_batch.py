"""`semcolor-batch` as a user runs it: plans, real embedded Ray, poisoned films, kills, and going on."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from pathlib import Path

import psutil
import pytest
from semcolor.jobs.batch import scheduler
from semcolor.jobs.batch.estimate import FilmSize, Trial, batch_seconds
from semcolor.jobs.batch.records import Record, key_of
from semcolor.jobs.batch.scheduler import share
from semcolor.jobs.batch.state import FOLDER, Records
from semcolor.jobs.commands import batch, video
from semcolor.jobs.film.workdir import work_folder
from semcolor.pipeline.files import file_sha256
from support.batches import make_batch_plan
from support.files import touch
from support.films import make_film, packets, shot
from support.processes import Meanwhile, run_python, start_module, wait_until, without_agents

FAST = ["--size", "64", "--codec", "ffv1"]


def _run(*arguments: str | Path) -> int:
    return batch.run([str(a) for a in arguments])


def _record(output: Path) -> Record:
    found = Records(output.parent / FOLDER).read(key_of(output))
    assert found
    return found


# Plans: nothing runs.

MISTAKES = {
    "films.jsonl": (
        '{"source": "a.mkv", "size": 100}\n'
        "\n"
        '{"source": "a.mkv", "crff": 3, "vivid": "much"}\n'
        "not json\n"
        "[1]\n"
        '{"source": "absent.mkv"}\n'
        '{"size": 64}\n'
        '{"source": "a.mkv", "codec": "h266"}\n'
        '{"source": "a.mkv", "output": "x/{title}.mkv"}\n'
        '{"source": "a.mkv", "weights": "a.mkv"}\n'
        '{"source": "a.mkv", "output": "a.xyz"}\n'
        '{"source": "a.mkv"}\n'
        '{"source": "a.mkv"}\n',
        [
            (1, "size must be a multiple of 32, not 100"),
            (3, "vivid must be a number"),
            (3, "there is no setting 'crff'"),
            (4, "this is not JSON"),
            (5, "this is not an object"),
            (6, "no such file"),
            (7, "source is missing"),
            (8, "h266"),
            (9, "there is no {title}"),
            (10, "--weights"),
            (11, ".xyz"),
            (13, "is the output of films.jsonl:12 as well"),
        ],
    ),
    "films.csv": (
        'source,size,crf\na.mkv,64,\n"a.mkv\n",96,\na.mkv,64,70\na.mkv,64,1,2\n',
        [(3, "films.csv:2 as well"), (5, "crf must be at most 63"), (6, "more cells")],
    ),
    "columns.csv": ("source,sise\na.mkv,64\n", [(1, "there is no column 'sise'")]),
    "empty.jsonl": ("\n", [(0, "names no films")]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_all_mistakes_of_a_manifest_at_once_with_their_lines(name, tmp_path, monkeypatch, capsys):
    content, expected = MISTAKES[name]
    monkeypatch.chdir(tmp_path)
    touch(tmp_path / "a.mkv")
    Path(name).write_text(content)
    before = set(tmp_path.rglob("*"))
    assert _run(name, "-o", "out") == 2
    said = capsys.readouterr()
    lines = said.err.splitlines()
    count = len(expected)
    assert lines.pop() == f"semcolor-batch: {count} mistake{'s' * (count > 1)}; nothing was done."
    assert said.out == "" and len(lines) == count
    for line, (number, words) in zip(lines, expected, strict=True):
        assert line.startswith(f"semcolor-batch: {name}{f':{number}:' if number else ' '}") and words in line, line
    assert set(tmp_path.rglob("*")) == before


ARGUMENTS = {
    "no films": (["empty", "-o", "out"], "holds no films"),
    "no match": (["*.mkw", "-o", "out"], "matches no file"),
    "no such film": (["b.mkv", "-o", "out"], "no such file"),
    "one name for all": (["a.mkv", "-o", "b.mkv"], "template"),
    "unknown placeholder": (["a.mkv", "-o", "{x}.mkv"], "{x}"),
    "open brace": (["a.mkv", "-o", "{stem.mkv"], "{stem"),
    "onto itself": (["a.mkv", "-o", "{parent}/{stem}{suffix}"], "input itself"),
    "somebody's film": (["a.mkv", "-o", "there"], "exists already"),
    "no folder": (["a.mkv", "-o", "a.mkv/{stem}.mkv"], "a.mkv is not a folder; choose another one with -o"),
    "bad preset": (["a.mkv", "-o", "out", "--preset", "warp"], "--preset"),
    "no output": (["a.mkv"], "--output"),
    "no cluster": (["a.mkv", "-o", "new/out", "--address", "127.0.0.1:1"], "no Ray cluster answers"),
    "report of another form": (["a.mkv", "-o", "out", "--report", "{stem}.txt"], "use .html or .json"),
    "no batch": (["status", "there"], "holds no batch"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_mistakes_leave_nothing_behind(case, tmp_path, monkeypatch, capsys):
    arguments, words = ARGUMENTS[case]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    touch(tmp_path / "a.mkv")
    touch(tmp_path / "there" / "a.color.mkv")
    before = set(tmp_path.rglob("*"))
    assert _run(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and words in said.err and "Traceback" not in said.err
    assert set(tmp_path.rglob("*")) == before


def test_help_and_mistakes_import_nothing_heavy():
    code = (
        "import sys; from semcolor.jobs.commands.batch import run; run({}); "
        "heavy = {{'torch', 'ray', 'cv2', 'av'}} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    for arguments in (["--help"], ["status", "--help"], ["x", "-o", "y", "--size", "7"]):
        result = run_python(code.format(arguments))
        assert result.returncode == 0, (arguments, result.stderr)


def test_folders_keep_their_tree_and_the_largest_film_goes_first(tmp_path):
    films = tmp_path / "films"
    touch(films / "small.mp4", 1)
    touch(films / "1921" / "reels" / "large.MKV", 9)
    touch(films / "notes.txt")
    touch(films / ".hidden" / "x.mp4")
    plan = make_batch_plan(tmp_path, films, str(films / "*.mp4"))
    assert [job.output for job in plan.to_do] == [
        str(tmp_path / "out/1921/reels/large.color.MKV"),
        str(tmp_path / "out/small.color.mp4"),
    ]
    assert not plan.mistakes and len(plan.left_out) == 1 and "1 files" in plan.left_out[0]


def test_outputs_among_the_sources_are_not_colored_again(tmp_path):
    for name in ("a.mp4", "a.color.mp4", "b.mp4"):
        touch(tmp_path / name)
    plan = make_batch_plan(tmp_path, tmp_path, output="{parent}/{stem}.color{suffix}")
    # a.color.mp4 was not made by a batch: it is in the way, and no source either.
    assert [Path(job.source).name for job in plan.to_do] == ["b.mp4"]
    assert len(plan.mistakes) == 1 and "a.color.mp4 exists already" in plan.mistakes[0]


def test_a_manifest_s_films_have_settings_of_their_own(tmp_path):
    for name in ("a.mkv", "b.mkv", "c.mkv"):
        touch(tmp_path / "sub" / name)
    manifest = tmp_path / "sub" / "films.csv"
    manifest.write_text("source,size,steady,output,labels\na.mkv,96,0,,\nb.mkv,,,second/{stem}.mp4,b.labels.mp4\n")
    other = tmp_path / "sub" / "films.jsonl"
    other.write_text('{"source": "c.mkv", "vivid": 0.5}\n')
    plan = make_batch_plan(tmp_path, manifest, other, size=64, crf=20)
    a, b, c = plan.to_do
    assert (a.wish.size, a.wish.steady, a.wish.crf) == (96, 0, 20) and a.output.endswith("out/a.color.mkv")
    assert (b.wish.size, b.wish.steady) == (64, 1)
    assert b.targets == [str(tmp_path / "out/second/b.mp4"), str(tmp_path / "out/b.labels.mp4")]
    assert (c.wish.vivid, c.wish.size, c.source) == (0.5, 64, str(tmp_path / "sub/c.mkv"))


@pytest.mark.slow
def test_ten_thousand_films_are_planned_in_seconds_and_little_memory(tmp_path):
    touch(tmp_path / "a.mkv")
    lines = (f'{{"source": "a.mkv", "crf": {n % 50}, "output": "{n}.mkv"}}\n' for n in range(10_000))
    (tmp_path / "all.jsonl").write_text("".join(lines))
    code = (
        "import time; import psutil; from pathlib import Path; import ray;"
        "from semcolor.jobs.batch.scheduler import Scheduler;"
        "from semcolor.jobs.batch.state import Records; from semcolor.jobs.batch.manifest import read_request;"
        "from semcolor.jobs.batch.plan import make_plan; from semcolor.jobs.batch.target import target_of;"
        "began = time.monotonic();"
        "plan = make_plan(read_request(['all.jsonl'], {}), target_of('out'), Records(Path('out/state')));"
        "print(len(plan.to_do), time.monotonic() - began, psutil.Process().memory_info().rss)"
    )
    result = run_python(code, tmp_path, 120)
    count, seconds, size = result.stdout.split()
    assert int(count) == 10_000 and float(seconds) < 30 and float(size) < 300e6, result.stderr


@pytest.mark.parametrize(
    ("free", "waiting", "wanted", "artists"),
    [(16, 1000, None, 1), (16, 3, None, 5), (16, 1, None, scheduler.MOST), (2, 3, None, 1), (4, 9, 3, 3), (2, 1, 3, 0)],
)
def test_artists_are_shared(free, waiting, wanted, artists):
    assert share(free, waiting, wanted) == artists


def test_an_estimate_follows_frames_pixels_and_machines():
    trial = Trial("film", 16, network=1e-6, others=1e-7, busy=1, start=10)
    films = [FilmSize(bytes=1000, frames=100, pixels=10_000, thumb=5_000)]
    work = 100 * (5_000 * 1e-6 + 10_000 * 1e-7)
    assert batch_seconds(films, trial, 4_000, 4, 2, 2, "cpu") == pytest.approx(10 * 4 / 2 + 4 * work / 2)
    assert batch_seconds(films, trial, 4_000, 4, 1, 8, "cuda") == pytest.approx(10 * 4 + 4 * 100 * 5_000 * 1e-6)


# Work.


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Two films and two poisoned ones."""
    folder = tmp_path_factory.mktemp("reels")
    for name, photo, frames in (("one.mkv", "coffee", 40), ("two.mkv", "rocket", 30)):
        make_film(folder / name, shot(photo, frames, (48, 64)))
    (folder / "text.mp4").write_text("hello " * 99)
    whole = make_film(folder / "cut.mp4", shot("coffee", 60, (48, 64))).read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    return folder


def test_poisoned_films_do_not_stop_the_others_and_the_same_command_goes_on(films, tmp_path, ray_running, capsys):
    out = tmp_path / "out"
    beside = ["--report", "{stem}.html", "--record", "{stem}.json"]
    command = [films, "-o", out, *FAST, *beside]
    assert _run(*command, "--dry-run") == 1  # as the run will end
    said = capsys.readouterr()
    assert "2 films to do" in said.out and "2 would fail" in said.out and "about " in said.out
    assert "text.mp4 is not a video" in said.err
    assert not out.exists()

    assert _run(*command) == 1
    said = capsys.readouterr()
    assert said.out.startswith("2 of 4 films done, 2 failed, ")
    failures = [line for line in said.err.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 2 and any("text.mp4 is not a video" in line for line in failures)
    assert "again: " not in said.err  # a bad film is bad at the second try as well
    written = {f"{name}.{suffix}" for name in ("one", "two") for suffix in ("color.mkv", "html", "json")}
    assert {p.name for p in out.iterdir()} == {*written, FOLDER}
    record = json.loads((out / "one.json").read_text(encoding="utf-8"))
    assert record["outputs"][0]["sha256"] == file_sha256(out / "one.color.mkv")
    assert "one.color.mkv" in (out / "one.html").read_text(encoding="utf-8")

    alone = tmp_path / "alone.mkv"
    assert video.run([str(films / "one.mkv"), "-o", str(alone), *FAST, "--quiet", "--workers", "2"]) == 0
    assert (out / "one.color.mkv").read_bytes() == alone.read_bytes()

    summary = json.loads((out / FOLDER / "summary.json").read_text())
    assert (summary["done"], summary["failed"], summary["frames"]) == (2, 2, 70)
    assert [film["state"] for film in summary["details"]] == ["failed", "failed", "done", "done"]
    page = (out / FOLDER / "summary.html").read_text()
    assert "text.mp4 is not a video" in page and "one.color.mkv" in page

    capsys.readouterr()
    assert _run("status", out) == 0
    assert "2 done, 2 failed; finished" in capsys.readouterr().out

    # Again: what is done is left alone, although one source has another time, and one run was killed so late that
    # its film was in place but not in the books.
    os.utime(films / "two.mkv")
    one = _record(out / "one.color.mkv")
    assert one.before == {one.output: None, one.report: None, one.record: None}
    Records(out / FOLDER).write(key_of(one.output), one.model_copy(update={"state": "running", "outputs": {}}))
    work_folder(Path(one.output)).mkdir()
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("[a-z]*.mkv")}
    assert _run(*command) == 1
    assert capsys.readouterr().out.startswith("2 of 4 films done, 2 failed, ")
    assert {path: path.stat().st_mtime_ns for path in out.glob("[a-z]*.mkv")} == stamps
    assert _record(Path(one.output)).state == "done" and not work_folder(Path(one.output)).exists()
    again = ["-o", out, *FAST, *beside, "--quiet"]
    assert _run(films / "one.mkv", films / "two.mkv", *again) == 0
    assert capsys.readouterr() == ("", "")

    # Other settings make another film, an output that is gone is to be made again.
    assert _run(films / "one.mkv", "-o", out, *FAST, "--vivid", "0.5") == 2
    assert "made with other settings" in capsys.readouterr().err
    (out / "two.color.mkv").unlink()
    wish = {"size": 64, "codec": "ffv1", "report": "{stem}.html", "record": "{stem}.json"}
    plan = make_batch_plan(tmp_path, films / "one.mkv", films / "two.mkv", **wish)
    assert [Path(job.source).name for job in plan.to_do] == ["two.mkv"] and len(plan.finished) == 1


def test_an_output_that_somebody_works_on_is_tried_again(films, tmp_path, ray_running, monkeypatch, capsys):
    monkeypatch.setattr(scheduler, "PAUSE", 0.2)
    out = tmp_path / "two.color.mkv"
    work_folder(out).mkdir()
    command = [films / "two.mkv", "-o", tmp_path, *FAST, "--retries", "1"]
    with (work_folder(out) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert _run(*command) == 1
        said = capsys.readouterr().err
        assert said.count("again: ") == 1 and said.count("failed: ") == 1 and "another run" in said
        assert len(_record(out).tries) == 2
    assert _run(*command) == 0
    assert _record(out).state == "done" and not _record(out).tries


@pytest.mark.slow
def test_killed_it_goes_on_and_a_second_batch_keeps_away(parts_film, tmp_path, ray_running, monkeypatch, capsys):
    """First the batch is killed, then, when it goes on, the film's own driver."""
    monkeypatch.setattr(scheduler, "PAUSE", 0.2)
    out = tmp_path / "out" / "parts.color.mp4"
    work = work_folder(out)
    command = [parts_film, "-o", out.parent, "--size", "64", "--preset", "ultrafast"]
    process = start_module("semcolor", "batch", *command)
    wait_until(lambda: any(work.glob("part-*.json")), 120)
    assert _run(*command) == 2
    assert "another semcolor-batch" in capsys.readouterr().err
    assert _run("status", out.parent) == 0
    assert "1 running" in capsys.readouterr().out
    children = without_agents(psutil.Process(process.pid).children(recursive=True))
    process.kill()
    process.communicate(timeout=60)
    assert not psutil.wait_procs(children, timeout=30)[1]
    first = _record(out)

    def kill_driver() -> None:
        wait_until(lambda: _record(out).pid != first.pid and _record(out).resumed > 0, 120)
        os.kill(_record(out).pid, signal.SIGKILL)

    with Meanwhile(kill_driver):
        assert _run(*command) == 0
    assert "again: " in capsys.readouterr().err
    record = _record(out)
    assert record.state == "done" and record.resumed > 0
    assert len(record.tries) == 1 and "driver was lost" in record.error
    alone = tmp_path / "alone.mp4"
    assert video.run([str(parts_film), "-o", str(alone), *map(str, command[3:]), "--quiet", "--workers", "2"]) == 0
    assert packets(out, "video") == packets(alone, "video")
