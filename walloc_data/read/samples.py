"""Samples as they are read: latents, and columns as arrays and lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from walloc_data.format import Column
from walloc_data.read.locate import Group

__all__ = ["Latents", "Samples", "as_list", "gathered"]

Latents: TypeAlias = "NDArray[np.int8] | list[NDArray[np.int8]]"


@dataclass(frozen=True)
class Samples:
    """N samples in the order asked for.

    `latents` is int8 `[N, c, *space]`, or a list of `[c, *space]` where their shapes differ; each of `columns` an array
    `[N, ...]`, or a list of N values (None where a record has no such column). `damaged` says of each sample left out
    what is wrong with it.
    """

    latents: Latents
    columns: dict[str, Column]
    damaged: list[str]

    def some(self, places: Sequence[int]) -> "Samples":
        """Those at some places, in that order. `damaged` stays behind."""
        return Samples(
            _some(self.latents, places), {name: _some(column, places) for name, column in self.columns.items()}, []
        )

    def by_shape(self, *, also: Sequence[str] = ()) -> "list[Samples]":
        """The same in parts of one shape each (and of one value of some columns), so that their latents are arrays.

        `damaged` stays behind.
        """
        if isinstance(self.latents, np.ndarray) and not also:
            return [self]
        places: dict[Any, list[int]] = {}
        values = (
            zip(*(map(str, self.columns[name]) for name in also), strict=True) if also else [()] * len(self.latents)
        )
        for place, (latents, value) in enumerate(zip(self.latents, values, strict=True)):
            places.setdefault((latents.shape, value), []).append(place)
        parts = [self.some(chosen) for chosen in places.values()]
        return [Samples(np.stack(list(part.latents)), part.columns, []) for part in parts]


def gathered(parts: "Sequence[tuple[Group, Column | None]]", samples: int, kind: str = "") -> Column:
    """One column of a batch, from those of its records: an array where all are, of one shape.

    `kind` is its type in the whole dataset, where that is known: a record may hold arrays of what is JSON elsewhere, or
    narrower numbers.
    """
    if kind in ("str", "bytes", "json"):
        parts = [(group, None if column is None else as_list(column)) for group, column in parts]
    arrays = [column for _, column in parts if isinstance(column, np.ndarray)]
    shapes = {array.shape[1:] for array in arrays}
    if len(arrays) == len(parts) and len(shapes) == 1:
        dtypes = {array.dtype for array in arrays}
        whole = np.empty((samples, *shapes.pop()), np.result_type(*dtypes, *([kind.partition("[")[0]] if kind else [])))
        chosen = [array[group.slots] for array, (group, _) in zip(arrays, parts, strict=True)]
        whole[np.concatenate([group.places for group, _ in parts])] = np.concatenate(chosen)
        return whole
    values: list[Any] = [None] * samples
    alike = len(arrays) == len(parts)
    for group, column in parts:
        if column is not None:
            for place, slot in zip(group.places.tolist(), group.slots.tolist(), strict=True):
                value = column[slot]
                values[place] = value if alike or not isinstance(column, np.ndarray) else value.tolist()
    return values


def as_list(column: Column) -> list[Any]:
    """A column's values as Python has them."""
    values: list[Any] = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return values


def _some(column: Any, places: Sequence[int]) -> Any:
    return column[list(places)] if isinstance(column, np.ndarray) else [column[place] for place in places]
