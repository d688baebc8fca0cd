"""What `walloc info` says in the units of the signals."""

import re

from walloc_data.report.info import describe_dataset


def line(folder, name):
    [found] = [line for line in describe_dataset(folder).splitlines() if line.startswith(name)]
    return found


def test_images_are_told_in_pixels(dataset):
    total = sum(path.stat().st_size for path in dataset.iterdir())
    pixels = 72 * 64 * 64
    said = re.fullmatch(
        r"images  (\S+) megapixels in all: (\S+) bits a pixel, (\S+) times less than 8 bits a value",
        line(dataset, "images"),
    )
    assert [float(number) for number in said.groups()] == [
        float(f"{number:{form}}")
        for number, form in ((pixels / 1e6, ".3g"), (8 * total / pixels, ".3g"), (3 * pixels / total, ".1f"))
    ]


def test_images_of_their_own_sizes_are_too(ragged_dataset):
    pixels = sum((40 + 3 * number) * (52 - number % 5) for number in range(12))
    assert line(ragged_dataset, "images").startswith(f"images  {pixels / 1e6:.3g} megapixels in all: ")
