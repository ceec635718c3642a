"""`semcolor-video` as a user runs it: by threads of its own and, with several workers, on a real embedded Ray."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import demo
import numpy as np
import psutil
import pytest
import torch
from semcolor import __version__
from semcolor.jobs import cluster
from semcolor.jobs.commands.video import run
from semcolor.jobs.film import attempt
from semcolor.jobs.film.workdir import work_folder
from semcolor.models import checkpoint as weights
from semcolor.models.colorizer import Colorizer
from semcolor.models.training.lab import lab_from_rgb
from semcolor.models.training.metrics import ciede2000, colorfulness
from support.files import write
from support.films import PHOTOS, luma_planes, make_film, make_sound, packets, pictures_of, samples, shot, shots
from support.mistakes import Mistake, check_mistake
from support.processes import process_name, run_python, start_module, start_python, wait_until, without_agents
from torchvision.models.optical_flow import raft_small

FAST = ["--size", "64", "--workers", "1", "--quiet"]


@pytest.fixture
def colorize(ray_running, tmp_path) -> Callable[..., Path]:
    def call(source: Path, *options: str, name: str = "out.mkv") -> Path:
        output = tmp_path / name
        assert run([str(source), "-o", str(output), *FAST, *options]) == 0
        assert not work_folder(output).exists()
        return output

    return call


def _pts(path: Path) -> list:
    with av.open(str(path)) as container:
        frames: Any = container.decode(video=0)
        return [frame.pts * frame.time_base for frame in frames]


def _chroma(path: Path) -> np.ndarray:
    """(N, 2, ch, cw) of an 8-bit film."""
    with av.open(str(path)) as container:
        return np.array([[samples(p) for p in frame.planes[1:3]] for frame in container.decode(video=0)])


def test_film_comes_out_in_color_with_its_sound_timing_and_tags(short_film, colorize, capsys):
    output = colorize(short_film, name="out.mp4")
    assert _pts(output) == _pts(short_film)
    assert packets(output, "audio") == packets(short_film, "audio")
    with av.open(str(output)) as container, av.open(str(short_film)) as source:
        assert container.metadata["title"] == "Coffee"
        assert [c["metadata"]["title"] for c in container.chapters()] == ["One", "Two"]
        assert container.streams.video[0].codec_context.name == "h264"
        assert source.format.name == container.format.name
    assert np.abs(_chroma(output).astype(int) - 128).mean() > 1, "the film is still grey"
    assert capsys.readouterr().out == "", "--quiet says nothing"


def test_output_is_named_after_the_input_and_reported(short_film, tmp_path, ray_running, capsys):
    source = shutil.copy(short_film, tmp_path / "a film.mp4")
    assert run([str(source), "--size", "64", "--workers", "1"]) == 0
    said = capsys.readouterr()
    output = tmp_path / "a film.color.mp4"
    assert output.exists()
    assert said.out.splitlines()[-1].startswith(f"{output}: 48 frames, 1 shots, ")
    assert said.out.rstrip().endswith("frames/s")
    assert "48/48 frames" in said.err


@pytest.mark.parametrize(
    "how",
    [
        {"codec": "libx264", "pix_fmt": "yuv420p"},
        {"codec": "ffv1", "pix_fmt": "yuv420p10le"},
        {"codec": "ffv1", "pix_fmt": "gray"},
        {"codec": "libx264", "pix_fmt": "yuv420p", "full_range": True},
    ],
    ids=lambda how: "-".join(map(str, how.values())),
)
def test_luma_is_the_source_s_sample_for_sample(how, tmp_path, colorize):
    source = make_film(tmp_path / "in.mkv", shot("rocket", 20, (94, 126)), **how)
    output = colorize(source, "--codec", "ffv1")
    before, after = luma_planes(source), luma_planes(output)
    assert before.dtype == after.dtype and np.array_equal(before, after)


def test_variable_frame_rate_is_kept(vfr_film, colorize):
    output = colorize(vfr_film, name="out.mp4")
    assert _pts(output) == _pts(vfr_film)
    assert len(set(np.diff([float(t) for t in _pts(output)]).round(3))) == 3


def test_same_bytes_whatever_the_chunks_and_workers(cut_film, colorize, monkeypatch):
    """40, 25, 100 and 50 frames a shot: chunks end inside, at, and long after 96 frames. Three parts."""
    ways = [("32", "2", 1), ("24", "1", 1), ("48", "3", 2), ("16", "2", 3)]
    results = []
    for chunk, workers, writers in ways:
        monkeypatch.setattr(attempt, "writers", lambda *_, writers=writers: writers)
        output = colorize(cut_film, "--codec", "ffv1", "--chunk", chunk, "--workers", workers, name=f"{chunk}.mkv")
        results.append(packets(output, "video"))
    assert len(results[0]) == 215
    for way, result in zip(ways[1:], results[1:], strict=True):
        assert result == results[0], f"chunk {way[0]} with {way[1]} artists and {way[2]} Writers"


def test_a_cut_resets_the_state(tmp_path, colorize):
    """After a cut the film is byte for byte what the second shot gives alone."""
    both = make_film(tmp_path / "both.mkv", shots((30, 34)), options={"qp": "0"})
    alone = make_film(tmp_path / "alone.mkv", shots((30, 34))[30:], options={"qp": "0"})
    assert np.array_equal(luma_planes(both)[30:], luma_planes(alone))
    together = _chroma(colorize(both, "--codec", "ffv1", name="b.mkv"))
    assert np.array_equal(together[30:], _chroma(colorize(alone, "--codec", "ffv1", name="a.mkv")))


def test_pcm_in_mov_and_colons_in_names(tmp_path, colorize):
    """MOV cuts PCM into packets of its own; FFmpeg would take `reel:` for a protocol."""
    source = make_film(tmp_path / "reel:1.mov", shot("coffee", 20), audio="pcm_s16le", audio_frame=480, container="mov")
    output = colorize(source, name="reel:1.color.mov")
    sound = [b"".join(content for content, _ in packets(path, "audio")) for path in (source, output)]
    assert sound[0] == sound[1] and len(sound[0]) > 10_000


def test_steadying_holds_color_still(tmp_path, colorize):
    """A still scene with grain: its colour moves less than half as much as the per-frame network's."""
    rng = np.random.default_rng(0)
    still = np.repeat(shot("astronaut", 1), 32, 0).astype(int) + rng.normal(0, 6, (32, 96, 128, 1)).astype(int)
    source = make_film(tmp_path / "still.mkv", np.clip(still, 0, 255).astype(np.uint8))
    steady = _chroma(colorize(source, "--codec", "ffv1", name="s.mkv")).astype(float)
    alone = _chroma(colorize(source, "--codec", "ffv1", "--no-steady", name="n.mkv")).astype(float)
    assert np.abs(np.diff(steady, axis=0)).mean() < 0.5 * np.abs(np.diff(alone, axis=0)).mean()
    # Not by washing out.
    assert np.abs(steady - 128).mean() > 0.9 * np.abs(alone - 128).mean()


