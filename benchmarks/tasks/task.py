"""A task, the arms that it compares, which are ways to store its samples, and one run: `train(task, arm, seed)`."""

import json
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from benchmarks.tasks.networks import autocast

Run = dict[str, Any]
"""What a run came to, as results keep it: its arm, seed and epochs, `channels` (numbers a position), bytes a sample,
and the figures of its task, of samples it was not trained on. Seconds are of processor time of this process, so that
other work on the machine does not count: of training, of which `loader_seconds` went by until there were batches.
"""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to store the samples of a task, which is compared to the arm `against`.

    With a `codec`, latents: of one of the zoo or of a file, or "fitted", of codecs of so many `channels` that are
    fitted to the samples to train on. Latents are scaled by their channels' standard deviation to the power of
    `-power`: 0 is one scale for all (`Codec.dequantize`), 1 unit variance. Without, pixels or samples, `downscaled`
    by that a side; of pixels, as JPEG files of a `quality`, or raw.
    """

    name: str
    against: str
    codec: str | None = None
    channels: tuple[int, ...] = ()
    power: float = 0.0
    downscaled: int = 1
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


class Task(Protocol):
    """What is to be learned. The first of `figures` is what arms are compared by; `sets` are arms, by name.

    `prepare` stores an arm's samples below a folder, or uses again what is there; `loss` is of a batch of these,
    `judge` gives the figures of a trained network, `facts` what else is to be known of the task.
    """

    name: str
    epochs: int
    figures: tuple[Figure, ...]
    sets: Mapping[str, Sequence[Arm]]
    batch, rate, decay, clip = 64, 3e-3, 0.05, float("inf")

    def prepare(self, arm: Arm, work: Path) -> Stored: ...

    def network(self, data: Stored) -> nn.Module: ...

    def loss(self, model: nn.Module, data: Stored, batch: Any) -> Tensor: ...

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


def train(task: Task, arm: Arm, seed: int, work: Path) -> Run:
    """Train and judge, on one core. The seed draws weights, order and augmentation, and pairs the arms of a task."""
    torch.set_num_threads(1)
    data = task.prepare(arm, work)
    torch.manual_seed(seed)
    model = task.network(data)
    batches = task.batches(data, torch.Generator().manual_seed(seed))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=task.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, task.rate, total_steps=task.epochs * len(batches))
    loading, started = 0.0, time.process_time()
    for _ in range(task.epochs):
        waiting = time.process_time()
        for batch in batches:
            loading += time.process_time() - waiting
            loss = task.loss(model, data, batch)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            if task.clip < float("inf"):
                nn.utils.clip_grad_norm_(model.parameters(), task.clip)
            optimizer.step()
            schedule.step()
            waiting = time.process_time()
    seconds = time.process_time() - started
    with torch.no_grad():
        figures = task.judge(model.eval(), data)
    speed = task.epochs * len(batches) * task.batch / seconds
    run = {"arm": arm.name, "seed": seed, "epochs": task.epochs, "channels": data.channels, "seconds": seconds}
    return run | {"loader_seconds": loading, "samples_a_second": speed, "sample_bytes": data.sample_bytes} | figures


def run_once(task: Task, arm: Arm, seed: int, work: Path) -> Run:
    """One run, or what is known of it already: after a change of what is measured, delete the folder."""
    file = work / "runs" / f"{arm.name.replace('/', 'over')} {seed}, {task.epochs}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(train(task, arm, seed, work)), "utf-8")
        print(file.read_text("utf-8"), flush=True)
    return dict(json.loads(file.read_text("utf-8")))
