"""Read digits on scanned receipts: `python -m benchmarks.tasks.receipts --data FOLDER [--seeds 3] [--quick]`.

`FOLDER` holds `img/*.jpg` and `box/*.csv`, as `data` of github.com/zzzDavid/ICDAR-2019-SROIE does: 626 receipts,
scanned and stored as JPEG. Every page is brought to the height at which its median text box has 14 pixels, and windows
of 128 x 128 are cut around digits of its numbers: which digit is at the middle? A fifth of the receipts is to validate
on, and none of their scans is trained on.
"""

import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.images import labels, open_images
from benchmarks.tasks.arms import ARMS, Arm
from benchmarks.tasks.report import arguments, compare
from benchmarks.tasks.scans import SIZE, cut, draw_windows, open_scan, read_receipts, split_receipts
from benchmarks.tasks.scans_read import reading
from benchmarks.tasks.task import Task

__all__ = ["RECEIPT_ARMS", "facts", "receipts_task"]

RECEIPT_ARMS = (
    *(arm for arm in ARMS if arm.name not in ("all pixels, raw", "all pixels, JPEG 50")),
    Arm(name="latents fitted-c12", codec="fitted-c12"),
    Arm(name="latents rgb-f8c12-detail", codec="rgb-f8c12-detail"),
    Arm(name="latents rgb-f8c48, steps x 2", codec="rgb-f8c48", coarser=2),
    Arm(name="latents rgb-f8c48, steps x 4", codec="rgb-f8c48", coarser=4),
)


def main() -> None:
    """Train and print, with what guessing gets and what reading costs, and save if asked."""
    options = arguments("Read digits on scanned receipts.", data=True)
    task = receipts_task(options.data, options.work, quick=options.quick)
    cost = reading(task, options.data, options.work / task.name)
    compare(task, options, RECEIPT_ARMS, **facts(task), reading=cost)


def receipts_task(data: Path, work: Path, *, quick: bool) -> Task:
    """The task, its windows cut below `work`; the class of a window is the digit at its middle."""
    counts = {"train": 128, "val": 64} if quick else {"train": 12000, "val": 1500}
    source = open_images(_cut_folder(data, work / f"windows-{counts['train']}", counts))
    return Task(
        name="receipts",
        source=source,
        size=SIZE,
        answers=torch.tensor([[int(name)] for name in source.class_names]),
        choices=10,
        epochs=1 if quick else 6,
        places=True,
    )


def facts(task: Task) -> dict[str, Any]:
    """`chance`, the share that the commonest digit of `train` gets of `val`, and of each split how many `receipts`
    its windows are from and how many `digits` of these, each in one window or more.
    """
    counts = {split: Counter(labels(files)) for split, files in task.source.splits.items()}
    shown = {
        split: {tuple(Path(name).stem.split("-")[:-1]) for name in files.names}
        for split, files in task.source.splits.items()
    }
    return {
        "chance": counts["val"][counts["train"].most_common(1)[0][0]] / counts["val"].total(),
        "receipts": {split: len({scan for scan, _ in places}) for split, places in shown.items()},
        "digits": {split: len(places) for split, places in shown.items()},
    }


def _cut_folder(data: Path, out: Path, counts: dict[str, int]) -> Path:
    """An image folder `out/split/digit/SCAN-DIGIT-NUMBER.png` of windows, each page decoded once; made once."""
    if not out.exists():
        unfinished = out.with_name(out.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for split, receipts in split_receipts(read_receipts(data)).items():
            wanted = defaultdict(list)
            for number, window in enumerate(draw_windows(receipts, counts[split], split)):
                wanted[window.receipt.scan].append((number, window))
            for scan, windows in wanted.items():
                page = open_scan(windows[0][1].receipt)
                for number, window in windows:
                    folder = unfinished / split / window.digit.value
                    folder.mkdir(parents=True, exist_ok=True)
                    name = f"{scan.stem.replace('-', '_')}-{window.number}-{number:05d}.png"
                    cut(page, window).save(folder / name, compress_level=1)
        unfinished.rename(out)
    return out


if __name__ == "__main__":
    main()
