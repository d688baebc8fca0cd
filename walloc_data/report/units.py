"""How much a dataset holds, and what it takes, in the units of its signals."""

import math

import numpy as np
from numpy.typing import NDArray

from walloc_data.codec import CodecConfig
from walloc_data.read.opened import OpenedDataset
from walloc_data.report.drawn import Drawn

__all__ = ["in_its_units"]


def in_its_units(opened: OpenedDataset, drawn: Drawn, total: int) -> list[str]:
    """A line on a dataset of `total` bytes, all of it estimated by the samples drawn; none where nothing tells."""
    config = opened.codec.config
    if not drawn.latents:
        return []
    share = opened.manifest.summary.latents / sum(latents.size for latents in drawn.latents)
    describe = {"audio": _sound, "video": _video, "array": _arrays}.get(config.kind, _images)
    return describe(drawn, share, total, config)


def _images(drawn: Drawn, share: float, total: int, config: CodecConfig) -> list[str]:
    pixels = share * _positions(drawn)
    if not pixels:
        return []
    return [
        f"images  {pixels / 1e6:,.3g} megapixels in all: {8 * total / pixels:.3g} bits a pixel, "
        f"{config.signal_channels * pixels / total:.1f} times less than 8 bits a value"
    ]


def _sound(drawn: Drawn, share: float, total: int, config: CodecConfig) -> list[str]:
    rates, lengths = _column(drawn, "rate"), _column(drawn, "length")
    if rates is None or lengths is None:
        return []
    seconds, values = lengths / rates, share * lengths.sum() * config.signal_channels
    whole = share * seconds.sum()
    return [
        f"sound   {_span(rates)} Hz, samples of {seconds.min():.3g} to {seconds.max():.3g} s, "
        f"{whole / 60:,.1f} minutes in all: {8 * total / whole / 1000:.1f} kbit/s, "
        f"{8 * total / values:.3g} bits a value, {2 * values / total:.1f} times less than 16-bit PCM"
    ]


def _video(drawn: Drawn, share: float, total: int, config: CodecConfig) -> list[str]:
    rates, lengths = _column(drawn, "rate"), _column(drawn, "length")
    sizes = [each.get("size") for each in drawn.fields]
    if rates is None or lengths is None or not all(isinstance(size, list | tuple) and len(size) == 3 for size in sizes):
        return []
    areas = np.array(sizes, np.float64)[:, 1:].prod(1)
    pixels, frames, seconds = share * (areas * lengths).sum(), share * lengths.sum(), share * (lengths / rates).sum()
    return [
        f"video   {_span(rates)} frames a second, clips of {_span(lengths)} frames, {frames:,.0f} frames and "
        f"{seconds / 60:,.1f} minutes in all: {8 * total / seconds / 1000:,.1f} kbit/s, "
        f"{8 * total / pixels:.3g} bits a pixel, {config.signal_channels * pixels / total:.1f} times less than 8 bits "
        "a value"
    ]


def _arrays(drawn: Drawn, share: float, total: int, config: CodecConfig) -> list[str]:
    values, dtype = share * _positions(drawn) * config.signal_channels, np.dtype(config.dtype or np.float32)
    if not values:
        return []
    channels = f"{config.signal_channels:,} channel{'s' if config.signal_channels > 1 else ''}"
    return [
        f"arrays  {channels}, {values / 1e6:,.3g} million values in all: "
        f"{8 * total / values:.3g} bits a value, {dtype.itemsize * values / total:.1f} times less than {dtype.name}"
    ]


def _column(drawn: Drawn, name: str) -> NDArray[np.float64] | None:
    """A column of numbers above 0 of the samples drawn; None where one lacks it."""
    values = [each.get(name) for each in drawn.fields]
    return (
        np.array(values, np.float64) if all(isinstance(value, int | float) and value > 0 for value in values) else None
    )


def _span(values: NDArray[np.float64]) -> str:
    low, high = values.min(), values.max()
    return f"{low:,.10g}" if low == high else f"{low:,.10g} to {high:,.10g}"


def _positions(drawn: Drawn) -> int:
    """Positions of the signals drawn; 0 where nothing says their sizes."""
    sizes = [size for each in drawn.fields if isinstance(size := each.get("size"), list | tuple)]
    return sum(math.prod(map(int, size)) for size in sizes) if len(sizes) == len(drawn.fields) else 0
