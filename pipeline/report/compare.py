"""What was kept and what was changed: told from the source, the output and the notes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal

import av
import numpy as np

from ..containers import WITHOUT_PTS
from ..encode import Encoding
from ..film import Film
from ..findings import Finding
from ..mux import CONTAINER_TAGS
from .gather import LumaFacts
from .records import Comparison, Copy, Luma, Media, Shot, Stream

TIMECODE_TAGS = {"timecode", "reel_name"}
"""Metadata that are a timecode, which is compared on its own."""

LISTED = 10
"""Greatest number of things that a sentence lists."""


def luma_record(film: Film, encoding: Encoding, facts: LumaFacts) -> Luma:
    """What is true of the film's luma."""
    differences = facts.differences
    psnrs = [d.psnr for d in differences if d.psnr is not None]
    return Luma(
        frames=facts.frames,
        bits=film.bits,
        taken=_taken(film),
        shift=encoding.samples.shift,
        scaling=encoding.samples.kind,
        coded_bits=encoding.samples.coded,
        sha256=facts.sha256,
        codec=encoding.codec,
        lossless=_lossless(encoding),
        decoded=facts.decoded,
        identical=facts.identical,
        measured=len(differences),
        mean_difference=round(float(np.mean([d.mean for d in differences])), 4) if differences else None,
        greatest_difference=max((d.greatest for d in differences), default=None),
        lowest_psnr=min(psnrs, default=None),
    )


def _taken(film: Film) -> Literal["as decoded", "unpacked", "converted", "computed", "displayed"]:
    """How luma came from the source."""
    if film.scans:
        if film.coding != film.scans.coding:
            return "displayed"
        return "as decoded" if film.scans.head.channels == 1 else "computed"
    if film.luma_fmt == film.pix_fmt:
        return "as decoded"
    return "unpacked" if film.pix_fmt.startswith(("yuyv", "uyvy", "yvyu")) else "converted"


def _lossless(encoding: Encoding) -> Literal["always", "by its settings", "never"]:
    """Whether the encoder keeps every sample of luma."""
    if encoding.pictures:  # R, G and B are rounded, so luma may differ by a part of a code value
        return "never"
    codec = av.Codec(encoding.codec, "w")
    # FFmpeg states both for codecs such as H.264, which are lossless only with some settings.
    return "never" if not codec.lossless else "by its settings" if codec.lossy else "always"


def copies(source: Media, output: Media, picture: int, output_picture: int) -> list[Copy]:
    """The source's streams besides the pictures, each with its copy in the output.

    Args:
        source: the source.
        output: the output.
        picture: index of the pictures' stream in the source.
        output_picture: index of the pictures' stream in the output.
    """
    left = [s for s in output.streams if s.index != output_picture and not s.purpose]
    found: list[Copy] = []
    for stream in source.streams:
        if stream.index == picture or stream.purpose:
            continue
        copy = _copy_of(stream, left)
        if copy:
            left.remove(copy)
        same = copy is not None and copy.sha256 == stream.sha256
        found.append(
            Copy(
                source=stream.index,
                output=copy.index if copy else None,
                type=stream.type,
                codec=stream.codec,
                state="left out" if copy is None else "identical" if same else "repackaged",
                packets=stream.packets,
                output_packets=copy.packets if copy else 0,
                sha256=stream.sha256,
                output_sha256=copy.sha256 if copy else "",
            )
        )
    return found


def _copy_of(stream: Stream, left: Sequence[Stream]) -> Stream | None:
    """The copy of a stream among the output's streams: the same bytes if possible, else the same kind and codec.

    A cover is a stream of pictures in some containers, and an attachment in others.
    """
    alike = [s for s in left if s.type == stream.type]
    same = [s for s in left if s.sha256 == stream.sha256 and s.bytes]
    named = [s for s in alike if s.codec == stream.codec]
    return next(iter([*same, *named, *alike]), None)


