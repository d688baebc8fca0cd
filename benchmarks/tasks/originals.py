"""What reading costs if files stay as they came: `python -m benchmarks.tasks.originals --data FOLDER`.

`FOLDER` is an image folder `class/*.jpg` of photographs, ImageNet's or others. At most 1,000 of them are read by a
`DataLoader` in the process, on one core: as the original files, decoded by Pillow and resized in every epoch, as
training scripts do it; and as what the tasks store once, at 128 x 128 pixels. Nothing is trained. What is saved was
measured on the 1,000 of https://github.com/EliSchwartz/imagenet-sample-images, one a class, about 500 x 375 pixels.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.images import Images, open_images, paths, read_image
from benchmarks.results import show, table
from benchmarks.tasks.arms import Arm, prepare
from benchmarks.tasks.report import arguments
from benchmarks.tasks.task import Task
from walloc_data import Files, ImageReader

__all__ = ["HEAD", "OriginalFiles", "read_epochs", "summary"]

SIZE, MOST, FEW = 128, 1000, 80
HEAD = ("read", "bytes a sample", "samples/s", "latents rgb-f8c12 are read")
ARMS = (
    Arm(name="all pixels, JPEG 95", quality=95),
    Arm(name="pixels / 2, JPEG 95", fold=4, quality=95),
    Arm(name="all pixels, raw"),
    Arm(name="latents rgb-f8c48", codec="rgb-f8c48"),
    Arm(name="latents rgb-f8c12", codec="rgb-f8c12"),
)
Sample = tuple[Tensor, int]


class OriginalFiles(Dataset[Sample]):
    """Original files as uint8 `[3, size, size]`, each read anew, and a label.

    With `draft` the JPEG decoder may shrink first, to no less than twice `size` (`ImageReader`); otherwise the whole
    picture is decoded. Then the shorter side is resized to `size` and the middle cut out, as most training scripts do.
    """

    def __init__(self, paths: Sequence[Path], *, size: int, draft: bool) -> None:
        self.paths, self.size, self.draft = paths, size, draft
        self.reader = ImageReader(size=size)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Sample:
        if self.draft:
            return read_image(self.paths[index], self.reader), 0
        with Image.open(self.paths[index]) as file:
            image = file.convert("RGB")
        scale = self.size / min(image.size)
        width, height = (max(self.size, round(side * scale)) for side in image.size)
        left, top = (width - self.size) // 2, (height - self.size) // 2
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        image = image.crop((left, top, left + self.size, top + self.size))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1), 0


def main() -> None:
    """Read, print, and save if asked."""
    options = arguments("Original files against what is stored for training.", data=True)
    torch.set_num_threads(1)
    whole = open_images(options.data)
    files = _joined(list(whole.splits.values()))
    files = files.chosen(range(0, len(files), -(-len(files) // (FEW if options.quick else MOST))))
    source = Images(whole.name, {"train": files, "val": files.chosen([0])}, whole.classes)
    answers = torch.arange(len(source.class_names))[:, None]
    task = Task(name="originals", source=source, size=SIZE, answers=answers, choices=len(answers), epochs=1)
    originals = paths(files)
    stored = sum(path.stat().st_size for path in originals) / len(originals)
    named: dict[str, tuple[Dataset[Any], float]] = {
        "original files": (OriginalFiles(originals, size=SIZE, draft=False), stored),
        "original files, shrunk by the decoder": (OriginalFiles(originals, size=SIZE, draft=True), stored),
    }
    for arm in ARMS:
        data = prepare(task, arm, options.work / f"originals-{len(files)}")
        named[arm.name] = (data.train, data.sample_bytes)
    rows = summary(named, read_epochs({name: data for name, (data, _) in named.items()}, options.seeds))
    if options.quick:
        print(table(rows))
    else:
        facts = {"samples": len(files), "epochs": options.seeds, "data": options.data.resolve().name}
        show("tasks_originals", rows, save=options.save, **facts)


def _joined(splits: Sequence[Files]) -> Files:
    """The files of several splits of one folder, one after the other."""
    names = [name for files in splits for name in files.names]
    fields = {field: [value for files in splits for value in files.fields[field]] for field in splits[0].fields}
    return Files(splits[0].root, names, fields)


def read_epochs(datasets: dict[str, Dataset[Any]], epochs: int) -> dict[str, float]:
    """Samples a second of processor time, of the fastest of so many epochs; datasets take turns."""
    best = dict.fromkeys(datasets, 0.0)
    for _ in range(epochs):
        for name, data in datasets.items():
            loader = DataLoader(data, batch_size=64, shuffle=True)
            started = time.process_time()
            count = sum(len(x) for x, _ in loader)
            best[name] = max(best[name], count / (time.process_time() - started))
    return best


def summary(named: dict[str, tuple[Dataset[Any], float]], speeds: dict[str, float]) -> list[tuple[str, ...]]:
    """A row each, with how many times as fast latents are."""
    fastest = speeds[ARMS[-1].name]
    rows = [
        (name, f"{size:,.0f}", f"{speeds[name]:,.0f}", f"{fastest / speeds[name]:.1f} times as fast")
        for name, (_, size) in named.items()
    ]
    return [HEAD, *rows]


if __name__ == "__main__":
    main()
