"""Networks that all arms of a task share: only their first layer, or first and last, depend on the arm."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.tasks.task import autocast

_WIDTH, _TOKEN, _HEADS, _BLOCKS = 32, 64, 2, 3


def convolution(dims: int, inputs: int, outputs: int, size: int, stride: int) -> tuple[nn.Module, ...]:
    """A convolution along one or two dimensions, batch normalisation and a rectifier."""
    layer, norm = {1: (nn.Conv1d, nn.BatchNorm1d), 2: (nn.Conv2d, nn.BatchNorm2d)}[dims]
    return layer(inputs, outputs, size, stride, size // 2, bias=False), norm(outputs), nn.ReLU()


class Convolutions(nn.Sequential):
    """Inputs `[B, channels, grid, grid]` to answers `[B, choices]`: a 1 x 1 stem, four convolutions, a linear layer.

    `places`: whether the last layer sees where in the image things are, or their mean.
    """

    def __init__(self, channels: int, choices: int, grid: int, *, places: bool) -> None:
        w, last = _WIDTH, grid // 4 if places else 1
        super().__init__(
            *(nn.Conv2d(channels, w, 1, bias=False), nn.BatchNorm2d(w)),
            *convolution(2, w, w, 3, 1),
            *convolution(2, w, 2 * w, 3, 2),
            *convolution(2, 2 * w, 2 * w, 3, 1),
            *convolution(2, 2 * w, 3 * w, 3, 2),
            *(nn.AdaptiveAvgPool2d(last), nn.Flatten(), nn.Linear(3 * w * last**2, choices)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self:
            x = layer(x)
        return x


class Transformer(nn.Module):
    """The same by a small vision transformer (Dosovitskiy et al., ICLR 2021) whose tokens are the positions."""

    def __init__(self, channels: int, choices: int, grid: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(channels, _TOKEN), nn.LayerNorm(_TOKEN))
        self.places = nn.Parameter(0.02 * torch.randn(grid**2, _TOKEN))
        self.blocks = nn.Sequential(*(layer for _ in range(_BLOCKS) for layer in _block(_TOKEN)))
        self.last = nn.Sequential(nn.LayerNorm(_TOKEN), nn.Linear(_TOKEN, choices))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.first(x.flatten(2).transpose(1, 2)) + self.places
        answers: Tensor = self.last(self.blocks(tokens).mean(1))
        return answers


class _Attention(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.attend, self.gather = nn.Sequential(nn.LayerNorm(w), nn.Linear(w, 3 * w)), nn.Linear(w, w)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.attend(x).unflatten(2, (3, _HEADS, -1)).permute(2, 0, 3, 1, 4)
        found: Tensor = self.gather(scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))
        return found


def _block(w: int) -> tuple[nn.Module, ...]:
    """Attention and a layer of two, each after a norm and added to what came in."""
    attention = Added(_Attention(w))
    return attention, Added(nn.LayerNorm(w), nn.Linear(w, 4 * w), nn.GELU("tanh"), nn.Linear(4 * w, w))


class Added(nn.Sequential):
    """Layers whose output is added to what comes in."""

    def forward(self, x: Tensor) -> Tensor:
        found = x
        for layer in self:
            found = layer(found)
        return x + found


class Scaled(nn.Module):
    """Grids of two dimensions to such, of one variance over all channels, whatever the arm; made for some of both."""

    def __init__(self, given: Tensor, wanted: Tensor, width: int = 48) -> None:
        super().__init__()

        def convolved() -> tuple[nn.Module, ...]:
            return nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False)

        first = nn.Conv2d(given.shape[1], width, 1)
        blocks = [Added(*convolved(), *convolved()) for _ in range(_BLOCKS)]
        last = nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, wanted.shape[1], 1)
        self.network = nn.Sequential(first, *blocks, *last)
        self.given, self.wanted = given.std(), wanted.std()

    def forward(self, x: Tensor) -> Tensor:
        with autocast():
            found = self.network((x / self.given).contiguous(memory_format=torch.channels_last))
        wanted: Tensor = found.float() * self.wanted
        return wanted
