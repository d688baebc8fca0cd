"""What signals are, for people: what was read, and what is decoded."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from walloc_data.signals.signal import CodecLike
from walloc_data.signals.video import VideoReader

__all__ = ["Told", "told"]

_CHANNELS = {
    ("image", 1): "gray",
    ("image", 3): "RGB",
    ("video", 1): "gray",
    ("video", 3): "RGB",
    ("audio", 1): "mono",
    ("audio", 2): "stereo",
}
_AXES = ("depth", "height", "width")
_SPACE = {("audio", 1): ("samples",), ("video", 3): ("frames", "height", "width"), ("array", 1): ("positions",)}


class Told(NamedTuple):
    """`samples`: what the samples of a dataset are; `decoded`: dtype, shape, range and units of what one decodes to."""

    samples: str
    decoded: str


def told(config: CodecLike, reading: Mapping[str, Any]) -> Told:
    """Of a codec's configuration, and of the options by which raw data were read."""
    channels, rate = config.signal_channels, _number(reading, "rate")
    of = _CHANNELS.get((config.kind, channels), f"{channels} channel{'s' if channels > 1 else ''}")
    space = "[" + ", ".join([str(channels), *_SPACE.get((config.kind, config.dims), _AXES[-config.dims :])]) + "]"
    if config.kind == "audio":
        segment = _number(reading, "segment")
        told = ["sound", of, f"{rate:,} Hz" if rate else "", f"windows of {segment:g} s" if segment else ""]
        return Told(", ".join(filter(None, told)), f"float32 {space} in [-1, 1]")
    if config.kind == "video":
        frames = _number(reading, "frames") or VideoReader.frames
        told = ["video", of, f"clips of {frames:,} frames", f"{rate:g} frames a second" if rate else ""]
        return Told(", ".join(filter(None, told)), f"float32 {space} in [0, 1]")
    if config.kind == "array":
        tile = str(reading.get("tile", ""))
        tiles = f", tiles of {tile} values" if re.fullmatch(r"\d+(x\d+)*", tile) else ""
        return Told(f"arrays of {config.dtype or 'numbers'}, {of}{tiles}", f"float32 {space} in the units of the data")
    return Told(f"images, {of}", f"float32 {space} in [0, 1]")


def _number(reading: Mapping[str, Any], name: str) -> Any:
    value = reading.get(name)
    return value if isinstance(value, int | float) else None
