"""Latents as they were read to what is asked for: tensors of int8, of floats, or the signal."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from walloc_data.codec import Codec, CodecConfig, crop, one_thread
from walloc_data.format import Column
from walloc_data.read.samples import Latents

__all__ = ["to_floats", "to_native", "to_signals", "to_tensors"]

_CHUNK = 1 << 20  # samples of signals that are decoded at a time, so that they stay in cache


def to_tensors(latents: Latents) -> Tensor | list[Tensor]:
    """The latents themselves: int8 `[N, c, *space]`, or a list of `[c, *space]`."""
    return torch.from_numpy(latents) if isinstance(latents, np.ndarray) else [torch.from_numpy(z) for z in latents]


def to_floats(latents: Latents, codec: Codec) -> Tensor | list[Tensor]:
    """The same, dequantised to float32."""
    z = to_tensors(latents)
    return codec.dequantize(z) if isinstance(z, Tensor) else [codec.dequantize(sample) for sample in z]


def to_signals(latents: Latents, codec: Codec, sizes: Column, lengths: "Column | None" = None) -> Tensor | list[Tensor]:
    """Signals float32 `[N, C, *size]`, or a list of `[C, *size]` where `sizes` (`[N, dims]`, or Nones) differ.

    Those of one shape are decoded together. Of sound and video, no more than `lengths` (`[N]`, or Nones) samples or
    frames are given: behind them, they are only filled up.
    """
    whole = _to_whole_signals(latents, codec, sizes)
    if lengths is None:
        return whole
    if isinstance(whole, Tensor) and isinstance(lengths, np.ndarray) and len(set(lengths.tolist())) == 1:
        return whole[:, :, : int(lengths[0])]
    return [x if n is None else x[:, : int(n)] for x, n in zip(whole, lengths, strict=True)]


def to_native(signals: Tensor | list[Tensor], config: CodecConfig) -> Tensor | list[Tensor]:
    """Signals in the dtype that data of their kind has in files: uint8, int16 of sound, and of arrays that which the
    codec was fitted to."""
    if not isinstance(signals, Tensor):
        return [_native(signal, config) for signal in signals]
    return _native(signals, config)


def _native(x: Tensor, config: CodecConfig) -> Tensor:
    if config.kind == "array":
        dtype: torch.dtype = getattr(torch, config.dtype or "float32")
        return x if dtype.is_floating_point else x.round().to(dtype)
    if config.kind == "audio":
        return (x * 32768).round().clamp(max=32767).to(torch.int16)
    return (x * 255).round().to(torch.uint8)


@one_thread()
def _to_whole_signals(latents: Latents, codec: Codec, sizes: Column) -> Tensor | list[Tensor]:
    wanted = [None if size is None else tuple(map(int, size)) for size in sizes]
    alike: dict[Any, list[int]] = {}
    for place, (z, size) in enumerate(zip(latents, wanted, strict=True)):
        alike.setdefault((z.shape, size), []).append(place)
    signals: list[Any] = [None] * len(wanted)
    for (shape, size), places in alike.items():
        whole = len(alike) == 1 and isinstance(latents, np.ndarray)
        z = torch.from_numpy(np.asarray(latents if whole else np.stack([latents[place] for place in places])))
        step = max(1, _CHUNK // (codec.config.packet_channels * math.prod(shape[1:])))
        decoded = torch.cat([codec.decode(part) for part in (z[i : i + step] for i in range(0, len(z), step))])
        if size is not None:
            decoded = crop(decoded, size, codec.config.factors)
        if whole:
            return decoded
        for place, signal in zip(places, decoded, strict=True):
            signals[place] = signal
    return signals
