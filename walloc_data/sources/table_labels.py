"""Labels that a column of a table holds as names of classes."""

from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NamedLabels"]

_AT_ONCE = 1 << 14


class NamedLabels:
    """The names in the columns `label` of tables, split by split, as places in the sorted list of all."""

    def __init__(self) -> None:
        self._places: dict[str | None, int] = {None: -1}
        self._labels: dict[str, array[int]] = {}

    def add(self, split: str, column: Iterable[Any]) -> None:
        """Those of one table of a split, in Arrow arrays."""
        labels = self._labels.setdefault(split, array("i"))
        for part in column:
            for start in range(0, len(part), _AT_ONCE):
                for name in part[start : start + _AT_ONCE].to_pylist():
                    labels.append(self._places.setdefault(name, len(self._places) - 1))

    def numbered(self) -> tuple[dict[str, NDArray[np.int32]], list[str]]:
        """int32 labels `[N]` by split, -1 for null, and the classes."""
        names = [name for name in self._places if name is not None]
        classes = sorted(names)
        rank = {name: place for place, name in enumerate(classes)}
        order = np.array([*(rank[name] for name in names), -1], np.int32)  # the last is found at -1
        return {split: order[np.frombuffer(labels, np.intc)] for split, labels in self._labels.items()}, classes
