"""The report as data. `Report.model_json_schema()` is its JSON Schema; `docs/report.md` explains it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1
"""Version of the report's form. It rises when a field is removed or changes its meaning."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stream(_Record):
    """A stream of a file, as its container holds it."""

    index: int = Field(description="number of the stream in its file")
    type: str = Field(description="video, audio, subtitle, data or attachment")
    codec: str = Field(description="FFmpeg's name of the codec; for an attachment, its type of content")
    details: str = Field(description="what a person wants to know besides: sampling rate, channels, size, profile")
    language: str = Field(description="the language that the container states; empty if it states none")
    title: str = Field(description="the title that the container states, or the name of an attachment")
    flags: list[str] = Field(description="dispositions, such as default, forced or attached_pic")
    purpose: Literal["", "chapters", "timecode"] = Field(
        description="what a track is for that the muxer makes itself, and that is not copied; empty for all others"
    )
    packets: int = Field(description="number of packets")
    bytes: int = Field(description="bytes of the packets' content, or of the attachment")
    sha256: str = Field(description="SHA-256 of the content of all packets, one after another, or of the attachment")


class Chapter(_Record):
    """A chapter."""

    start: float = Field(description="seconds from time 0 of the container")
    end: float = Field(description="seconds from time 0 of the container")
    title: str


class Picture(_Record):
    """The pictures of a film."""

    codec: str = Field(description="FFmpeg's name of the codec")
    width: int = Field(description="pixels")
    height: int = Field(description="pixels")
    sample_aspect: str = Field(description="width of a pixel divided by its height, as a fraction")
    rotation: str = Field(description="how a player turns or mirrors the pictures; empty if it does not")
    pix_fmt: str = Field(description="FFmpeg's name of the pixel format")
    bits: int = Field(description="bits of a luma sample")
    range: Literal["limited", "full"] = Field(description="range of luma: 16..235 or 0..255, at 8 bits")
    primaries: str = Field(description="colour primaries, as ITU-T H.273 names them")
    transfer: str = Field(description="transfer characteristics, as ITU-T H.273 names them")
    matrix: str = Field(description="matrix coefficients, as ITU-T H.273 names them")
    scan: Literal["progressive", "interlaced, top field first", "interlaced, bottom field first"]
    frames: int
    rate: str = Field(description="frames per second on average; `variable` is added if the frames last unequally")
    time_base: str = Field(description="seconds per unit of the time stamps, as a fraction")
    start: float = Field(description="time stamp of the first frame in seconds")
    seconds: float = Field(description="from the start of the first frame to the end of the last one")


class Media(_Record):
    """A file: its content as a container holds it."""

    name: str = Field(description="name of the file, without its folder")
    bytes: int = Field(description="size of the file")
    sha256: str = Field(description="SHA-256 of the file; for a sequence, of the names and digests of its files")
    container: str = Field(description="FFmpeg's name of the container")
    picture: Picture
    streams: list[Stream] = Field(description="all streams, with that of the pictures")
    chapters: list[Chapter]
    timecode: str = Field(description="timecode of the first frame, hh:mm:ss:ff; empty if none is stated")
    metadata: dict[str, str] = Field(description="metadata of the whole file")


class OtherFile(_Record):
    """A further file that the run has written, such as the film of labels."""

    kind: str = Field(description="labels, maps, compare, summary, or what else the file is")
    name: str
    bytes: int
    sha256: str


class Comparison(_Record):
    """Something of the source, and what became of it."""

    what: str
    state: Literal["kept", "changed", "new", "lost"]
    detail: str = Field(description="a sentence with the evidence")


class Warning(_Record):
    """Something that a person should know."""

    first_frame: int | None = Field(description="first frame that it is about; null if it is about the whole film")
    last_frame: int | None = Field(description="last frame that it is about")
    message: str = Field(description="a sentence for people; the command prints most of these sentences, too")


class Copy(_Record):
    """A stream that was copied packet for packet, in the source and in the output."""

    source: int = Field(description="index of the stream in the source")
    output: int | None = Field(description="index of the stream in the output; null if it is not there")
    type: str
    codec: str
    state: Literal["identical", "repackaged", "left out"] = Field(
        description="identical: the same bytes. repackaged: the output's container wraps this codec in another way, "
        "or cuts it into other packets, so the bytes differ"
    )
    packets: int = Field(description="packets in the source")
    output_packets: int
    sha256: str
    output_sha256: str


