"""A clip of video as a strip of frames, and as a file to watch."""

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

__all__ = ["draw_video", "write_video"]

_FRAMES, _SIDE, _LINE = 6, 160, 12  # frames drawn, and pixels of their longer side and of a line of text
_RATE, _MOST_RATE = 25, 1000  # frames a second, where none are known, and of a file at most


def draw_video(decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any]) -> list[Image.Image]:
    """Some frames of a clip `[1 or 3, frames, height, width]` in [0, 1], below those of its original."""
    count = min(_FRAMES, decoded.shape[1])
    numbers = [(2 * number + 1) * decoded.shape[1] // (2 * count) for number in range(count)]
    rows = [[draw_image(x[:, number], _SIDE) for number in numbers] for x in (original, decoded) if x is not None]
    width, height = rows[0][0].size
    strip = Image.new("RGB", (count * (width + 2), len(rows) * (height + 2) + _LINE), "white")
    draw = ImageDraw.Draw(strip)
    for column, number in enumerate(numbers):
        for row, pictures in enumerate(rows):
            strip.paste(pictures[column], (column * (width + 2), row * (height + 2)))
        draw_caption(draw, (column * (width + 2), strip.height - _LINE), _time(number, fields))
    return [strip]


def write_video(stem: Path, decoded: Tensor, original: Tensor | None, fields: Mapping[str, Any]) -> list[Path] | None:
    """Write `STEM.mp4`, the original on the left where it is known; None where PyAV is not installed."""
    try:
        import av
    except ImportError:
        return None
    clip = decoded if original is None else torch.cat([original, decoded], 3)
    frames = _even((clip * 255).round().to(torch.uint8).permute(1, 2, 3, 0).numpy())
    path = stem.with_name(stem.name + ".mp4")
    with av.open(str(path), "w") as file:
        rate = Fraction(min(number_of(fields, "rate"), _MOST_RATE) or _RATE).limit_denominator(1001) or Fraction(_RATE)
        known = "libx264" in av.codecs_available
        stream: Any = file.add_stream(
            "libx264" if known else "mpeg4", rate=rate, options={"crf": "14"} if known else {}
        )
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
    return [path]


def _even(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB frames `[frames, height, width, 3]` of even sides, as its chroma wants them, by repeating an edge."""
    _, height, width, channels = frames.shape
    grown = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), "edge")
    return np.ascontiguousarray(np.repeat(grown, 3, 3) if channels == 1 else grown)


def _time(frame: int, fields: Mapping[str, Any]) -> str:
    rate = number_of(fields, "rate")
    return f"{number_of(fields, 'start') + frame / rate:.2f} s" if rate else f"frame {frame}"
