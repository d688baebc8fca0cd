"""Read digits on scanned receipts.

`--data` holds `img/*.jpg` and `box/*.csv`, as `data` of github.com/zzzDavid/ICDAR-2019-SROIE does: 626 receipts,
scanned and stored as JPEG. Every page is brought to the height at which its median text box has 14 pixels, and windows
of 128 x 128 are cut around digits of its numbers: which digit is at the middle? A fifth of the receipts is to validate
on, and none of their scans is trained on.
"""

import random
import re
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from benchmarks.images import open_images
from benchmarks.tasks.networks import convolutions
from benchmarks.tasks.pictures import COARSER, DETAIL, FEW, FITTED, LEARNED, SIDE, ImageTask
from benchmarks.tasks.stored import made_once
from walloc_data.errors import SourceError

_HEIGHT = 14  # pixels that the median text box of a page is brought to: its digits are 10 to 12 high
_JITTER = 1.0  # pixels that a digit is off the middle of its window, at most, each way
_VAL = 5  # one receipt of so many is validated on
_NUMBER = re.compile(r"[\d.,:/-]+")  # a text of nothing but these: amounts, quantities, dates, telephones, codes
_MARK = 0.75  # width of what is no digit, to a digit: between that of fonts where all are as wide, and of others


class Receipt(NamedTuple):
    """A scan, its texts with the x and y of their four corners and the median height of these in pixels, and the digits
    of its numbers with the x and y of their middles."""

    scan: Path
    texts: list[tuple[str, list[int]]]
    height: float
    digits: list[tuple[str, float, float]]


def receipts_task(data: Path, work: Path, train: int = 12000, val: int = 1500) -> ImageTask:
    """The task, so many windows cut below `work`; the class of a window is the digit at its middle."""
    out = made_once(work / f"windows-{train}", partial(_cut_all, data, {"train": train, "val": val}))
    arms = *FEW, *(replace(arm, against=FEW[2].name) for arm in (FITTED, DETAIL, *COARSER[-2:]))
    sets, net = {"": arms, "learned": LEARNED}, partial(convolutions, places=True)
    return ImageTask(name="receipts", source=open_images(out), epochs=6, sets=sets, net=net)


def read_receipts(folder: Path) -> list[Receipt]:
    """The receipts of `folder/img/NAME.jpg` that show numbers, with the boxes of `folder/box/NAME.csv`, by name.

    A line of boxes is the x and y of four corners, then the text; where in a box its digits are is reckoned from the
    text, all as wide. A scan that was there before, by its bytes or by its texts, is left out. Raises `SourceError`
    where there are no receipts.
    """
    receipts, seen = [], set[bytes]()
    for file in sorted(folder.glob("box/*.csv")):
        scan = folder / "img" / f"{file.stem}.jpg"
        lines = [line.split(",", 8) for line in file.read_text("utf-8").splitlines() if line.count(",") >= 8]
        own = {scan.read_bytes(), "\n".join(text for *_, text in lines).encode()}
        texts = [(text.strip(), [int(place) for place in corners]) for *corners, text in lines]
        digits = [digit for text, box in texts if _NUMBER.fullmatch(text) for digit in _digits(text, box)]
        if digits and not own & seen:
            height = statistics.median(max(box[1::2]) - min(box[1::2]) for _, box in texts)
            receipts.append(Receipt(scan, texts, height, digits))
        seen |= own
    if not receipts:
        raise SourceError(f"{folder} holds no receipts: give the folder that holds img/*.jpg and box/*.csv")
    return receipts


def split_receipts(receipts: list[Receipt]) -> dict[str, list[Receipt]]:
    """A fifth of the receipts as `val`, the others as `train`, by a fixed seed."""
    mixed = random.Random("receipts").sample(receipts, len(receipts))
    return {"train": mixed[len(mixed) // _VAL :], "val": mixed[: len(mixed) // _VAL]}


def draw_windows(receipts: list[Receipt], count: int, seed: str) -> Iterator[tuple[Receipt, int, tuple[float, float]]]:
    """Receipts, numbers of their digits, and how far (right, down) from the middle of a window these are to be.

    First which of the ten digits is drawn, then where it stands, each as likely as another: drawn plainly, one of three
    would be 0.
    """
    found = defaultdict[str, list[tuple[Receipt, int]]](list)
    for receipt in receipts:
        for number, digit in enumerate(receipt.digits):
            found[digit[0]].append((receipt, number))
    for place in range(count):
        draw = random.Random(f"{seed} {place}")
        receipt, number = draw.choice(found[draw.choice(sorted(found))])
        yield receipt, number, (draw.uniform(-_JITTER, _JITTER), draw.uniform(-_JITTER, _JITTER))


@lru_cache(1)
def read_page(scan: Path) -> Image.Image:
    """A whole scan, decoded."""
    with Image.open(scan) as image:
        page: Image.Image = image.convert("RGB")
        return page


def cut(receipt: Receipt, number: int, shift: tuple[float, float] = (0.0, 0.0)) -> Image.Image:
    """128 x 128 pixels of a page brought to the height of text that all have; white beyond its edges."""
    scale, digit = _HEIGHT / receipt.height, receipt.digits[number]
    side = round(SIDE / scale)
    left, top = (round(at - off / scale - side / 2) for at, off in zip(digit[1:], shift, strict=True))
    paper = Image.new("RGB", (side, side), "white")
    paper.paste(read_page(receipt.scan), (-left, -top))
    return paper.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _cut_all(data: Path, counts: dict[str, int], out: Path) -> None:
    """Windows of both splits, those of one page after one another."""
    for split, receipts in split_receipts(read_receipts(data)).items():
        windows = enumerate(draw_windows(receipts, counts[split], split))
        for order, (receipt, number, shift) in sorted(windows, key=lambda each: each[1][0].scan):
            folder = out / split / receipt.digits[number][0]
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{receipt.scan.stem.replace('-', '_')}-{number}-{order:05d}.png"
            cut(receipt, number, shift).save(folder / name, compress_level=1)


def _digits(text: str, box: list[int]) -> list[tuple[str, float, float]]:
    left, right, y = min(box[::2]), max(box[::2]), (min(box[1::2]) + max(box[1::2])) / 2
    widths = [1.0 if sign.isdigit() else _MARK for sign in text]
    unit, signs = (right - left) / sum(widths), zip(text, widths, accumulate(widths), strict=True)
    return [(sign, left + unit * (end - width / 2), y) for sign, width, end in signs if sign.isdigit()]
