"""Video that PyAV makes, whose frames say which they are."""

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import av
import numpy as np

RATE, LEVELS = 10, 5  # frames a second; gray levels from one frame to the next


def pictures(count: int, size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    """Frames `[H, W, 3]`, number i of gray level 20 + 5 i, with the upper left quarter red, and the right one noise."""
    height, width = size
    rng, made = np.random.default_rng(0), []
    for number in range(count):
        picture = np.full((height, width, 3), 20 + LEVELS * number, np.uint8)
        picture[: height // 2, : width // 2] = (200, 40, 60)
        picture[: height // 2, width // 2 :] = rng.integers(0, 256, (height // 2, width - width // 2, 3))
        made.append(picture)
    return made


def film(
    frames: Sequence[np.ndarray],
    *,
    format: str = "mp4",
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: Any = RATE,
    times: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    of: Callable[[Any], None] = lambda stream: None,
    frame_of: Callable[[Any], Any] = lambda picture: av.VideoFrame.from_ndarray(picture, format="rgb24"),
    muxing: dict[str, str] | None = None,
) -> bytes:
    """A file of frames, with a keyframe every 12; `times` are theirs in milliseconds, where they are not even."""
    preset = {"preset": "ultrafast", "qp": "4"} if codec == "libx264" else {}
    with (
        NamedTemporaryFile() as file,  # in memory, an MP4 could not have its header brought to the front
        av.open(file.name, "w", format=format, options=muxing or {}) as container,
    ):
        stream = container.add_stream(codec, rate=rate, options=preset | (options or {}))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.codec_context.gop_size = pixels, 12
        if codec in ("mpeg4", "mpeg2video", "libvpx", "wmv2", "flv"):
            stream.bit_rate = 4_000_000
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        of(stream)
        for number, picture in enumerate(frames):
            frame = frame_of(picture)
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        container.close()
        return Path(file.name).read_bytes()


def sound_alone() -> bytes:
    """An MP4 with sound and no video."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def turned(data: bytes, degrees: int) -> bytes:
    """An MP4 that says it is to be turned clockwise by 90, 180 or 270 degrees, as phones write it."""
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    place = data.index(b"tkhd") + 44
    values = [number << 16 for number in matrix]
    for spot, value in zip((0, 4, 12, 16), values, strict=True):
        data = data[: place + spot] + value.to_bytes(4, "big", signed=True) + data[place + spot + 4 :]
    return data


def numbers(values: np.ndarray) -> list[int]:
    """Which frames those of a clip `[3, frames, H, W]` are, by their lower right quarter."""
    _, _, height, width = values.shape
    levels = values[:, :, height // 2 + 2 :, width // 2 + 2 :].mean((0, 2, 3))
    return [round((float(level) - 20) / LEVELS) for level in levels]
