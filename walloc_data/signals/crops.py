"""Random resized crops: parts of a picture, of any size and almost any shape, each brought to one square."""

import math
import random
from typing import NamedTuple

__all__ = ["Box", "random_crops"]

_AREA = (0.08, 1.0)  # of a crop, as a share of the picture's
_RATIO = (3 / 4, 4 / 3)  # of its width to its height
_TRIES = 10


class Box(NamedTuple):
    """A part of a picture, in pixels: its left and upper edge, its width and its height."""

    x: int
    y: int
    width: int
    height: int


def random_crops(count: int, width: int, height: int, *, seed: str) -> list[Box]:
    """Boxes in a picture, of 8 to 100 % of its area and 3:4 to 4:3 in shape (evenly on a scale of logarithms), as is
    usual in training (Szegedy et al., "Going deeper with convolutions", 2015). A picture that is too narrow for one
    gives its middle. They are a function of `seed`, which may be any text.

    >>> random_crops(2, 640, 480, seed="a/b.jpg")
    [Box(x=181, y=1, width=366, height=479), Box(x=228, y=22, width=373, height=434)]
    """
    drawn = random.Random(seed)
    return [_crop(drawn, width, height) for _ in range(count)]


def _crop(drawn: random.Random, width: int, height: int) -> Box:
    low, high = map(math.log, _RATIO)
    for _ in range(_TRIES):
        area, ratio = width * height * drawn.uniform(*_AREA), math.exp(drawn.uniform(low, high))
        wide, tall = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < tall <= height:
            return Box(drawn.randint(0, width - wide), drawn.randint(0, height - tall), wide, tall)
    wide, tall = min(width, round(height * _RATIO[1])), min(height, round(width / _RATIO[0]))
    return Box((width - wide) // 2, (height - tall) // 2, max(1, wide), max(1, tall))
