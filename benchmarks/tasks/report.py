"""Runs of all arms and seeds of a task, as a table and JSON."""

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.results import add_save, show, table
from benchmarks.tasks.arms import ARMS, Arm
from benchmarks.tasks.task import Task
from benchmarks.tasks.training import Run, train

__all__ = ["HEAD", "arguments", "compare", "keep", "run_once", "spread", "summary"]

HEAD = (
    "input",
    "numbers a position",
    "seeds",
    "accuracy, %",
    "difference",
    "bytes a sample",
    "samples/s",
    "loader's share",
    "training, s",
)


def arguments(description: str, *, data: bool = False) -> argparse.Namespace:
    """Options that all tasks share: `seeds`, `quick`, `work`, `save`, and `data` where the task needs it."""
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
    add_save(parser)
    return parser.parse_args()


def compare(
    task: Task, options: argparse.Namespace, arms: Sequence[Arm] = ARMS, *, name: str = "", **facts: Any
) -> None:
    """Train every arm with every seed, and print; if asked (and not `--quick`) save as `tasks_NAME` with `facts`, from
    the first seed on after each run.

    Runs are kept in the work folder, and what is there is not run again, so that an interrupted command goes on:
    after a change of what is measured, delete the folder.
    """
    runs: list[Run] = []
    for seed in range(options.seeds):
        for arm in arms:
            runs.append(run_once(task, arm, seed, options.work / task.name))
            if len(runs) >= len(arms) and not options.quick:
                keep(name or task.name, task, arms, runs, data=options.data, save=options.save, **facts)
    if options.quick:
        print(table(summary(arms, runs)))


def keep(
    name: str,
    task: Task,
    arms: Sequence[Arm],
    runs: Sequence[Run],
    *,
    data: Path | None,
    save: bool,
    **facts: Any,
) -> None:
    """Print the table of runs, and `save` it with all that was run and other `facts`."""
    show(
        f"tasks_{name}",
        summary(arms, runs),
        save=save,
        samples={split: len(items) for split, items in task.source.splits.items()},
        epochs=task.epochs,
        choices=task.choices,
        data=None if data is None else data.resolve().name,
        **facts,
        runs=[asdict(run) for run in runs],
    )


def run_once(task: Task, arm: Arm, seed: int, work: Path) -> Run:
    """One run, on one core, or what is known of it already."""
    torch.set_num_threads(1)
    samples = len(task.source.splits["train"])
    file = work / "runs" / f"{arm.name.replace('/', 'over')} {seed}, {task.epochs} of {samples}.json"
    if file.exists():
        return Run(**json.loads(file.read_text("utf-8")))
    run = train(task, arm, seed, work=work)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(run)), "utf-8")
    print(run, flush=True)
    return run


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
        against = [
            run.accuracy - accuracy[arm.against, run.seed]
            for run in own
            if arm.against != arm.name and (arm.against, run.seed) in accuracy
        ]
        seconds = sum(run.seconds for run in own)
        rows.append(
            (
                arm.name,
                str(own[0].channels),
                str(len(own)),
                spread([run.accuracy for run in own]),
                spread(against, sign="+") if against else "",
                f"{own[0].sample_bytes:,.0f}",
                f"{statistics.mean(run.samples_a_second for run in own):,.0f}",
                f"{sum(run.loader_seconds for run in own) / seconds:.0%}",
                f"{seconds / len(own):.1f}",
            )
        )
    return rows
