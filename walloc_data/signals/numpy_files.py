"""Arrays in files of numpy, `.npy` and `.npz`: nothing is unpickled, and no header is believed before it is checked."""

import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError, WallocError
from walloc_data.signals.raw_file import RawFile
from walloc_data.signals.stored import Stored, checked_type, chosen, plain_part

__all__ = ["open_npz", "read_npy"]

_MOST_DIMS, _MOST = 32, 1 << 62  # and values a side
# What zipfile and its decompressors raise for damaged files.
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError, struct.error)


def read_npy(file: RawFile) -> Stored:
    """The array in an open `.npy`, of which no more is read than is asked for."""
    shape, fortran, dtype = _header(file)
    order, offset = "F" if fortran else "C", file.tell()
    return Stored(
        shape, dtype, lambda part: plain_part(file, part, dtype=dtype, shape=shape, offset=offset, order=order)
    )


@contextmanager
def open_npz(file: RawFile, variable: str | int | None) -> Iterator[Stored]:
    """The array of an `.npz` that is called `variable`, or its only one. Raises `SampleError` for what is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
            names = [name.removesuffix(".npy") for name in members]
            with archive.open(members[chosen(variable, names, names)]) as member:
                yield _of_member(member)
    except WallocError:
        raise
    except _DAMAGE as error:
        raise SampleError(f"a damaged .npz ({str(error)[:200]})") from error  # which may quote a name of 64 kB


def _of_member(member: IO[bytes]) -> Stored:
    shape, fortran, dtype = _header(member)
    need = math.prod(shape) * dtype.itemsize

    def take(part: tuple[slice, ...]) -> NDArray[Any]:
        data = member.read(need)
        if len(data) < need:
            raise SampleError(f"cut short: its header says {need} bytes of numbers, and it holds {len(data)}")
        return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")[part]

    return Stored(shape, dtype, take, whole=True)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first axis runs fastest, and dtype."""
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise SampleError(f"an .npy of version {version[0]}.{version[1]}, which holds no plain array of numbers")
        shape, fortran, dtype = read(file)
    except (ValueError, TypeError, SyntaxError, TokenError, MemoryError, RecursionError) as error:
        raise SampleError(f"a damaged .npy ({(str(error) or type(error).__name__).splitlines()[0]})") from error
    checked_type(dtype)
    if len(shape) > _MOST_DIMS or any(type(side) is not int or not 0 <= side < _MOST for side in shape):
        raise SampleError(f"a damaged .npy: its header says the shape {str(list(shape))[:80]}")
    return shape, fortran, dtype
