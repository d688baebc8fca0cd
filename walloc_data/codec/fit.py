"""The closed-form fit of a codec to any user's data."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from walloc_data.codec.codec import LATENT_MAX, Codec
from walloc_data.codec.config import RANGES, CodecConfig
from walloc_data.codec.examples import Examples, config_for, refuse_small
from walloc_data.codec.fused import encode_linear
from walloc_data.codec.levels import Levels, each_axis
from walloc_data.codec.packets import centre_frequencies, parity_classes
from walloc_data.codec.padding import pad
from walloc_data.codec.threads import one_thread
from walloc_data.codec.units import with_units
from walloc_data.codec.wavelets import synthesis_norms
from walloc_data.errors import CodecError

__all__ = ["fit", "subband_weights"]

_HEADROOM = 1.05  # over the largest value seen, where a channel needs a wider step
_SILENCE = 1e-12  # variance of a sample; below it is the rounding of float32


@one_thread()
def fit(
    signals: Iterable[Any],
    config: CodecConfig | None = None,
    *,
    channels: int,
    kind: str | None = None,
    levels: Levels | None = None,
    wavelet: str | None = None,
    knee: float = 0.05,
    step: float | None = None,
    emphasis: float = 0.0,
    common_scale: bool = False,
) -> Codec:
    """The codec of `channels` latent channels that suits `signals` best.

    `signals` are arrays or tensors of one signal each, `[C, *space]`, images also `[H, W]` or `[H, W, C]`; their sizes
    may differ. What the codec is for follows from the first few: C and the dimensions; its `kind`, which is `"image"`,
    `"video"` or `"audio"`, from dtype, range and dimensions; `levels` (one number, or one for each dimension) are 8, 3
    or 2 in 1, 2 or 3 dimensions and the `wavelet` is `"10/18"`, unless they are given. With a `config`, which says all
    this, `signals` gives batches `[B, C, *space]` as `Codec.encode` takes them. They are gone through three times (a
    list, or an object with `__iter__`, not a generator); memory does not grow with them.

    The encoder is the Karhunen-Loeve transform of the packets, each subband weighted by the norm
    of its synthesis functions, so that errors count as they do in the signal; with `emphasis`, by its
    centre frequency to that power besides, so that detail counts for more. With parity
    (`has_parity`) the covariance is that of the signals and all their reversals: subbands of
    different parity are uncorrelated, and each latent channel is even or odd along each axis.
    One step serves all channels, but for those whose data would leave int8. The decoder is the
    least-squares one, given the quantised latents.

    Without a `step`, the one is taken at which the error of quantisation (step**2 / 12 a channel) is
    `knee` times that of the channels left out: much finer steps buy bits whose effect the missing
    channels drown, much coarser ones waste the channels that are kept.

    An `emphasis` of 0 gives the least error of pixels or samples. With 16 times fewer numbers than pixels, 0.5 trained
    far better models on small text, and on other images about the same ones (`-detail` codecs of the zoo); with 4
    times fewer it was worse on photographs (benchmarks/tasks/README.md).

    Codecs for arrays get the offsets and scales of their bands first (`with_units`), in a pass more: errors of a band
    count by its standard deviation, or with `common_scale` all in the units of the data.

    Raises `CodecError` for no data, constant data, an iterator, more channels than subbands, or levels whose positions
    are larger than the signals.
    """
    if not 0 < knee < math.inf:
        raise CodecError(f"knee={knee} is not a positive number")
    if isinstance(signals, Iterator):
        raise CodecError("fit goes through the signals more than once: pass a list or a re-iterable, not an iterator")
    if config is None:
        config = config_for(signals, channels=channels, kind=kind, levels=levels, wavelet=wavelet or "10/18")
        signals = Examples(signals, config.kind)
    elif (kind, levels, wavelet) != (None, None, None):
        raise CodecError("kind, levels and wavelet are those of the config: give either")
    if config.kind == "array" and not config.scales:
        config = with_units(signals, config, common_scale=common_scale)
    elif common_scale:
        raise CodecError("a common scale is for arrays, whose config has no scales yet")
    if not 0 <= emphasis < math.inf:
        raise CodecError(f"emphasis={emphasis} is not a number from 0 on")
    if not 1 <= channels <= config.packet_channels:
        raise CodecError(f"channels={channels} is not in 1 to {config.packet_channels}, the channels of the packets")
    refuse_small(signals, config)
    classes = parity_classes(config.signal_channels, config.levels, config.dims, wavelet=config.wavelet)
    weights = subband_weights(config, emphasis)
    mean, covariances = _covariances(signals, config, classes, weights)
    encoder, odd, kept, total = _principal(covariances, classes, weights, channels)
    if not total > _SILENCE * config.packet_channels:
        raise CodecError("the signals are constant: there is nothing to fit")
    if step is None:  # where no channel is left out, a millionth of the variance stands for it
        step = math.sqrt(12 * knee * max(total - kept, 1e-6 * total) / channels)
    if not (math.isfinite(step) and step > 0):
        raise CodecError(f"step={step} is not a positive number")
    peaks = _peaks(signals, config, mean, encoder, odd)
    steps = torch.clamp(peaks * _HEADROOM / LATENT_MAX, min=step)
    draft = Codec(config, mean=mean, odd=odd, encoder=encoder, decoder=encoder, steps=steps, scale=1.0)
    decoder, scale = _least_squares(signals, draft, classes)
    return Codec(config, mean=mean, odd=odd, encoder=encoder, decoder=decoder, steps=steps, scale=scale)


def _batches(signals: Iterable[Tensor], config: CodecConfig) -> Iterator[Tensor]:
    """The batches that hold anything, where the sums over them are kept."""
    for batch in signals:
        config.check(batch)
        if len(batch):
            yield batch.detach().cpu()


def _packets(batch: Tensor, config: CodecConfig, mean: Tensor) -> Tensor:
    """Float64 `[packets, positions]` of a batch."""
    x = pad(config.to_float(batch), config.factors) - mean.reshape(1, -1, *[1] * config.dims)
    odd = torch.zeros(1, config.dims, dtype=torch.bool)
    y = encode_linear(x, wavelet=config.wavelet, levels=config.levels, weight=None, odd=odd)
    return y.transpose(0, 1).flatten(1).double()


def subband_weights(config: CodecConfig, emphasis: float) -> Tensor:
    """Float64 `[packets]`: what errors of a subband count, its centre frequency to the power of `emphasis` times
    the L2 norm of its synthesis function."""
    weights, frequencies = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for level in each_axis(config.levels, config.dims):
        norms = torch.tensor(synthesis_norms(config.wavelet, level), dtype=torch.float64)
        squares = centre_frequencies(level).square() if level else torch.zeros(1, dtype=torch.float64)
        weights = torch.outer(weights, norms).flatten()
        frequencies = (frequencies[:, None] + squares).flatten()
    return (weights * frequencies ** (emphasis / 2)).repeat(config.signal_channels)


def _covariances(
    signals: Iterable[Tensor], config: CodecConfig, classes: list[tuple[tuple[bool, ...], Tensor]], weights: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """The mean of each signal channel, and the covariance of the weighted packets of each class."""
    centre = torch.full((config.signal_channels,), 0.0 if config.kind == "array" else sum(RANGES[config.kind]) / 2)
    products = [torch.zeros(len(index), len(index), dtype=torch.float64) for _, index in classes]
    sums, count = torch.zeros(config.packet_channels, dtype=torch.float64), 0
    for batch in _batches(signals, config):
        y = _packets(batch, config, centre)
        sums += y.sum(1)
        count += y.shape[1]
        for product_, (_, index) in zip(products, classes, strict=True):
            product_ += y[index] @ y[index].T
    if not count:
        raise CodecError("there are no signals to fit")
    # The codec subtracts a constant a signal channel, to which only the subband of low-passes responds. So second
    # moments are taken about (the mean of that, 0 for all others), though others may have a mean of their own.
    lowest = torch.arange(config.signal_channels) * math.prod(config.factors)
    sums /= count
    means = torch.zeros(config.packet_channels, dtype=torch.float64)
    means[lowest] = sums[lowest]
    covariances = []
    for product_, (_, index) in zip(products, classes, strict=True):
        shift = torch.outer(means[index], sums[index] - means[index] / 2)
        covariance = product_ / count - shift - shift.T
        covariances.append(covariance * torch.outer(weights[index], weights[index]))
    return centre + means[lowest] / math.prod(config.factors) ** 0.5, covariances


def _principal(
    covariances: list[Tensor], classes: list[tuple[tuple[bool, ...], Tensor]], weights: Tensor, channels: int
) -> tuple[Tensor, Tensor, float, float]:
    """Rows of the encoder by falling variance, their parity, the variance they hold and that of all."""
    found = []
    for covariance, (sides, index) in zip(covariances, classes, strict=True):
        values, vectors = torch.linalg.eigh(covariance)
        for value, vector in zip(values.tolist(), vectors.T, strict=True):
            vector = vector * torch.sign(vector[vector.abs().argmax()])
            found.append((value, sides, vector * weights[index]))
    found.sort(key=lambda entry: -entry[0])
    best = found[:channels]
    encoder = torch.stack([row for _, _, row in best])
    odd = torch.tensor([sides for _, sides, _ in best])
    return encoder, odd, sum(value for value, _, _ in best), sum(max(value, 0.0) for value, _, _ in found)


def _peaks(signals: Iterable[Tensor], config: CodecConfig, mean: Tensor, encoder: Tensor, odd: Tensor) -> Tensor:
    """The largest absolute value of each channel, `[c]`, before quantisation."""
    peaks = torch.zeros(len(encoder), dtype=torch.float64)
    for batch in _batches(signals, config):
        x = pad(config.to_float(batch), config.factors)
        x = x - mean.to(x).reshape(1, -1, *[1] * config.dims)
        y = encode_linear(x, wavelet=config.wavelet, levels=config.levels, weight=encoder.to(x), odd=odd)
        peaks = torch.maximum(peaks, y.transpose(0, 1).flatten(1).abs().amax(1).double())
    return peaks


def _least_squares(
    signals: Iterable[Tensor], draft: Codec, classes: list[tuple[tuple[bool, ...], Tensor]]
) -> tuple[Tensor, float]:
    """The linear decoder `[c, row_length]` of least error given quantised latents, and the scale to unit variance."""
    members = [torch.nonzero((draft.odd == torch.tensor(sides)).all(1))[:, 0] for sides, _ in classes]
    across = [
        torch.zeros(len(index), len(rows), dtype=torch.float64)
        for (_, index), rows in zip(classes, members, strict=True)
    ]
    within = [torch.zeros(len(rows), len(rows), dtype=torch.float64) for rows in members]
    power, count = 0.0, 0
    for batch in _batches(signals, draft.config):
        y = _packets(batch, draft.config, draft.mean)
        z = draft.encode(batch).transpose(0, 1).flatten(1) * draft.steps.double()[:, None]
        power += float(z.square().mean(0).sum())
        count += z.shape[1]
        for i, ((_, index), rows) in enumerate(zip(classes, members, strict=True)):
            across[i] += y[index] @ z[rows].T
            within[i] += z[rows] @ z[rows].T
    decoder = torch.zeros(draft.encoder.shape, dtype=torch.float64)
    for rows, cross, inner in zip(members, across, within, strict=True):
        if len(rows):
            ridge = 1e-9 * inner.diagonal().mean() + 1e-12
            decoder[rows] = torch.linalg.solve(inner + ridge * torch.eye(len(rows), dtype=inner.dtype), cross.T)
    return decoder, math.sqrt(count / power) if power else 1.0
