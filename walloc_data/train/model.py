"""What is trained: the rows of an encoder and a network, and what their errors and bits cost."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from walloc_data.codec import LATENT_MAX, Codec
from walloc_data.codec.conv import ConvDecoder, conv_detail
from walloc_data.codec.fit import subband_weights
from walloc_data.codec.packets import spread_rows
from walloc_data.train.options import TrainOptions
from walloc_data.train.perception import perceptual_weights
from walloc_data.train.rate import laplace_bits

__all__ = ["Loss", "Model", "initial_tensors"]

_PRICE = math.log(2) / 6  # of a bit, in squares of the step: where the error of rounding, step**2 / 12, falls as fast


class Loss(NamedTuple):
    """The mean squared error a value of the signal, as its packets say it; bits a position; and what is made small."""

    error: Tensor
    bits: Tensor
    total: Tensor


@dataclass
class Model:
    """A codec whose `tensors` are trained: `encoder` `[c, row_length]`, and those of the network.

    `codec` is what it started from: its linear decoder stays, and its steps until they are settled. Rows of an encoder
    mix the subbands of one parity alone, whatever they are trained to, so flips stay exact.
    """

    codec: Codec
    tensors: dict[str, Tensor]
    steps: Tensor
    options: TrainOptions
    channels_first: bool = False

    def __post_init__(self) -> None:
        codec, device = self.codec, self.steps.device
        config = codec.config
        filled = self._spread(torch.ones_like(codec.encoder))
        self._places = filled.nonzero()[:, 1].reshape(codec.encoder.shape).to(device)
        self._linear = self._spread(codec.decoder).T.contiguous().to(device)  # [n, c]
        plain, weights = subband_weights(config, 0.0), subband_weights(config, self.options.emphasis)
        if self.options.perceptual:
            weights = weights * perceptual_weights(config, self.options.perceptual)
        self.weights = (weights * (plain.norm() / weights.norm())).float().to(device)
        self._plain = plain.float().to(device)
        self._price = self.options.rate * _PRICE * float(codec.steps.min()) ** 2
        self._rounding = codec.channels * float(codec.steps.min()) ** 2 / 12

    @property
    def network(self) -> dict[str, Tensor]:
        """The tensors of the network."""
        return {name: tensor for name, tensor in self.tensors.items() if name != "encoder"}

    def encode(self, packets: Tensor) -> Tensor:
        """Latents before they are rounded, `[..., c]`, of packets `[..., n]`."""
        rows = self.tensors["encoder"] / self.steps[:, None]
        dense = rows.new_zeros(len(rows), packets.shape[-1]).scatter(1, self._places, rows)
        return linear(packets, dense)

    def loss(self, packets: Tensor, times: Tensor, noise: Tensor | None, autocast: torch.dtype | None) -> Loss:
        """Of packets `[B, *grid, n]`: with `noise` for rounding, or rounded, where the encoder is not trained.

        Steps are `times` as coarse, `[B, 1, ...]`, and the price of a bit is that of such steps. Where losses are
        relative, the logarithm of a window's counts: above that of rounding, or silence would count for most.
        """
        y = self.encode(packets) / times
        z = y + noise if noise is not None else y.detach().round().clamp(-LATENT_MAX, LATENT_MAX)
        f = z * times * self.steps
        with torch.autocast(packets.device.type, autocast or torch.bfloat16, enabled=autocast is not None):
            detail = conv_detail(self.network, f.movedim(-1, 1), channels_first=self.channels_first).movedim(1, -1)
        error = packets - linear(f, self._linear) - detail.float()
        weighted = (error * self.weights).square().sum(-1)
        bits = laplace_bits(z.movedim(-1, 1)).sum(1)
        plain = (error.detach() * self._plain).square().sum(-1).mean() / packets.shape[-1]
        costs = (weighted + self._price * bits * times[..., 0].square()).flatten(1).mean(1)
        total = (costs + self._rounding).log().mean() if self.options.relative else costs.mean()
        return Loss(plain, bits.detach().mean(), total)

    def _spread(self, rows: Tensor) -> Tensor:
        config = self.codec.config
        return spread_rows(rows, self.codec.odd, config.signal_channels, config.levels, wavelet=config.wavelet)


def initial_tensors(codec: Codec, options: TrainOptions, spread: Tensor) -> dict[str, Tensor]:
    """The encoder and the network of a codec; of one without a network, a new one, for latents whose standard
    deviations are `spread` `[c]`."""
    if isinstance(codec.network, ConvDecoder):
        network: Mapping[str, Tensor] = codec.network.tensors
    else:
        network = ConvDecoder.new(
            codec.channels,
            codec.config.packet_channels,
            codec.config.dims,
            width=options.width,
            blocks=options.blocks,
            kernel=options.kernel,
            gain=1 / spread,
            seed=options.seed,
        ).tensors
    return {"encoder": codec.encoder.clone(), **{name: tensor.clone() for name, tensor in network.items()}}
