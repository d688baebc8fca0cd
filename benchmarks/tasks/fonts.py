"""Which of 22 fonts set this text of 11 to 13 pixels? By convolutions, and as `tokens` by a transformer.

Patches of 128 x 128 pixels with lines of made-up words in a font that the wheel of matplotlib carries.
"""

import random
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from benchmarks.images import open_images
from benchmarks.tasks.pictures import CODECS, PLAIN, SCALES, ImageTask
from benchmarks.tasks.task import Arm, made_once

_SIZE, _ALL = 128, "all pixels, JPEG 95"
# Text fonts that the wheel of matplotlib carries: DejaVu, STIX, Computer Modern.
_FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *(f"cm{style}10" for style in ("r", "b", "ss", "tt", "ti", "mi")),
)
_SPACE = 0.35  # of a font's size; the fonts of Computer Modern have no blank
_TOKENS = (
    Arm(name="pixels / 4, JPEG 95", fold=4, quality=95, against=_ALL),
    Arm(name="pixels / 2, JPEG 95", fold=8, quality=95, against=_ALL),
    Arm(name=_ALL, quality=95, against=_ALL),
    *(
        Arm(name=f"latents {codec}", codec=codec, against=_ALL)
        for codec in ("rgb-f16c48", "rgb-f16c48-detail", "rgb-f16c192")
    ),
)


def fonts_task(work: Path, *, quick: bool) -> ImageTask:
    """The task, its patches rendered below `work`."""
    counts = {"train": 128, "val": 64} if quick else {"train": 6000, "val": 2000}
    out = made_once(work / f"patches-{counts['train']}", lambda folder: _render(folder, counts))
    sets = {"": PLAIN, "scales": SCALES, "codecs": CODECS}
    return ImageTask(name="fonts", source=open_images(out), epochs=1 if quick else 10, sets=sets)


def tokens_task(work: Path, *, quick: bool) -> ImageTask:
    """The same patches on a grid of 8 x 8 positions, as those of a ViT/16 are, each of which is a token."""
    fonts = fonts_task(work, quick=quick)
    return ImageTask(
        name="tokens", source=fonts.source, epochs=fonts.epochs, sets={"": _TOKENS}, factor=16, transformer=True
    )


def _render(out: Path, counts: dict[str, int]) -> None:
    """An image folder `out/split/font/NNNNN.png`, each patch of its own seed."""
    for split, count in counts.items():
        for number in range(count):
            name, image = _patch(random.Random(f"{split} {number}"))
            (out / split / name).mkdir(parents=True, exist_ok=True)
            image.save(out / split / name / f"{number:05d}.png", compress_level=1)


def _patch(draw: random.Random) -> tuple[str, Image.Image]:
    name, size = draw.choice(_FONTS), draw.randint(11, 13)
    paper = (draw.randint(225, 255), draw.randint(225, 255), draw.randint(220, 255))
    ink = (draw.randint(0, 70), draw.randint(0, 70), draw.randint(0, 90))
    image, face = Image.new("RGB", (_SIZE, _SIZE), paper), _font(name, size)
    canvas, y = ImageDraw.Draw(image), draw.uniform(0, 1.5 * size)
    while y < _SIZE + size:
        words, x = [_word(draw) for _ in range(9)], -draw.uniform(0, 4 * size)
        for word in words:
            canvas.text((x, y), word, font=face, fill=ink, anchor="ls")
            x += face.getlength(word) + _SPACE * face.size
        y += size * draw.uniform(1.25, 1.45)
    return name, image


def _word(draw: random.Random) -> str:
    """One to four syllables, seldom with a capital."""
    syllables = [draw.choice("bcdfghjklmnprstvwz") + draw.choice("aeiouy") for _ in range(draw.randint(1, 4))]
    said = "".join(syllables) + draw.choice(("", "n", "r", "s", "t"))
    return said.capitalize() if draw.random() < 0.2 else said


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", size)
