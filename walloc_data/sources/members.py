"""What the members of a WebDataset sample mean, by suffix: its fields."""

import io
import json
import math
from collections.abc import Mapping
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import SampleError

__all__ = ["fields_of"]

_TEXTS = frozenset(("id", "text", "transcript", "txt"))
_NUMBERS = frozenset(("class", "cls", "cls2", "count", "index", "inx"))
_JSON = frozenset(("json", "jsn"))


def fields_of(members: Mapping[str, bytes], where: str) -> dict[str, Any]:
    """The fields in the members of a sample, by suffix (`cls`, `txt`, `seg.png`).

    `cls` becomes `label`, a number or, where it is none, a text; an object in `json` its keys (behind which a `_` is
    put where a member is called so); `npy` an array; `txt` a text; all others stay bytes. Nothing is unpickled.
    Raises `SampleError`, which says `where`, for one that is damaged.
    """
    fields: dict[str, Any] = {}
    objects: list[dict[str, Any]] = []
    for suffix, data in members.items():
        try:
            value = _value(suffix, data)
        except (ValueError, RecursionError) as error:
            raise SampleError(f"{where}: its {suffix} is damaged ({str(error).partition(chr(10))[0]})") from error
        if suffix in _JSON and isinstance(value, dict):
            objects.append(value)
        else:
            fields["label" if suffix == "cls" and "label" not in members else suffix] = value
    for content in objects:
        for name, value in content.items():
            fields[f"{name}_" if name in fields else name] = value
    return fields


def _value(suffix: str, data: bytes) -> Any:
    kind = suffix.rpartition(".")[2]
    if kind in _JSON:
        return json.loads(data)
    if kind == "npy":
        return _array(data)
    if kind in _TEXTS:
        return data.decode()
    if kind in _NUMBERS:
        text = data.decode().strip()
        try:
            return int(text)
        except ValueError:
            return text
    return data


def _array(data: bytes) -> NDArray[Any]:
    """The array in an `.npy`; no more is allocated than there are bytes, whatever its header says."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    except (ValueError, TypeError, SyntaxError, TokenError, RecursionError) as error:  # the header is a literal
        raise ValueError(f"no header of an array: {error}") from error
    if dtype.hasobject:
        raise ValueError("it holds objects of Python, which are not unpickled")
    need, there = math.prod(shape) * dtype.itemsize, len(data) - file.tell()
    if min(shape, default=0) < 0 or need > there:
        raise ValueError(f"its header says the shape {list(shape)}, and there are {there} bytes")
    values: NDArray[Any] = np.empty(shape, dtype, order="F" if fortran else "C")
    values.reshape(-1, order="A")[:] = np.frombuffer(data[file.tell() :][:need], dtype)
    return values
