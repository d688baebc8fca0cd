"""Arrays in `.mat` files of MATLAB, version 5, as scipy reads them."""

import math
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError
from walloc_data.signals.extras import need
from walloc_data.signals.stored import Stored, chosen

__all__ = ["read_mat"]

_DTYPES = {"double": "f8", "single": "f4", "logical": "u1"} | {
    f"{sign}int{bits}": f"{sign or 'i'}{bits // 8}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


def read_mat(file: IO[bytes], variable: str | int | None) -> Stored:
    """The array of a `.mat` that is called `variable`, or the only one that is more than a number.

    Raises `SampleError` for what is damaged, or of version 7.3, and `SourceError` without scipy.
    """
    io = need("scipy.io", "arrays")
    try:
        file.seek(0)
        found = [entry for entry in io.whosmat(file) if entry[2] in _DTYPES and math.prod(entry[1]) > 1]
    except NotImplementedError as error:
        raise SampleError(
            "a .mat of version 7.3, which is HDF5: write it with save(..., '-v7'), or its array as an .npy"
        ) from error
    except Exception as error:  # scipy may raise anything on a damaged file
        raise SampleError(f"a damaged .mat ({error})") from error
    told = [f"{name} {list(shape)}" for name, shape, _ in found]
    name, shape, kind = found[chosen(variable, [name for name, _, _ in found], told)]

    def take(part: tuple[slice, ...]) -> NDArray[Any]:
        try:
            file.seek(0)
            values = io.loadmat(file, variable_names=[name])[name]
        except MemoryError:
            raise
        except Exception as error:
            raise SampleError(f"a damaged .mat ({error})") from error
        if not isinstance(values, np.ndarray) or values.shape != shape or values.dtype.kind not in "biuf":
            raise SampleError(f"its array {name} is not one of real numbers")
        return values[part]

    return Stored(shape, np.dtype(_DTYPES[kind]), take, whole=True)
