"""Real fonts, made-up words, and image folders of what they set."""

import random
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

__all__ = ["FONTS", "draw_text", "font", "paper_and_ink", "render_folder", "word"]

# Text fonts that the wheel of matplotlib carries: DejaVu, STIX, Computer Modern.
FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *(f"cm{style}10" for style in ("r", "b", "ss", "tt", "ti", "mi")),
)
Colour = tuple[int, int, int]
_SPACE = 0.35  # of a font's size; the fonts of Computer Modern have no blank


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font by its name in `FONTS` and its size in pixels."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", size)


def word(draw: random.Random) -> str:
    """One to four syllables, seldom with a capital."""
    syllables = [draw.choice("bcdfghjklmnprstvwz") + draw.choice("aeiouy") for _ in range(draw.randint(1, 4))]
    said = "".join(syllables) + draw.choice(("", "n", "r", "s", "t"))
    return said.capitalize() if draw.random() < 0.2 else said


def paper_and_ink(draw: random.Random) -> tuple[Colour, Colour]:
    """A light colour and a dark one, (R, G, B)."""
    paper = (draw.randint(225, 255), draw.randint(225, 255), draw.randint(220, 255))
    ink = (draw.randint(0, 70), draw.randint(0, 70), draw.randint(0, 90))
    return paper, ink


def draw_text(
    canvas: ImageDraw.ImageDraw, words: list[str], at: tuple[float, float], face: ImageFont.FreeTypeFont, ink: Colour
) -> None:
    """Words in a row from a place (left end of the baseline); whatever leaves the canvas is cut off."""
    x, y = at
    for each in words:
        canvas.text((x, y), each, font=face, fill=ink, anchor="ls")
        x += face.getlength(each) + _SPACE * face.size


def render_folder(
    out: Path, counts: dict[str, int], picture: Callable[[random.Random], tuple[str, Image.Image]]
) -> Path:
    """An image folder `out/split/class/NNNNN.png` of pictures that `picture` draws, each of its own seed; made once."""
    if not out.exists():
        unfinished = out.with_name(out.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for split, count in counts.items():
            for number in range(count):
                name, image = picture(random.Random(f"{split} {number}"))
                (unfinished / split / name).mkdir(parents=True, exist_ok=True)
                image.save(unfinished / split / name / f"{number:05d}.png", compress_level=1)
        unfinished.rename(out)
    return out
