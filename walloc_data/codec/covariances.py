"""Second moments of the packets of signals, in passes over them that keep no more than sums."""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from walloc_data.codec.config import CodecConfig
from walloc_data.codec.fused import encode_linear
from walloc_data.codec.packets import parity_classes
from walloc_data.codec.padding import pad
from walloc_data.errors import CodecError

__all__ = ["band_covariance", "batches", "covariances", "packets"]

_ELEMENTS = 1 << 23  # of packets in float64 at a time


def batches(signals: Iterable[Tensor], config: CodecConfig) -> Iterator[Tensor]:
    """The batches that hold anything, where the sums over them are kept. Raises `CodecError` where none does."""
    found = False
    for batch in signals:
        config.check(batch)
        if len(batch):
            found = True
            yield batch.detach().cpu()
    if not found:
        raise CodecError("there are no signals to fit")


def packets(batch: Tensor, config: CodecConfig, mean: Tensor, rotation: Tensor | None = None) -> Iterator[Tensor]:
    """Float64 `[packets, positions]` of a batch, in parts of some positions; with a `rotation` `[C, r]`, those of the
    r channels to which it brings the signal channels less their `mean`."""
    x = pad(config.to_float(batch), config.factors) - mean.reshape(1, -1, *[1] * config.dims)
    if rotation is not None:
        x = (rotation.T.to(x) @ x.flatten(2)).reshape(len(x), -1, *x.shape[2:])
    odd = torch.zeros(1, config.dims, dtype=torch.bool)
    y = encode_linear(x, wavelet=config.wavelet, levels=config.levels, weight=None, odd=odd)
    y = y.transpose(0, 1).flatten(1)
    return (part.double() for part in torch.split(y, max(1, _ELEMENTS // len(y)), 1))


def covariances(
    signals: Iterable[Tensor], config: CodecConfig, weights: Tensor, centre: Tensor, rotation: Tensor | None = None
) -> tuple[Tensor, list[Tensor]]:
    """The mean of each channel, and the covariance of the weighted packets of each class (`packets.parity_classes`).

    `weights` are those of the packets, and `centre` `[C]` is near the means. With a `rotation` both are of the channels
    to which it brings those of the signal.
    """
    channels, subbands = config.signal_channels if rotation is None else rotation.shape[1], math.prod(config.factors)
    classes = parity_classes(channels, config.levels, config.dims, wavelet=config.wavelet)
    products = [torch.zeros(len(index), len(index), dtype=torch.float64) for _, index in classes]
    sums, count = torch.zeros(channels * subbands, dtype=torch.float64), 0
    for batch in batches(signals, config):
        for y in packets(batch, config, centre, rotation):
            sums += y.sum(1)
            count += y.shape[1]
            for product_, (_, index) in zip(products, classes, strict=True):
                product_ += y[index] @ y[index].T
    # The codec subtracts a constant a signal channel, to which only the subband of low-passes responds. So second
    # moments are taken about (the mean of that, 0 for all others), though others may have a mean of their own.
    lowest = torch.arange(channels) * subbands
    sums /= count
    means = torch.zeros(channels * subbands, dtype=torch.float64)
    means[lowest] = sums[lowest]
    found = []
    for product_, (_, index) in zip(products, classes, strict=True):
        shift = torch.outer(means[index], sums[index] - means[index] / 2)
        covariance = product_ / count - shift - shift.T
        found.append(covariance * torch.outer(weights[index], weights[index]))
    return means[lowest] / subbands**0.5, found


def band_covariance(
    signals: Iterable[Tensor], config: CodecConfig, weights: Tensor, centre: Tensor
) -> tuple[Tensor, Tensor]:
    """The mean of each channel, and the covariance `[C, C]` of the channels, summed over their weighted packets."""
    channels, subbands = config.signal_channels, math.prod(config.factors)
    total = torch.zeros(channels, channels, dtype=torch.float64)
    sums, count = torch.zeros(channels, dtype=torch.float64), 0
    for batch in batches(signals, config):
        for y in packets(batch, config, centre):
            sums += y[::subbands].sum(1)
            count += y.shape[1]
            rows = (y * weights[:, None]).reshape(channels, -1)
            total += rows @ rows.T
    sums /= count
    return sums / subbands**0.5, total / count - torch.outer(sums, sums) * weights[0] ** 2
