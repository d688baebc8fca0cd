"""Fonts by a small transformer on a coarser grid: `python -m benchmarks.tasks.tokens [--seeds 3] [--quick]`.

A position stands for 16 x 16 pixels, as a patch of ViT/16 does, and is a token. Runs on the patches of `fonts`, which
are made once for both.
"""

from dataclasses import replace
from pathlib import Path

from benchmarks.tasks.arms import Arm
from benchmarks.tasks.fonts import fonts_task
from benchmarks.tasks.report import arguments, compare
from benchmarks.tasks.task import Task

__all__ = ["TOKEN_ARMS", "tokens_task"]

EPOCHS = 10
TOKEN_ARMS = (
    Arm(name="pixels / 4, JPEG 95", fold=4, quality=95),
    Arm(name="pixels / 2, JPEG 95", fold=8, quality=95),
    Arm(name="all pixels, JPEG 95", quality=95),
    Arm(name="latents rgb-f16c48", codec="rgb-f16c48"),
    Arm(name="latents rgb-f16c48-detail", codec="rgb-f16c48-detail"),
    Arm(name="latents rgb-f16c192", codec="rgb-f16c192"),
)


def main() -> None:
    """Train, print, and save if asked."""
    options = arguments("Which font set a patch of small text, by a transformer.")
    compare(tokens_task(options.work, quick=options.quick), options, TOKEN_ARMS)


def tokens_task(work: Path, *, quick: bool) -> Task:
    """The task of fonts, its patches rendered below `work`, on a grid of 8 x 8 tokens."""
    task = fonts_task(work, quick=quick)
    return replace(task, name="tokens", factor=16, transformer=True, epochs=1 if quick else EPOCHS)


if __name__ == "__main__":
    main()
