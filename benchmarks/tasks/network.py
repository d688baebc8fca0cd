"""The network that all arms share: a 1x1 stem from the arm's channels, then the same trunk."""

import torch
from torch import Tensor, nn

__all__ = ["Network"]

_WIDTH = 48


class Network(nn.Module):
    """Inputs `[B, channels, grid, grid]` to answers `[B, questions, choices]`; see `Task` for `attention`.

    Only the first layer depends on the arm: the stem, or without one the first convolution of the trunk.
    """

    def __init__(self, channels: int, *, questions: int, choices: int, attention: bool, stem: bool = True) -> None:
        super().__init__()
        w = _WIDTH
        first = [nn.Conv2d(channels, w, 1, bias=False), nn.BatchNorm2d(w)] if stem else []
        self.trunk = nn.Sequential(
            *first,
            *_convolution(w if stem else channels, w, 1),
            *_convolution(w, 2 * w, 2),
            *_convolution(2 * w, 2 * w, 1),
            *_convolution(2 * w, 3 * w, 1 if attention else 2),
        )
        self.places = nn.Conv2d(3 * w, questions, 1) if attention else None
        self.answers = nn.ModuleList([nn.Linear(3 * w, choices) for _ in range(questions)])

    def forward(self, x: Tensor) -> Tensor:
        features = self.trunk(x.contiguous(memory_format=torch.channels_last)).flatten(2)
        if self.places is None:
            pooled = features.mean(2)[:, None].expand(-1, len(self.answers), -1)
        else:
            weights = self.places(features[..., None]).flatten(2).softmax(2)
            pooled = weights @ features.transpose(1, 2)
        return torch.stack([answer(pooled[:, i]) for i, answer in enumerate(self.answers)], 1)


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
