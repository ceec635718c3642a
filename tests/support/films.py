"""Makes small films for the tests: pans and zooms over photos that come with scikit-image, with known colours.

pictures = shot("coffee", 48)                      (N, h, w, 3) uint8 R'G'B'
make_film(path, pictures, audio="aac")             a grey film of them
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import av.filter
import cv2
import numpy as np
import skimage.data
from av.video.reformatter import ColorRange, Colorspace

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
"""In scikit-image's wheel: nothing is fetched."""


@cache
def photo(name: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """(H, W, 3) uint8 R'G'B'; `size`: the height and width to shrink it to."""
    picture = getattr(skimage.data, name)()
    return picture if size is None else cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)


def shot(
    name: str,
    frames: int,
    size: tuple[int, int] = (96, 128),
    start: tuple[float, float, float] = (0.3, 0.4, 0.7),
    stop: tuple[float, float, float] = (0.6, 0.5, 0.6),
) -> np.ndarray:
    """(frames, h, w, 3) uint8: the camera moves evenly from `start` to `stop`.

    A position is (x, y, zoom): the window's place in the room that is left, 0..1, and its size, up to 1.
    """
    picture = photo(name)
    height, width = picture.shape[:2]
    h, w = size
    out = np.empty((frames, h, w, 3), np.uint8)
    for n, t in enumerate(np.linspace(0, 1, frames)):
        x, y, zoom = np.array(start) * (1 - t) + np.array(stop) * t
        scale = zoom * min(width / w, height / h)
        window = np.array([[scale, 0, x * (width - scale * w)], [0, scale, y * (height - scale * h)]])
        out[n] = cv2.warpAffine(picture, window, (w, h), flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP)
    return out


def shots(lengths: tuple[int, ...], size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """Shots of different photos one after another: hard cuts at the sums of `lengths`."""
    return np.concatenate([shot(PHOTOS[n % len(PHOTOS)], length, size) for n, length in enumerate(lengths)])


def make_film(
    path: Path,
    pictures: np.ndarray,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    gray: bool = True,
    full_range: bool = False,
    rate: int | Fraction = 25,
    time_base: Fraction | None = None,
    pts: list[int] | None = None,
    sample_aspect: Fraction | None = None,
    interlaced: str = "",
    rotation: int = 0,
    tags: dict[str, int] | None = None,
    audio: str = "",
    audio_frame: int = 1024,
    audio_delay: int = 0,
    subtitles: bool = False,
    attachment: bool = False,
    chapters: bool = False,
    metadata: dict[str, str] | None = None,
    container: str | None = None,
) -> Path:
    """Encode (N, h, w, 3) uint8 R'G'B'; `grey` takes the colour out (luma stays). Returns `path`.

    `interlaced`: "tff" or "bff". `pts` in `time_base` (1/`rate`). `tags`: color_primaries, color_trc, colorspace.
    `audio_delay`: samples (1/48000 s) by which the sound begins after 0 s.
    """
    time_base = time_base or 1 / Fraction(rate)
    pts = pts or list(range(len(pictures)))
    height, width = pictures.shape[1:3]
    with av.open(str(path), "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.time_base = stream.codec_context.time_base = time_base
        wide = ColorRange.JPEG if full_range else ColorRange.MPEG
        known = {"color_range": int(wide)} | (tags or {})
        for name, value in known.items():
            setattr(stream.codec_context, name, value)
        if sample_aspect:
            stream.codec_context.sample_aspect_ratio = sample_aspect
        if rotation:
            stream.set_display_rotation(rotation)
        if interlaced:
            stream.codec_context.flags |= (1 << 18) | (1 << 29)
            stream.codec_context.field_order = 2 if interlaced == "tff" else 3
        sound: Any = out.add_stream(audio, rate=48000, layout="mono") if audio else None
        words: Any = out.add_mux_stream("subrip") if subtitles else None
        if words:
            words.time_base = Fraction(1, 1000)
        if attachment:
            out.add_attachment("note.txt", "text/plain", b"found in the can")
        if metadata:
            out.metadata.update(metadata)
        seconds = float((pts[-1] - pts[0]) * time_base) + float(1 / rate)
        if chapters:
            middle = round(seconds * 500)
            out.set_chapters(
                [
                    {"id": 1, "start": 0, "end": middle, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
                    {
                        "id": 2,
                        "start": middle,
                        "end": 2 * middle,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": "Two"},
                    },
                ]
            )
        marker = _field_marker(stream, interlaced) if interlaced else None
        for picture, stamp in zip(pictures, pts, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            if pix_fmt != "rgb24":
                frame = frame.reformat(format=pix_fmt, dst_colorspace=Colorspace.ITU601, dst_color_range=wide)
            if gray and frame.format.name.startswith("yuv"):
                _take_color_out(frame)
            frame.pts, frame.time_base = stamp, time_base
            for name, value in known.items():
                setattr(frame, name, value)
            if marker:
                marker.push(frame)
                frame = marker.pull()
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound:
            _sing(out, sound, seconds, audio_frame, audio_delay)
        if words:
            packet = av.Packet(b"A line of words.")
            packet.stream, packet.time_base = words, Fraction(1, 1000)
            packet.pts = packet.dts = 200
            packet.duration = 400
            out.mux(packet)
    return path


def make_sound(path: Path) -> Path:
    """Encode a moment of silence without any pictures. Returns `path`."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def pictures_of(path: Path, pixels: str = "rgb24") -> np.ndarray:
    """(N, H, W, ...): all frames, converted to the pixel format `pixels`."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format=pixels) for frame in container.decode(video=0)])


def samples(plane: Any, dtype: type = np.uint8) -> np.ndarray:
    """(h, w) of a decoded frame's plane, without the padding of its rows."""
    return np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width].copy()


def luma_planes(path: Path) -> np.ndarray:
    """(N, H, W): the Y planes as the decoder gives them, read independently of the package."""
    planes = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            dtype = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
            planes.append(samples(frame.planes[0], dtype))
    return np.stack(planes)


def packets(path: Path, kind: str) -> list[tuple[bytes, Fraction | None]]:
    """(content, time in seconds) of the packets of the first stream of a kind: "video", "audio", "subtitle"."""
    with av.open(str(path)) as container:
        stream: Any = next(s for s in container.streams if s.type == kind)
        return [
            (bytes(p), None if p.pts is None else p.pts * Fraction(stream.time_base))
            for p in container.demux(stream)
            if p.size
        ]


def _take_color_out(frame: Any) -> None:
    dtype = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    for plane in frame.planes[1:]:
        np.frombuffer(plane, dtype)[:] = 1 << (frame.format.components[0].bits - 1)


def _field_marker(stream: Any, order: str) -> Any:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=stream.width, height=stream.height, format=stream.pix_fmt, time_base=stream.codec_context.time_base
    )
    marker, sink = graph.add("setfield", order), graph.add("buffersink")
    source.link_to(marker)
    marker.link_to(sink)
    graph.configure()
    return graph


def _sing(out: Any, stream: Any, seconds: float, step: int, delay: int) -> None:
    """A sine of 440 Hz, as long as the film."""
    samples = (np.sin(np.arange(int(48000 * seconds)) * (2 * np.pi * 440 / 48000)) * 12000).astype(np.int16)
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=48000)
    for start in range(0, len(samples), step):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + step], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start + delay, Fraction(1, 48000)
        for resampled in resampler.resample(frame):
            out.mux(stream.encode(resampled))
    out.mux(stream.encode(None))