def comparisons(
    film: Film, made: Film, source: Media, output: Media, *, luma: Luma, copied: Sequence[Copy], shots: Sequence[Shot]
) -> Iterator[Comparison]:
    """What became of each thing that the source has.

    Args:
        film: the source.
        made: the output, as `open_film` reads it.
        source: content of the source.
        output: content of the output.
        luma: what is true of luma.
        copied: the copied streams.
        shots: the shots.
    """
    yield from _luma(luma)
    yield _chroma(output, shots)
    yield _frames(film, made)
    yield _stamps(film, made)
    for what, names in (
        ("size and shape", ("width", "height", "sample_aspect", "rotation", "scan")),
        ("bit depth and range", ("bits", "range")),
        ("colour tags", ("primaries", "transfer", "matrix")),
    ):
        yield _tags(what, names, source, output)
    yield from map(_stream, copied)
    if source.timecode:
        state = "kept" if source.timecode == output.timecode else "changed" if output.timecode else "lost"
        detail = f"{source.timecode}." if state == "kept" else f"{source.timecode} → {output.timecode or 'none'}."
        yield Comparison(what="timecode", state=state, detail=detail)
    if source.chapters:
        kept = source.chapters == output.chapters
        count, there = len(source.chapters), len(output.chapters)
        detail = (
            f"{counted(count, 'chapter')}, with titles and times."
            if kept
            else f"{there} of {count} chapters, or other times."
        )
        yield Comparison(what="chapters", state="kept" if kept else "changed" if there else "lost", detail=detail)
    if tags := own_tags(source):
        gone = lost_tags(source, output)
        detail = f"Not in the output: {listed(gone)}." if gone else f"{listed(list(tags))}."
        state = "kept" if not gone else "lost" if len(gone) == len(tags) else "changed"
        yield Comparison(what="metadata", state=state, detail=detail)


def _luma(luma: Luma) -> Iterator[Comparison]:
    """What the encoder was given, and what comes back from it. These are two things: a lossy codec changes luma."""
    given = {
        "as decoded": "The decoder's own Y plane, sample for sample.",
        "unpacked": "The source's own luma samples, unpacked.",
        "converted": "The source has no luma. It was computed once from the source's samples.",
        "computed": "Computed from R, G and B of the source's pictures, in their own code values.",
        "displayed": "Computed from the source's pictures, as a display shows them.",
    }[luma.taken]
    given += {
        "none": "",
        "shifted": f" Samples were shifted by {luma.shift} bits, which can be undone.",
        "scaled": f" Samples of {luma.bits} bits were scaled from the full range to the limited range of "
        f"{luma.coded_bits} bits, which can be undone exactly.",
        "rounded": f" Samples of {luma.bits} bits were scaled from the full range to the limited range of "
        f"{luma.coded_bits} bits, and rounded.",
    }[luma.scaling]
    state = "changed" if luma.taken in ("converted", "displayed") or luma.scaling == "rounded" else "kept"
    yield Comparison(what="luma, as given to the encoder", state=state, detail=given)
    kind = {
        "always": f"{luma.codec} is lossless.",
        "by its settings": f"{luma.codec} is lossless only with some settings.",
        "never": f"{luma.codec} does not keep every sample of luma.",
    }[luma.lossless]
    if luma.decoded and luma.identical == luma.decoded == luma.frames:
        told = f"All {counted(luma.frames, 'frame')} decode with the same luma in every sample."
    elif luma.lowest_psnr is not None:
        told = (
            f"{luma.identical} of {counted(luma.decoded, 'frame')} decode with the same luma in every sample. Measured "
            f"on {counted(luma.measured, 'frame')}, luma differs by {luma.mean_difference:.2f} steps of {luma.bits} "
            f"bits on average and by {luma.greatest_difference} at most; the lowest PSNR is {luma.lowest_psnr:.1f} dB."
        )
    elif not luma.decoded:
        told = "The output has other code values than the source, so luma was not compared."
    else:
        told = f"{luma.identical} of {counted(luma.decoded, 'frame')} decode with the same luma in every sample."
    state = "kept" if luma.identical == luma.frames else "changed"
    yield Comparison(what="luma, as it decodes from the output", state=state, detail=f"{kind} {told}")


def _chroma(output: Media, shots: Sequence[Shot]) -> Comparison:
    kept, lost = ([s for s in shots if s.own_colour != "grey" and s.keeps_colour == wish] for wish in (True, False))
    detail = f"Chroma is made by semcolor, coded as {output.picture.pix_fmt}."
    if kept:
        detail += f" {counted(len(kept), 'shot')} of {len(shots)} keep the source's own chroma."
    if lost:
        detail += f" The source's own colours in {counted(len(lost), 'shot')} are replaced."
    return Comparison(what="chroma", state="kept" if len(kept) == len(shots) else "new", detail=detail)


def _frames(film: Film, made: Film) -> Comparison:
    same = film.frames == made.frames
    detail = f"All {counted(made.frames, 'frame')}." if same else f"{made.frames} of {film.frames} frames."
    return Comparison(what="frames", state="kept" if same else "changed", detail=detail)


