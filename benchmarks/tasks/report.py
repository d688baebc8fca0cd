"""Runs of all arms and seeds of a task, as a table and JSON."""

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.results import save, table
from benchmarks.tasks.arms import ARMS, Arm
from benchmarks.tasks.task import Task
from benchmarks.tasks.training import Run, train

__all__ = ["HEAD", "arguments", "compare", "run_all", "spread", "summary"]

HEAD = (
    "input",
    "numbers a position",
    "accuracy, %",
    "difference",
    "bytes a sample",
    "samples/s",
    "loader's share",
    "training, s",
)


def arguments(description: str, *, data: bool = False) -> argparse.Namespace:
    """Options that all tasks share: `seeds`, `quick`, `work`, and `data` where the task needs it."""
    parser = argparse.ArgumentParser(description=description)
    parser.set_defaults(data=None)
    if data:
        parser.add_argument("--data", type=Path, required=True, help="image folder class/*.jpg")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each arm")
    parser.add_argument(
        "--quick", action="store_true", help="a tiny set and one epoch, to see that it works; not saved"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("tasks-data"),
        help="folder for what is rendered, stored and run; delete it to start anew",
    )
    return parser.parse_args()


def compare(task: Task, options: argparse.Namespace, arms: Sequence[Arm] = ARMS, *, name: str = "") -> None:
    """Train every arm with every seed, print, and after each seed save as `tasks_NAME` (but for `--quick`).

    Runs are kept in the work folder, and what is there is not run again, so that an interrupted command goes on:
    after a change of what is measured, delete the folder.
    """
    runs: list[Run] = []
    for seed in range(options.seeds):
        runs += run_all(task, arms, seed, options.work / task.name)
        if options.quick:
            print(table(summary(arms, runs)))
            continue
        save(
            f"tasks_{name or task.name}",
            summary(arms, runs),
            seeds=seed + 1,
            samples={split: len(items) for split, items in task.source.splits.items()},
            epochs=task.epochs,
            choices=task.choices,
            data=None if options.data is None else options.data.resolve().name,
            runs=[asdict(run) for run in runs],
        )


def run_all(task: Task, arms: Sequence[Arm], seed: int, work: Path) -> list[Run]:
    """A run of each arm, on one core."""
    torch.set_num_threads(1)
    runs = []
    for arm in arms:
        file = (
            work
            / "runs"
            / f"{arm.name.replace('/', 'over')} {seed}, {task.epochs} of {len(task.source.splits['train'])}.json"
        )
        if file.exists():
            run = Run(**json.loads(file.read_text("utf-8")))
        else:
            run = train(task, arm, seed, work=work)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(asdict(run)), "utf-8")
            print(run, flush=True)
        runs.append(run)
    return runs


def spread(values: Sequence[float], *, sign: str = "") -> str:
    """Mean and standard deviation of shares, in percent."""
    deviation = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):{sign}.1f}{deviation}"


def summary(arms: Sequence[Arm], runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """A row an arm: means over seeds, of accuracy also the standard deviation, and what it is more, seed by seed."""
    rows: list[tuple[str, ...]] = [HEAD]
    accuracy = {(run.arm, run.seed): run.accuracy for run in runs}
    for arm in arms:
        own = [run for run in runs if run.arm == arm.name]
        against = [run.accuracy - accuracy[arm.against, run.seed] for run in own if arm.against != arm.name]
        seconds = sum(run.seconds for run in own)
        rows.append(
            (
                arm.name,
                str(own[0].channels),
                spread([run.accuracy for run in own]),
                spread(against, sign="+") if against else "",
                f"{own[0].sample_bytes:,.0f}",
                f"{statistics.mean(run.samples_a_second for run in own):,.0f}",
                f"{sum(run.loader_seconds for run in own) / seconds:.0%}",
                f"{seconds / len(own):.1f}",
            )
        )
    return rows
