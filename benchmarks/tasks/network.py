"""The network that all arms share: a 1x1 stem from the arm's channels, then the same trunk."""

import torch
from torch import Tensor, nn

from benchmarks.tasks.task import Task

__all__ = ["Network"]

_WIDTH = 32


class Network(nn.Module):
    """Inputs `[B, channels, grid, grid]` to answers `[B, questions, choices]`; see `Task` for `places`.

    Only the first layer depends on the arm: the stem, or without one the first convolution of the trunk.
    """

    def __init__(self, channels: int, task: Task, *, stem: bool) -> None:
        super().__init__()
        w, (questions, self.choices) = _WIDTH, (task.answers.shape[1], task.choices)
        first = [nn.Conv2d(channels, w, 1, bias=False), nn.BatchNorm2d(w)] if stem else []
        last = task.grid // 4 if task.places else 1
        self.layers = nn.Sequential(
            *first,
            *_convolution(w if stem else channels, w, 1),
            *_convolution(w, 2 * w, 2),
            *_convolution(2 * w, 2 * w, 1),
            *_convolution(2 * w, 3 * w, 2),
            nn.AdaptiveAvgPool2d(last),
            nn.Flatten(),
            nn.Linear(3 * w * last**2, questions * task.choices),
        )

    def forward(self, x: Tensor) -> Tensor:
        answers: Tensor = self.layers(x.contiguous(memory_format=torch.channels_last))
        return answers.reshape(len(x), -1, self.choices)


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
