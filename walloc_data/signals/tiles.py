"""Windows of an array in space: side by side, of one size, the last of a row moved back to where the array ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from walloc_data.errors import SampleError, SourceError

__all__ = ["Tiles"]

_MOST = 1 << 22  # of one array; what says that it has more lies


@dataclass(frozen=True)
class Tiles:
    """Tiles of so many values a side, for each dimension; of an array that has fewer, all of it."""

    sides: tuple[int, ...]

    @classmethod
    def of(cls, tile: int | str, dims: int) -> "Tiles":
        """Of `256`, or `"16x256x256"` with a number for each dimension. Raises `SourceError` for what is neither."""
        parts = str(tile).split("x")
        parts = parts * dims if len(parts) == 1 else parts
        if len(parts) != dims or not all(part.isdecimal() and 0 < int(part) <= 1 << 31 for part in parts):
            raise SourceError(f"tile={tile!r} is no number of values a side, nor {dims} of them joined by x")
        return cls(tuple(map(int, parts)))

    def count(self, size: Sequence[int]) -> int:
        """How many an array of a size has. Raises `SampleError` for more than any array has."""
        count = math.prod(self._counts(size))
        if count > _MOST:
            raise SampleError(
                f"its header says that its size is {list(size)}: {count} tiles are more than any array has"
            )
        return count

    def place(self, number: int, size: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where tile `number` begins, row by row, and its size."""
        if not 0 <= number < self.count(size):
            raise SampleError(f"its size is {list(size)}, and it has no tile {number}")
        origin = []
        for n, side, count in reversed(list(zip(size, self.sides, self._counts(size), strict=True))):
            number, place = divmod(number, count)
            origin.append(min(place * side, max(0, n - side)))
        return tuple(reversed(origin)), tuple(map(min, self.sides, size))

    def _counts(self, size: Sequence[int]) -> list[int]:
        return [-(-n // side) for n, side in zip(size, self.sides, strict=True)]
