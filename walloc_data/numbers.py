"""Numbers that users give: checked, and made plain Python ones, which every checkpoint and manifest can hold."""

import math
import operator
from numbers import Real
from typing import Any

from walloc_data.errors import DatasetError, WallocError

__all__ = ["is_number", "whole_number"]


def is_number(value: Any) -> bool:
    """Whether `value` is a finite real number, of Python or numpy, and no bool."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def whole_number(name: str, value: Any, *, least: int | None = None, error: type[WallocError] = DatasetError) -> int:
    """`value` as a plain `int`: of Python, numpy or torch, but no float, bool or None, and not below `least`.

    Raises `error`, which calls it `name`.

    >>> import numpy as np
    >>> whole_number("seed", np.int64(3))
    3
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except (TypeError, ValueError, RuntimeError) as cause:  # torch has all three
        raise error(f"{name}={value!r} is not a whole number: give an int") from cause
    if least is not None and number < least:
        raise error(f"{name}={number} is below {least}, the least that it can be")
    return number
