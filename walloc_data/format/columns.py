"""Columns of a record: named values of its N samples.

Each column is: bytes of the name (1 byte), the name (UTF-8), a type (1 byte), bytes of the data
(4 bytes, little-endian), the data.

| type | data |
| --- | --- |
| `i` `q` `f` `d` | int32, int64, float32, float64: N values, or N rows of two or more |
| `a` | any array: its dtype (3 bytes, as numpy writes it: `<f2`, `|b1`), the dimensions D of a value (1 byte), \
their D sizes (uint32), then N values |
| `s` | N ends of strings (uint32, counted from the first string), then the strings (UTF-8) |
| `b` | the same, of bytes |
| `j` | the same, each string a JSON value |

A column of a type that a reader does not know is passed over by its length.
"""

import json
import math
import struct
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import FormatError

__all__ = ["Column", "pack_columns", "unpack_columns"]

Column: TypeAlias = "NDArray[Any] | list[Any]"
_NUMBERS = {"i": "<i4", "q": "<i8", "f": "<f4", "d": "<f8"}
_DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
_KINDS = frozenset((*_NUMBERS, "a", "s", "b", "j"))
_MAX_DIMS = 8


def pack_columns(columns: Mapping[str, Column], samples: int) -> bytes:
    """The bytes of columns: each an array `[N, ...]` of bool, or of integers or floats of 8 to 64 bits; or a list of N
    strings, of N bytes, or of N JSON values.
    """
    parts = []
    for name, values in columns.items():
        if len(values) != samples:
            raise FormatError(f"column {name!r} has {len(values)} values for {samples} samples")
        kind, data = _pack(values)
        encoded = name.encode()
        if len(encoded) > 255 or len(data) >> 32:
            raise FormatError(f"column {name[:40]!r}: a name has at most 255 bytes, and a column of a record 4 GiB")
        parts += [struct.pack("<B", len(encoded)), encoded, kind.encode(), struct.pack("<I", len(data)), data]
    return b"".join(parts)


def _pack(values: Column) -> tuple[str, bytes]:
    if isinstance(values, np.ndarray):
        for kind, dtype in _NUMBERS.items():
            if values.dtype == np.dtype(dtype) and (values.ndim == 1 or (values.ndim == 2 and values.shape[1] > 1)):
                return kind, values.tobytes()
        dtype = values.dtype.newbyteorder("<").str
        if dtype not in _DTYPES or values.ndim > _MAX_DIMS + 1:
            raise FormatError(
                f"columns hold bool, integers or floats of 8 to 64 bits in up to {_MAX_DIMS} dimensions, "
                f"not {values.dtype} in {values.ndim - 1}"
            )
        head = struct.pack(f"<3sB{values.ndim - 1}I", dtype.encode(), values.ndim - 1, *values.shape[1:])
        return "a", head + values.astype(dtype, copy=False).tobytes()
    if all(isinstance(value, bytes) for value in values):
        return "b", _strings(values)
    if all(isinstance(value, str) for value in values):
        return "s", _strings([value.encode() for value in values])
    return "j", _strings([json.dumps(value, ensure_ascii=False).encode() for value in values])


def _strings(texts: list[bytes]) -> bytes:
    return np.cumsum([len(text) for text in texts], dtype="<u4").tobytes() + b"".join(texts)


def unpack_columns(
    data: memoryview, samples: int, *, where: str, only: Collection[str] | None = None
) -> dict[str, Column]:
    """The inverse of `pack_columns`. Raises `FormatError`, which says `where`."""
    columns: dict[str, Column] = {}
    at = 0
    try:
        while at < len(data):
            stop = at + 1 + data[at]
            name, kind = bytes(data[at + 1 : stop]).decode(), chr(data[stop])
            (size,) = struct.unpack_from("<I", data, stop + 1)
            body, at = data[stop + 5 : stop + 5 + size], stop + 5 + size
            if at > len(data):
                raise ValueError(f"{name!r} ends behind the record")
            if (only is None or name in only) and kind in _KINDS:
                columns[name] = _unpack(kind, body, samples)
    except (ValueError, IndexError, struct.error, RecursionError) as error:
        raise FormatError(f"{where}: the columns are damaged ({error})") from error
    return columns


def _unpack(kind: str, body: memoryview, samples: int) -> Column:
    if kind in _NUMBERS:
        values = np.frombuffer(body, _NUMBERS[kind])
        if len(values) == samples:
            return values
        return values.reshape(samples, -1)
    if kind == "a":
        return _unpack_array(body, samples)
    ends = np.frombuffer(body, "<u4", count=samples).tolist()
    texts = body[4 * samples :]
    if sorted(ends) != ends or ends[-1] != len(texts):
        raise ValueError("strings do not fill their column")
    strings = [bytes(texts[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    if kind == "b":
        return strings
    return [string.decode() if kind == "s" else json.loads(string.decode()) for string in strings]


def _unpack_array(body: memoryview, samples: int) -> Column:
    code, dims = struct.unpack_from("<3sB", body)
    dtype = code.decode("ascii")
    if dtype not in _DTYPES or dims > _MAX_DIMS:
        raise ValueError(f"an array of {dtype!r} in {dims} dimensions")
    shape = (samples, *struct.unpack_from(f"<{dims}I", body, 4))
    values = body[4 + 4 * dims :]
    if len(values) != math.prod(shape) * np.dtype(dtype).itemsize:
        raise ValueError(f"an array of shape {shape} in {len(values)} bytes")
    return np.frombuffer(values, dtype).reshape(shape)