def test_compare_shows_each_frame_alone_beside_the_steady_one(tmp_path, short_film, colorize):
    both = tmp_path / "both.mkv"
    steady = colorize(short_film, "--codec", "ffv1", "--compare", str(both), name="s.mkv")
    alone = colorize(short_film, "--codec", "ffv1", "--no-steady", name="n.mkv")
    assert _pts(both) == _pts(short_film)
    left, right = np.split(_chroma(both), 2, axis=-1)
    assert np.array_equal(left, _chroma(alone)) and np.array_equal(right, _chroma(steady))
    assert not np.array_equal(left, right)
    for half in np.split(luma_planes(both), 2, axis=-1):
        assert np.array_equal(half, luma_planes(short_film))


def test_strength_and_motion_have_a_say(tmp_path, colorize):
    source = make_film(tmp_path / "in.mkv", shot("rocket", 6, (96, 128)))
    torch.manual_seed(0)
    raft = tmp_path / "raft.pth"
    torch.save(raft_small(weights=None).state_dict(), raft)
    ways = ([], ["--steady", "0.5"], ["--steady", "0"], ["--no-steady"], ["--motion", "raft", "--motion-weights", raft])
    films = [colorize(source, "--codec", "ffv1", *map(str, way), name=f"{i}.mkv") for i, way in enumerate(ways)]
    chroma = [_chroma(film).tobytes() for film in films]
    assert chroma[2] == chroma[3]
    assert len(set(chroma)) == 4


