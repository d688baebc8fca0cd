"""Scanned receipts: where digits stand on them, and windows of 128 x 128 pixels cut around these."""

import random
import re
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from walloc_data.errors import SourceError

__all__ = ["SIZE", "Digit", "Receipt", "Window", "cut", "draw_windows", "open_scan", "read_receipts", "split_receipts"]

SIZE = 128
_HEIGHT = 14  # pixels that the median text box of a page is brought to: its digits are 10 to 12 high
_JITTER = 1.0  # pixels that a digit is off the middle of its window, at most, each way
_VAL = 5  # one receipt of so many is validated on
_NUMBER = re.compile(r"[\d.,:/-]+")  # a text of nothing but these: amounts, quantities, dates, telephones, codes
_MARK = 0.75  # width of what is no digit, to a digit: between that of fonts where all are as wide, and of others


@dataclass(frozen=True, kw_only=True)
class Digit:
    """A digit `value` and its middle `x`, `y` on the scan, in pixels."""

    value: str
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A scan, the median height of its text boxes in pixels, and the digits of its numbers."""

    scan: Path
    height: float
    digits: tuple[Digit, ...]


@dataclass(frozen=True, kw_only=True)
class Window:
    """What to cut: a digit of a receipt by its number, and how far (right, down) from the middle it is to be."""

    receipt: Receipt
    number: int
    shift: tuple[float, float]

    @property
    def digit(self) -> Digit:
        """The digit that the window is around."""
        return self.receipt.digits[self.number]


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
        boxes = [([int(place) for place in corners], text.strip()) for *corners, text in lines]
        digits = [digit for corners, text in boxes if _NUMBER.fullmatch(text) for digit in _digits(corners, text)]
        if digits and not own & seen:
            height = statistics.median(max(corners[1::2]) - min(corners[1::2]) for corners, _ in boxes)
            receipts.append(Receipt(scan=scan, height=height, digits=tuple(digits)))
        seen |= own
    if not receipts:
        raise SourceError(f"{folder} holds no receipts: give the folder that holds img/*.jpg and box/*.csv")
    return receipts


def split_receipts(receipts: list[Receipt]) -> dict[str, list[Receipt]]:
    """A fifth of the receipts as `val`, the others as `train`, by a fixed seed."""
    mixed = random.Random("receipts").sample(receipts, len(receipts))
    return {"train": mixed[len(mixed) // _VAL :], "val": mixed[: len(mixed) // _VAL]}


def draw_windows(receipts: list[Receipt], count: int, seed: str) -> list[Window]:
    """Windows by a seed: first which of the ten digits, then where it stands, each as likely as another.

    Drawn plainly, one digit of three would be 0.
    """
    found = defaultdict[str, list[tuple[Receipt, int]]](list)
    for receipt in receipts:
        for number, digit in enumerate(receipt.digits):
            found[digit.value].append((receipt, number))
    windows = []
    for place in range(count):
        draw = random.Random(f"{seed} {place}")
        receipt, number = draw.choice(found[draw.choice(sorted(found))])
        shift = draw.uniform(-_JITTER, _JITTER), draw.uniform(-_JITTER, _JITTER)
        windows.append(Window(receipt=receipt, number=number, shift=shift))
    return windows


def open_scan(receipt: Receipt) -> Image.Image:
    """The whole page, decoded."""
    with Image.open(receipt.scan) as image:
        page: Image.Image = image.convert("RGB")
        return page


def cut(page: Image.Image, window: Window) -> Image.Image:
    """128 x 128 pixels of a page brought to the height of text that all have; white beyond its edges."""
    scale = _HEIGHT / window.receipt.height
    side = round(SIZE / scale)
    left = round(window.digit.x - window.shift[0] / scale - side / 2)
    top = round(window.digit.y - window.shift[1] / scale - side / 2)
    paper = Image.new("RGB", (side, side), "white")
    paper.paste(page, (-left, -top))
    return paper.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _digits(corners: list[int], text: str) -> list[Digit]:
    left, right = min(corners[::2]), max(corners[::2])
    y = (min(corners[1::2]) + max(corners[1::2])) / 2
    widths = [1.0 if sign.isdigit() else _MARK for sign in text]
    unit, digits = (right - left) / sum(widths), []
    for place, sign in enumerate(text):
        if sign.isdigit():
            x = left + unit * (sum(widths[:place]) + widths[place] / 2)
            digits.append(Digit(value=sign, x=x, y=y))
    return digits
