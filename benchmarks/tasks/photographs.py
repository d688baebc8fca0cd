"""Classes of photographs, where resolution hardly matters: `python -m benchmarks.tasks.photographs --data FOLDER`.

`FOLDER` is an image folder `class/*.jpg`, Caltech-101 or another; of the 40 classes with most photographs, at most 60 a
class are trained on and 20 validated on, at 128 pixels.
"""

import random
from collections import defaultdict
from pathlib import Path

import torch

from benchmarks.images import Images, open_images
from benchmarks.tasks.arms import FEWER_ARMS
from benchmarks.tasks.report import arguments, compare
from benchmarks.tasks.task import Task
from walloc_data import Files

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
    source = _split(open_images(data), TRAIN if not quick else 4, VAL if not quick else 2)
    return Task(
        name="photographs",
        source=source,
        size=SIZE,
        answers=torch.arange(len(source.class_names))[:, None],
        choices=len(source.class_names),
        epochs=1 if quick else 20,
        flips=True,
    )


def _split(whole: Images, train: int, val: int) -> Images:
    """Up to so many photographs of each of the largest classes, the first to validate on, the others to train on."""
    files = whole.splits["train"]
    by_class = defaultdict[str, list[str]](list)
    for file in files.names:
        by_class[file.split("/")[0]].append(file)
    by_class.pop(_BACKGROUND, None)
    splits: dict[str, tuple[list[str], list[int]]] = {"train": ([], []), "val": ([], [])}
    names = sorted(sorted(by_class, key=lambda name: -len(by_class[name]))[:CLASSES])
    for label, name in enumerate(names):
        chosen = random.Random(name).sample(by_class[name], min(len(by_class[name]), train + val))
        for split, part in (("val", chosen[:val]), ("train", chosen[val:])):
            splits[split][0].extend(part)
            splits[split][1].extend([label] * len(part))
    kept = {split: Files(files.root, part, {"label": labels}) for split, (part, labels) in splits.items()}
    return Images(whole.name, kept, {"label": names})


if __name__ == "__main__":
    main()