def test_no_vividness_is_gray_and_own_weights_are_used(tmp_path, short_film, colorize):
    gray = _chroma(colorize(short_film, "--codec", "ffv1", "--vivid", "0", name="grey.mkv"))
    assert (gray == 128).all()
    own = tmp_path / "own.safetensors"
    torch.manual_seed(0)
    weights.save(Colorizer(), own, {"recipe": "none"})
    ours = _chroma(colorize(short_film, "--codec", "ffv1", name="ours.mkv"))
    theirs = _chroma(colorize(short_film, "--codec", "ffv1", "--weights", str(own), name="theirs.mkv"))
    assert not np.array_equal(ours, theirs)


def test_labels_are_a_film_of_the_same_frames(short_film, colorize, tmp_path):
    labels = tmp_path / "labels.mp4"
    colorize(short_film, "--labels", str(labels), name="out.mp4")
    assert _pts(labels) == _pts(short_film)
    pictures = pictures_of(labels)
    assert min(pictures.shape[1:3]) >= 512 and pictures.std() > 10
    with av.open(str(labels)) as container:
        assert not container.streams.audio


def test_colors_are_nearer_to_the_truth_than_gray(tmp_path, ray_running):
    """Four public photos, panned over, a shot each: better than no colour, and colourful."""
    truth = np.concatenate([shot(name, 5, (192, 256), start=(0.4, 0.5, 1.0), stop=(0.4, 0.5, 0.9)) for name in PHOTOS])
    source = make_film(tmp_path / "in.mkv", truth, options={"qp": "0"})
    output = tmp_path / "out.mkv"
    assert run([str(source), "-o", str(output), "--quiet", "--codec", "ffv1"]) == 0
    ours, real = (torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255 for x in (pictures_of(output), truth))
    lab, ab = lab_from_rgb(real), lab_from_rgb(ours)[:, 1:]
    painted, gray = (torch.cat([lab[:, :1], c], 1) for c in (ab, torch.zeros_like(ab)))
    ratio = ciede2000(painted, lab).reshape(4, -1).mean(1) / ciede2000(gray, lab).reshape(4, -1).mean(1)
    colour = colorfulness(ours).reshape(4, -1).mean(1) / colorfulness(real).reshape(4, -1).mean(1)
    assert ratio.mean() < 1, dict(zip(PHOTOS, ratio.tolist(), strict=True))
    assert colour.mean() > 0.3, dict(zip(PHOTOS, colour.tolist(), strict=True))


