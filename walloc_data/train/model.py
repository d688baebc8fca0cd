"""What is trained: the rows of an encoder and a network, and what their errors and bits cost."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from walloc_data.codec import LATENT_MAX, Codec, CodecConfig
from walloc_data.codec.conv import ConvDecoder, conv_detail
from walloc_data.codec.fit import subband_weights
from walloc_data.codec.levels import each_axis
from walloc_data.codec.packets import spread_rows
from walloc_data.codec.partly import levels_left, undo
from walloc_data.codec.refine import FIRST, RefineDecoder
from walloc_data.errors import TrainError
from walloc_data.train.depthwise import learned_depthwise
from walloc_data.train.options import TrainOptions
from walloc_data.train.perception import perceptual_weights
from walloc_data.train.rate import laplace_bits

__all__ = ["LINEAR", "Loss", "Model", "finer_of", "initial_tensors", "trained_network", "undo_rows"]

LINEAR = ("encoder", "decoder")  # what is trained besides a network
_PRICE = math.log(2) / 6  # of a bit, in squares of the step: where the error of rounding, step**2 / 12, falls as fast


class Loss(NamedTuple):
    """The mean squared error a value of the signal, as its packets say it; bits a position; and what is made small."""

    error: Tensor
    bits: Tensor
    total: Tensor


@dataclass
class Model:
    """A codec whose `tensors` are trained: `encoder` `[c, row_length]`, those of the network and, where that works on a
    grid which is `finer`, `decoder`, the rows of the linear one.

    `codec` is what it started from: its linear decoder stays where none is trained, and its steps until they are
    settled. Rows mix the subbands of one parity alone, whatever they are trained to, so flips stay exact.
    """

    codec: Codec
    tensors: dict[str, Tensor]
    steps: Tensor
    options: TrainOptions
    channels_first: bool = False

    def __post_init__(self) -> None:
        codec, device = self.codec, self.steps.device
        config = codec.config
        self.finer = finer_of(codec, self.options)
        left = levels_left(each_axis(config.levels, config.dims), self.finer)
        fine = replace(config, levels=left)
        self._places = self._spread(torch.ones_like(codec.encoder)).nonzero()[:, 1].reshape(codec.encoder.shape)
        self._places = self._places.to(device)
        plain, weights = subband_weights(fine, 0.0), subband_weights(fine, self.options.emphasis)
        if self.options.perceptual:
            weights = weights * perceptual_weights(fine, self.options.perceptual)
        self.weights = (weights * (plain.norm() / weights.norm())).float().to(device)
        self._plain = plain.float().to(device)
        self._packets = config.packet_channels
        self._price = self.options.rate * _PRICE * float(codec.steps.min()) ** 2
        self._rounding = codec.channels * float(codec.steps.min()) ** 2 / 12
        self._decoder = codec.decoder.to(device)

    @property
    def networks(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The tensors of the network on the latents' grid, and of that on a finer one."""
        own = {name: tensor for name, tensor in self.tensors.items() if name not in LINEAR}
        if not self.finer:
            return own, {}
        first = {name.removeprefix(FIRST): tensor for name, tensor in own.items() if name.startswith(FIRST)}
        return first, {name: tensor for name, tensor in own.items() if not name.startswith(FIRST)}

    def encode(self, packets: Tensor) -> Tensor:
        """Latents before they are rounded, `[..., c]`, of packets `[..., n]`."""
        return linear(packets, self._dense(self.tensors["encoder"] / self.steps[:, None]))

    def loss(self, packets: Tensor, times: Tensor, noise: Tensor | None, autocast: torch.dtype | None) -> Loss:
        """Of packets `[B, *grid, n]`: with `noise` for rounding, or rounded, where the encoder is not trained.

        Steps are `times` as coarse, `[B, 1, ...]`, and the price of a bit is that of such steps. Where losses are
        relative, the logarithm of a window's counts: above that of rounding, or silence would count for most.
        """
        config = self.codec.config
        y = self.encode(packets) / times
        z = y + noise if noise is not None else y.detach().round().clamp(-LATENT_MAX, LATENT_MAX)
        f = z * times * self.steps
        decoded = f @ self._dense(self.tensors.get("decoder", self._decoder))
        first, network = self.networks
        if first:
            decoded = decoded + self._detail(first, f, autocast)
        if self.finer:
            packets, decoded = (undo_rows(each, config, self.finer) for each in (packets, decoded))
            decoded = decoded + self._detail(network, decoded, autocast)
        error = packets - decoded
        weighted = (error * self.weights).square().sum(-1).flatten(1).mean(1) * (self._packets // error.shape[-1])
        bits = laplace_bits(z.movedim(-1, 1)).sum(1).flatten(1).mean(1)
        plain = (error.detach() * self._plain).square().mean()
        costs = weighted + self._price * bits * times.flatten().square()
        total = (costs + self._rounding).log().mean() if self.options.relative else costs.mean()
        return Loss(plain, bits.detach().mean(), total)

    def _detail(self, network: Mapping[str, Tensor], given: Tensor, autocast: torch.dtype | None) -> Tensor:
        """What a network adds, float32 `[B, *grid, n]`, to or for what is given, `[B, *grid, c]`."""
        with torch.autocast(given.device.type, autocast or torch.bfloat16, enabled=autocast is not None):
            y = conv_detail(
                network, given.movedim(-1, 1), channels_first=self.channels_first, convolve=learned_depthwise
            )
        return y.movedim(1, -1).float()

    def _dense(self, rows: Tensor) -> Tensor:
        """Rows over the subbands of their parity, `[c, row_length]`, as `[c, n]`."""
        return rows.new_zeros(len(rows), self._packets).scatter(1, self._places, rows)

    def _spread(self, rows: Tensor) -> Tensor:
        config = self.codec.config
        return spread_rows(rows, self.codec.odd, config.signal_channels, config.levels, wavelet=config.wavelet)


def undo_rows(packets: Tensor, config: CodecConfig, finer: int) -> Tensor:
    """Packets `[B, *grid, n]` as those of `finer` levels fewer, `[B, *finer grid, fewer]`."""
    y = undo(packets.movedim(-1, 1), wavelet=config.wavelet, levels=config.levels, finer=finer)
    return y.movedim(1, -1)


def finer_of(codec: Codec, options: TrainOptions) -> int:
    """By how many levels the grid of the network is finer: that of a codec which has such, or as asked for.

    Raises `TrainError` where no level of the codec's would be left, and for another than the codec has.
    """
    has = codec.network.finer if isinstance(codec.network, RefineDecoder) else 0
    most = max(each_axis(codec.config.levels, codec.config.dims)) - 1
    if options.finer and has not in (0, options.finer):
        raise TrainError(
            f"finer={options.finer}: codec {codec.name!r} has a decoder of finer={has}, which is trained on"
        )
    if options.finer > most:
        raise TrainError(
            f"finer={options.finer}: codec {codec.name!r} has {most + 1} levels, of which one at least is left"
            + (f": take {most} at most" if most else ", so it has no finer grid")
        )
    return has or options.finer


def initial_tensors(codec: Codec, options: TrainOptions, spread: Tensor) -> dict[str, Tensor]:
    """What is trained of a codec: its encoder and its network; of one without a network, or without one on the finer
    grid that is asked for, a new one, for latents, or packets of that grid, whose standard deviations are `spread`."""
    config, finer = codec.config, finer_of(codec, options)
    network = trained_network(codec, options)
    if network is None:
        ends = (len(spread), len(spread) if finer else config.packet_channels, config.dims)
        network = ConvDecoder.new(*ends, **options.new_network, seed=options.seed, gain=1 / spread)
    tensors: dict[str, Tensor] = {"encoder": codec.encoder, **({"decoder": codec.decoder} if finer else {})}
    tensors |= network.grown(max(options.blocks or 0, network.settings["blocks"]), seed=options.seed)
    first = codec.network if isinstance(codec.network, ConvDecoder) else getattr(codec.network, "first", None)
    if finer and first:
        tensors |= {FIRST + name: tensor for name, tensor in first.tensors.items()}
    return {name: tensor.clone() for name, tensor in tensors.items()}


def trained_network(codec: Codec, options: TrainOptions) -> ConvDecoder | None:
    """The network of a codec that is trained on, if it has one on the grid that is asked for.

    Raises `TrainError` where options ask for another form than it has: more blocks alone it can have.
    """
    network, finer = codec.network, finer_of(codec, options)
    own = network.network if isinstance(network, RefineDecoder) else network
    if not isinstance(own, ConvDecoder) or (finer and own is network):
        return None
    for name, has in own.settings.items():
        asked = getattr(options, name, None)
        if asked is not None and asked != has and not (name == "blocks" and asked > has):
            also = " or more" if name == "blocks" else ""
            raise TrainError(
                f"{name}={asked}: codec {codec.name!r} has a network of {name}={has}, which is trained on: leave "
                f"{name} out, or take {has}{also}"
            )
    return own
