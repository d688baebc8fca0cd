"""One run: `train(task, arm, seed)`; and all runs of a task as a table."""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from benchmarks.tasks.task import Arm, Run, Task


def train(task: Task, arm: Arm, seed: int, work: Path) -> Run:
    """Train and judge, on one core. The seed draws weights, order and augmentation, and pairs the arms of a task."""
    torch.set_num_threads(1)
    data = task.prepare(arm, work)
    torch.manual_seed(seed)
    model = task.network(data)
    batches = data.batches(torch.Generator().manual_seed(seed))
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
    cost = {"seconds": seconds, "loader_seconds": loading, "samples_a_second": speed, "sample_bytes": data.sample_bytes}
    return Run(arm=arm.name, seed=seed, epochs=task.epochs, channels=data.channels, figures=figures, **cost)


def run_once(task: Task, arm: Arm, seed: int, work: Path) -> Run:
    """One run, or what is known of it already: after a change of what is measured, delete the folder."""
    file = work / "runs" / f"{arm.name.replace('/', 'over')} {seed}, {task.epochs}.json"
    if not file.exists():
        run = train(task, arm, seed, work)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(run)), "utf-8")
        print(run, flush=True)
    return Run(**json.loads(file.read_text("utf-8")))


def spread(values: Sequence[float], *, digits: int = 1, sign: str = "") -> str:
    """Mean and, of several, standard deviation."""
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}.{digits}f}{deviation}"


def summary(task: Task, arms: Sequence[Arm], runs: Sequence[Run]) -> list[list[str]]:
    """A row an arm: means over seeds, of the first figure also the standard deviation, and what it is more, seed by
    seed, than that of the arm it is compared to."""
    (key, title, times, digits), *others = task.figures
    head = ["input", "numbers a position", "seeds", title, "difference", *(figure.title for figure in others)]
    rows = [[*head, "bytes a sample", "samples/s", "loader's share", "training, s"]]
    found = {(run.arm, run.seed): times * run.figures[key] for run in runs}
    for arm in arms:
        own = [run for run in runs if run.arm == arm.name]
        more = [found[arm.name, run.seed] - found[arm.against, run.seed] for run in own if arm.against != arm.name]
        shown = spread([found[arm.name, run.seed] for run in own], digits=digits)
        row = [
            arm.name,
            f"{own[0].channels}",
            f"{len(own)}",
            shown,
            spread(more, digits=digits, sign="+") if more else "",
        ]
        row += [f"{statistics.mean(f.times * run.figures[f.key] for run in own):.{f.digits}f}" for f in others]
        seconds, size = sum(run.seconds for run in own), own[0].sample_bytes
        speed, loading = statistics.mean(run.samples_a_second for run in own), sum(run.loader_seconds for run in own)
        row += [
            f"{size:,.0f}" if size else "",
            f"{speed:,.0f}",
            f"{loading / seconds:.0%}",
            f"{seconds / len(own):.1f}",
        ]
        rows.append(row)
    return rows