BAD: dict[str, Mistake] = {
    "no such file": (lambda d, f: [d / "absent.mp4"], "no such file"),
    "a folder": (lambda d, f: [d], "folder"),
    "not a video": (lambda d, f: [write(d / "notes.mp4", "hello " * 99)], "not a video"),
    "empty": (lambda d, f: [write(d / "empty.mp4", "")], "empty"),
    "audio only": (lambda d, f: [make_sound(d / "sound.mp4")], "no pictures"),
    "output exists": (lambda d, f: [f, "-o", write(d / "there.mp4", "x")], "exists"),
    "no output folder": (lambda d, f: [f, "-o", d / "no" / "out.mp4"], "folder does not exist"),
    "output is input": (lambda d, f: [f, "-o", f, "--overwrite"], "input itself"),
    "unknown container": (lambda d, f: [f, "-o", d / "out.xyz"], ".xyz"),
    "unknown codec": (lambda d, f: [f, "-o", d / "o.mp4", "--codec", "h266"], "h266"),
    "unknown preset": (lambda d, f: [f, "-o", d / "o.mp4", "--preset", "warp"], "warp"),
    "odd size": (lambda d, f: [f, "-o", d / "o.mp4", "--size", "100"], "multiple of 32"),
    "odd chunk": (lambda d, f: [f, "-o", d / "o.mp4", "--chunk", "17"], "17"),
    "bad device": (lambda d, f: [f, "-o", d / "o.mp4", "--device", "tpu"], "tpu"),
    "too vivid": (lambda d, f: [f, "-o", d / "o.mp4", "--vivid", "3"], "--vivid"),
    "no weights": (lambda d, f: [f, "-o", d / "o.mp4", "--weights", f], "--weights"),
    "bad crf": (lambda d, f: [f, "-o", d / "o.mp4", "--crf", "x"], "--crf"),
    "unknown option": (lambda d, f: [f, "--colour"], "--colour"),
    "no input": (lambda d, f: [], "INPUT"),
    "labels are the output": (lambda d, f: [f, "-o", d / "o.mp4", "--labels", d / "x" / ".." / "o.mp4"], "--labels"),
    "compare are the labels": (lambda d, f: [f, "--labels", d / "o.mp4", "--compare", d / "o.mp4"], "--compare"),
    "too steady": (lambda d, f: [f, "-o", d / "o.mp4", "--steady", "1.5"], "--steady"),
    "raft without weights": (lambda d, f: [f, "-o", d / "o.mp4", "--motion", "raft"], "--motion-weights"),
    "weights without raft": (lambda d, f: [f, "-o", d / "o.mp4", "--motion-weights", f], "--motion raft"),
    "no weights of raft": (lambda d, f: [f, "--motion", "raft", "--motion-weights", f], "cannot be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_end_in_one_sentence_and_code_2(case, tmp_path, short_film, capsys):
    check_mistake(BAD[case], short_film, tmp_path, capsys)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_said_at_once(short_film, tmp_path, ray_running, capsys):
    started = time.monotonic()
    assert run([str(short_film), "-o", str(tmp_path / "o.mp4"), "--device", "cuda", *FAST]) == 2
    assert "no usable GPU" in capsys.readouterr().err and time.monotonic() - started < 60
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(short_film, tmp_path, capsys):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert run([str(short_film), "-o", str(locked / "o.mp4")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.slow
def test_help_and_mistakes_import_nothing_heavy():
    code = (
        "import sys; from semcolor.jobs.commands.video import run; run({}); "
        "heavy = {{'torch', 'ray', 'cv2', 'av', 'kornia'}} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    for arguments in (["--help"], ["--version"], ["x", "--size", "7"]):
        result = run_python(code.format(arguments))
        assert result.returncode == 0, (arguments, result.stderr)
    assert f"semcolor {__version__}" in run_python(code.format(["--version"])).stdout


IN_THREADS, ON_RAY = "1", "2"
"""Numbers of workers with which a film is made by threads of the command, and on a Ray of its own."""


STOPPING = """
import logging, os, signal
from semcolor.jobs.commands.video import main

class Stop(logging.Handler):
    def emit(self, record):
        if "part committed" in record.getMessage():
            log.removeHandler(self)
            os.kill(os.getpid(), signal.SIGSTOP)

log = logging.getLogger("semcolor.events")
log.setLevel(logging.INFO)
log.addHandler(Stop())
main()
"""
"""The command, standing still when it has finished the first part of its film, so that it can be killed there."""


def _options(source: Path, output: Path, workers: str) -> list[str | Path]:
    beside = ["--codec", "ffv1", "--report", str(output.with_suffix(".json")), "--workers", workers]
    return [source, "-o", output, *FAST, *beside]


@pytest.fixture(scope="module")
def three_parts(film_folder: Path) -> Path:
    """Grey MKV, 64x48, shots of 60, 100 and 50 frames: a part each."""
    return make_film(film_folder / "three.mkv", shots((60, 100, 50), (48, 64)))


@pytest.fixture(scope="module")
def whole(three_parts, tmp_path_factory) -> Path:
    """The film of three parts, coloured without interruption, with its report."""
    output = tmp_path_factory.mktemp("whole") / "film.mkv"
    beside = ["--codec", "ffv1", "--report", str(output.with_suffix(".json"))]
    assert run([str(three_parts), "-o", str(output), *FAST, *beside]) == 0
    return output


@pytest.mark.slow
@pytest.mark.parametrize(("way", "other"), [(IN_THREADS, ON_RAY), (ON_RAY, IN_THREADS)])
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_interrupted_it_leaves_no_half_film_and_goes_on(
    signum, code, way, other, three_parts, tmp_path, ray_running, whole, capsys
):
    """What threads began, Ray finishes, and the other way round."""
    output = tmp_path / "film.mkv"
    process = start_python("-c", STOPPING, *_options(three_parts, output, way))
    family = psutil.Process(process.pid)
    work = work_folder(output)
    wait_until(lambda: family.status() == psutil.STATUS_STOPPED, 120)
    children = family.children(recursive=True)
    assert bool(children) == (way == ON_RAY), "Ray's processes are seen only where Ray is needed"
    process.send_signal(signum)
    if signum != signal.SIGKILL:
        family.resume()
    error = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert not output.exists() and "Traceback" not in error
    if signum == signal.SIGKILL:  # the whole family was not told; Ray's agents look for it about once a minute
        children = without_agents(children)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive, "orphans are left"
    assert set(tmp_path.iterdir()) == {work}

    # With other chunks and workers, which change no byte.
    again = ["--size", "64", "--codec", "ffv1", "--chunk", "48", "--workers", other]
    again += ["--report", str(output.with_suffix(".json"))]
    assert run([str(three_parts), "-o", str(output), *again]) == 0
    assert "of them by an earlier run" in capsys.readouterr().out
    assert packets(output, "video") == packets(whole, "video")
    reports = [json.loads(path.with_suffix(".json").read_text()) for path in (output, whole)]
    times = [report.pop("timings") for report in reports]
    assert reports[0] == reports[1] and reports[0]["luma"]["identical"] == 210
    assert times[0]["resumed"] > 0 == times[1]["resumed"] and times[1]["frames"] == 210


@pytest.mark.ray
@pytest.mark.slow
def test_sigterm_while_ray_starts_is_a_sigterm(short_film, tmp_path):
    options = _options(short_film, tmp_path / "out.mkv", ON_RAY)
    process = start_module("semcolor.jobs.commands.video", *options)
    family = psutil.Process(process.pid)
    wait_until(lambda: any("gcs_server" in process_name(child) for child in family.children()), 60)
    children = family.children(recursive=True)
    process.terminate()
    assert process.communicate(timeout=60)[1] == "" and process.returncode == 143
    assert not psutil.wait_procs(children, timeout=30)[1] and not list(tmp_path.iterdir())


def test_empty_shells_of_killed_runs_go(tmp_path, monkeypatch):
    """A folder of Ray's that is young, or holds anything, may be at work."""
    prefix = f"{cluster.PREFIX}test-{os.getpid()}-"
    monkeypatch.setattr(cluster, "PREFIX", prefix)
    shell, young, full = (Path("/tmp") / f"{prefix}{name}" for name in ("shell", "young", "full"))
    for folder in (shell, young, full):
        (folder / "session" / "logs").mkdir(parents=True)
    (full / "session" / "latest").symlink_to(tmp_path)
    for folder in (shell, full):
        os.utime(folder, (0, 0))
    try:
        with cluster._session(tmp_path / "spill"):
            assert not shell.exists() and young.exists() and full.exists()
    finally:
        shutil.rmtree(young)
        shutil.rmtree(full)


def test_demo_lays_gray_labels_color_and_truth_side_by_side(tmp_path, ray_running, capfd):
    source = make_film(tmp_path / "clip.mp4", shot("coffee", 8), gray=False)
    demo.main(source, tmp_path / "out")
    names = {"clip.grey.mp4", "clip.color.mp4", "clip.labels.mp4", "sheet.jpg"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == names
    sheet = cv2.imread(str(tmp_path / "out" / "sheet.jpg"))
    assert sheet is not None
    gray, labels, colour, truth = np.split(sheet.astype(int), 4, axis=1)
    assert np.ptp(gray, axis=2).mean() < 3 < np.ptp(colour, axis=2).mean()
    assert np.ptp(labels, axis=2).mean() > 10 and np.ptp(truth, axis=2).mean() > 10
    assert str(tmp_path / "out" / "sheet.jpg") in capfd.readouterr().out
