"""Write some grey frames of a film into a container in memory, and say what works instead if that fails.

Whatever a sentence advises, another trial has shown to work.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from ..errors import OutputError, SemcolorError, StampError
from .chunk import Chunk
from .containers import PROGRAM_STREAMS, output_format
from .encode import Encoding, choose_encoding, chroma_size
from .film import Film
from .mux import Trial, join_parts
from .partencoder import PartEncoder
from .selection import Selection
from .sound import IN_EDIT_UNITS
from .streams import plan_streams
from .verify import verify

TRIAL_FRAMES = 12
"""Frames that the trial encodes: enough for the encoder to reorder them."""

TRIAL_STAMPS = 1000
"""Time stamps that the trial writes. The rounding of a constant rate repeats within fewer."""

TRIAL_BYTES = 32 << 20
"""Bytes that the trial may write, about."""

TRIAL_PACKETS = 64
"""Packets that the trial copies from each of the source's other streams, at most."""

UNIT_FRAMES = 20
"""Frames of a trial with sound in edit units. At 30000/1001 only 5 frames, or a multiple, hold whole samples."""

SUFFIXES = (".mkv", ".mp4", ".mov")
"""Suffixes that are advised, the most usual container first."""

LAST_SUFFIXES = (".nut", ".ts")
"""Suffixes that are advised if none of the others works."""

CODECS = ("libx264", "prores_ks", "ffv1", "libvpx-vp9", "mpeg4")
"""Codecs that are advised for a container that cannot hold the chosen one."""


def try_output(film: Film, output: str, container: str, encoding: Encoding, copy_streams: bool) -> None:
    """Write grey frames in memory with the source's other streams, and read them back.

    Args:
        film: the source.
        output: path or URL of the output, for the message.
        container: FFmpeg's name of its container.
        encoding: encoding of the colour film.
        copy_streams: whether the source's other streams are copied.

    Raises:
        OutputError: one sentence that says what cannot be kept, and what works.
    """
    trial = _Trials(film, encoding, copy_streams)
    error = trial.error(container)
    if error:
        raise OutputError(f"{output}: {_sentence(trial, Path(output).suffix, container, error)}") from error


