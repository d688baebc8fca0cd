"""Values of many samples in little memory: numbers as arrays, texts and all else in one buffer a column."""

import json
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "Packed", "Texts", "Values", "blocks", "pack", "some", "whole"]


class Texts(Sequence[Any]):
    """Strings in one buffer: they take little more memory than their characters."""

    def __init__(self, values: Iterable[Any]) -> None:
        self.data, self._ends = bytearray(), array("q")
        for block in blocks(values):
            encoded = list(map(self._encoded, block))
            before = len(self.data)
            self.data += b"".join(encoded)
            self._ends.extend(accumulate(map(len, encoded[1:]), initial=before + len(encoded[0])))

    def extend(self, other: "Texts") -> None:
        """Put those of another behind these."""
        before = len(self.data)
        self.data += other.data
        self._ends.extend(before + end for end in other._ends)

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[Any]:
        start = 0
        for end in self._ends:
            yield self._decoded(self.data[start:end])
            start = end

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self._decoded(self.data[self._ends[place - 1] if place else 0 : self._ends[place]])

    def chosen(self, places: Iterable[int]) -> "Texts":
        """Those at some places."""
        found, ends = type(self)(()), self._ends
        for block in blocks(places):
            pieces = [self.data[ends[place - 1] if place else 0 : ends[place]] for place in block]
            before = len(found.data)
            found.data += b"".join(pieces)
            found._ends.extend(before + end for end in accumulate(map(len, pieces)))
        return found

    def content(self) -> "tuple[array[int], bytearray]":
        """What differs where the values do."""
        return self._ends, self.data

    def _encoded(self, value: Any) -> bytes:
        return whole(str(value)).encode("utf-8", "surrogateescape")

    def _decoded(self, data: bytearray) -> Any:
        return data.decode("utf-8", "surrogateescape")


class Values(Texts):
    """The same of whatever JSON holds."""

    def _encoded(self, value: Any) -> bytes:
        return _JSON(value).encode()

    def _decoded(self, data: bytearray) -> Any:
        return json.loads(data.decode())


_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_AT_ONCE, _JSON = 1 << 13, json.JSONEncoder(separators=(",", ":")).encode
Packed: TypeAlias = "NDArray[Any] | Sequence[Any]"


def pack(values: Iterable[Any]) -> Packed:
    """Values of one column: numbers as an array of int64, float64 or bool, text as `Texts`, what JSON holds as
    `Values`; anything else as a list."""
    column = Column()
    for block in blocks(values):
        column.add(block)
    return column.packed()


class Column:
    """Values of one column that come a block at a time."""

    def __init__(self) -> None:
        self._parts: list[Packed] = []

    def add(self, values: Sequence[Any]) -> None:
        """Put a block behind the others."""
        part = _packed(values)
        last = self._parts[-1] if self._parts else None
        if isinstance(last, Texts) and isinstance(part, Texts) and type(last) is type(part):
            last.extend(part)
        else:
            self._parts.append(part)

    def packed(self) -> Packed:
        """All of them."""
        parts = self._parts
        if len(parts) <= 1:
            return parts[0] if parts else []
        if all(isinstance(part, np.ndarray) for part in parts):
            kinds = {part.dtype.kind for part in parts if isinstance(part, np.ndarray)}
            if len(kinds) == 1 or "b" not in kinds:
                return np.concatenate(parts)
        values = (value for part in parts for value in (part.tolist() if isinstance(part, np.ndarray) else part))
        return list(values) if any(isinstance(part, list) for part in parts) else Values(values)


def blocks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """The same in lists of as many as may be held as objects of Python."""
    values = iter(values)
    while block := list(islice(values, _AT_ONCE)):
        yield block


def _packed(values: Sequence[Any]) -> Packed:
    kinds = set(map(type, values))
    if kinds == {bool}:
        return np.array(values, np.bool_)
    if kinds and kinds <= {int, float}:
        try:
            return np.array(values, np.int64 if kinds == {int} else np.float64)
        except OverflowError:
            return Values(values)
    if kinds == {str}:
        return Texts(values)
    try:
        return Values(values)
    except (TypeError, ValueError):
        return list(values)


def some(values: Any, places: Sequence[int]) -> Any:
    """The values at some places, packed as they were."""
    if isinstance(values, np.ndarray):
        return values[places]
    return values.chosen(places) if isinstance(values, Texts) else [values[place] for place in places]


def whole(text: str) -> str:
    """A text whose halves of characters, which JSON may hold, are replaced; names of files that are not UTF-8 stay."""
    return text if text.isascii() else _HALVES.sub("\ufffd", text)
