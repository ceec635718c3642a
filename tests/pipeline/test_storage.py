"""Films and outputs on an object store: a real server of the S3 protocol on this machine (moto's)."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from semcolor.errors import OutputError
from semcolor.jobs.batch.manifest import read_request
from semcolor.jobs.batch.plan import make_plan
from semcolor.jobs.batch.state import Records
from semcolor.jobs.batch.target import target_of
from semcolor.jobs.cluster import connected
from semcolor.jobs.commands import batch, video
from semcolor.jobs.film.workdir import work_folder
from semcolor.pipeline import reader
from semcolor.pipeline import storage as remote
from semcolor.pipeline.chunk import Resume
from semcolor.pipeline.film import open_film
from semcolor.pipeline.outputs import check_place
from support.films import make_film, shots

moto = pytest.importorskip("moto.server", reason="moto and flask give the S3 server; they are in the extra dev")
pytest.importorskip("s3fs", reason="s3fs is in the extra s3")

FAST = ["--size", "64", "--codec", "ffv1", "--workers", "1"]


@pytest.fixture(scope="module")
def store() -> Iterator[Any]:
    """fsspec's view of a server with a bucket ``reels``; whatever this process and its children ask for goes there."""
    import s3fs

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "reader")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        files = s3fs.S3FileSystem(use_listings_cache=False)
        files.mkdir("reels")
        yield files
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(scope="module")
def films(store: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films, here and in the store, ``s3://reels/in/one.mkv`` and ``…/in/1921/two.mp4``; and a text there."""
    folder = tmp_path_factory.mktemp("films")
    make_film(folder / "one.mkv", shots((30, 10), (48, 64)), audio="pcm_s16le", subtitles=True)
    make_film(folder / "two.mp4", shots((20,), (48, 64)))
    store.put_file(str(folder / "one.mkv"), "reels/in/one.mkv")
    store.put_file(str(folder / "two.mp4"), "reels/in/1921/two.mp4")
    store.pipe_file("reels/in/notes.txt", b"reel 2 is lost")
    return folder


@pytest.fixture(scope="module")
def ray_with_store(store: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Ray begun after the store, so that its workers have the store's address and credentials."""
    with connected(None, 1, 256 << 20, tmp_path_factory.mktemp("spill")):
        yield


@pytest.fixture(scope="module")
def here(films: Path) -> bytes:
    """The colour film of ``one.mkv``, from this machine to this machine."""
    output = films / "here.mkv"
    assert video.run([str(films / "one.mkv"), "-o", str(output), *FAST, "--quiet"]) == 0
    return output.read_bytes()


def test_what_is_url_and_what_is_path(tmp_path):
    assert remote.is_url("s3://reels/a.mkv") and not remote.is_url("C://a") and not remote.is_url("a/s3:/b.mkv")
    assert remote.location_of("s3://reels//a.mkv") == "s3://reels//a.mkv"
    assert remote.location_of(tmp_path / "a.mkv") == tmp_path / "a.mkv"
    assert remote.join("s3://reels/out", "/1921//a.mkv") == "s3://reels/out/1921/a.mkv"
    assert remote.join(tmp_path, "s3://reels/a.mkv") == "s3://reels/a.mkv"
    assert remote.join(tmp_path, "../a.mkv") == tmp_path.parent / "a.mkv"
    assert remote.parent("s3://reels/in/a.mkv") == "s3://reels/in"


def test_a_film_is_read_where_it_lies(films):
    for name, url in (("one.mkv", "s3://reels/in/one.mkv"), ("two.mp4", "s3://reels/in/1921/two.mp4")):
        near, far = open_film(films / name), open_film(url)
        assert far.path == url and far.others == near.others
        assert far.fingerprint() == near.fingerprint() and (far.pts == near.pts).all()
        chunks = list(zip(reader.read_chunks(near, 16, 64), reader.read_chunks(far, 16, 64), strict=True))
        assert sum(len(a.chunk) for a, _ in chunks) == near.frames
        assert all(a.chunk == b.chunk and (a.luma == b.luma).all() for a, b in chunks)
        assert all((a.thumbs.pictures == b.thumbs.pictures).all() for a, b in chunks)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_short_range_fetches_little(suffix, store, tmp_path, monkeypatch):
    import s3fs

    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (200, 96, 128, 1), np.uint8).repeat(3, 3)
    path = make_film(tmp_path / f"noise{suffix}", noise, options={"g": "10", "crf": "4", "preset": "ultrafast"})
    url = f"s3://reels/noise{suffix}"
    store.put_file(str(path), url)
    monkeypatch.setattr(remote, "BLOCK", 16 << 10)
    film, size = open_film(url), path.stat().st_size
    assert size > 100 * remote.BLOCK

    requests: list[int] = []
    plain = s3fs.core.S3File._fetch_range

    def counted(self, start, end):
        requests.append(end - start)
        return plain(self, start, end)

    monkeypatch.setattr(s3fs.core.S3File, "_fetch_range", counted)
    chunks = iter(reader.read_chunks(film, 16, 64, Resume(frame=100, shot_start=100)))
    assert next(chunks).chunk.start == 100
    assert 0 < sum(requests) < 0.35 * size
    list(chunks)
    assert 0.4 * size < sum(requests) < 0.75 * size, "from the middle on"


def _uploads(patch: pytest.MonkeyPatch, store: Any, put: Callable[[str, str], None]) -> None:
    """Let `put` do what the store does for an upload."""

    class Store:
        put_file = staticmethod(put)

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

    plain = remote._system
    patch.setattr(remote, "_system", lambda url: (Store(), plain(url)[1]))


def test_from_store_to_store_with_a_broken_upload(store, films, here, tmp_path, monkeypatch, capsys):
    url, work = "s3://reels/out/one.color.mkv", tmp_path / "work"
    work.mkdir()

    def broken(local: str, key: str) -> None:
        if key.endswith("one.color.mkv"):
            raise ConnectionError("the line is dead")
        store.put_file(local, key)

    also = ["--labels", "s3://reels/out/one.labels.mkv", "--summary", str(tmp_path / "one.json")]
    command = ["s3://reels/in/one.mkv", "-o", url, "--work", str(work), *FAST, *also]
    with monkeypatch.context() as patch:
        _uploads(patch, store, broken)
        assert video.run([*command, "--quiet"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "could not be uploaded (the line is dead); the same command" in said
    assert not store.exists(url)
    assert (work_folder(url, work) / "film.mkv").read_bytes() == here

    assert video.run(command) == 0
    assert "an earlier run had finished it" in capsys.readouterr().out
    assert store.cat_file(url) == here
    assert open_film("s3://reels/out/one.labels.mkv").frames == 40 and (tmp_path / "one.json").is_file()
    assert not list(work.iterdir()), "the work folder goes when the upload is verified"
    assert sorted(store.find("reels/out")) == ["reels/out/one.color.mkv", "reels/out/one.labels.mkv"]

    assert video.run(command) == 2
    assert "exists already; use --overwrite" in capsys.readouterr().err


def test_an_upload_that_arrives_short_is_no_success(store, tmp_path, monkeypatch):
    (tmp_path / "film.mkv").write_bytes(b"x" * 1000)
    _uploads(monkeypatch, store, lambda local, key: store.pipe_file(key, b"x" * 10))
    with pytest.raises(remote.SemcolorError, match="arrived with 10 of 1000 bytes"):
        remote.upload(tmp_path / "film.mkv", "s3://reels/short.mkv")


MISTAKES = {
    "no object": (["s3://reels/in/lost.mkv", "-o", "out.mkv"], "s3://reels/in/lost.mkv: no such object or bucket"),
    "no bucket": (["s3://lost/one.mkv", "-o", "out.mkv"], "no such object or bucket"),
    "a folder": (["s3://reels/in", "-o", "out.mkv"], "is a folder"),
    "a text": (["s3://reels/in/notes.txt", "-o", "out.mkv"], "notes.txt is not a video"),
    "unknown protocol": (["reel://reels/in/one.mkv", "-o", "out.mkv"], "Protocol not known: reel"),
    "no bucket to write to": (["one.mkv", "-o", "s3://lost/out.mkv", "--work", "."], "there is no bucket lost"),
    "the source itself": (["s3://reels/in/one.mkv", "-o", "s3://reels/in/one.mkv", "--work", "."], "the input itself"),
    "exists": (["one.mkv", "-o", "s3://reels/in/one.mkv", "--work", "."], "exists already"),
    "no container": (["one.mkv", "-o", "s3://reels/out.txt", "--work", "."], "a film cannot be written as .txt"),
    "no work folder": (["one.mkv", "-o", "s3://reels/out.mkv"], "give --work FOLDER as well"),
    "beside the source": (["s3://reels/in/one.mkv"], "s3://reels/in/one.color.mkv: give --work FOLDER as well"),
    "no such work folder": (["one.mkv", "-o", "s3://reels/out.mkv", "--work", "lost"], "--work lost is not a folder"),
    "half a file may be seen": (["one.mkv", "-o", "sftp://host/out.mkv", "--work", "."], "only an object store"),
    "a still": (["s3://reels/in/one.mkv", "--still", "1"], "--still writes to this machine"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_end_in_one_sentence_and_code_2(case, films, monkeypatch, capsys):
    monkeypatch.chdir(films)
    arguments, reason = MISTAKES[case]
    before = sorted(films.iterdir())
    assert video.run([*arguments, *FAST]) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.count("\n") == 1 and reason in said.err
    assert sorted(films.iterdir()) == before


def test_without_credentials_or_packages_a_sentence_says_so(films, monkeypatch, capsys):
    command = ["s3://reels/in/one.mkv", "-o", str(films / "out.mkv"), *FAST]
    with monkeypatch.context() as patch:
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        patch.setenv("HOME", str(films))  # no files of credentials
        assert video.run(command) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "no credentials were found" in said
        s3fs.S3FileSystem.clear_instance_cache()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "s3fs", None)
        patch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)  # type: ignore[attr-defined]
        assert video.run(command) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "pip install 'semcolor[s3]'" in said


def test_a_store_that_does_not_answer_is_no_mistake(films, monkeypatch, capsys):
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    try:
        assert video.run(["s3://reels/in/one.mkv", "-o", str(films / "out.mkv"), *FAST]) == 1
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
    assert "s3://reels/in/one.mkv cannot be reached" in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_and_a_pattern_are_listed(films, tmp_path):
    target = target_of("s3://reels/color")
    request = read_request(["s3://reels/in/"], {})
    plan = make_plan(request, target, Records(tmp_path / "records"), work=tmp_path)
    assert not plan.mistakes and plan.left_out == ["s3://reels/in/: 1 files do not have the suffix of a film."]
    assert {job.source: job.output for job in plan.to_do} == {
        "s3://reels/in/one.mkv": "s3://reels/color/one.color.mkv",
        "s3://reels/in/1921/two.mp4": "s3://reels/color/1921/two.color.mp4",
    }
    assert plan.to_do[0].source_stat[0] == max((films / name).stat().st_size for name in ("one.mkv", "two.mp4"))
    named = make_plan(read_request(["s3://reels/in/one.mkv"], {}), target, Records(tmp_path / "records"), work=tmp_path)
    assert named.to_do[0].source_stat in [job.source_stat for job in plan.to_do]

    found = make_plan(read_request(["s3://reels/i*/*.mkv"], {}), target, Records(tmp_path / "records"), work=tmp_path)
    assert [job.source for job in found.to_do] == ["s3://reels/in/one.mkv"]
    template = target_of("s3://reels/{tree}/{stem}.mov")
    assert template.root == "s3://reels"
    nowhere = make_plan(request, template, Records(tmp_path / "records"))
    assert len(nowhere.mistakes) == 2 and all("give --work FOLDER" in mistake for mistake in nowhere.mistakes)
    assert read_request(["s3://reels/nothing/"], {}).asked == [
        "s3://reels/nothing/ holds no films; name them, or give another folder or pattern."
    ]


def test_a_batch_from_a_manifest_to_the_store(store, films, here, tmp_path, ray_with_store, capsys):
    manifest, work = tmp_path / "films.jsonl", tmp_path / "work"
    manifest.write_text(
        '{"source": "s3://reels/in/one.mkv"}\n{"source": "s3://reels/in/notes.txt", "output": "b.mkv"}\n'
    )
    work.mkdir()
    command = [str(manifest), "-o", "s3://reels/batch/{stem}.mkv", "--work", str(work), *FAST]
    assert batch.run(command) == 1
    said = capsys.readouterr()
    assert said.out.startswith("1 of 2 films done, 1 failed, ") and "notes.txt is not a video" in said.err
    assert store.cat_file("reels/batch/one.mkv") == here and not store.exists("reels/batch/b.mkv")
    assert [path.name for path in work.iterdir()] == [".semcolor-batch"]
    assert batch.run(["status", str(work)]) == 0
    assert "1 done, 1 failed; finished" in capsys.readouterr().out

    again = make_plan(read_request([str(manifest)], {"size": 64, "codec": "ffv1", "workers": 1}),
                      target_of("s3://reels/batch/{stem}.mkv"), Records.find(work), work=work)  # fmt: skip
    assert [job.source for job in again.finished] == ["s3://reels/in/one.mkv"]


def test_the_python_api_refuses_what_the_command_refuses(films):
    with pytest.raises(OutputError, match="exists already"):
        check_place(films / "one.mkv", "s3://reels/in/one.mkv")
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