def _stamps(film: Film, made: Film) -> Comparison:
    off, shift = stamp_error(film, made)
    detail = (
        f"The time stamp of each frame is exact; time base {made.time_base} s."
        if not off
        else f"Rounded to the output's unit of {made.time_base} s, by {float(off) * 1000:.3f} ms at most."
    )
    if shift:
        detail += f" The film begins {float(shift):+.3f} s from where the source does."
    return Comparison(what="time stamps", state="changed" if off or shift else "kept", detail=detail)


def stamp_error(film: Film, made: Film) -> tuple[Fraction, Fraction]:
    """(greatest difference between the time stamps of source and output, shift of the whole film), in seconds."""
    if film.frames != made.frames:
        return Fraction(0), Fraction(0)
    loose = set(WITHOUT_PTS).intersection(made.container.split(","))
    shift = int(made.pts[0]) * made.time_base - int(film.pts[0]) * film.time_base if loose else Fraction(0)
    # In one common unit both are integers, so nothing is rounded here.
    unit = Fraction(1, math.lcm(film.time_base.denominator, made.time_base.denominator))
    own, out = (f.pts.astype(object) * int(f.time_base / unit) for f in (film, made))
    off = np.abs(out - own - int(shift / unit)).max() if film.frames else 0
    return int(off) * unit, shift


def _tags(what: str, names: Sequence[str], source: Media, output: Media) -> Comparison:
    before, after = ({name: getattr(m.picture, name) for name in names} for m in (source, output))
    changed = [name for name in names if before[name] != after[name]]
    if not changed:
        shown = ", ".join(f"{n.replace('_', ' ')} {value}" for n, value in after.items() if value not in ("", "1"))
        return Comparison(what=what, state="kept", detail=f"{shown}.")
    moves = ", ".join(f"{n.replace('_', ' ')}: {before[n] or 'none'} → {after[n] or 'none'}" for n in changed)
    return Comparison(what=what, state="changed", detail=f"{moves}.")


def _stream(copy: Copy) -> Comparison:
    what = f"{copy.type} {copy.codec} (stream {copy.source})"
    if copy.state == "left out":
        return Comparison(what=what, state="lost", detail="It is not in the output.")
    if copy.state == "identical":
        count = counted(copy.packets, "packet") if copy.packets else "The content"
        return Comparison(what=what, state="kept", detail=f"{count}, byte for byte.")
    return Comparison(
        what=what,
        state="kept",
        detail=f"Copied, not encoded again: {counted(copy.packets, 'packet')} became {copy.output_packets}. "
        f"The output's container wraps this codec in another way, so the bytes of the packets differ.",
    )


def own_tags(media: Media) -> dict[str, str]:
    """The metadata that describe the film and not its file."""
    return {k: v for k, v in media.metadata.items() if k.lower() not in CONTAINER_TAGS | TIMECODE_TAGS}


def lost_tags(source: Media, output: Media) -> list[str]:
    """Names of the source's metadata that the output does not hold under the same name, whatever its case."""
    there = {name.lower(): value for name, value in output.metadata.items()}
    return [name for name, value in own_tags(source).items() if there.get(name.lower()) != value]


def further_findings(film: Film, made: Film, source: Media, output: Media, luma: Luma) -> Iterator[Finding]:
    """What a person should know besides what was found wrong with the source; see `pipeline.findings`."""
    if luma.taken == "converted":
        yield Finding(None, f"has no luma ({film.pix_fmt}); it was computed once from the source's samples")
    if luma.decoded < luma.frames and (luma.decoded or not made.scans):
        yield Finding(None, f"was coded, but only {luma.decoded} of {luma.frames} frames decode and could be compared")
    if luma.lossless == "always" and luma.scaling != "rounded" and luma.identical < luma.decoded:
        changed = counted(luma.decoded - luma.identical, "frame")
        yield Finding(None, f"was coded by {luma.codec}, which is lossless, but the luma of {changed} differs")
    off, shift = stamp_error(film, made)
    if off > made.time_base or shift:
        moved = f"{float(max(off, abs(shift))):.3f} s"
        yield Finding(None, f"has time stamps that the output's container cannot keep; they moved by up to {moved}")
    if gone := lost_tags(source, output):
        yield Finding(None, f"has metadata that the output's container does not keep: {listed(gone)}")


def listed(names: Sequence[str]) -> str:
    """A list for a sentence, which says how many names are left out."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, thing: str) -> str:
    """A number of things, for a sentence."""
    return f"{number} {thing}{'s' * (number != 1)}"
