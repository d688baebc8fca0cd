"""Real photographs that need no download: those that the wheels of scikit-image and scikit-learn carry."""

from functools import cache
from pathlib import Path

import skimage
import sklearn.datasets
from PIL import Image

__all__ = ["CLASSES", "window"]

CLASSES = ("astronaut", "chelsea", "flower")
_FILES = {
    "astronaut": Path(skimage.__file__).parent / "data" / "astronaut.png",
    "chelsea": Path(skimage.__file__).parent / "data" / "chelsea.png",
    "flower": Path(sklearn.datasets.__file__).parent / "images" / "flower.jpg",
}


@cache
def _photograph(name: str) -> Image.Image:
    with Image.open(_FILES[name]) as image:
        upright: Image.Image = image.convert("RGB")
        return upright


def window(name: str, number: int, size: tuple[int, int] = (80, 64)) -> Image.Image:
    """A part of a photograph, of `size` (width, height); `number` says which."""
    photograph = _photograph(name)
    left = 37 * number % (photograph.width - 2 * size[0])
    top = 23 * number % (photograph.height - 2 * size[1])
    return photograph.resize(size, box=(left, top, left + 2 * size[0], top + 2 * size[1]))
