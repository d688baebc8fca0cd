"""Which of 6 defects has this piece of a circuit board? `python -m benchmarks.tasks.defects --data FOLDER`.

`FOLDER` is `PCBData` of DeepPCB (https://github.com/tangsanli5201/DeepPCB, MIT licence): scans of boards in black and
white, 640 x 640 pixels as JPEG, each with boxes around its defects: open, short, mousebite, spur, spurious copper, pin
hole. Some are of the boards, most were drawn in by its authors. The scans are downscaled by 2.5, as a coarser camera
sees them, so that a defect's box measures about 15 pixels, and patches of 64 x 64 pixels are cut that hold defects of
one kind, anywhere. Boards that are validated on are not trained on.
"""

import random
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from benchmarks.tasks.arms import FEWER_ARMS, Arm
from benchmarks.tasks.report import arguments, compare
from benchmarks.tasks.task import Task
from walloc_data import ImageFolder
from walloc_data.errors import SourceError

__all__ = ["Box", "boards", "cut", "defects_task"]

SIZE, EPOCHS = 64, 10
SCAN, BOARD = 640, 256  # pixels a side of a scan, and of what patches are cut from
KINDS = ("open", "short", "mousebite", "spur", "copper", "pinhole")  # numbered from 1 in the files of boxes
COUNTS, FEW = {"train": 700, "val": 250}, {"train": 16, "val": 4}  # patches of a kind at most
_SHARE, _MARGIN, _TRIES = 0.25, 2, 8  # of boards validated on; pixels around a defect; places tried for each


@dataclass(frozen=True)
class Box:
    """Where a defect is on a board of 256 pixels: `left` and `top` are of it, `right` and `bottom` are not."""

    left: int
    top: int
    right: int
    bottom: int
    kind: str


def main() -> None:
    """Train, print, save."""
    options = arguments("Defects of circuit boards.", data=True)
    arms = [
        *(arm for arm in FEWER_ARMS if arm.power < 1),
        Arm(name="all pixels, JPEG 50", quality=50),
        Arm(name="latents fitted-c12", codec="fitted-c12"),
    ]
    compare(defects_task(options.data, options.work, quick=options.quick), options, arms)


def defects_task(data: Path, work: Path, *, quick: bool) -> Task:
    """The task, its patches cut below `work`."""
    counts = FEW if quick else COUNTS
    source = ImageFolder.scan(_patches(data, work / f"defects-{counts['train']}", counts))
    return Task(
        name="defects",
        source=source,
        size=SIZE,
        answers=torch.arange(len(source.classes or []))[:, None],
        choices=len(source.classes or []),
        epochs=1 if quick else EPOCHS,
        flips=True,
    )


def boards(data: Path) -> dict[Path, list[Box]]:
    """The scans below a folder with their boxes, by path. Raises `SourceError` where there are none."""
    found = {}
    for file in sorted(data.glob("*/*_not/*.txt")):
        lines = [line.replace(",", " ").split() for line in file.read_text("utf-8").splitlines() if line.strip()]
        scan = file.parent.with_name(file.parent.name.removesuffix("_not")) / f"{file.stem}_test.jpg"
        found[scan] = [_box(list(map(int, line))) for line in lines]
    if not found:
        raise SourceError(f"{data} holds no boxes group*/*_not/*.txt: give the folder PCBData of DeepPCB")
    return found


def cut(boxes: list[Box], draw: random.Random) -> list[tuple[Box, tuple[int, int]]]:
    """Corners (left, top) of patches of a board, at most one a defect: it whole and none of another kind."""
    corners = []
    for box in boxes:
        first = [max(0, end - SIZE + _MARGIN) for end in (box.right, box.bottom)]
        last = [min(BOARD - SIZE, start - _MARGIN) for start in (box.left, box.top)]
        if first[0] > last[0] or first[1] > last[1]:
            continue  # larger than a patch, or at the edge of the board
        for _ in range(_TRIES):
            left, top = (draw.randint(low, high) for low, high in zip(first, last, strict=True))
            if all(other.kind == box.kind or not _meets(other, left, top) for other in boxes):
                corners.append((box, (left, top)))
                break
    return corners


def _box(line: list[int]) -> Box:
    """Of left, top, right, bottom and number of the kind, as in a file of boxes."""
    left, top = (start * BOARD // SCAN for start in line[:2])
    right, bottom = (-(-end * BOARD // SCAN) for end in line[2:4])
    return Box(left, top, right, bottom, KINDS[line[4] - 1])


def _meets(box: Box, left: int, top: int) -> bool:
    return box.left < left + SIZE and left < box.right and box.top < top + SIZE and top < box.bottom


def _patches(data: Path, out: Path, counts: dict[str, int]) -> Path:
    """An image folder `out/split/kind/NNNNN.png`; made once."""
    if out.exists():
        return out
    unfinished = out.with_name(out.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    by_kind = defaultdict[tuple[str, str], list[tuple[Path, tuple[int, int]]]](list)
    for scan, boxes in boards(data).items():
        draw = random.Random(scan.stem)
        split = "val" if draw.random() < _SHARE else "train"
        for box, corner in cut(boxes, draw):
            by_kind[split, box.kind].append((scan, corner))
    for (split, kind), found in by_kind.items():
        (unfinished / split / kind).mkdir(parents=True)
        chosen = random.Random(kind).sample(found, min(len(found), counts[split]))
        for number, (scan, (left, top)) in enumerate(chosen):
            with Image.open(scan) as image:
                board = image.convert("RGB").resize((BOARD, BOARD), Image.Resampling.LANCZOS)
            patch = board.crop((left, top, left + SIZE, top + SIZE))
            patch.save(unfinished / split / kind / f"{number:05d}.png", compress_level=1)
    unfinished.rename(out)
    return out


if __name__ == "__main__":
    main()
