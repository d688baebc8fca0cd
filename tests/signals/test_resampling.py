import numpy as np
import pytest
from PIL import Image

from walloc_data.signals.resampling import resampled


@pytest.mark.parametrize("kind", ["photograph-like noise", "black and white"])
def test_pixels_are_those_of_pillow_whatever_the_sizes_and_the_box(kind):
    rng, met = np.random.default_rng(0), 0
    for number in range(60):
        (height, width), (columns, rows) = rng.integers(2, 300, 2), map(int, rng.integers(1, 150, 2))
        noise = rng.integers(0, 2 if kind == "black and white" else 256, (height, width, 3), np.uint8)
        image = Image.fromarray(noise * 255 if kind == "black and white" else noise)
        left, top = rng.uniform(0, width / 2), rng.uniform(0, height / 2)
        box = (left, top, rng.uniform(left + 0.5, width), rng.uniform(top + 0.5, height))
        if number % 3 == 0:
            box = (0.0, 0.0, float(width), float(height))
        found = resampled(image, (columns, rows), box)
        if found is not None:
            met += 1
            expected = np.asarray(image.resize((columns, rows), Image.Resampling.BICUBIC, box)).transpose(2, 0, 1)
            assert np.array_equal(found, expected), (image.size, (columns, rows), box)
    assert met > 40


@pytest.mark.parametrize(("size", "wanted"), [((15, 64), (32, 32)), ((64, 64), (15, 32))])
def test_what_is_narrow_is_left_to_pillow(size, wanted):
    assert resampled(Image.new("RGB", size), wanted, (0.0, 0.0, *map(float, size))) is None
