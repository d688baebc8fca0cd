"""Batches of windows: a function of the seed and the step alone, so that a resumed training sees the same."""

import math

import torch
from torch import Tensor

from walloc_data.codec import Codec
from walloc_data.codec.packets import subband_parity
from walloc_data.codec.wavelets import has_parity
from walloc_data.train.samples import Samples

__all__ = ["Batches"]

_APART = 1_000_003  # between the seeds of trainings


class Batches:
    """Windows of packets, float32 `[batch, *window, n]` on the device of the samples, each axis reversed or not; with a
    `share`, only those windows of each batch, and what goes with them."""

    def __init__(self, samples: Samples, codec: Codec, *, batch: int, seed: int, share: slice = slice(None)) -> None:
        self.batch, self.seed, self.share = batch, seed, share
        self.window, self.device = samples.window, samples.rows.device
        self._rows, self._shapes = samples.rows, torch.tensor([each.shape[:-1] for each in samples.packets])
        self._sizes = self._shapes.prod(1)
        self._begins = self._sizes.cumsum(0) - self._sizes
        config = codec.config
        signs = 1 - 2 * subband_parity(config.signal_channels, config.levels, config.dims).float()
        self._signs = signs.T.to(self.device) if has_parity(config.wavelet) else None  # [dims, n]

    def __call__(self, step: int) -> Tensor:
        """The batch of a step."""
        dims = len(self.window)
        draw = torch.Generator().manual_seed(self.seed * _APART + step)
        places = torch.multinomial(self._sizes.double(), self.batch, replacement=True, generator=draw)
        starts = torch.rand(self.batch, dims, generator=draw, dtype=torch.float64)
        turned = torch.rand(dims, self.batch, generator=draw) < 0.5
        places, starts, turned = places[self.share], starts[self.share], turned[:, self.share]
        shapes, window = self._shapes[places], torch.tensor(self.window)
        starts = (starts * (shapes - window + 1)).long()
        rows = self._begins[places].reshape(-1, *[1] * dims)
        for axis, size in enumerate(self.window):
            along = torch.arange(size).expand(len(places), -1)
            if self._signs is not None:
                along = torch.where(turned[axis][:, None], size - 1 - along, along)
            along = (starts[:, axis, None] + along) * shapes[:, axis + 1 :].prod(1, keepdim=True)
            rows = rows + along.reshape(-1, *[size if other == axis else 1 for other in range(dims)])
        batch = self._rows[rows.to(self.device)].float()
        if self._signs is None:
            return batch
        signs = torch.where(turned.to(self.device)[..., None], self._signs[:, None], 1.0).prod(0)  # [batch, n]
        return batch * signs.reshape(len(places), *[1] * dims, -1)

    def times(self, step: int, coarsest: float) -> Tensor:
        """How many times as coarse as they are steps are for each window, `[batch, 1, ...]`: half of them as they are,
        the others up to `coarsest`, evenly by octaves."""
        draw = torch.Generator().manual_seed(self.seed * _APART + step)
        octaves = (2 * torch.rand(self.batch, generator=draw) - 1).clamp_min(0) * math.log2(coarsest)
        times = (2**octaves)[self.share].reshape(-1, *[1] * (len(self.window) + 1))
        return times.to(self.device)

    def noise(self, step: int, like: Tensor) -> Tensor:
        """Uniform in [-1/2, 1/2], as rounding errs."""
        draw = torch.Generator(like.device).manual_seed(self.seed * _APART + step)
        noise = torch.rand((self.batch, *like.shape[1:]), generator=draw, device=like.device) - 0.5
        return noise[self.share][: len(like)]
