"""Columns of a record: named values of its N samples.

Each column is: bytes of the name (1 byte), the name (UTF-8), a type (1 byte), bytes of the data
(4 bytes, little-endian), the data.

| type | data |
| --- | --- |
| `i` `q` `f` `d` | int32, int64, float32, float64: N rows of equally many values |
| `s` | N ends of strings (uint32, counted from the first string), then the strings (UTF-8) |
| `j` | the same, each string a JSON value |
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import FormatError

__all__ = ["Column", "pack_columns", "unpack_columns"]

Column: TypeAlias = "NDArray[Any] | list[Any]"
_NUMBERS = {"i": "<i4", "q": "<i8", "f": "<f4", "d": "<f8"}


def pack_columns(columns: Mapping[str, Column], samples: int) -> bytes:
    """The bytes of columns, each an array `[N, ...]` of a type above, or a list of N strings or JSON values."""
    parts = []
    for name, values in columns.items():
        if len(values) != samples:
            raise FormatError(f"column {name!r} has {len(values)} values for {samples} samples")
        kind, data = _pack(values)
        encoded = name.encode()
        parts += [struct.pack("<B", len(encoded)), encoded, kind.encode(), struct.pack("<I", len(data)), data]
    return b"".join(parts)


def _pack(values: Column) -> tuple[str, bytes]:
    if isinstance(values, np.ndarray):
        for kind, dtype in _NUMBERS.items():
            if values.dtype == np.dtype(dtype):
                return kind, values.astype(dtype).tobytes()
        raise FormatError(f"columns hold int32, int64, float32 or float64, not {values.dtype}")
    strings = all(isinstance(value, str) for value in values)
    texts = [(value if strings else json.dumps(value, ensure_ascii=False)).encode() for value in values]
    ends = np.cumsum([len(text) for text in texts], dtype="<u4").tobytes()
    return "s" if strings else "j", ends + b"".join(texts)


def unpack_columns(data: memoryview, samples: int, *, where: str, only: str | None = None) -> dict[str, Column]:
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
            if only is None or name == only:
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
    if kind not in "sj":
        raise ValueError(f"unknown type {kind!r}")
    ends = np.frombuffer(body, "<u4", count=samples).tolist()
    texts = body[4 * samples :]
    if sorted(ends) != ends or ends[-1] != len(texts):
        raise ValueError("strings do not fill their column")
    strings = [bytes(texts[start:end]).decode() for start, end in zip([0, *ends], ends, strict=False)]
    return strings if kind == "s" else [json.loads(string) for string in strings]
