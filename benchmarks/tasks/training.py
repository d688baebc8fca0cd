"""One run: a task, an arm and a seed to a metric and what it cost."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.tasks.arms import Arm, Prepared, prepare
from benchmarks.tasks.network import Network
from benchmarks.tasks.precision import autocast
from benchmarks.tasks.task import Task
from benchmarks.tasks.transformer import Transformer

__all__ = ["Run", "mix", "train"]

_BATCH, _RATE, _DECAY = 64, 3e-3, 0.05


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run came to, with `channels` numbers a position.

    Seconds are of processor time of this process, so that other work on the machine does not count.

    `accuracy` is the share of questions of `val` answered rightly after the last epoch, `whole` that of samples with
    all of them right. `seconds` of training, of which `loader_seconds` went by until the loader had given its batches.
    """

    arm: str
    seed: int
    channels: int
    accuracy: float
    whole: float
    seconds: float
    loader_seconds: float
    samples_a_second: float
    sample_bytes: float


def train(task: Task, arm: Arm, seed: int, *, work: Path) -> Run:
    """Train and validate, on one core. The seed draws weights, order and flips, and pairs the arms of a task.

    The network computes in bfloat16 where that is exact enough and faster: on a processor that has it, it was 1.7 times
    as fast as float32, and as accurate.
    """
    data = prepare(task, arm, work)
    torch.manual_seed(seed)
    model = (Transformer if task.transformer else Network)(data.channels, task, stem=arm.stem)
    order = torch.Generator().manual_seed(seed)
    batches = DataLoader(data.train, batch_size=_BATCH, shuffle=True, drop_last=True, generator=order)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=task.epochs * len(batches))
    loading, started = 0.0, time.process_time()
    for _ in range(task.epochs):
        waiting = time.process_time()
        for x, labels in batches:
            loading += time.process_time() - waiting
            inputs, targets = mix(data.to_input(x, True), task.answers[labels], arm.mixup)
            with autocast():
                answers = model(inputs).flatten(0, 1).float()
            parts = [share * nn.functional.cross_entropy(answers, right.flatten()) for share, right in targets]
            loss = torch.stack(parts).sum()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            waiting = time.process_time()
    seconds = time.process_time() - started
    right = _right(model, data, task)
    return Run(
        arm=arm.name,
        seed=seed,
        channels=data.channels,
        accuracy=right.double().mean().item(),
        whole=right.all(1).double().mean().item(),
        seconds=seconds,
        loader_seconds=loading,
        samples_a_second=task.epochs * len(batches) * _BATCH / seconds,
        sample_bytes=data.sample_bytes,
    )


def mix(inputs: Tensor, answers: Tensor, alpha: float) -> tuple[Tensor, list[tuple[float, Tensor]]]:
    """Inputs mixed with others of the batch, and both answers with their shares; see `Arm.mixup`."""
    if not alpha:
        return inputs, [(1.0, answers)]
    share, other = torch.distributions.Beta(alpha, alpha).sample().item(), torch.randperm(len(inputs))
    return torch.lerp(inputs[other], inputs, share), [(share, answers), (1 - share, answers[other])]


@torch.no_grad()
def _right(model: nn.Module, data: Prepared, task: Task) -> Tensor:
    """Bool `[samples, questions]`: which answers of `val` are right."""
    model.eval()
    return torch.cat(
        [
            model(data.to_input(x, False)).argmax(2) == task.answers[labels]
            for x, labels in DataLoader(data.val, batch_size=_BATCH)
        ]
    )
