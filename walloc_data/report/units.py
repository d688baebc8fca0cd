"""How much a dataset holds, and what it takes, in the units of its signals."""

import math

import numpy as np

from walloc_data.read.opened import OpenedDataset
from walloc_data.report.drawn import Drawn

__all__ = ["in_its_units"]


def in_its_units(opened: OpenedDataset, drawn: Drawn, total: int) -> list[str]:
    """A line on a dataset of `total` bytes, all of it estimated by the samples drawn; none where nothing tells."""
    config = opened.codec.config
    if not drawn.latents:
        return []
    share = opened.manifest.summary.latents / sum(latents.size for latents in drawn.latents)
    describe = {("audio", 1): _sound, ("image", 2): _images}.get((config.kind, config.dims))
    return [] if describe is None else describe(drawn, share, total, config.signal_channels)


def _images(drawn: Drawn, share: float, total: int, channels: int) -> list[str]:
    pixels = share * _positions(drawn)
    if not pixels:
        return []
    return [
        f"images  {pixels / 1e6:,.3g} megapixels in all: {8 * total / pixels:.3g} bits a pixel, "
        f"{channels * pixels / total:.1f} times less than 8 bits a value"
    ]


def _sound(drawn: Drawn, share: float, total: int, channels: int) -> list[str]:
    rates = [each.get("rate") or 0 for each in drawn.fields]
    if not all(rates):
        return []
    seconds = [each["length"] / rate for each, rate in zip(drawn.fields, rates, strict=True)]
    whole, rate = share * sum(seconds), np.average(rates, weights=seconds)
    values = channels * rate * whole
    low, high = min(rates), max(rates)
    return [
        f"sound   {low:,}{'' if low == high else f' to {high:,}'} Hz, samples of {min(seconds):.3g} to "
        f"{max(seconds):.3g} s, {whole / 60:,.1f} minutes in all: {8 * total / whole / 1000:.1f} kbit/s, "
        f"{8 * total / values:.3g} bits a value, {2 * values / total:.1f} times less than 16-bit PCM"
    ]


def _positions(drawn: Drawn) -> int:
    """Positions of the signals drawn; 0 where nothing says their sizes."""
    sizes = [size for each in drawn.fields if isinstance(size := each.get("size"), list | tuple)]
    return sum(math.prod(map(int, size)) for size in sizes) if len(sizes) == len(drawn.fields) else 0
