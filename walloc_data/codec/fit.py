"""The closed-form fit of a codec to any user's data."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from walloc_data.codec.codec import LATENT_MAX, Codec
from walloc_data.codec.config import CodecConfig
from walloc_data.codec.covariances import batches, packets
from walloc_data.codec.examples import Examples, config_for, refuse_small
from walloc_data.codec.fused import encode_linear
from walloc_data.codec.levels import Levels, each_axis
from walloc_data.codec.packets import centre_frequencies, parity_classes
from walloc_data.codec.padding import pad
from walloc_data.codec.principal import principal_components
from walloc_data.codec.threads import one_thread
from walloc_data.codec.units import with_units
from walloc_data.codec.wavelets import synthesis_norms
from walloc_data.errors import CodecError
from walloc_data.numbers import whole_number

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
    `"video"`, `"audio"` or `"array"`, from dtype, range and dimensions; `levels` (one number, or one for each
    dimension) are `default_levels` and the `wavelet` is `"10/18"`, unless they are given. With a `config`, which says
    all this, `signals` gives batches `[B, C, *space]` as `Codec.encode` takes them. They are gone through a few times
    (a list, or an object with `__iter__`, not a generator); memory does not grow with them.

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
    times fewer it was worse on photographs (docs/evidence.md).

    From 16 signal channels on, a KLT across them comes first, and its small components are left out
    (`codec/principal.py`): time and memory grow with those that are kept, not with the cube of channels times subbands.

    Codecs for arrays get the offsets and scales of their bands first (`with_units`), in a pass more: errors of a band
    count by its standard deviation, or with `common_scale` all in the units of the data.

    Raises `CodecError` for no data, constant data, an iterator, more channels than subbands, or levels whose positions
    are larger than the signals.
    """
    if not 0 < knee < math.inf:
        raise CodecError(f"knee={knee} is not a positive number")
    channels = whole_number("channels", channels, error=CodecError)
    if not (isinstance(signals, Iterable) or hasattr(signals, "__getitem__")):
        raise CodecError(f"{type(signals).__name__} is no list of signals, which are arrays or tensors [C, *space]")
    if isinstance(signals, Iterator):
        raise CodecError("fit goes through the signals more than once: pass a list or a re-iterable, not an iterator")
    if config is None:
        config = config_for(signals, channels=channels, kind=kind, levels=levels, wavelet=wavelet or "10/18")
        signals = Examples(signals, kind)
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
    weights = subband_weights(config, emphasis)
    try:
        mean, encoder, odd, kept, total = principal_components(signals, config, weights, channels)
    except RuntimeError as error:
        if "allocate memory" not in str(error):  # as torch says it
            raise
        raise CodecError(
            f"levels={config.levels} make {config.packet_channels:,} channels of packets, too many to fit in the "
            "memory there is: take fewer levels"
        ) from error
    if not total > _SILENCE * config.packet_channels:
        raise CodecError("the signals are constant: there is nothing to fit")
    if step is None:  # where no channel is left out, a millionth of the variance stands for it
        step = math.sqrt(12 * knee * max(total - kept, 1e-6 * total) / channels)
    if not (math.isfinite(step) and step > 0):
        raise CodecError(f"step={step} is not a positive number")
    peaks = _peaks(signals, config, mean, encoder, odd)
    steps = torch.clamp(peaks * _HEADROOM / LATENT_MAX, min=step)
    draft = Codec(config, mean=mean, odd=odd, encoder=encoder, decoder=encoder, steps=steps, scale=1.0)
    decoder, scale = _least_squares(signals, draft)
    return Codec(config, mean=mean, odd=odd, encoder=encoder, decoder=decoder, steps=steps, scale=scale)


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


def _peaks(signals: Iterable[Tensor], config: CodecConfig, mean: Tensor, encoder: Tensor, odd: Tensor) -> Tensor:
    """The largest absolute value of each channel, `[c]`, before quantisation."""
    peaks = torch.zeros(len(encoder), dtype=torch.float64)
    for batch in batches(signals, config):
        x = pad(config.to_float(batch), config.factors)
        x = x - mean.to(x).reshape(1, -1, *[1] * config.dims)
        y = encode_linear(x, wavelet=config.wavelet, levels=config.levels, weight=encoder.to(x), odd=odd)
        peaks = torch.maximum(peaks, y.transpose(0, 1).flatten(1).abs().amax(1).double())
    return peaks


def _least_squares(signals: Iterable[Tensor], draft: Codec) -> tuple[Tensor, float]:
    """The linear decoder `[c, row_length]` of least error given quantised latents, and the scale to unit variance."""
    config = draft.config
    classes = parity_classes(config.signal_channels, config.levels, config.dims, wavelet=config.wavelet)
    members = [torch.nonzero((draft.odd == torch.tensor(sides)).all(1))[:, 0] for sides, _ in classes]
    across = [
        torch.zeros(len(index), len(rows), dtype=torch.float64)
        for (_, index), rows in zip(classes, members, strict=True)
    ]
    within = [torch.zeros(len(rows), len(rows), dtype=torch.float64) for rows in members]
    power, count = 0.0, 0
    for batch in batches(signals, config):
        latents = draft.encode(batch).transpose(0, 1).flatten(1)
        for y in packets(batch, config, draft.mean):
            z, latents = latents[:, : y.shape[1]] * draft.steps.double()[:, None], latents[:, y.shape[1] :]
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
