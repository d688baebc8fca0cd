"""Arrays in files: which format it is, by how a file begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from walloc_data.errors import SampleError
from walloc_data.signals.edf_files import EDF, read_edf
from walloc_data.signals.mat_files import read_mat
from walloc_data.signals.numpy_files import open_npz, read_npy
from walloc_data.signals.raw_file import RawFile, raw_file
from walloc_data.signals.stored import Stored
from walloc_data.signals.tiff_files import open_tiff

__all__ = ["ARRAY_SUFFIXES", "open_array"]

ARRAY_SUFFIXES = frozenset((".edf", ".mat", ".npy", ".npz", ".tif", ".tiff"))
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@contextmanager
def open_array(data: Any, variable: str | int | None) -> Iterator[Stored]:
    """The array in the bytes of a file, in the file at a path, or at hand; `variable` says which, where there are
    several.

    Raises `SampleError` for what is none, or damaged, and `SourceError` for a path that cannot be opened.
    """
    if isinstance(data, np.ndarray):
        yield Stored(data.shape, data.dtype, lambda part: data[part])
    else:
        with raw_file(data, "an array") as file, _opened(file, variable) as stored:
            yield stored


@contextmanager
def _opened(file: RawFile, variable: str | int | None) -> Iterator[Stored]:
    begin = file.read(128)
    file.seek(0)
    if begin.startswith(b"\x93NUMPY"):
        yield read_npy(file)
    elif begin.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        with open_npz(file, variable) as stored:
            yield stored
    elif begin.startswith(_TIFF):
        with open_tiff(file, variable) as stored:
            yield stored
    elif begin.startswith(b"MATLAB "):
        yield read_mat(file, variable)
    elif begin.startswith(EDF):
        yield read_edf(file, variable)
    elif begin.startswith(b"\x89HDF"):
        raise SampleError("HDF5, which is not read here: write its arrays as .npy")
    elif not begin:
        raise SampleError("an empty file")
    else:
        raise SampleError("none of .npy, .npz, .mat, TIFF and EDF, by how it begins")
