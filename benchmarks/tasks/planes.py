"""Luma or chroma on the grid of a network: latents of a fitted codec, or pixels of lower resolution."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from walloc_data import Codec, CodecConfig, fit
from walloc_data.transforms import flip

__all__ = ["LatentPlanes", "PixelPlanes", "Planes", "fit_planes"]

_LEVELS, _BATCH = 3, 64


class Planes(Protocol):
    """Planes `[B, C, H, W]` in [0, 1] as whole numbers to keep, as floats on the grid, and back."""

    channels: int

    def store(self, x: Tensor) -> Tensor:
        """What is kept of planes, 8 bits a number."""

    def to_network(self, kept: Tensor, *, mirror: bool = False) -> Tensor:
        """Float32 `[B, channels, grid, grid]` about 0 of what is kept, or of its mirror image."""

    def to_signal(self, floats: Tensor) -> Tensor:
        """Planes again, at full size, of floats such as `to_network` gives."""


class LatentPlanes:
    """Int8 latents, as `walloc_data` stores and flips them."""

    def __init__(self, codec: Codec) -> None:
        self.codec, self.channels = codec, codec.channels
        self._units = codec.steps[:, None, None] * codec.scale

    def store(self, x: Tensor) -> Tensor:
        return self.codec.encode(x)

    def to_network(self, kept: Tensor, *, mirror: bool = False) -> Tensor:
        return self.codec.dequantize(flip(kept, self.codec) if mirror else kept)

    def to_signal(self, floats: Tensor) -> Tensor:
        z = (floats / self._units).round().clamp(-127, 127).to(torch.int8)
        return torch.cat([self.codec.decode(batch) for batch in torch.split(z, _BATCH)])


class PixelPlanes:
    """Uint8 pixels downscaled to `fold` a side of a position (8: all), bicubic both ways."""

    def __init__(self, planes: int, *, size: int, fold: int) -> None:
        self.size, self.fold, self.channels = size, fold, planes * fold**2
        self._side = size // 2**_LEVELS * fold

    def store(self, x: Tensor) -> Tensor:
        return (_resize(x, self._side) * 255).round().to(torch.uint8)

    def to_network(self, kept: Tensor, *, mirror: bool = False) -> Tensor:
        return pixel_unshuffle((kept.flip(-1) if mirror else kept).float() / 255 - 0.5, self.fold)

    def to_signal(self, floats: Tensor) -> Tensor:
        return _resize((pixel_shuffle(floats, self.fold) + 0.5).clamp(0, 1), self.size)


def fit_planes(planes: Tensor, *, channels: int) -> Codec:
    """A codec of so many channels for planes such as these, `[N, C, H, W]`."""
    config = CodecConfig(
        name=f"planes-f8c{channels}",
        kind="image",
        signal_channels=planes.shape[1],
        dims=2,
        levels=_LEVELS,
        wavelet="10/18",
    )
    return fit(list(torch.split(planes, _BATCH)), config, channels=channels)


def _resize(x: Tensor, side: int) -> Tensor:
    if x.shape[-1] == side:
        return x
    return interpolate(x, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
