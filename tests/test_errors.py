"""Errors of the system and of FFmpeg, as people are told them."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import av
import pytest
from semcolor.errors import REMEDIES, InputError, told
from semcolor.jobs.commands import options, video
from semcolor.pipeline.files import unwritable


def test_errors_of_the_system_are_told_without_numbers() -> None:
    for number in (*REMEDIES, errno.EXDEV, errno.EBUSY):
        said = told(OSError(number, os.strerror(number), "/films/a.mkv"))
        assert re.fullmatch(r"/films/a\.mkv: [^\[\]]+; [^\[\]]+\.", said), said
    assert told(InputError("a sentence.")) == "a sentence." and told(KeyError("x")) == ""


def test_errors_of_ffmpeg_are_told_without_numbers(tmp_path: Path) -> None:
    junk = tmp_path / "junk.mkv"
    junk.write_bytes(b"\0\1\2\3" * 500)
    with pytest.raises(av.error.FFmpegError) as caught:
        av.open(str(junk))
    said = told(caught.value)
    assert str(junk) in said and "copy the film into a new file" in said
    assert not re.search(r"\d{3}|Errno|returned", said.replace(str(junk), ""))


def test_they_end_a_command_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*arguments: object, **more: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "/mnt/work")

    monkeypatch.setattr(video, "places", fails)
    assert video.run(["film.mkv"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("semcolor-video: /mnt/work: this disk is read-only; choose another place with -o, or with")


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(dir: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(dir / "tmp123"))

    assert unwritable(tmp_path) == ""
    monkeypatch.setattr("tempfile.TemporaryFile", fails)
    assert video.run(["film.mkv", "--work", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"--work {tmp_path} cannot be written: this disk is read-only; choose" in said and "Errno" not in said
    assert options.work_base(None) is None
