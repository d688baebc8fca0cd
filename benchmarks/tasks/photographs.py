"""Classes of photographs, where resolution hardly matters: `python -m benchmarks.tasks.photographs --data FOLDER`.

`FOLDER` is an image folder `class/*.jpg`, Caltech-101 or another; of the 40 classes with most photographs, at most 60 a
class are trained on and 20 validated on, at 128 pixels.
"""

import random
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.tasks.arms import FEWER_ARMS
from benchmarks.tasks.report import arguments, compare
from benchmarks.tasks.task import Task
from walloc_data import ImageFolder
from walloc_data.sources import Item

__all__ = ["photographs_task"]

SIZE, CLASSES, TRAIN, VAL = 128, 40, 60, 20
_BACKGROUND = "BACKGROUND_Google"  # of Caltech-101: no class


def main() -> None:
    """Train, print, and save if asked."""
    options = arguments("Classes of photographs.", data=True)
    arms = [arm for arm in FEWER_ARMS if arm.power < 1]
    compare(photographs_task(options.data, quick=options.quick), options, arms)


def photographs_task(data: Path, *, quick: bool) -> Task:
    """The task: a folder's photographs, split by a fixed seed."""
    source = _split(ImageFolder.scan(data), TRAIN if not quick else 4, VAL if not quick else 2)
    return Task(
        name="photographs",
        source=source,
        size=SIZE,
        answers=torch.arange(len(source.classes or []))[:, None],
        choices=len(source.classes or []),
        epochs=1 if quick else 20,
        flips=True,
    )


def _split(whole: ImageFolder, train: int, val: int) -> ImageFolder:
    """Up to so many photographs of each of the largest classes, the first to validate on, the others to train on."""
    by_class = defaultdict[str, list[Item]](list)
    for item in whole.splits["train"]:
        by_class[item.key.split("/")[0]].append(item)
    by_class.pop(_BACKGROUND, None)
    splits: dict[str, list[Item]] = {"train": [], "val": []}
    names = sorted(sorted(by_class, key=lambda name: -len(by_class[name]))[:CLASSES])
    for label, name in enumerate(names):
        chosen = random.Random(name).sample(by_class[name], min(len(by_class[name]), train + val))
        splits["val"] += [replace(item, label=label) for item in chosen[:val]]
        splits["train"] += [replace(item, label=label) for item in chosen[val:]]
    return ImageFolder(whole.root, splits, names)


if __name__ == "__main__":
    main()
