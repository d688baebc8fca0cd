"""A task, and the arms that it compares: ways to store its samples."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from walloc_data.train.precision import autocast_dtype, fastest, precisions_of


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to store the samples of a task, which is compared to the arm `against`.

    With a `codec`, latents: of one of the zoo or of a file, or "fitted", of codecs of so many `channels` that are
    fitted to the samples to train on. Its steps are multiplied by `coarser`. Latents are scaled by their channels'
    standard deviation to the power of `-power`: 0 is one scale for all (`Codec.dequantize`), 1 unit variance.
    Without, pixels or samples, downscaled so that a position of the network's grid holds `fold` of them a side (None:
    all of them); of pixels, as JPEG files of a `quality`, or raw.
    """

    name: str
    against: str
    codec: str | None = None
    channels: tuple[int, ...] = ()
    coarser: float = 1.0
    power: float = 0.0
    fold: int | None = None
    quality: int | None = None


class Figure(NamedTuple):
    """Something that a run is judged by: its key, its title in tables, the factor and the decimals it is shown with."""

    key: str
    title: str
    times: float = 1.0
    digits: int = 2


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The samples of an arm: datasets of what is stored, in `sample_bytes` each.

    `form` makes of it what a network gets, `channels` numbers a position of its grid, and signals of that.
    """

    train: Any
    val: Any
    form: Any
    channels: int
    sample_bytes: float = 0.0


class Task(ABC):
    """What is to be learned. The first of `figures` is what arms are compared by; `sets` are arms, by name.

    `prepare` stores an arm's samples below a folder, or uses again what is there; `loss` is of a batch of these,
    `judge` gives the figures of a trained network, `facts` what else is to be known of the task.
    """

    name: str
    epochs: int
    figures: tuple[Figure, ...]
    sets: Mapping[str, Sequence[Arm]]
    batch, rate, decay, clip = 64, 3e-3, 0.05, float("inf")

    @abstractmethod
    def prepare(self, arm: Arm, work: Path) -> Stored: ...

    @abstractmethod
    def network(self, data: Stored) -> nn.Module: ...

    @abstractmethod
    def loss(self, model: nn.Module, data: Stored, batch: Any) -> Tensor: ...

    @abstractmethod
    def judge(self, model: nn.Module, data: Stored) -> dict[str, Any]: ...

    def facts(self) -> dict[str, Any]:
        return {}

    def batches(self, data: Stored, order: torch.Generator) -> DataLoader[Any]:
        """An epoch each time it is iterated over; samples that are left over are dropped."""
        return DataLoader(data.train, self.batch, shuffle=True, drop_last=True, generator=order)


class ClassTask(Task):
    """One answer a sample: pairs of what is stored and a class, judged by how many answers are right."""

    figures = (Figure("accuracy", "accuracy, %", 100, 1),)

    @abstractmethod
    def inputs(self, data: Stored, x: Tensor, *, augment: bool) -> Tensor:
        """Float32 `[B, channels, *grid]` of what is stored, with `augment` altered at random."""

    def loss(self, model: nn.Module, data: Stored, batch: Any) -> Tensor:
        x = self.inputs(data, batch[0], augment=True)
        with autocast():
            answers = model(x).float()
        return cross_entropy(answers, batch[1])

    def judge(self, model: nn.Module, data: Stored) -> dict[str, Any]:
        batches = DataLoader(data.val, self.batch)
        right = [model(self.inputs(data, x, augment=False)).argmax(1) == y for x, y in batches]
        return {"accuracy": torch.cat(right).double().mean().item()}


@cache
def precision() -> str:
    """What convolutions are computed in fastest here, which is measured: without AVX-512 BF16, bfloat16 is 10 to 50
    times slower than float32."""
    cpu, layer, x = torch.device("cpu"), nn.Conv2d(32, 32, 3, padding=1), torch.zeros(512, 32, 16, 16)

    def run(way: str) -> None:
        with torch.no_grad(), autocast(way):
            layer(x)

    return fastest(cpu, precisions_of(cpu), run)


def autocast(way: str = "") -> AbstractContextManager[object]:
    """Networks computed in a precision, or in the fastest."""
    dtype = autocast_dtype(way or precision())
    return torch.autocast("cpu", dtype, enabled=dtype is not None)
