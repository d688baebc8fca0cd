"""Classes of several sources in one dataset: they go by their names, whatever number each has where it comes from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from walloc_data.sources import Raw, Split

__all__ = ["RenumberedSplit", "joined_classes", "renumbered", "renumbering"]

Classes = Mapping[str, Sequence[str]]  # names by column


def joined_classes(each: Iterable[Classes]) -> dict[str, list[str]]:
    """The names of the first, which keep their numbers, and behind them what others have besides."""
    joined: dict[str, dict[str, None]] = {}
    for classes in each:
        for column, names in classes.items():
            joined.setdefault(column, {}).update(dict.fromkeys(names))
    return {column: list(names) for column, names in joined.items()}


def renumbering(before: Classes, now: Classes) -> dict[str, list[int]]:
    """What each number of a class is now, by columns of which any is another."""
    found = {}
    for column, names in before.items():
        if list(now[column][: len(names)]) != list(names):
            numbers = {name: number for number, name in enumerate(now[column])}
            found[column] = [numbers[name] for name in names]
    return found


def renumbered(fields: Mapping[str, Any], numbers: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Fields of a sample, classes by their new numbers, of the types that they had; what is none, such as -1, stays."""
    changed = {name: _number(fields[name], now) for name, now in numbers.items() if name in fields}
    return {**fields, **changed}


def _number(value: Any, now: Sequence[int]) -> Any:
    if not isinstance(value, int | np.integer) or not 0 <= value < len(now):
        return value
    return type(value)(now[int(value)])


@dataclass(frozen=True)
class RenumberedSplit:
    """A split whose classes have other numbers."""

    split: Split
    numbers: Mapping[str, Sequence[int]]

    def __len__(self) -> int:
        return len(self.split)

    def key(self, index: int) -> str:
        """See `Split.key`."""
        return self.split.key(index)

    def stamp(self, index: int) -> str:
        """See `Split.stamp`."""
        return self.split.stamp(index)

    def digest(self) -> str:
        """See `Split.digest`."""
        return self.split.digest()

    def __getitem__(self, index: int) -> Raw:
        raw = self.split[index]
        return raw._replace(fields=renumbered(raw.fields, self.numbers))
