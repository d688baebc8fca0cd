"""Numbers of any dtype as those that signals have."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError

__all__ = ["plain_values"]

_PLAIN = frozenset(map(np.dtype, (np.uint8, np.int16, np.uint16, np.float32)))
_EXACT = 1 << 24  # whole numbers up to it are floats of 32 bits


def plain_values(values: NDArray[Any], dtype: str | None) -> NDArray[Any]:
    """Values as uint8, int16, uint16 or float32: whole numbers of other sizes become floats, where those hold them, and
    floats are rounded to 32 bits.

    Raises `SampleError` for infinity, for what floats do not hold, and for what is beyond the range of the codec's
    `dtype`.
    """
    low, high = values.min(), values.max()
    if values.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        raise SampleError("it holds infinity")
    if dtype is not None and np.dtype(dtype).kind in "iu":
        range_ = np.iinfo(dtype)
        if low < range_.min or high > range_.max:
            raise SampleError(f"its values span {low:g} to {high:g}, and the codec is fitted to {dtype}")
    native = values.dtype.newbyteorder("=")
    if native in _PLAIN:
        return values.astype(native, copy=False)
    if native.kind == "b" or native == np.int8:
        return values.astype(np.uint8 if native.kind == "b" else np.int16)
    if native.kind in "iu" and max(-int(low), int(high)) > _EXACT:
        raise SampleError(
            f"its values of {native} span {low} to {high}, which floats of 32 bits do not hold: scale them, or write "
            "them as uint16"
        )
    with np.errstate(over="ignore"):
        floats = values.astype(np.float32)
    if not np.isfinite(floats).all():
        raise SampleError(f"its values span {low:g} to {high:g}, beyond floats of 32 bits: scale them")
    return floats
