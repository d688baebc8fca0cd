"""One run: `train(task, arm, seed)`."""

import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.tasks.task import Arm, Task

Run = dict[str, Any]
"""What a run came to, as results keep it: its arm, seed and epochs, `channels` (numbers a position), bytes a sample,
and the figures of its task, of samples it was not trained on. Seconds are of processor time of this process, so that
other work on the machine does not count: of training, of which `loader_seconds` went by until there were batches.
"""


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
