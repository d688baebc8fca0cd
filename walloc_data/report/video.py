"""A clip of video as a strip of frames, and as a file to watch."""

import io
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from walloc_data.report.captions import draw_caption
from walloc_data.report.fields import number_of
from walloc_data.report.image import draw_image

__all__ = ["draw_frames", "draw_video", "video_file", "write_video"]

_FRAMES, _SIDE, _LINE = 6, 160, 12  # frames drawn, and pixels of their longer side and of a line of text
_RATE, _MOST_RATE = 25, 1000  # frames a second, where none are known, and of a file at most


def draw_video(decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any]) -> list[Image.Image]:
    """Some frames of a clip `[1 or 3, frames, height, width]` in [0, 1], below its original's, and their times."""
    frames = draw_frames(decoded, original)
    strip = Image.new("RGB", (frames.width, frames.height + _LINE), "white")
    strip.paste(frames, (0, 0))
    numbers = _numbers(decoded)
    for column, number in enumerate(numbers):
        place = (column * (frames.width // len(numbers)), frames.height)
        draw_caption(ImageDraw.Draw(strip), place, _time(number, fields))
    return [strip]


def draw_frames(decoded: Tensor, original: Tensor | None) -> Image.Image:
    """Six frames of a clip, evenly from all, below those of its original."""
    numbers = _numbers(decoded)
    rows = [[draw_image(x[:, number], _SIDE) for number in numbers] for x in (original, decoded) if x is not None]
    width, height = rows[0][0].size
    strip = Image.new("RGB", (len(numbers) * (width + 2), len(rows) * (height + 2)), "white")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            strip.paste(picture, (column * (width + 2), row * (height + 2)))
    return strip


def _numbers(clip: Tensor) -> list[int]:
    count = min(_FRAMES, clip.shape[1])
    return [(2 * number + 1) * clip.shape[1] // (2 * count) for number in range(count)]


def write_video(stem: Path, decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any]) -> list[Path] | None:
    """Write `STEM.mp4`, as `video_file` gives it; None where PyAV is not installed."""
    data = video_file(decoded, original, fields)
    if data is None:
        return None
    path = stem.with_name(stem.name + ".mp4")
    path.write_bytes(data)
    return [path]


def video_file(decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any], *, crf: int = 14) -> bytes | None:
    """An MP4 of a clip, the original on the left where it is known, coarser for a larger `crf`; None without PyAV."""
    try:
        import av
    except ImportError:
        return None
    clip = decoded if original is None else torch.cat([original, decoded], 3)
    frames = _even((clip * 255).round().to(torch.uint8).permute(1, 2, 3, 0).numpy())
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as file:
        rate = Fraction(min(number_of(fields, "rate"), _MOST_RATE) or _RATE).limit_denominator(1001) or Fraction(_RATE)
        known = "libx264" in av.codecs_available
        stream: Any = file.add_stream(
            "libx264" if known else "mpeg4", rate=rate, options={"crf": str(crf)} if known else {}
        )
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
    return data.getvalue()


def _even(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB frames `[frames, height, width, 3]` of even sides, as its chroma wants them, by repeating an edge."""
    _, height, width, channels = frames.shape
    grown = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), "edge")
    return np.ascontiguousarray(np.repeat(grown, 3, 3) if channels == 1 else grown)


def _time(frame: int, fields: Mapping[str, Any]) -> str:
    rate = number_of(fields, "rate")
    return f"{number_of(fields, 'start') + frame / rate:.2f} s" if rate else f"frame {frame}"
