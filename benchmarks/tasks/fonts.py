"""Which of 22 fonts set this text of 11 to 13 pixels? By convolutions, and as `tokens` by a transformer.

Patches of 128 x 128 pixels with lines of made-up words in a font that the wheel of matplotlib carries.
"""

import random
from functools import cache, partial
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from benchmarks.images import open_images
from benchmarks.tasks.networks import Transformer
from benchmarks.tasks.pictures import CODECS, FEW, LEARNED, PLAIN, SCALES, SIDE, ImageTask, latents
from benchmarks.tasks.stored import made_once

# Text fonts that the wheel of matplotlib carries: DejaVu, STIX, Computer Modern.
_FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *(f"cm{style}10" for style in ("r", "b", "ss", "tt", "ti", "mi")),
)
_SPACE = 0.35  # of a font's size; the fonts of Computer Modern have no blank
_TOKENS = *FEW[:3], *map(latents, ("rgb-f16c48", "rgb-f16c48-detail", "rgb-f16c192"))


def fonts_task(work: Path, train: int = 6000, val: int = 2000) -> ImageTask:
    """The task, so many patches rendered below `work`."""
    out = made_once(work / f"patches-{train}", partial(_render, {"train": train, "val": val}))
    sets = {"": PLAIN, "scales": SCALES, "codecs": CODECS, "learned": LEARNED}
    return ImageTask(name="fonts", source=open_images(out), epochs=10, sets=sets)


def tokens_task(work: Path, **counts: int) -> ImageTask:
    """The same patches on a grid of 8 x 8 positions, as those of a ViT/16 are, each of which is a token."""
    source, sets = fonts_task(work, **counts).source, {"": _TOKENS, "learned": [latents("rgb-f16c48-learned")]}
    return ImageTask(name="tokens", source=source, epochs=10, sets=sets, factor=16, net=Transformer)


def _render(counts: dict[str, int], out: Path) -> None:
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
    image, face = Image.new("RGB", (SIDE, SIDE), paper), font(name, size)
    canvas, y = ImageDraw.Draw(image), draw.uniform(0, 1.5 * size)
    while y < SIDE + size:
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
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font that the wheel of matplotlib carries, at a size in pixels."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", size)
