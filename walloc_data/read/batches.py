"""Samples to batches: tensors and columns, and what becomes of damage."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from walloc_data.errors import DatasetError, WallocError
from walloc_data.read.payloads import Empty, new_array
from walloc_data.read.reader import Samples, SplitReader

__all__ = ["Batches"]

_LOG = logging.getLogger("walloc_data")


class Batches:
    """Makes a batch of samples, int64 `[B]`: `(x, *columns)`, or with `buckets` a list of such, one for each shape.

    In two halves: `read`, which threads do ahead, and `finish`.

    `damaged` counts the samples that this process left out, where `skip` allows it.
    """

    def __init__(
        self,
        reader: SplitReader,
        columns: Sequence[str],
        *,
        transform: Callable[[Any], Any] | None,
        buckets: bool,
        skip: bool,
    ) -> None:
        self.reader, self.columns, self.transform = reader, tuple(columns), transform
        self.buckets, self.skip = buckets, skip
        self.damaged = 0
        self._said: set[str] = set()
        self._checked = False

    def read(self, numbers: NDArray[np.int64], empty: Empty = new_array) -> Samples:
        """What a batch is made of: any thread may do it.

        Raises `FormatError` for damage that is not skipped, `DatasetError` for a column there is not.
        """
        self._check(int(numbers[0]))
        found = self.reader.read(numbers, self.columns, skip=self.skip, empty=empty)
        if found.damaged:
            self._note(found.damaged)
            if not len(found.latents):
                raise DatasetError(f"every sample of a batch is damaged, such as {found.damaged[0]}")
        return found

    def finish(self, found: Samples) -> Any:
        """The batch. Transforms may draw from torch's generator, so the thread that asks for batches does it."""
        if self.buckets:
            return [self._finished(bucket) for bucket in found.by_shape()]
        return self._finished(found)

    def _check(self, number: int) -> None:
        """Whether samples have the columns, but for labels, which they need not have."""
        if self._checked or set(self.columns) <= {"label"}:
            return
        try:
            there = self.reader.columns(number)
        except WallocError:
            if self.skip:
                return  # the next batch will tell
            raise
        missing = set(self.columns) - there.keys() - {"label"}
        if missing:
            raise DatasetError(f"no column {', '.join(sorted(missing))}: there are {', '.join(there)}")
        self._checked = True

    def _note(self, damaged: list[str]) -> None:
        self.damaged += len(damaged)
        for message, count in Counter(damaged).items():
            if message not in self._said:
                self._said.add(message)
                _LOG.warning("left out, now and from now on, %s: %s", "a sample" if count == 1 else "samples", message)

    def _finished(self, found: Samples) -> tuple[Any, ...]:
        latents = found.latents
        x: Any = (
            torch.from_numpy(latents) if isinstance(latents, np.ndarray) else [torch.from_numpy(z) for z in latents]
        )
        x = x if self.transform is None else self.transform(x)
        return (x, *(_column(name, found.columns[name]) for name in self.columns))


def _column(name: str, values: list[Any]) -> Any:
    """Numbers, and lists of equally many numbers, as a tensor; all else as it is."""
    if name == "label":
        values = [-1 if value is None else value for value in values]
    kinds = set(map(type, values))
    if kinds == {int}:
        return torch.from_numpy(np.array(values, np.int64))  # five times as fast
    if not kinds <= {int, float}:
        rows = [value if isinstance(value, list) else [value] for value in values]
        numbers = all(isinstance(number, int | float) for row in rows for number in row)
        if not numbers or len({len(row) for row in rows}) > 1:
            return values
    return torch.tensor(values)
