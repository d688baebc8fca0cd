"""Samples to batches, or one by one: tensors and columns, and what becomes of damage."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from walloc_data.errors import DatasetError, WallocError
from walloc_data.format import Column
from walloc_data.read.choice import LATENTS, LENGTH, Choice
from walloc_data.read.collating import UnevenDict, UnevenTuple, is_uneven
from walloc_data.read.decoding import to_floats, to_native, to_signals, to_tensors
from walloc_data.read.payloads import Empty, new_array
from walloc_data.read.reader import SplitReader
from walloc_data.read.samples import Samples
from walloc_data.read.tally import Tally

__all__ = ["Batches"]

Change: TypeAlias = "Callable[[Any], Any] | None"
_LOG = logging.getLogger("walloc_data")


class Batches:
    """Makes batches of samples as `choice` says; with `buckets` a list of them, one for each shape.

    In two halves: `read`, which threads do ahead, and `finish`.

    `ragged` says whether samples of this dataset differ in shape, so that x is a list of tensors, whatever those of a
    batch are like (None: it is not known, so x is one where they differ). With `skip`, damage is left out, and
    `damaged` counts it, in the workers of this process too.
    """

    def __init__(
        self,
        reader: SplitReader,
        choice: Choice,
        *,
        ragged: bool | None = None,
        buckets: bool = False,
        skip: bool = False,
    ) -> None:
        self.reader, self.choice, self.ragged, self.buckets, self.skip = reader, choice, ragged, buckets, skip
        self._uneven = is_uneven(choice, reader.types, ragged)
        self._damaged = Tally() if skip else None
        self._said: set[str] = set()
        self._checked = bool(reader.types)
        if self._checked:
            self._expect(reader.types)

    def read(self, numbers: NDArray[np.int64], empty: Empty = new_array) -> Samples:
        """What a batch of samples, by their entries, int64 `[B]`, is made of: any thread may do it.

        Where all of it is damaged and skipped, samples that come later in the split stand in, so that no rank lacks a
        step. Raises `FormatError` for damage that is not skipped, `DatasetError` for a column there is not.
        """
        self._check(int(numbers[0]))
        found = self._read(numbers, empty)
        if len(found.damaged) < len(numbers):
            return found
        best, later, views = found, 1, self.reader.views
        while best.damaged and later < len(self.reader):
            instead = self._read((numbers + later * views) % (len(self.reader) * views), new_array)
            best, later = min(best, instead, key=lambda one: len(one.damaged)), 2 * later
        if len(best.damaged) == len(numbers):
            raise DatasetError(
                f"every sample of a batch is damaged, and what comes later in the split: {found.damaged[0]}"
            )
        return Samples(best.latents, best.columns, found.damaged)

    @property
    def damaged(self) -> int:
        """Samples that were left out: as often as they were to be given."""
        return self._damaged.total if self._damaged is not None else 0

    def finish(self, found: Samples) -> Any:
        """The batch. Transforms may draw from torch's generator, so the thread that asks for batches does it."""
        if found.damaged:
            self._note(found.damaged)
        if self.buckets and self.choice.wants_latents:
            return [self._finished(bucket) for bucket in found.by_shape(also=self.choice.sizes)]
        return self._finished(found)

    def samples(
        self, numbers: NDArray[np.int64], transform: Change = None, target_transform: Change = None
    ) -> list[Any]:
        """The same samples one by one: x of each through `transform`, its label through `target_transform`."""
        choice, found = self.choice, self.read(numbers)
        columns = {name: _values(name, found.columns[name]) for name in choice.names}
        if target_transform is not None and "label" in columns:
            columns["label"] = [target_transform(label) for label in columns["label"]]
        xs: Any = [None] * len(numbers)
        if choice.wants_latents:
            x = self._x(found)
            xs = x.unbind() if isinstance(x, Tensor) else x
            xs = xs if transform is None else [transform(sample) for sample in xs]
        if choice.names == choice.columns == ("label",) and not self._uneven:
            return list(zip(xs, columns["label"], strict=True))
        rows = zip(*columns.values(), strict=True) if columns else [()] * len(numbers)
        samples = [choice.assembled(x, dict(zip(columns, row, strict=True))) for x, row in zip(xs, rows, strict=True)]
        if not self._uneven:
            return samples
        return list(map(UnevenDict if isinstance(choice.columns, Mapping) else UnevenTuple, samples))

    def _read(self, numbers: NDArray[np.int64], empty: Empty) -> Samples:
        choice = self.choice
        return self.reader.read(numbers, choice.read, latents=choice.wants_latents, skip=self.skip, empty=empty)

    def _check(self, number: int) -> None:
        """Whether samples have the columns, but for labels, which they need not have."""
        if self._checked or set(self.choice.names) <= {"label"}:
            return
        try:
            there = self.reader.columns(number)
        except WallocError:
            if self.skip:
                return  # the next batch will tell
            raise
        self._expect(there)
        self._checked = True

    def _expect(self, there: Iterable[str]) -> None:
        known = [name for name in there if name != LATENTS]
        missing = set(self.choice.names) - {"label", *known}
        if missing:
            raise DatasetError(f"no column {', '.join(sorted(missing))}: there are {', '.join(known)}")

    def _note(self, damaged: list[str]) -> None:
        if self._damaged is not None:
            self._damaged.add(len(damaged))
        for message, count in Counter(damaged).items():
            if message not in self._said:
                self._said.add(message)
                _LOG.warning("left out, now and from now on, %s: %s", "a sample" if count == 1 else "samples", message)

    def _finished(self, found: Samples) -> Any:
        x: Any = None
        if self.choice.wants_latents:
            x = self._x(found)
            if self.ragged and not self.buckets and isinstance(x, Tensor):
                x = list(x.unbind())
            if self.choice.transform is not None:
                x = self.choice.transform(x)
        return self.choice.assembled(x, {name: _tensor(found.columns[name]) for name in self.choice.names})

    def _x(self, found: Samples) -> Tensor | list[Tensor]:
        codec = self.choice.codec
        if self.choice.decoded:
            signals = to_signals(found.latents, codec, found.columns["size"], found.columns.get(LENGTH))
            return to_native(signals, codec.config) if self.choice.decode == "native" else signals
        return to_tensors(found.latents) if self.choice.decode == "latents" else to_floats(found.latents, codec)


def _tensor(column: Column) -> Any:
    """Numbers as a tensor of their dtype; all else as a list."""
    if isinstance(column, np.ndarray):
        return torch.from_numpy(column)
    return [torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value for value in column]


def _values(name: str, column: Column) -> list[Any]:
    """A column's values one by one: numbers as tensors of their dtype, but labels as numbers of Python."""
    if name == "label" and isinstance(column, np.ndarray) and column.dtype == np.int64 and column.ndim == 1:
        labels: list[Any] = column.tolist()
        return labels
    values: Any = _tensor(column)
    return list(values.unbind()) if isinstance(values, Tensor) else list(values)
