"""Fields of samples to columns: a row a sample, typed by the values of a record."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np

from walloc_data.errors import SampleError
from walloc_data.format import Column

__all__ = ["column_type", "columns_of", "joined", "renamed", "row_of", "text"]

_RESERVED = frozenset(("key", "latents"))
_NARROW = frozenset(("label", "original_size", "size"))  # int32, as every version wrote them
_WRITTEN_OUT = (date, time, Decimal, PurePath, UUID)  # as text
_LONGEST_NAME = 255  # bytes
_SURROGATES = re.compile("[\ud800-\udfff]")
_INT32, _INT64 = np.iinfo(np.int32), np.iinfo(np.int64)


def row_of(
    key: str, fields: Mapping[str, Any], known: Mapping[str, Any], wanted: Sequence[str] | None
) -> dict[str, Any]:
    """What is stored of a sample beside its latents: the source's `fields`, what the reader has `known`, and its key.

    A field called like one of ours has another name (see `renamed`). Of the source's, only the `wanted` are kept (None:
    all). Raises `SampleError` for a value that no column can hold, or a name that none can have.
    """
    for name in fields:
        if not isinstance(name, str):
            raise SampleError(f"field {name!r:.40} has a name that is no text, and columns go by texts")
    others = renamed(fields, known)
    row = {
        text(others.get(name, name)): _plain(value, name)
        for name, value in fields.items()
        if wanted is None or name in wanted
    }
    for name in row:
        if len(name) > _LONGEST_NAME // 4 and len(name.encode()) > _LONGEST_NAME:
            raise SampleError(
                f"field {name[:40] + '...'!r} has a name of more than {_LONGEST_NAME} bytes, and no column can: leave "
                "it out (columns), or give it a shorter one"
            )
    return {**row, **known, "key": text(key)}


def renamed(fields: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """The names that fields get which are called like one of ours, or of the reader's: with a `_` behind, or several
    where that is the name of another."""
    names = list(fields)
    taken, found = _RESERVED | set(known), dict[str, str]()
    for name in names:
        other = name
        while other in taken or (other != name and (other in names or other in found.values())):
            other += "_"
        if other != name:
            found[name] = other
    return found


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """The columns of a record; a row that lacks one has None there."""
    names = dict.fromkeys(name for row in rows for name in row)
    first = [name for name in names if name == "label"]  # which readers ask for most, and which stands in front
    order = first + [name for name in names if name not in first]
    return {name: _column(name, [row.get(name) for row in rows]) for name in order}


def column_type(column: Column) -> str:
    """What a column holds: the dtype and shape of a value (`int32`, `float32[4]`), or `str`, `bytes` or `json`."""
    if isinstance(column, np.ndarray):
        shape = ",".join(map(str, column.shape[1:]))
        return f"{column.dtype.name}[{shape}]" if shape else column.dtype.name
    kinds = set(map(type, column))
    return "str" if kinds == {str} else "bytes" if kinds == {bytes} else "json"


def joined(one: str, other: str) -> str:
    """The type that holds all values of two columns of one name: the wider number of one shape, else `json`."""
    if one == other:
        return one
    names = [kind.split("[")[0] for kind in (one, other)]
    shapes = {kind[len(name) :] for kind, name in zip((one, other), names, strict=True)}
    if len(shapes) > 1 or any(name in ("str", "bytes", "json", "bool") for name in names):
        return "json"
    return f"{np.result_type(*names).name}{shapes.pop()}"


def text(key: str) -> str:
    """A text as readers can take it: file names need not be UTF-8."""
    try:
        return key.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # half a character, as JSON may hold it
        return _SURROGATES.sub("\ufffd", key)


def _plain(value: Any, name: str) -> Any:
    """A value as columns and JSON have it."""
    if value is None or isinstance(value, bool | int | float | bytes | np.generic):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, _WRITTEN_OUT):
        return str(value)
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            return _inside(array.tolist(), name)
        return array
    return _inside(value, name)


def _inside(value: Any, name: str) -> Any:
    """The same of what stands in lists and objects, which become JSON."""
    if isinstance(value, list | tuple):
        return [_inside(each, name) for each in value]
    if isinstance(value, Mapping):
        return {text(str(key)): _inside(each, name) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _inside(value.tolist(), name)
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, _WRITTEN_OUT):
        return str(value)
    if hasattr(value, "__array__"):
        return _inside(np.asarray(value).tolist(), name)
    raise SampleError(
        f"field {name!r} holds {type(value).__name__}, which no column can: leave it out, or write it as text"
    )


def _column(name: str, values: list[Any]) -> Column:
    kinds = set(map(type, values))
    if kinds <= {str}:
        return values
    if bytes in kinds and kinds <= {bytes, str, type(None)}:
        return [value.encode() if isinstance(value, str) else value or b"" for value in values]
    if not any(value is None or isinstance(value, str | bytes | Mapping) for value in values):
        array = _stacked(values)
        if array is not None:
            whole = array.dtype == np.int64 and name in _NARROW and array.size
            fits = whole and _INT32.min <= array.min() and array.max() <= _INT32.max
            return array.astype(np.int32) if fits else array
    return [value.tolist() if isinstance(value, np.ndarray | np.generic) else value for value in values]


def _stacked(values: list[Any]) -> "np.ndarray[Any, Any] | None":
    """Numbers of one shape as an array `[N, ...]`, or None."""
    try:
        arrays = [np.asarray(value) for value in values]
    except ValueError:  # lists of differing lengths
        return None
    dtypes = {array.dtype for array in arrays}
    kinds = {dtype.kind for dtype in dtypes}
    if len({array.shape for array in arrays}) > 1 or not kinds <= set("biuf") or ("b" in kinds and len(kinds) > 1):
        return None
    array = np.stack(arrays)
    return array if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8 else None
