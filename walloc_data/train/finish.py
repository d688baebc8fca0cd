"""From what was trained to a codec: steps that latents fit, and the linear decoder of least error."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from walloc_data.codec import LATENT_MAX, Codec
from walloc_data.codec.conv import ConvDecoder
from walloc_data.codec.decoders import Decoder, load_decoder
from walloc_data.codec.levels import Ends, each_axis
from walloc_data.codec.packets import parity_classes, spread_rows
from walloc_data.codec.refine import FIRST, RefineDecoder
from walloc_data.sources import evenly
from walloc_data.train.model import LINEAR, Model, undo_rows

__all__ = ["finished_codec", "settled_steps", "spread_of"]

_HEADROOM = 1.05  # over the largest value seen, as `fit` has it
_SPREAD = 100  # samples at most whose packets of a finer grid are measured


@torch.no_grad()
def settled_steps(model: Model, packets: Sequence[Tensor]) -> Tensor:
    """Steps `[c]`: the finest of the codec's, widened where samples would leave int8."""
    peaks = torch.zeros_like(model.steps)
    for each in packets:
        peaks = torch.maximum(peaks, (model.encode(each.float()) * model.steps).flatten(0, -2).abs().amax(0))
    return torch.clamp(peaks * _HEADROOM / LATENT_MAX, min=float(model.codec.steps.min()))


@torch.no_grad()
def spread_of(codec: Codec, packets: Sequence[Tensor], finer: int = 0) -> Tensor:
    """The standard deviation of what a network is given: `[c]` of each channel, in the units of the encoder, or of each
    packet of a `finer` grid."""
    config, device = codec.config, packets[0].device
    rows = spread_rows(codec.encoder, codec.odd, config.signal_channels, config.levels, wavelet=config.wavelet)
    rows, count = rows.to(device), 0
    squares = torch.zeros((), dtype=torch.float64, device=device)
    for each in evenly(packets, _SPREAD) if finer else packets:
        y = undo_rows(each.float()[None], config, finer)[0] if finer else linear(each.float(), rows)
        squares = squares + y.double().square().flatten(0, -2).sum(0)
        count += y.shape[:-1].numel()
    return (squares / count).sqrt().clamp_min(float(codec.steps.min()) / 10).float().cpu()


@torch.no_grad()
def finished_codec(model: Model, tensors: Mapping[str, Tensor], name: str, packets: Sequence[Tensor]) -> Codec:
    """The codec of `tensors`, such as the averaged ones.

    Its linear decoder is the least-squares one for latents as they are rounded, or, where the encoder was not trained,
    the one that it was; the network adds the difference to that with which it was trained. So without a network, as a
    prefix of the channels has it, the codec is as good as a linear one can be.
    """
    start = model.codec
    config = replace(start.config, name=name)
    own = {key: tensor.detach().float().cpu() for key, tensor in tensors.items()}
    network = {key: tensor for key, tensor in own.items() if key not in LINEAR}
    parts = {"mean": start.mean, "odd": start.odd, "steps": start.steps, "encoder": start.encoder}
    decoder, scale = start.decoder, start.scale
    if not model.options.decoder_only:
        now = Model(start, dict(tensors), model.steps, model.options)
        steps = settled_steps(now, packets)
        decoder, scale = _least_squares(Model(start, dict(tensors), steps, model.options), packets)
        parts |= {"steps": steps.cpu(), "encoder": own["encoder"]}
    before = FIRST if model.finer else ""
    if before and FIRST + "gain" not in network:  # one that adds nothing but this
        ends = (start.channels, config.packet_channels, config.dims)
        network |= {
            FIRST + key: each for key, each in ConvDecoder.new(*ends, width=1, blocks=1, kernel=1).tensors.items()
        }
    dense = [
        spread_rows(each, start.odd, config.signal_channels, config.levels, wavelet=config.wavelet).T
        for each in (own.get("decoder", start.decoder), decoder)
    ]
    network[before + "direct"] = network[before + "direct"] + (dense[0] - dense[1]) / network[before + "gain"]
    return Codec(config, **parts, decoder=decoder, scale=scale, network=_network(start, network, model.finer))


def _network(codec: Codec, tensors: Mapping[str, Tensor], finer: int) -> Decoder:
    """Of tensors as they are trained."""
    settings: dict[str, Any] = _sizes(tensors)
    if finer:
        settings |= {"finer": finer, "first": _sizes(tensors, FIRST)}
    config = codec.config
    ends = Ends(codec.channels, config.packet_channels, each_axis(config.levels, config.dims))
    return load_decoder(RefineDecoder.name if finer else ConvDecoder.name, tensors, settings, ends)


def _sizes(tensors: Mapping[str, Tensor], before: str = "") -> dict[str, Any]:
    blocks, hidden, width = tensors[before + "expand"].shape
    return {"width": width, "hidden": hidden, "blocks": blocks, "kernel": tensors[before + "depthwise"].shape[-1]}


def _least_squares(model: Model, packets: Sequence[Tensor]) -> tuple[Tensor, float]:
    """The linear decoder `[c, row_length]` of least error given rounded latents, and the scale to unit variance."""
    codec = model.codec
    config, channels = codec.config, codec.channels
    device = packets[0].device
    across = torch.zeros(config.packet_channels, channels, dtype=torch.float64, device=device)
    within = torch.zeros(channels, channels, dtype=torch.float64, device=device)
    count = 0
    for each in packets:
        y = each.float().flatten(0, -2)
        z = (model.encode(y).round().clamp(-LATENT_MAX, LATENT_MAX) * model.steps).double()
        across += (y.T.double()) @ z
        within += z.T @ z
        count += len(z)
    across, within = across.cpu(), within.cpu()
    decoder = torch.zeros(codec.encoder.shape, dtype=torch.float64)
    for sides, index in parity_classes(config.signal_channels, config.levels, config.dims, wavelet=config.wavelet):
        rows = torch.nonzero((codec.odd == torch.tensor(sides)).all(1))[:, 0]
        if len(rows):
            inner = within[rows[:, None], rows]
            ridge = 1e-9 * inner.diagonal().mean() + 1e-12
            inner = inner + ridge * torch.eye(len(rows), dtype=inner.dtype)
            decoder[rows] = torch.linalg.solve(inner, across[index[:, None], rows].T)
    power = float(within.diagonal().sum()) / count / channels
    return decoder.float(), 1 / math.sqrt(power) if power else 1.0
