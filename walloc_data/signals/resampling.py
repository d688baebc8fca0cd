# mypy: disable-error-code="no-untyped-def"
"""Bicubic resampling of RGB images, bit by bit as Pillow does it, in a third of the time.

Pillow's `resize` multiplies 8-bit pixels by integer weights: first along rows, rounded to 8 bits, then along columns
(`src/libImaging/Resample.c`). Sums of integers are the same in any order, so that vectors of them are.
"""

import math
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from walloc_data.compiled import compiled
from walloc_data.signals.pixel_lanes import (
    BITS,
    load_pixels,
    load_weights,
    nothing,
    put_pixel,
    put_pixels,
    put_planes,
    spread,
    times,
)

__all__ = ["resampled"]

_REACH = 2.0  # of the cubic, in pixels
_COLUMNS_FIRST = int(PIL.__version__.split(".")[0]) >= 13  # where they shrink most, as this version came to do it


def resampled(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]
) -> NDArray[np.uint8] | None:
    """`image.resize(size, Image.Resampling.BICUBIC, box)` of an RGB image as uint8 `[3, height, width]`.

    None where one of the two is too narrow for that.
    """
    left, top, right, bottom = map(np.float32, box)  # as Pillow keeps them
    (width, height), lower, narrower = size, image.height - size[1], image.width - size[0]
    out = np.empty((3, height, width), np.uint8)
    pixels = np.frombuffer(image.tobytes("raw", "RGBX"), np.uint8)
    across = float(left), float(right - left), width
    down = float(top), float(bottom - top), height
    columns_first = _COLUMNS_FIRST and lower > max(0, 2 * narrower)
    done = _resample(pixels, image.width, image.height, *across, *down, columns_first, out.reshape(-1))
    return out if done else None


def _jit(function: Any) -> Any:
    return compiled(function, boundscheck=False, error_model="numpy")


@_jit
def _cubic(x):  # pragma: no cover  (compiled)
    x = abs(x)
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1.0
    if x < 2.0:
        return (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return 0.0


@_jit
def _weights(size, first, span, wanted):  # pragma: no cover
    """Of each of so many wanted pixels the first one that it depends on, how many these are, and their weights."""
    scale = span / wanted
    stretch = max(scale, 1.0)
    reach = _REACH * stretch
    most = 2 * math.ceil(reach) + 1
    starts, counts = np.empty(wanted, np.int64), np.empty(wanted, np.int64)
    weights, exact = np.zeros((wanted, most), np.int32), np.empty(most, np.float64)
    for place in range(wanted):
        center = first + (place + 0.5) * scale
        start, end = max(0, int(center - reach + 0.5)), min(size, int(center + reach + 0.5))
        total = 0.0
        for k in range(end - start):
            exact[k] = _cubic((k + start - center + 0.5) * (1.0 / stretch))
            total += exact[k]
        for k in range(end - start):
            weight = exact[k] / total if total != 0.0 else exact[k]
            weights[place, k] = int(weight * (1 << BITS) + (-0.5 if weight < 0 else 0.5))
        starts[place], counts[place] = start, end - start
    return starts, counts, weights


@_jit
def _resample(pixels, width, height, left, across, columns, top, down, rows, columns_first, planes):  # pragma: no cover
    starts, counts, weights = _weights(width, left, across, columns)
    above, heights, factors = _weights(height, top, down, rows)
    if min(width, columns) < 16 or width < weights.shape[1] + 3:
        return False
    if columns_first:
        between = _down(pixels, width, 0, above, heights, factors)
        whole = _across(between, width, 0, rows, starts, counts, weights)
    else:
        first, last = above[0], above[rows - 1] + heights[rows - 1]
        between = _across(pixels, width, first, last, starts, counts, weights)
        whole = _down(between, columns, first, above, heights, factors)
    size = rows * columns
    for i in range(0, size, 16):
        place = min(i, size - 16)
        put_planes(planes, place, size, whole, 4 * place)
    return True


@_jit
def _across(pixels, width, first, last, starts, counts, weights):  # pragma: no cover
    """Rows `first` to `last` of so many pixels each, by the weights of each column that they become."""
    columns, groups = len(starts), (weights.shape[1] + 3) // 4
    shared = np.zeros(columns * groups * 16, np.int32)  # a weight for each byte of a pixel
    begins = np.empty(columns, np.int64)
    for column in range(columns):
        begins[column] = min(starts[column], width - 4 * groups)  # nothing behind the row is read
        for k in range(counts[column]):
            at = 16 * groups * column + 4 * (k + starts[column] - begins[column])
            shared[at : at + 4] = weights[column, k]
    out = np.empty((last - first) * columns * 4, np.uint8)
    for row in range(last - first):
        for column in range(columns):
            here, total = 4 * ((first + row) * width + begins[column]), nothing()
            for group in range(groups):
                weight = load_weights(shared, 16 * (groups * column + group))
                total = times(total, load_pixels(pixels, here + 16 * group), weight)
            put_pixel(out, 4 * (row * columns + column), total)
    return out


@_jit
def _down(pixels, width, first, starts, counts, weights):  # pragma: no cover
    """Rows of so many pixels each, of which the `first` is the first that there is, by the weights of each row that
    they become."""
    out = np.empty(len(starts) * width * 4, np.uint8)
    for row in range(len(starts)):
        for i in range(0, width, 16):
            column = min(i, width - 16)
            a, b, c, d = nothing(), nothing(), nothing(), nothing()
            for k in range(counts[row]):
                weight, here = spread(weights[row, k]), 4 * ((starts[row] - first + k) * width + column)
                a = times(a, load_pixels(pixels, here), weight)
                b = times(b, load_pixels(pixels, here + 16), weight)
                c = times(c, load_pixels(pixels, here + 32), weight)
                d = times(d, load_pixels(pixels, here + 48), weight)
            at = 4 * (row * width + column)
            put_pixels(out, at, a)
            put_pixels(out, at + 16, b)
            put_pixels(out, at + 32, c)
            put_pixels(out, at + 48, d)
    return out
