"""Latents to a signal, whole, or of what is very large its middle."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from walloc_data.codec import Codec, decode_middle

__all__ = ["Part", "decode_part"]

_MOST_VALUES = 1 << 24  # of a signal that is decoded


class Part(NamedTuple):
    """What was decoded, float32 `[C, *space]`, and where in the signal it lies."""

    decoded: Tensor
    place: tuple[slice, ...]
    whole: bool

    def of(self, signal: Tensor) -> Tensor:
        """The same part of a signal `[C, *space]`."""
        at: tuple[Any, ...] = (slice(None), *self.place)
        return signal[at]


def decode_part(codec: Codec, latents: Tensor, fields: Mapping[str, Any]) -> Part:
    """Decode latents int8 `[c, *space / f]` of a sample with these columns: no more than 16 million values of it."""
    config = codec.config
    positions = list(latents.shape[1:])
    size = _size(fields.get("size"), positions, config.factors)
    most, kept = max(1, _MOST_VALUES // config.packet_channels), list(positions)
    while math.prod(kept) > most and max(kept) > 1:
        kept[kept.index(max(kept))] //= 2
    if kept == positions:
        decoded = codec.decode(latents[None], size)[0]
        length = fields.get("length") if config.kind in ("audio", "video") else None
        if isinstance(length, int) and 0 < length < decoded.shape[1]:
            decoded = decoded[:, :length]
        return Part(decoded, tuple(slice(0, n) for n in decoded.shape[1:]), True)
    decoded, place = decode_middle(codec, latents, size, kept)
    return Part(decoded, place, False)


def _size(stated: Any, positions: list[int], factors: tuple[int, ...]) -> list[int]:
    """The size that a dataset says a sample has; with its padding where it says none that can be."""
    pairs = zip(positions, factors, strict=True)
    if isinstance(stated, list | tuple) and len(stated) == len(positions):
        fit = zip(stated, pairs, strict=True)
        if all(type(n) is int and n > 0 and -(-n // factor) == side for n, (side, factor) in fit):
            return list(stated)
    return [side * factor for side, factor in zip(positions, factors, strict=True)]
