"""Real photographs for the tests: those that the wheels of scikit-image and scikit-learn carry."""

import re
from functools import cache
from pathlib import Path

import skimage
import sklearn.datasets
from PIL import Image

CLASSES = ("astronaut", "chelsea", "flower")
_TIMES = re.compile(rb',\s*"source": "[0-9a-f]{16}"')
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


def write_folder(root: Path, *, count: int = 20, splits: tuple[str, ...] = ("train", "val")) -> Path:
    """An image folder `root/split/class/NNN.jpg` with `count` images a class in the first split, 4 in the others."""
    for place, split in enumerate(splits):
        for name in CLASSES:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count if place == 0 else 4):
                window(name, number + 100 * place).save(folder / f"{number:03d}.jpg", quality=92)
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file in a folder, by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def made(folder: Path) -> dict[str, bytes]:
    """The same of a dataset, but for what its manifest says of the times of source files."""
    found = contents(folder)
    return {name: _TIMES.sub(b"", data) if name == "walloc.json" else data for name, data in found.items()}
