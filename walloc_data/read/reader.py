"""The samples of a split by number, wherever it lies; or of a split of several datasets, one behind the other."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import FormatError, WallocError
from walloc_data.order import Views
from walloc_data.read.locate import Group
from walloc_data.read.opened import OpenedDataset, column_types
from walloc_data.read.payloads import Empty, Payloads, decode_payloads, new_array, stored_payloads
from walloc_data.read.records import OpenedRecord, Records
from walloc_data.read.samples import Samples, as_list, gathered
from walloc_data.read.selection import select
from walloc_data.read.where import Fields

__all__ = ["SplitReader"]


class SplitReader:
    """Samples of a split by number, in the order of its shards; of their latents the first `channels` (None: all).

    `where` keeps some, which are numbered from 0; with `skip`, it leaves out those whose columns are damaged. Samples
    with several `views` are read by entries: `views * number + view`.
    Indices and pages of shards are read when a sample first needs them. Pickling and forking are safe, and threads may
    share a reader.
    """

    def __init__(
        self,
        datasets: Sequence[OpenedDataset],
        split: str,
        *,
        channels: int | None = None,
        where: str | Callable[[Fields], Any] | None = None,
        skip: bool = False,
    ) -> None:
        self.records, self.channels = Records(datasets, split), channels
        self.selection = None if where is None else select(self.records, where, datasets, skip=skip)
        self.places, self.remote = self.records.places, self.records.any_remote
        self.views = self.places.views
        self.types = column_types(datasets)
        self._kinds = {name: kind for name, kind in self.types.items() if name != "label"}  # which is of one form
        self._lost: dict[tuple[int, int], str] = {}  # records that are damaged, and how
        for dataset in datasets:
            dataset.coder.warm_up(channels)

    def __len__(self) -> int:
        """Samples, not their views."""
        return len(self.places) // self.views if self.selection is None else len(self.selection.numbers)

    def read(
        self,
        indices: NDArray[np.int64],
        columns: Sequence[str],
        *,
        latents: bool = True,
        skip: bool = False,
        empty: Empty = new_array,
    ) -> Samples:
        """Latents, if they are wanted, and columns of samples, by their entries.

        Each record is opened once; what is damaged and remote is fetched once more. `empty` makes the array that
        latents of one shape are decoded to. Raises an error that names shard, record and sample where something is
        damaged; with `skip`, leaves that out.
        """
        indices = self._stored(indices)
        found: list[tuple[Group, OpenedRecord]] = []
        damaged: list[str] = []
        asked = list(self.places.groups(indices))
        self.records.fetch(asked)

        def with_columns(opened: OpenedRecord) -> OpenedRecord:
            opened.read(columns)
            return opened

        for group in asked:
            lost = self._lost.get(group[:2]) if skip else None
            if lost is None:
                try:
                    found.append((group, self.records.reading(group.shard, group.number, with_columns)))
                    continue
                except WallocError as error:
                    if not skip or not self.records.is_damage(group.shard, error):  # what may pass stops the run
                        raise
                    lost = self._lost[group[:2]] = str(error)
            damaged += [lost] * len(group.slots)
        if damaged:
            indices, found = _closed_up(indices, found)
        values = {
            name: gathered([(group, one.column(name)) for group, one in found], len(indices), self._kinds.get(name, ""))
            for name in columns
        }
        if not latents:
            return Samples([], values, damaged)
        parts = [part for group, one in found for part in self._payloads(one, group)]
        decoded, broken = decode_payloads(parts, empty)
        for message in self._mend(indices, decoded, broken):
            if not skip:
                raise FormatError(message)
            damaged.append(message)
        samples = Samples(decoded, values, damaged)
        if broken.any():
            whole = samples.some(np.flatnonzero(~broken).tolist())
            samples = Samples(whole.latents, whole.columns, damaged)
        return samples

    def columns(self, index: int) -> dict[str, Any]:
        """Every column of one sample, by its entry."""
        [group] = self.places.groups(self._stored(np.array([index])))
        [slot] = group.slots.tolist()
        found = self.records.reading(group.shard, group.number, OpenedRecord.columns)
        return {name: as_list(column[slot : slot + 1])[0] for name, column in found.items()}

    def turns(self, source: int = 0, *, seed: int) -> Views:
        """Which of their views the samples of a source show when."""
        return self.places.turns(source, seed, None if self.selection is None else self.selection.numbers)

    def column(self, name: str) -> list[Any]:
        """One column of all samples, of views the first. Reads headers and columns of every record, but no payload."""
        values: list[Any] = []
        for _, found in self.records.scan(lambda one: (one.column(name), len(one.record))):
            if isinstance(found, WallocError):
                raise found
            column, samples = found
            values += [None] * samples if column is None else as_list(column)
        if self.selection is None and self.views == 1:
            return values
        return [values[place] for place in self._stored(np.arange(len(self)) * self.views).tolist()]

    def _stored(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where entries are among all that is stored."""
        if self.selection is not None:
            numbers, view = np.divmod(entries, self.views)
            entries = self.selection.numbers[numbers] * self.views + view
        return self.places.stored(entries)

    def _mend(self, indices: NDArray[np.int64], latents: Any, broken: NDArray[np.bool_]) -> Iterator[str]:
        """Decode what is broken and remote once more, from bytes fetched anew; say what is wrong with the rest."""
        renewed: dict[tuple[int, int], OpenedRecord] = {}
        for place in np.flatnonzero(broken).tolist():
            [group] = self.places.groups(indices[place : place + 1])
            try:
                if group[:2] not in renewed:
                    anew = self.records.remote(group.shard)
                    renewed[group[:2]] = self.records.open(group.shard, group.number, anew=anew)
                opened = renewed[group[:2]]
            except FormatError as error:
                yield str(error)
                continue
            [again], [still] = decode_payloads(self._payloads(opened, group))
            if still or again.shape != latents[place].shape:
                yield (
                    f"{opened.where}, sample {group.slots[0]} ({indices[place]} of the split): damaged; copy the shard "
                    "again, or shard the data anew"
                )
            else:
                latents[place][...] = again
                broken[place] = False

    def _payloads(self, opened: OpenedRecord, group: Group) -> list[Payloads]:
        record, buffer, coder = opened.record, opened.buffer, opened.coder
        return stored_payloads(record, buffer, coder, group.slots, group.places, self.channels)


def _closed_up(
    indices: NDArray[np.int64], found: Sequence[tuple[Group, OpenedRecord]]
) -> tuple[NDArray[np.int64], list[tuple[Group, OpenedRecord]]]:
    """The samples that were found, and their groups with places among these alone."""
    kept = np.sort(np.concatenate([np.zeros(0, np.int64), *(group.places for group, _ in found)]))
    return indices[kept], [(group._replace(places=np.searchsorted(kept, group.places)), one) for group, one in found]
