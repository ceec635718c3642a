"""Open FFmpeg's muxers, also for sound that PyAV does not hand to them.

PyAV asks a container's table of codecs before it adds a stream. Matroska holds any sound that WAV holds (A_MS/ACM), and
QuickTime likewise, but this is not in the table; so PyAV refuses WMA, although FFmpeg writes it. FFmpeg's muxer of
segments has no such table, and writes through the muxer of a container. With one segment of any length, the file is
that of the container.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import av

from .containers import EXACT

ENDLESS = "1000000000"
"""Seconds of the only segment."""


def needs_nesting(container: str, stream: Any, given: str) -> bool:
    """Whether a stream can be copied only through the muxer of segments.

    Args:
        container: FFmpeg's name of the output's container.
        stream: a stream of the source, opened by PyAV.
        given: FFmpeg's names of the source's container. Sound that only other containers hold is tried in Matroska.
    """
    if container not in ("matroska", *given.split(",")) or stream.type != "audio":
        return False
    try:
        av.open(io.BytesIO(), "w", format=container).add_stream_from_template(stream, opaque=True)
    except ValueError:
        return True
    return False


@contextmanager
def open_muxer(target: Path | IO[bytes], container: str, options: dict[str, str], nested: bool) -> Iterator[Any]:
    """Open an output with PyAV.

    Args:
        target: path of the file, or an open file.
        container: FFmpeg's name of the container.
        options: options of its muxer.
        nested: write through the muxer of segments.
    """
    with ExitStack() as stack:
        if not nested:
            file: Any = str(target) if isinstance(target, Path) else target
            yield from _closed(av.open(file, "w", format=container, container_options=options))
            return
        held = stack.enter_context(target.open("w+b")) if isinstance(target, Path) else target
        given = ":".join(f"{name}={value}" for name, value in options.items())
        around = {"segment_format": container, "segment_time": ENDLESS, "segment_format_options": given}
        yield from _closed(
            av.open(
                "film%d",
                "w",
                format="segment",
                container_options=around | EXACT,
                io_open=lambda url, flags, options: _Kept(held),
            )
        )


def _closed(out: Any) -> Iterator[Any]:
    """Yield an output and close it. After an error, that error counts, and none that closing the rest raises."""
    try:
        yield out
    except BaseException:
        with suppress(av.error.FFmpegError, ValueError):
            out.close()
        raise
    out.close()


class _Kept:
    """An open file that FFmpeg cannot close."""

    def __init__(self, file: IO[bytes]) -> None:
        self.write, self.seek, self.tell, self.flush = file.write, file.seek, file.tell, file.flush

    def close(self) -> None:
        """The file stays open."""
