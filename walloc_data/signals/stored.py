"""An array that is not read yet: what it is, and a part of it when that is asked for."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError
from walloc_data.signals.raw_file import RawFile

__all__ = ["Stored", "checked_type", "chosen", "plain_part"]


@dataclass(frozen=True)
class Stored:
    """An array of `shape` and `dtype`, of which `take` reads the part in a slice for each axis.

    `whole` says that this reads all of it. `axes` are letters of the axes where the format has some (TIFF: `Y`, `X`,
    `Z`, and others), `nodata` is the value that the file says stands for none.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    take: Callable[[tuple[slice, ...]], NDArray[Any]]
    whole: bool = False
    axes: str | None = None
    nodata: float | None = None

    def __post_init__(self) -> None:
        checked_type(self.dtype)
        if 0 in self.shape:
            raise SampleError(f"its shape is {list(self.shape)}: it holds nothing")

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


def checked_type(dtype: np.dtype[Any]) -> None:
    """Raises `SampleError` for what is no array of real numbers."""
    if dtype.hasobject:
        raise SampleError("it holds objects of Python, which are never unpickled: write its numbers as an array")
    if dtype.kind not in "biuf":
        raise SampleError(f"it holds {dtype}, and signals are of whole numbers or floats")


def chosen(variable: str | int | None, names: Sequence[str], told: Sequence[str]) -> int:
    """The place of the array that is called `variable`, or of the only one. `told` is how a person is told of them."""
    if not names:
        raise SampleError("it holds no array of numbers")
    few = ", ".join(told[:8]) + (", ..." if len(told) > 8 else "")
    if variable is None:
        if len(names) > 1:
            raise SampleError(f"it holds {len(names)} arrays: say which with variable=NAME ({few})")
        return 0
    if str(variable) not in names:
        raise SampleError(f"it has no array {str(variable)!r}, but {few}")
    return list(names).index(str(variable))


def plain_part(
    file: RawFile,
    part: tuple[slice, ...],
    *,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    offset: int,
    order: str = "C",
) -> NDArray[Any]:
    """A part of numbers that lie in a file as they are: no more is read than that, a stretch at a time.

    They are not mapped: of a file that is cut short meanwhile, mapped memory would end the process.
    """
    if order == "F":
        turned: NDArray[Any] = plain_part(file, part[::-1], dtype=dtype, shape=shape[::-1], offset=offset).T
        return turned
    need, there = math.prod(shape) * dtype.itemsize, file.seek(0, os.SEEK_END) - offset
    if there < need:
        raise SampleError(f"cut short: its header says {need} bytes of numbers, and it holds {max(there, 0)}")
    spans = [range(*one.indices(side)) for one, side in zip(part, shape, strict=True)]
    inner = next((axis for axis in reversed(range(len(shape))) if len(spans[axis]) < shape[axis]), 0)
    found: NDArray[Any] = np.empty([len(span) for span in spans], dtype)
    flat: NDArray[np.uint8] = found.reshape(-1).view(np.uint8)
    stride = math.prod(shape[inner + 1 :]) * dtype.itemsize  # bytes from one index of the axis `inner` to the next
    strides = [stride * math.prod(shape[axis + 1 : inner + 1]) for axis in range(inner)]
    length = len(spans[inner]) * stride
    for number, outer in enumerate(product(*spans[:inner])):
        file.seek(offset + spans[inner].start * stride + sum(map(mul, outer, strides)))
        if file.readinto(flat[number * length : (number + 1) * length].data) < length:
            raise SampleError("cut short while it was read")
    return found
