"""Read the number beside TOTAL on a receipt: `python -m benchmarks.tasks.totals [--seeds 3] [--quick]`.

Receipts of 128 x 128 pixels, made-up items with amounts of three digits, one of them the total, in fonts of 10 to 12
pixels that the wheel of matplotlib carries. Each digit is a question.
"""

import random
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from benchmarks.images import open_images
from benchmarks.tasks.arms import FEWER_ARMS
from benchmarks.tasks.rendering import FONTS, draw_text, font, paper_and_ink, render_folder, word
from benchmarks.tasks.report import arguments, compare
from benchmarks.tasks.task import Task

__all__ = ["totals_task"]

SIZE, DIGITS = 128, 3
_FONTS = [name for name in FONTS if not any(style in name for style in ("Obl", "Ita", "ti", "mi"))]  # the upright


def main() -> None:
    """Train, print, and save if asked."""
    options = arguments("Read the number beside the word TOTAL.")
    compare(totals_task(options.work, quick=options.quick), options, FEWER_ARMS)


def totals_task(work: Path, *, quick: bool) -> Task:
    """The task, its receipts rendered below `work`; the class of an image is its total."""
    counts = {"train": 128, "val": 64} if quick else {"train": 8000, "val": 1000}
    source = open_images(render_folder(work / f"receipts-{counts['train']}", counts, _receipt))
    return Task(
        name="totals",
        source=source,
        size=SIZE,
        answers=torch.tensor([[int(digit) for digit in name] for name in source.class_names]),
        choices=10,
        epochs=1 if quick else 8,
        places=True,
    )


def _receipt(draw: random.Random) -> tuple[str, Image.Image]:
    name, size = draw.choice(_FONTS), draw.randint(10, 12)
    paper, ink = paper_and_ink(draw)
    image = Image.new("RGB", (SIZE, SIZE), paper)
    canvas, face = ImageDraw.Draw(image), font(name, size)
    step, right = size * draw.uniform(1.25, 1.5), SIZE - draw.uniform(4, 6)
    last, left = SIZE - draw.uniform(6, 8), draw.uniform(2, 12)
    total = "".join(draw.choice("0123456789") for _ in range(DIGITS))
    for line in range(int(SIZE / step)):
        what, amount = (
            (word(draw), "".join(draw.choice("0123456789") for _ in range(DIGITS))) if line else ("TOTAL", total)
        )
        draw_text(canvas, [what], (left, last - line * step), face, ink)
        draw_text(canvas, [amount], (right - face.getlength(amount), last - line * step), face, ink)
    return total, image


if __name__ == "__main__":
    main()
