"""Networks that all arms of a task share: only their first layer, or first and last, depend on the arm; and what they
are computed in."""

from contextlib import AbstractContextManager
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, scaled_dot_product_attention

from walloc_data.train.precision import autocast_dtype, fastest, precisions_of

_WIDTH, _SCALED, _TOKEN, _HEADS, _BLOCKS = 32, 48, 64, 2, 3


def convolution(dims: int, inputs: int, outputs: int, size: int, stride: int) -> tuple[nn.Module, ...]:
    """A convolution along one or two dimensions, batch normalisation and a rectifier."""
    layer, norm = {1: (nn.Conv1d, nn.BatchNorm1d), 2: (nn.Conv2d, nn.BatchNorm2d)}[dims]
    return layer(inputs, outputs, size, stride, size // 2, bias=False), norm(outputs), nn.ReLU()


def convolutions(channels: int, choices: int, grid: int, *, places: bool = False) -> nn.Sequential:
    """Inputs `[B, channels, grid, grid]` to answers `[B, choices]`: a 1 x 1 stem, four convolutions, a linear layer.

    `places`: whether the last layer sees where in the image things are, or their mean.
    """
    w, last = _WIDTH, grid // 4 if places else 1
    return nn.Sequential(
        *(nn.Conv2d(channels, w, 1, bias=False), nn.BatchNorm2d(w)),
        *convolution(2, w, w, 3, 1),
        *convolution(2, w, 2 * w, 3, 2),
        *convolution(2, 2 * w, 2 * w, 3, 1),
        *convolution(2, 2 * w, 3 * w, 3, 2),
        *(nn.AdaptiveAvgPool2d(last), nn.Flatten(), nn.Linear(3 * w * last**2, choices)),
    )


class Transformer(nn.Module):
    """The same by a small vision transformer (Dosovitskiy et al., ICLR 2021) whose tokens are the positions."""

    def __init__(self, channels: int, choices: int, grid: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(channels, _TOKEN), nn.LayerNorm(_TOKEN))
        self.places = nn.Parameter(0.02 * torch.randn(grid**2, _TOKEN))
        self.blocks, w = nn.Sequential(), _TOKEN
        for _ in range(_BLOCKS):
            self.blocks.append(Added(nn.LayerNorm(w), _Attention(w)))
            self.blocks.append(Added(nn.LayerNorm(w), nn.Linear(w, 4 * w), nn.GELU("tanh"), nn.Linear(4 * w, w)))
        self.last = nn.Sequential(nn.LayerNorm(_TOKEN), nn.Linear(_TOKEN, choices))

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous()  # sums over channels in one order, however images lie in memory
        tokens = self.first(x.flatten(2).transpose(1, 2)) + self.places
        answers: Tensor = self.last(self.blocks(tokens).mean(1))
        return answers


class _Attention(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.attend, self.gather = nn.Linear(w, 3 * w), nn.Linear(w, w)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.attend(x).unflatten(2, (3, _HEADS, -1)).permute(2, 0, 3, 1, 4)
        found: Tensor = self.gather(scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))
        return found


class Added(nn.Sequential):
    """Layers whose output is added to what comes in."""

    def forward(self, x: Tensor) -> Tensor:
        found = x
        for layer in self:
            found = layer(found)
        return x + found


class Scaled(nn.Module):
    """Grids of two dimensions to such, of one variance over all channels, whatever the arm; made for some of both."""

    def __init__(self, given: Tensor, wanted: Tensor) -> None:
        super().__init__()

        def convolved() -> tuple[nn.Module, ...]:
            return nn.BatchNorm2d(_SCALED), nn.ReLU(), nn.Conv2d(_SCALED, _SCALED, 3, padding=1, bias=False)

        first = nn.Conv2d(given.shape[1], _SCALED, 1)
        blocks = [Added(*convolved(), *convolved()) for _ in range(_BLOCKS)]
        last = nn.BatchNorm2d(_SCALED), nn.ReLU(), nn.Conv2d(_SCALED, wanted.shape[1], 1)
        self.network = nn.Sequential(first, *blocks, *last)
        self.given, self.wanted = given.std(), wanted.std()

    def forward(self, x: Tensor) -> Tensor:
        with autocast():
            found = self.network((x / self.given).contiguous(memory_format=torch.channels_last))
        wanted: Tensor = found.float() * self.wanted
        return wanted


@cache
def precision() -> str:
    """What convolutions are computed in fastest here, which is measured: without AVX-512 BF16, bfloat16 is 10 to 50
    times slower than float32."""
    cpu, x, weight = torch.device("cpu"), torch.zeros(512, 32, 16, 16), torch.zeros(32, 32, 3, 3)

    def run(way: str) -> None:  # which draws no numbers, so that the first run of a process is as any other
        with torch.no_grad(), autocast(way):
            conv2d(x, weight, padding=1)

    return fastest(cpu, precisions_of(cpu), run)


def autocast(way: str = "") -> AbstractContextManager[object]:
    """Networks computed in a precision, or in the fastest."""
    dtype = autocast_dtype(way or precision())
    return torch.autocast("cpu", dtype, enabled=dtype is not None)
