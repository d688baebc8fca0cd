"""From what was trained to a codec: steps that latents fit, and the linear decoder of least error."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import linear

from walloc_data.codec import LATENT_MAX, Codec
from walloc_data.codec.conv import ConvDecoder
from walloc_data.codec.packets import parity_classes, spread_rows
from walloc_data.train.model import Model

__all__ = ["finished_codec", "settled_steps", "spread_of"]

_HEADROOM = 1.05  # over the largest value seen, as `fit` has it


@torch.no_grad()
def settled_steps(model: Model, packets: Sequence[Tensor]) -> Tensor:
    """Steps `[c]`: the finest of the codec's, widened where samples would leave int8."""
    peaks = torch.zeros_like(model.steps)
    for each in packets:
        peaks = torch.maximum(peaks, (model.encode(each.float()) * model.steps).flatten(0, -2).abs().amax(0))
    return torch.clamp(peaks * _HEADROOM / LATENT_MAX, min=float(model.codec.steps.min()))


@torch.no_grad()
def spread_of(codec: Codec, packets: Sequence[Tensor]) -> Tensor:
    """The standard deviation `[c]` of each channel, in the units of the encoder."""
    config = codec.config
    rows = spread_rows(codec.encoder, codec.odd, config.signal_channels, config.levels, wavelet=config.wavelet)
    rows = rows.to(packets[0].device)
    squares = torch.zeros(codec.channels, dtype=torch.float64, device=rows.device)
    count = 0
    for each in packets:
        y = linear(each.float(), rows).flatten(0, -2)
        squares += y.double().square().sum(0)
        count += len(y)
    return (squares / count).sqrt().clamp_min(float(codec.steps.min()) / 10).float().cpu()


@torch.no_grad()
def finished_codec(model: Model, tensors: Mapping[str, Tensor], name: str, packets: Sequence[Tensor]) -> Codec:
    """The codec of `tensors`, such as the averaged ones.

    Where the encoder was trained, its linear decoder is the least-squares one for latents as they are rounded, and the
    network adds the difference to that with which it was trained: so without a network, as a prefix of the channels
    has it, the codec is as good as a linear one can be.
    """
    start, options = model.codec, model.options
    config = replace(start.config, name=name)
    own = {key: tensor.detach().float().cpu() for key, tensor in tensors.items()}
    network = {key: tensor for key, tensor in own.items() if key != "encoder"}
    sizes = {"channels": start.channels, "packets": config.packet_channels, "dims": config.dims}
    blocks, width = own["depthwise"].shape[:2]
    settings = {
        "width": width,
        "hidden": own["expand"].shape[1],
        "blocks": blocks,
        "kernel": own["depthwise"].shape[-1],
    }
    parts = {"mean": start.mean, "odd": start.odd, "steps": start.steps, "encoder": start.encoder}
    if options.decoder_only:
        conv = ConvDecoder(network, **sizes, **settings)
        return Codec(config, **parts, decoder=start.decoder, scale=start.scale, network=conv)
    now = Model(start, dict(tensors), model.steps, options)
    steps = settled_steps(now, packets)
    decoder, scale = _least_squares(Model(start, dict(tensors), steps, options), packets)
    dense = [
        spread_rows(each, start.odd, config.signal_channels, config.levels, wavelet=config.wavelet).T
        for each in (start.decoder, decoder)
    ]
    network["direct"] = network["direct"] + (dense[0] - dense[1]) / network["gain"]
    parts |= {"steps": steps.cpu(), "encoder": own["encoder"]}
    conv = ConvDecoder(network, **sizes, **settings)
    return Codec(config, **parts, decoder=decoder, scale=scale, network=conv)


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
