"""What signals are, for people: what was read, and what is decoded."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

__all__ = ["Told", "told"]

_CHANNELS = {("image", 1): "gray", ("image", 3): "RGB", ("audio", 1): "mono", ("audio", 2): "stereo"}


class _Config(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def dims(self) -> int: ...
    @property
    def signal_channels(self) -> int: ...


class Told(NamedTuple):
    """`samples`: what the samples of a dataset are; `decoded`: dtype, shape, range and units of what one decodes to."""

    samples: str
    decoded: str


def told(config: _Config, reading: Mapping[str, Any]) -> Told:
    """Of a codec's configuration, and of the options by which raw data were read."""
    channels = config.signal_channels
    of = _CHANNELS.get((config.kind, channels), f"{channels} channels")
    if config.kind == "audio" and config.dims == 1:
        rate, segment = (_number(reading, name) for name in ("rate", "segment"))
        samples = f"sound, {of}{f', {rate:,} Hz' if rate else ''}{f', windows of {segment:g} s' if segment else ''}"
        return Told(samples, f"float32 [{channels}, samples] in [-1, 1]")
    if config.kind == "image" and config.dims == 2:
        return Told(f"images, {of}", f"float32 [{channels}, height, width] in [0, 1]")
    return Told(f"signals, {of}", f"float32 [{channels}, {config.dims} dimensions of space]")


def _number(reading: Mapping[str, Any], name: str) -> Any:
    value = reading.get(name)
    return value if isinstance(value, int | float) else None