class Luma(_Record):
    """The film's luma: what the encoder was given, and what decodes from the output."""

    frames: int = Field(description="frames that the encoder was given")
    bits: int = Field(description="bits of a sample of the film's luma")
    taken: Literal["as decoded", "unpacked", "converted", "computed", "displayed"] = Field(
        description="as decoded: the decoder's own Y plane. unpacked: the same samples from a packed format. "
        "converted: the source has no luma, so it was made once from R'G'B', a palette or 1 bit. "
        "computed: from the code values of scans. displayed: the same, as a display shows it"
    )
    shift: int = Field(description="bits by which samples were shifted to the left for a codec with more bits")
    scaling: Literal["none", "shifted", "scaled", "rounded"] = Field(
        description="what became of samples for the codec. shifted: by `shift` bits. scaled: from the full to the "
        "limited range, so that each value can be got back. rounded: the same with fewer values, which cannot be undone"
    )
    coded_bits: int = Field(description="bits of a sample of the coded film")
    sha256: str = Field(
        description="SHA-256 of a text with one line for each frame: the SHA-256 of its Y plane, hexadecimal"
    )
    codec: str = Field(description="the encoder")
    lossless: Literal["always", "by its settings", "never"] = Field(
        description="whether the encoder keeps every sample"
    )
    decoded: int = Field(description="frames that were decoded from the output's pictures and compared")
    identical: int = Field(description="frames of these whose luma is the same in every sample")
    measured: int = Field(description="frames whose difference was measured: those that the report shows, and others")
    mean_difference: float | None = Field(description="mean absolute difference, in steps of `bits`")
    greatest_difference: int | None = Field(description="greatest absolute difference, in steps of `bits`")
    lowest_psnr: float | None = Field(description="lowest PSNR of a measured frame in dB; null if all are identical")


class ShotLabel(_Record):
    """A label in a shot."""

    share: float = Field(description="share of the shot's pixels, 0..1")
    ab: tuple[float, float] = Field(description="mean a and b of CIE Lab (D65)")
    colour: str = Field(description="that colour at the label's mean luma, #rrggbb")
    confidence: float = Field(description="mean probability of the label, 0..1")


class LumaDifference(_Record):
    """How much the luma of one frame differs after encoding."""

    mean: float = Field(description="mean absolute difference, in steps of the film's bit depth")
    greatest: int = Field(description="greatest absolute difference, in the same steps")
    psnr: float | None = Field(description="peak signal-to-noise ratio in dB; null if there is no difference")


class Shot(_Record):
    """A shot: the frames from one cut to the next."""

    shot: int = Field(description="number of the shot, from 0 on")
    first_frame: int
    frames: int
    time: str = Field(description="time of the first frame: h:mm:ss.mmm from the film's first frame")
    chroma: float = Field(description="mean chroma, C*ab of CIE Lab")
    own_colour: Literal["grey", "tinted", "colour"] = Field(description="the colours that the source has in this shot")
    keeps_colour: bool = Field(description="whether the output has the source's own colours in this shot")
    labels: dict[str, ShotLabel] = Field(description="labels with a share of at least one in a hundred, at most eight")
    luma_sha256: str = Field(description="as `luma.sha256`, for the frames of this shot")
    shown_frame: int = Field(description="number of the frame that the page shows")
    difference: LumaDifference | None = Field(description="of the shown frame; null if it could not be measured")


class Series(_Record):
    """Values over time. All lists have the same length."""

    start: list[float] = Field(description="seconds from the film's first frame at which each point begins")
    chroma: list[float] = Field(description="mean chroma, C*ab of CIE Lab")
    labels: dict[str, list[float]] = Field(description="share of each label (0..1); `other` is the rest")


class Settings(_Record):
    """Everything that decides the output's bytes, besides the source and the versions."""

    size: int = Field(description="--size: short side of the networks' pictures")
    steady: float = Field(description="--steady")
    scenes: float = Field(description="--scenes")
    vivid: float = Field(description="--vivid")
    keep_colour: Literal["never", "auto", "always"] = Field(description="--keep-colour")
    motion: str = Field(description="dis, or the SHA-256 of RAFT's weights")
    weights_sha256: str = Field(description="SHA-256 of the networks' weights")
    device: str = Field(description="cpu or cuda")
    precision: str = Field(description="of the networks: float32 or bfloat16")
    edits: int = Field(description="number of edits")
    sheet: dict | list | None = Field(description="the edits, palette and references with digests of their files")
    codec: str = Field(description="--codec")
    pix_fmt: str = Field(description="the encoder's pixel format")
    options: dict[str, str] = Field(description="options of the encoder")


class Timings(_Record):
    """Times of the run that finished the film. Only this part differs from run to run."""

    finished: str = Field(description="end of the work, UTC, ISO 8601")
    seconds: float = Field(description="wall time of that run until the report")
    frames: int = Field(description="frames that this run made")
    resumed: int = Field(description="frames that earlier runs had made")
    restarts: int = Field(description="times that workers were lost and the film continued from its last part")
    workers: int = Field(description="networks at the same time")
    stages: dict[str, float] = Field(description="stage → seconds of work, summed over its workers")


class Report(_Record):
    """The report of a film."""

    format: Literal[1] = FORMAT
    source: Media
    output: Media
    others: list[OtherFile] = Field(description="further files that the run has written")
    luma: Luma
    comparisons: list[Comparison] = Field(description="what was kept and what was changed")
    copies: list[Copy] = Field(description="streams that were copied packet for packet")
    warnings: list[Warning]
    shots: list[Shot]
    series: Series
    settings: Settings
    versions: dict[str, str] = Field(description="semcolor, Python, PyAV, FFmpeg and its libraries, other packages")
    timings: Timings
