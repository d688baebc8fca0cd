"""Principal components of packets: the channels that hold most of the variance.

With hundreds of bands, packets have tens of thousands of channels, whose covariances would take gigabytes. But a
sensor's bands are nearly copies of one another. So they are rotated first, by a KLT across bands, and components that
hold next to nothing are left out. Let those hold a variance t (of the weighted packets, in which errors are counted).
Then the best c channels of the others leave out at most t more than the best c channels of all do: those, projected,
are such channels. So as many are kept as make t a small share of what c channels leave out anyway. Where noise of every
band's own is what is left out, t stays large, though c channels hold little of it; there it is enough that twice as
many components, of larger variance than all that are left, held hardly more.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from walloc_data.codec.config import RANGES, CodecConfig
from walloc_data.codec.covariances import band_covariance, covariances
from walloc_data.codec.packets import parity_classes

__all__ = ["MANY_BANDS", "principal_components"]

MANY_BANDS = 16  # signal channels; fewer are not worth a rotation
_SHARE = 0.01  # of the variance that the channels leave out: 0.04 dB
_GAIN = _SHARE / 4  # of the same, by which twice as many components held more
_FIRST = 1e-3  # of the variance of all: as a first guess


def principal_components(
    signals: Iterable[Tensor], config: CodecConfig, weights: Tensor, channels: int
) -> tuple[Tensor, Tensor, Tensor, float, float]:
    """The mean of each signal channel; rows of the encoder by falling variance, `[c, row_length]`, and their parity,
    `[c, dims]`; the variance that they hold, and that of all."""
    centre = torch.full((config.signal_channels,), 0.0 if config.kind == "array" else sum(RANGES[config.kind]) / 2)
    if config.signal_channels >= MANY_BANDS:
        return _of_many_bands(signals, config, weights, channels, centre)
    mean, found = covariances(signals, config, weights, centre)
    return centre + mean, *_principal(found, config, weights, channels, config.signal_channels)


def _of_many_bands(
    signals: Iterable[Tensor], config: CodecConfig, weights: Tensor, channels: int, centre: Tensor
) -> tuple[Tensor, Tensor, Tensor, float, float]:
    """The mean of each band, and what `_principal` gives, for encoders of all bands. In few passes."""
    subbands = math.prod(config.factors)
    mean, across = band_covariance(signals, config, weights, centre)
    centre = centre + mean
    values, vectors = torch.linalg.eigh(across)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    total = float(values.sum())
    tails = values.flip(0).cumsum(0).flip(0)  # what is left out where so many are kept
    least = -(-channels // subbands)

    def enough(left_out: float) -> int:
        return min(max(least, int((tails > left_out).sum())), len(values))

    kept, former = enough(_FIRST * total), 0.0
    while True:
        rotation = vectors[:, :kept]
        _, found = covariances(signals, config, weights[: kept * subbands], centre, rotation)
        encoder, odd, held, _ = _principal(found, config, weights, channels, kept)
        rest, tail = total - held, float(tails[kept]) if kept < len(values) else 0.0
        if tail <= _SHARE * rest or held - former <= _GAIN * rest or kept == len(values):
            break
        kept, former = min(2 * kept, max(kept + 1, enough(_SHARE * (rest - tail)))), held
    of_bands = encoder.reshape(channels, kept, -1).transpose(1, 2) @ rotation.T
    return centre, of_bands.transpose(1, 2).flatten(1), odd, held, total


def _principal(
    found: list[Tensor], config: CodecConfig, weights: Tensor, channels: int, bands: int
) -> tuple[Tensor, Tensor, float, float]:
    """Rows of the encoder by falling variance, their parity, the variance they hold and that of all, by the `found`
    covariances of each class of packets of `bands` channels."""
    classes = parity_classes(bands, config.levels, config.dims, wavelet=config.wavelet)
    rows = []
    for covariance, (sides, index) in zip(found, classes, strict=True):
        values, vectors = torch.linalg.eigh(covariance)
        for value, vector in zip(values.tolist(), vectors.T, strict=True):
            vector = vector * torch.sign(vector[vector.abs().argmax()])
            rows.append((value, sides, vector * weights[index]))
    rows.sort(key=lambda entry: -entry[0])
    best = rows[:channels]
    encoder = torch.stack([row for _, _, row in best])
    odd = torch.tensor([sides for _, sides, _ in best])
    return encoder, odd, sum(value for value, _, _ in best), sum(max(value, 0.0) for value, _, _ in rows)
