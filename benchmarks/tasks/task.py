"""A task, the arms that it compares (ways to store its samples), and what one run of an arm came to."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

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
class Run:
    """What a run came to, with `channels` numbers a position; `figures` are of samples it was not trained on.

    Seconds are of processor time of this process, so that other work on the machine does not count: of training, of
    which `loader_seconds` went by until the loader had given its batches.
    """

    arm: str
    seed: int
    epochs: int
    channels: int
    seconds: float
    loader_seconds: float
    samples_a_second: float
    sample_bytes: float
    figures: dict[str, Any]

    def flat(self) -> dict[str, Any]:
        """As results keep it: figures beside the rest."""
        return {key: value for key, value in asdict(self).items() if key != "figures"} | self.figures


class Task(ABC):
    """What is to be learned. The first of `figures` is what arms are compared by; `sets` are arms, by name.

    `prepare` stores an arm's samples below a folder, or uses again what is there, and gives them as the other methods
    know them, with `channels` numbers a position, `sample_bytes` and `batches(generator)`, which gives an epoch each
    time it is iterated over, in an order of the generator or torch's own. `loss` is of a batch, `judge` gives the
    figures of a trained network, `facts` what else is to be known of the task.
    """

    name: str
    epochs: int
    figures: tuple[Figure, ...]
    sets: Mapping[str, Sequence[Arm]]
    batch, rate, decay, clip = 64, 3e-3, 0.05, float("inf")

    @abstractmethod
    def prepare(self, arm: Arm, work: Path) -> Any: ...

    @abstractmethod
    def network(self, data: Any) -> nn.Module: ...

    @abstractmethod
    def loss(self, model: nn.Module, data: Any, batch: Any) -> Tensor: ...

    @abstractmethod
    def judge(self, model: nn.Module, data: Any) -> dict[str, Any]: ...

    def facts(self) -> dict[str, Any]:
        return {}


class Shuffled:
    """Numbers of samples in memory, in batches of one epoch, by torch's own generator; what is left over is dropped."""

    def __init__(self, count: int, batch: int) -> None:
        self.count, self.batch = count, batch

    def __len__(self) -> int:
        return self.count // self.batch or 1

    def __iter__(self) -> Iterator[Tensor]:
        yield from torch.split(torch.randperm(self.count)[: len(self) * self.batch], self.batch)


def scales(known: Tensor, power: float) -> Tensor:
    """Factors `[c]` of channels, by some `[N, c, ...]`; what they make has the variance of these in all."""
    deviation = known.transpose(0, 1).flatten(1).std(1).clamp_min(1e-3)
    factors = deviation**-power
    return factors * (deviation.square().mean() / (deviation * factors).square().mean()).sqrt()


def made_once(out: Path, make: Callable[[Path], None]) -> Path:
    """The folder `out`, which `make` fills where it is not there; what was broken off is made anew."""
    if not out.exists():
        unfinished = out.with_name(out.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(out)
    return out


@cache
def precision() -> str:
    """What convolutions are computed in fastest here, which is measured: without AVX-512 BF16, bfloat16 is 10 to 50
    times slower than float32."""
    cpu, layer, x = torch.device("cpu"), nn.Conv2d(32, 32, 3, padding=1), torch.zeros(64, 32, 16, 16)

    def run(way: str) -> None:
        with torch.no_grad(), autocast(way):
            for _ in range(8):
                layer(x)

    return fastest(cpu, precisions_of(cpu), run)


def autocast(way: str = "") -> AbstractContextManager[object]:
    """Networks computed in a precision, or in the fastest."""
    dtype = autocast_dtype(way or precision())
    return torch.autocast("cpu", dtype, enabled=dtype is not None)
