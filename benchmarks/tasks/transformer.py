"""A small vision transformer (Dosovitskiy et al., ICLR 2021) whose tokens are the positions of the grid."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.tasks.task import Task

__all__ = ["Transformer"]

_WIDTH, _HEADS, _BLOCKS = 64, 2, 3


class Transformer(nn.Module):
    """Inputs `[B, channels, grid, grid]` to answers `[B, questions, choices]`, of the mean of all tokens.

    Only the first layer depends on the arm: as `stem` a linear one with a norm, or without one a linear one alone.
    """

    def __init__(self, channels: int, task: Task, *, stem: bool) -> None:
        super().__init__()
        w, (questions, self.choices) = _WIDTH, (task.answers.shape[1], task.choices)
        self.first = nn.Sequential(nn.Linear(channels, w), *([nn.LayerNorm(w)] if stem else []))
        self.places = nn.Parameter(0.02 * torch.randn(task.grid**2, w))
        self.blocks = nn.Sequential(*(_Block(w) for _ in range(_BLOCKS)))
        self.last = nn.Sequential(nn.LayerNorm(w), nn.Linear(w, questions * task.choices))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.first(x.flatten(2).transpose(1, 2)) + self.places
        answers: Tensor = self.last(self.blocks(tokens).mean(1))
        return answers.reshape(len(x), -1, self.choices)


class _Block(nn.Module):
    """Attention and a layer of two, each after a norm and added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3 * width))
        self.gather = nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.attend(x).unflatten(2, (3, _HEADS, -1)).permute(2, 0, 3, 1, 4)
        found = scaled_dot_product_attention(query, key, value)
        x = x + self.gather(found.transpose(1, 2).flatten(2))
        thought: Tensor = x + self.think(x)
        return thought
