"""The network that colours on the grid: the same trunk whatever luma and chroma are stored as."""

import torch
from torch import Tensor, nn

from benchmarks.tasks.precision import autocast

__all__ = ["ColorNetwork"]

_WIDTH, _BLOCKS = 48, 3


class _Body(nn.Module):
    """`[B, inputs, 16, 16]` to `[B, outputs, 16, 16]`: a 1x1 stem, residual blocks, a 1x1 head."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(inputs, _WIDTH, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(layer for _ in range(2) for layer in _convolution(_WIDTH))) for _ in range(_BLOCKS)
        )
        self.head = nn.Sequential(nn.BatchNorm2d(_WIDTH), nn.ReLU(), nn.Conv2d(_WIDTH, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = x + block(x)
        found: Tensor = self.head(x)
        return found


def _convolution(width: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False)]


class ColorNetwork(nn.Module):
    """A network between inputs and outputs that are scaled to one variance over all channels, whatever the arm."""

    def __init__(self, given: Tensor, wanted: Tensor) -> None:
        super().__init__()
        self.network = _Body(given.shape[1], wanted.shape[1])
        self.given, self.wanted = given.std(), wanted.std()

    def forward(self, x: Tensor) -> Tensor:
        with autocast():
            found: Tensor = self.network(x / self.given)
        return found.float() * self.wanted