class _Trials:
    """Trials of one film with one encoding."""

    def __init__(self, film: Film, encoding: Encoding, copy_streams: bool) -> None:
        self.film, self.encoding, self.copy_streams = film, encoding, copy_streams
        self._parts: dict[Encoding, bytes] = {}

    def error(
        self, container: str, selection: Selection | None = None, encoding: Encoding | None = None
    ) -> Exception | None:
        """Why the film cannot be written; None if it can.

        Args:
            container: FFmpeg's name of the container.
            selection: the streams that are kept; None: those of the film.
            encoding: the encoding; None: that of the film.
        """
        film = replace(self.film, selection=selection) if selection else self.film
        encoding, result = encoding or self.encoding, io.BytesIO()
        try:
            if container in PROGRAM_STREAMS:
                raise StampError("it has none for a frame that begins in the same packet as another")
            part = self._part(encoding)
            size = len(part) // TRIAL_FRAMES + 1
            frames = UNIT_FRAMES if container in IN_EDIT_UNITS else max(TRIAL_FRAMES, TRIAL_BYTES // size)
            extent = Trial(min(film.frames, TRIAL_STAMPS, frames), TRIAL_PACKETS)
            files = [io.BytesIO(part)]
            written = join_parts(film, files, result, container, self.copy_streams, encoding, trial=extent)
            verify(film, written, result, container, encoding)
        except (av.error.FFmpegError, ValueError, SemcolorError) as error:
            return error
        return None

    def _part(self, encoding: Encoding) -> bytes:
        """The first frames of the film in grey, encoded as a part."""
        if encoding not in self._parts:
            self._parts[encoding] = _gray_part(self.film, encoding)
        return self._parts[encoding]

    def suffixes(self, selection: Selection | None = None) -> list[str]:
        """The suffixes of containers that can hold the film."""
        for some in (SUFFIXES, LAST_SUFFIXES):
            found = [s for s in some if not self.error(output_format(f"film{s}"), selection)]
            if found:
                return found
        return []

    def codec(self, container: str) -> str:
        """A codec with which the container can hold the film; "" if there is none among `CODECS`."""
        for codec in CODECS:
            with suppress(SemcolorError):
                if codec != self.encoding.codec:
                    encoding = choose_encoding(self.film, codec, container=container)
                    if not self.error(container, encoding=encoding):
                        return codec
        return ""

    def culprits(self, container: str) -> list[str]:
        """Names of the streams without which the container can hold the film; [] if it cannot even without them."""
        nothing = Selection(only=("none",))
        if not self.copy_streams or self.error(container, nothing):
            return []
        plan, chosen = plan_streams(self.film, container), self.film.selection
        tracks = [name for name, codec in plan.codecs.items() if codec == "timecode"]
        names = [*dict.fromkeys([*plan.kept, *tracks]), *(["chapters"] if plan.chapters else [])]
        names = [name for name in names if chosen.keeps(*_parts_of(name))]
        alone = [name for name in names if self.error(container, Selection(only=(name,)))]
        together = [] if alone else [n for n in names if not self.error(container, _without(chosen, [n]))][:1]
        found = alone or together
        return found if found and not self.error(container, _without(chosen, found)) else []


def _parts_of(name: str) -> tuple[str, int]:
    """(kind, number) of a stream's name."""
    kind, _, number = name.partition(":")
    return kind, int(number or 0)


def _without(selection: Selection, names: Iterable[str]) -> Selection:
    """The selection without some more streams."""
    return replace(selection, drop=(*selection.drop, *names))


def _sentence(trial: _Trials, suffix: str, container: str, error: Exception) -> str:
    """What cannot be kept, and what works instead."""
    reason = str(error).rstrip(".") if isinstance(error, SemcolorError) else ""
    culprits, others = trial.culprits(container), trial.suffixes()
    ways = [f"choose {_either(others)}"] if others else []
    if culprits:
        codecs = plan_streams(trial.film, container).codecs
        what = " and ".join(f"{n} ({codecs[n]})" if n in codecs else n for n in culprits)
        ways.append(f"leave {'it' if len(culprits) == 1 else 'them'} out with {_without(Selection(), culprits)}")
    else:
        what = f"this film ({trial.encoding.codec})"
        codec = trial.codec(container) if not isinstance(error, StampError) or container not in PROGRAM_STREAMS else ""
        ways += [f"take --codec {codec}"] if codec else []
    advice = f"; {', or '.join(ways)}." if ways else ", and no other usual container can."
    if isinstance(error, StampError):
        stamps = f"{suffix} cannot keep the time stamps of {what if culprits else 'this film'}"
        return f"{stamps}: {reason}{advice}"
    return f"{suffix} cannot carry {what}{f': {reason}' if reason else ''}{advice}"


def _either(names: list[str]) -> str:
    """``.mkv, .mp4 or .mov``."""
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def _gray_part(film: Film, encoding: Encoding) -> bytes:
    """The first frames of the film in grey, encoded as a part."""
    frames = min(TRIAL_FRAMES, film.frames)
    part = io.BytesIO()
    encoder = PartEncoder(part, encoding, int(film.pts[0]))
    ch, cw = chroma_size(encoding.width, encoding.height, encoding.pix_fmt)
    bits = encoding.samples.given
    gray = np.array(1 << (bits - 1), np.uint8 if bits == 8 else np.uint16)
    stamps = tuple(map(int, film.pts[:frames]))
    chunk = Chunk(0, 0, 0, True, stamps, durations=(0,) * frames, interlaced=(film.interlaced,) * frames)
    luma = np.broadcast_to(gray, (frames, encoding.height, encoding.width))
    chroma = None if encoding.pix_fmt == "gray" else np.broadcast_to(gray, (frames, 2, ch, cw))
    encoder.write(chunk, luma, chroma)
    encoder.close()
    return part.getvalue()
