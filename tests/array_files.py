"""Arrays that numpy makes, and files of them."""

import io
from typing import Any

import numpy as np
import scipy.io
import tifffile


def cube(bands: int = 5, size: tuple[int, ...] = (24, 40), dtype: Any = np.uint16, seed: int = 0) -> np.ndarray:
    """A smooth array `[bands, *size]` of whole numbers in 0 to 200, or floats."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(bands, *size))
    for axis in range(1, x.ndim):
        x = np.cumsum(x, axis)
    x = 200 * (x - x.min()) / (x.max() - x.min())
    return x.round().astype(dtype) if np.dtype(dtype).kind in "iu" else x.astype(dtype)


def npy(values: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


def npz(compressed: bool = True, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def mat(compressed: bool = False, **arrays: Any) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, arrays, do_compression=compressed)
    return file.getvalue()


def tiff(values: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **{"photometric": "minisblack", **options})
    return file.getvalue()
