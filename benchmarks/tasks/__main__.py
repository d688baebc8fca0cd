"""The command of all tasks: `python -m benchmarks.tasks TASK [--arms SET] [--seeds 3] [--quick] [--save]`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.results import add_save, show, table
from benchmarks.tasks.colour import ColourTask, read_squares
from benchmarks.tasks.digits import DigitsTask
from benchmarks.tasks.fonts import fonts_task, tokens_task
from benchmarks.tasks.photographs import photographs_task
from benchmarks.tasks.receipts import receipts_task
from benchmarks.tasks.separation import Separation, load_songs
from benchmarks.tasks.songs import ROLES
from benchmarks.tasks.task import Arm, Task, precision
from benchmarks.tasks.training import run_once, summary


def _colour(options: argparse.Namespace) -> Task:
    most = 8 if options.quick else None
    train, test = (read_squares(folders, most=most) for folders in (options.data, options.test))
    return ColourTask(train, test, quick=options.quick)


def _separation(options: argparse.Namespace) -> Task:
    counts = {"train": 16, "val": 8} if options.quick else {"train": 800, "val": 100}
    signals = load_songs(options.work, options.stem, counts)
    return Separation(options.stem, signals, epochs=1 if options.quick else options.epochs)


TASKS: dict[str, Callable[[argparse.Namespace], Task]] = {
    "colour": _colour,
    "digits": lambda options: DigitsTask(options.data[0], quick=options.quick),
    "fonts": lambda options: fonts_task(options.work, quick=options.quick),
    "photographs": lambda options: photographs_task(options.data[0], quick=options.quick),
    "receipts": lambda options: receipts_task(options.data[0], options.work, quick=options.quick),
    "separation": _separation,
    "tokens": lambda options: tokens_task(options.work, quick=options.quick),
}
_NEEDED = {"colour": ("data", "test"), "digits": ("data",), "photographs": ("data",), "receipts": ("data",)}


def main() -> None:
    """Train every arm with every seed, print, and save if asked (and not `--quick`)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks", description="What networks learn from latents.")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--data", type=Path, nargs="+", help="folders to learn from; see the file of the task")
    parser.add_argument("--test", type=Path, nargs="+", help="folders of photographs to be judged on (colour)")
    parser.add_argument("--stem", choices=ROLES, default="drums", help="what to take out of a mixture (separation)")
    parser.add_argument("--epochs", type=int, default=4, help="how long to train (separation)")
    parser.add_argument("--arms", default="", help="another set of arms: scales, codecs (images), more (separation)")
    parser.add_argument("--codec", type=Path, nargs="*", default=[], help="files of more codecs to compare (images)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each arm")
    parser.add_argument("--quick", action="store_true", help="a tiny set and one epoch, to see that it works")
    parser.add_argument("--work", type=Path, default=Path("tasks-data"), help="folder for what is stored and run")
    add_save(parser)
    options = parser.parse_args()
    if missing := [name for name in _NEEDED.get(options.task, ()) if not getattr(options, name)]:
        parser.error(f"{options.task} needs --{' and --'.join(missing)}")
    task = TASKS[options.task](options)
    if options.arms not in task.sets:
        parser.error(f"{options.task} has no arms {options.arms!r}: there are {', '.join(map(repr, task.sets))}")
    arms = list(task.sets[options.arms])
    arms += [Arm(name=f"latents {file.stem}", codec=str(file), against=arms[0].against) for file in options.codec]
    work = options.work / f"{task.name}{'-quick' * options.quick}"
    runs = [run_once(task, arm, seed, work) for seed in range(options.seeds) for arm in arms]
    if options.quick:
        print(table(summary(task, arms, runs)))
        return
    facts = {"data": [folder.resolve().name for folder in (options.data or []) + (options.test or [])], **task.facts()}
    facts |= {"epochs": task.epochs, "precision": precision(), "runs": [run.flat() for run in runs]}
    name = "_".join(filter(None, ("tasks", task.name, options.arms)))
    show(name, summary(task, arms, runs), save=options.save, **facts)


if __name__ == "__main__":
    main()
