"""Arrays in `.mat` files of MATLAB, version 5 to 7.2 ("MAT-File Format", MathWorks): numbers alone, and no code run."""

import math
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError
from walloc_data.signals.raw_file import RawFile
from walloc_data.signals.stored import Stored, chosen, plain_part

__all__ = ["read_mat"]

_HEADER, _TAG = 128, 8  # bytes
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # of elements
_CLASSES = dict(enumerate(("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"), 6))  # of arrays
_COMPLEX = 0x800
_MOST = 4096  # bytes of the dimensions, or of a name
_Read = Callable[[int], bytes]


class _Array(NamedTuple):
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]  # of the array
    kept: np.dtype[Any]  # of its numbers in the file, which may be smaller
    offset: int | None  # where in the file they begin; None: they are compressed
    read: _Read  # compressed ones, from their beginning on


def read_mat(file: RawFile, variable: str | int | None) -> Stored:
    """The array of a `.mat` that is called `variable`, or the only one that is more than a number.

    One that is not compressed is read in parts. Raises `SampleError` for what is damaged, or of version 7.3.
    """
    head = file.read(_HEADER)
    order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
    if order is None:
        raise SampleError("a damaged .mat: its header does not say the order of bytes")
    if head[124:126] in (b"\0\x02", b"\x02\0"):
        raise SampleError(
            "a .mat of version 7.3, which is HDF5: write it with save(..., '-v7'), or its array as an .npy"
        )
    try:
        arrays = [one for one in _arrays(file, order) if math.prod(one.shape) > 1]
    except (zlib.error, UnicodeDecodeError) as error:
        raise SampleError(f"a damaged .mat ({error})") from error
    names = [one.name for one in arrays]
    found = arrays[chosen(variable, names, [f"{one.name} {list(one.shape)}" for one in arrays])]
    return _stored(file, found)


def _stored(file: RawFile, found: _Array) -> Stored:
    shape, kept = found.shape, found.kept

    def take(part: tuple[slice, ...]) -> NDArray[Any]:
        if found.offset is not None:
            return plain_part(file, part, dtype=kept, shape=shape, offset=found.offset, order="F").astype(found.dtype)
        try:
            data = found.read(math.prod(shape) * kept.itemsize)
        except zlib.error as error:
            raise SampleError(f"a damaged .mat ({error})") from error
        return np.frombuffer(data, kept).reshape(shape, order="F")[part].astype(found.dtype)

    return Stored(shape, found.dtype, take, whole=found.offset is None)


def _arrays(file: IO[bytes], order: str) -> Iterator[_Array]:
    """The arrays of real numbers; all else is passed over."""
    start = _HEADER
    while True:
        file.seek(start)
        tag = file.read(_TAG)
        if not tag:
            return
        kind, size = _whole(_exact(tag, _TAG), order)
        start += _TAG + size
        if kind == _COMPRESSED:
            read = _inflating(file.read(size))
            kind, _ = _whole(read(_TAG), order)
            found = _array(read, order, None) if kind == _MATRIX else None
        else:
            found = _array(lambda count: _exact(file.read(count), count), order, file) if kind == _MATRIX else None
        if found is not None and found.name:  # without a name are functions
            yield found


def _array(read: _Read, order: str, file: IO[bytes] | None) -> _Array | None:
    """An array, whose numbers follow what was read of it; None where it is none of real numbers."""
    flags, dimensions = (_whole(_element(read, order), order) for _ in range(2))
    name = _element(read, order).decode("latin-1")
    if (
        not flags
        or flags[0] & 0xFF not in _CLASSES
        or flags[0] & _COMPLEX
        or not all(0 <= n < 1 << 31 for n in dimensions)
    ):
        return None
    tag = read(_TAG)
    kind, size = _whole(tag, order)
    small, count = kind >> 16, math.prod(dimensions)
    kept = np.dtype(order + _TYPES.get(kind & 0xFFFF, "V1"))
    if kept.kind == "V" or (small or size) != count * kept.itemsize:
        raise SampleError(f"a damaged .mat: the numbers of {name!r} are not as many as its dimensions say")
    shape, dtype = tuple(dimensions), np.dtype(_CLASSES[flags[0] & 0xFF])
    if small:
        return _Array(name, shape, dtype, kept, None, lambda n: _exact(tag[4 : 4 + n], n))
    return _Array(name, shape, dtype, kept, None if file is None else file.tell(), read)


def _element(read: _Read, order: str) -> bytes:
    """The data of a part of an array: its flags, dimensions or name."""
    tag = read(_TAG)
    kind, size = _whole(tag, order)
    if kind >> 16:  # a small one, within its tag
        return tag[4 : 4 + (kind >> 16)]
    if size > _MOST:
        raise SampleError(f"a damaged .mat: it says that dimensions or a name have {size} bytes")
    return read(size + -size % 8)[:size]


def _whole(data: bytes, order: str) -> list[int]:
    return list(map(int, np.frombuffer(_exact(data, len(data) // 4 * 4), order + "u4")))


def _exact(data: bytes, count: int) -> bytes:
    if len(data) != count:
        raise SampleError("a .mat that is cut short")
    return data


def _inflating(data: bytes) -> _Read:
    """Reads so many bytes, and then the next, of what is deflated in `data`: no more of it is inflated."""
    inflate, rest = zlib.decompressobj(), data

    def read(count: int) -> bytes:
        nonlocal rest
        parts: list[bytes] = []
        while count > 0:
            parts.append(inflate.decompress(rest, count))
            rest = inflate.unconsumed_tail
            if not parts[-1]:
                raise SampleError("a .mat that is cut short")
            count -= len(parts[-1])
        return b"".join(parts)

    return read
