"""Batches of windows: a function of the seed and the step alone, so that a resumed training sees the same."""

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
        windows = []
        for place in torch.multinomial(self._weights, self.batch, replacement=True, generator=draw).tolist():
            part = self.samples.packets[place]
            for axis, size in enumerate(self.samples.window):
                start = int(torch.randint(part.shape[axis] - size + 1, (), generator=draw))
                part = part.narrow(axis, start, size)
            part = part.float()
            if self._signs is not None:
                for axis in range(len(self.samples.window)):
                    if torch.rand((), generator=draw) < 0.5:
                        part = part.flip(axis) * self._signs[axis]
            windows.append(part)
        return torch.stack(windows)

    def noise(self, step: int, like: Tensor) -> Tensor:
        """Uniform in [-1/2, 1/2], as rounding errs."""
        draw = torch.Generator(like.device).manual_seed(self.seed * _APART + step)
        return torch.rand(like.shape, generator=draw, device=like.device) - 0.5
