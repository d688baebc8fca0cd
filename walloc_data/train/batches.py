"""Batches of windows: a function of the seed and the step alone, so that a resumed training sees the same."""

import math

import torch
from torch import Tensor

from walloc_data.codec import Codec
from walloc_data.codec.packets import subband_parity
from walloc_data.codec.wavelets import has_parity
from walloc_data.train.samples import Samples, positions

__all__ = ["Batches"]

_APART = 1_000_003  # between the seeds of trainings


class Batches:
    """Windows of packets, float32 `[batch, *window, n]` on the device of the samples, each axis reversed or not."""

    def __init__(self, samples: Samples, codec: Codec, *, batch: int, seed: int) -> None:
        self.samples, self.batch, self.seed = samples, batch, seed
        self._weights = positions(samples.packets)
        config, device = codec.config, samples.packets[0].device
        signs = 1 - 2 * subband_parity(config.signal_channels, config.levels, config.dims).float()
        self._signs = signs.T.to(device) if has_parity(config.wavelet) else None  # [dims, n]

    def __call__(self, step: int) -> Tensor:
        """The batch of a step."""
        draw = torch.Generator().manual_seed(self.seed * _APART + step)
        places = torch.multinomial(self._weights, self.batch, replacement=True, generator=draw).tolist()
        starts = torch.rand(self.batch, len(self.samples.window), generator=draw, dtype=torch.float64).tolist()
        turned = torch.rand(len(self.samples.window), self.batch, generator=draw) < 0.5
        windows = []
        for place, at in zip(places, starts, strict=True):
            part = self.samples.packets[place]
            for axis, size in enumerate(self.samples.window):
                part = part.narrow(axis, int(at[axis] * (part.shape[axis] - size + 1)), size)
            windows.append(part)
        batch = torch.stack(windows).float()
        if self._signs is None:
            return batch
        for axis, chosen in enumerate(turned.to(batch.device)):
            chosen = chosen.reshape(-1, *[1] * (batch.dim() - 1))
            batch = torch.where(chosen, batch.flip(1 + axis) * self._signs[axis], batch)
        return batch

    def times(self, step: int, coarsest: float) -> Tensor:
        """How many times as coarse as they are steps are for each window, `[batch, 1, ...]`: half of them as they are,
        the others up to `coarsest`, evenly by octaves."""
        draw = torch.Generator().manual_seed(self.seed * _APART + step)
        octaves = (2 * torch.rand(self.batch, generator=draw) - 1).clamp_min(0) * math.log2(coarsest)
        times = (2**octaves).reshape(-1, *[1] * (len(self.samples.window) + 1))
        return times.to(self.samples.packets[0].device)

    def noise(self, step: int, like: Tensor) -> Tensor:
        """Uniform in [-1/2, 1/2], as rounding errs."""
        draw = torch.Generator(like.device).manual_seed(self.seed * _APART + step)
        return torch.rand(like.shape, generator=draw, device=like.device) - 0.5
