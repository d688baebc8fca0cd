"""Which of 22 fonts set this text of 11 to 13 pixels? `python -m benchmarks.tasks.fonts [--seeds 3] [--quick]`.

Patches of 128 x 128 pixels with lines of made-up words in a font that the wheel of matplotlib carries.
"""

import random
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from benchmarks.images import open_images
from benchmarks.tasks.rendering import FONTS, draw_text, font, paper_and_ink, render_folder, word
from benchmarks.tasks.report import arguments, compare
from benchmarks.tasks.task import Task

__all__ = ["fonts_task"]

SIZE = 128


def main() -> None:
    """Train, print, and save if asked."""
    options = arguments("Which font set a patch of small text.")
    compare(fonts_task(options.work, quick=options.quick), options)


def fonts_task(work: Path, *, quick: bool) -> Task:
    """The task, its patches rendered below `work`."""
    counts = {"train": 128, "val": 64} if quick else {"train": 6000, "val": 2000}
    source = open_images(render_folder(work / f"patches-{counts['train']}", counts, _patch))
    return Task(
        name="fonts",
        source=source,
        size=SIZE,
        answers=torch.arange(len(source.class_names))[:, None],
        choices=len(source.class_names),
        epochs=1 if quick else 10,
    )


def _patch(draw: random.Random) -> tuple[str, Image.Image]:
    name, size = draw.choice(FONTS), draw.randint(11, 13)
    paper, ink = paper_and_ink(draw)
    image = Image.new("RGB", (SIZE, SIZE), paper)
    canvas, y = ImageDraw.Draw(image), draw.uniform(0, 1.5 * size)
    while y < SIZE + size:
        draw_text(canvas, [word(draw) for _ in range(9)], (-draw.uniform(0, 4 * size), y), font(name, size), ink)
        y += size * draw.uniform(1.25, 1.45)
    return name, image


if __name__ == "__main__":
    main()
