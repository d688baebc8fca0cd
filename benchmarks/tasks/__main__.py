"""The command of all tasks: `python -m benchmarks.tasks TASK [--arms SET] [--seeds 3] [--save]`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.results import add_save, show
from benchmarks.tasks.colour import ColourTask, read_squares
from benchmarks.tasks.digits import DigitsTask
from benchmarks.tasks.fonts import fonts_task, tokens_task
from benchmarks.tasks.networks import precision
from benchmarks.tasks.photographs import photographs_task
from benchmarks.tasks.receipts import receipts_task
from benchmarks.tasks.separation import Separation, load_songs
from benchmarks.tasks.songs import ROLES
from benchmarks.tasks.tables import summary
from benchmarks.tasks.task import Arm, Task, run_once

TASKS: dict[str, Callable[[argparse.Namespace], Task]] = {
    "colour": lambda o: ColourTask(read_squares(o.data), read_squares(o.test)),
    "digits": lambda o: DigitsTask(o.data[0]),
    "fonts": lambda o: fonts_task(o.work),
    "photographs": lambda o: photographs_task(o.data[0]),
    "receipts": lambda o: receipts_task(o.data[0], o.work),
    "separation": lambda o: Separation(o.stem, load_songs(o.work, o.stem), epochs=o.epochs),
    "tokens": lambda o: tokens_task(o.work),
}
_NEEDED = {"colour": ("data", "test"), "digits": ("data",), "photographs": ("data",), "receipts": ("data",)}


def main() -> None:
    """Train every arm with every seed, print, and save if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks", description="What networks learn from latents.")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--data", type=Path, nargs="+", help="folders to learn from; see the file of the task")
    parser.add_argument("--test", type=Path, nargs="+", help="folders of photographs to be judged on (colour)")
    parser.add_argument("--stem", choices=ROLES, default="drums", help="what to take out of a mixture (separation)")
    parser.add_argument("--epochs", type=int, default=4, help="how long to train (separation)")
    parser.add_argument("--arms", default="", help="other arms: scales, codecs, learned (images), more (separation)")
    parser.add_argument("--codec", type=Path, nargs="*", default=[], help="files of more codecs to compare (images)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each arm")
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
    runs = [run_once(task, arm, seed, options.work / task.name) for seed in range(options.seeds) for arm in arms]
    facts = {"data": [folder.resolve().name for folder in (options.data or []) + (options.test or [])], **task.facts()}
    facts |= {"epochs": task.epochs, "precision": precision(), "runs": runs}
    name = "_".join(filter(None, ("tasks", task.name, options.arms)))
    show(name, summary(task, arms, runs), save=options.save, **facts)


if __name__ == "__main__":
    main()
