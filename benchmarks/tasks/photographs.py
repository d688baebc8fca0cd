"""Classes of photographs, where resolution hardly matters.

`--data` is an image folder `class/*.jpg`, Caltech-101 or another; of the 40 classes with most photographs, at most 60 a
class are trained on and 20 validated on, at 128 pixels.
"""

import random
from collections import defaultdict
from pathlib import Path

from benchmarks.images import Images, open_images
from benchmarks.tasks.pictures import CODECS, FEW, LEARNED, SCALES, ImageTask
from walloc_data import Files

_CLASSES = 40
_BACKGROUND = "BACKGROUND_Google"  # of Caltech-101: no class


def photographs_task(data: Path, train: int = 60, val: int = 20) -> ImageTask:
    """The task: a folder's photographs, at most so many of a class, split by a fixed seed."""
    arms = *FEW, *(arm for arm in SCALES if arm.power == 0.5)
    source, sets = _split(open_images(data), train, val), {"": arms, "codecs": CODECS, "learned": LEARNED}
    return ImageTask(name="photographs", source=source, epochs=20, sets=sets, flips=True)


def _split(whole: Images, train: int, val: int) -> Images:
    """Up to so many photographs of each of the largest classes, the first to validate on, the others to train on."""
    root, by_class = whole.splits["train"].root, defaultdict[str, list[str]](list)
    for file in whole.splits["train"].names:
        by_class[file.split("/")[0]].append(file)
    by_class.pop(_BACKGROUND, None)
    splits: dict[str, list[tuple[str, int]]] = {"train": [], "val": []}
    names = sorted(sorted(by_class, key=lambda name: -len(by_class[name]))[:_CLASSES])
    for label, name in enumerate(names):
        chosen = random.Random(name).sample(by_class[name], min(len(by_class[name]), train + val))
        splits["val"] += [(file, label) for file in chosen[:val]]
        splits["train"] += [(file, label) for file in chosen[val:]]
    columns = {split: map(list, zip(*part, strict=True)) for split, part in splits.items()}
    kept = {split: Files(root, files, {"label": labels}) for split, (files, labels) in columns.items()}
    return Images(whole.name, kept, {"label": names})
