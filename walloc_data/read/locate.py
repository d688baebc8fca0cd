"""Where the samples of a split lie, by the counts of the manifest, and only if need be by those of an index."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Group", "Places"]


class Group(NamedTuple):
    """Samples of one record: where it is, their places in the batch, and their slots in the record, which rise."""

    shard: int
    number: int
    places: NDArray[np.int64]
    slots: NDArray[np.int64]


class Places:
    """Samples by number, shard after shard, of one source or several behind one another.

    `shards` are the samples of each shard of each source, `blocks` the samples that a source's records hold (but a
    shard's last). Where a shard has other than so many `records`, `counts` says how many samples each of them holds.
    `first` is the number of each shard's first sample, and at its end of all samples.
    """

    def __init__(
        self,
        shards: Sequence[Sequence[int]],
        blocks: Sequence[int],
        records: Sequence[Sequence[int]],
        counts_of: Callable[[int], NDArray[np.int64]],
    ) -> None:
        counts = [len(of_source) for of_source in shards]
        self.first = np.cumsum([0, *(samples for of_source in shards for samples in of_source)], dtype=np.int64)
        self.block = np.repeat(np.asarray(blocks, np.int64), counts)  # of each shard
        self._source = np.repeat(np.arange(len(counts)), counts)
        self._base = np.cumsum([0, *counts])
        found = np.array([number for of_source in records for number in of_source], np.int64)
        self._uneven = found != -(-np.diff(self.first) // self.block)
        self._any_uneven = bool(self._uneven.any())
        self._counts_of = counts_of

    def __len__(self) -> int:
        return int(self.first[-1])

    def at(self, shard: int) -> tuple[int, int]:
        """The source that a shard is of, and its number there."""
        source = int(self._source[shard])
        return source, shard - int(self._base[source])

    def records(self) -> Iterator[tuple[int, int]]:
        """All records, in order: their shard and number in it."""
        for shard, (block, samples) in enumerate(zip(self.block, np.diff(self.first), strict=True)):
            for number in range(len(self._counts_of(shard)) if self._uneven[shard] else -(-samples // block)):
                yield shard, number

    def samples(self, shard: int, number: int) -> int:
        """Samples of a record."""
        if self._uneven[shard]:
            return int(self._counts_of(shard)[number])
        block, of_shard = int(self.block[shard]), int(self.first[shard + 1] - self.first[shard])
        return min(block, of_shard - number * block)

    def runs(self, numbers: NDArray[np.int64], lengths: Sequence[int]) -> list[NDArray[np.int64]]:
        """How many of some samples, given in order, lie in each run of so many samples that has any, by source."""
        shards = np.searchsorted(self.first, numbers, side="right") - 1
        sources = self._source[shards]
        runs = (numbers - self.first[shards]) // np.asarray(lengths, np.int64)[sources]
        edges = np.flatnonzero(np.diff(shards, prepend=-1) | np.diff(runs, prepend=-1))
        counts = np.diff(edges, append=len(numbers))
        return [counts[sources[edges] == source] for source in range(len(lengths))]

    def groups(self, indices: NDArray[np.int64]) -> Iterator[Group]:
        """Samples by their records."""
        if len(indices) == 1:
            index = int(indices[0])
            shard = int(np.searchsorted(self.first, index, side="right")) - 1
            if not self._uneven[shard]:
                number, slot = divmod(index - int(self.first[shard]), int(self.block[shard]))
                yield Group(shard, number, np.zeros(1, np.int64), np.array([slot], np.int64))
                return
        shards = np.searchsorted(self.first, indices, side="right") - 1
        numbers, slots = np.divmod(indices - self.first[shards], self.block[shards])
        for shard in np.unique(shards[self._uneven[shards]]).tolist() if self._any_uneven else ():
            here = shards == shard
            first, inside = np.cumsum([0, *self._counts_of(shard)]), indices[here] - self.first[shard]
            numbers[here] = np.searchsorted(first, inside, side="right") - 1
            slots[here] = inside - first[numbers[here]]
        order = np.argsort(indices, kind="stable")
        shards, numbers, slots = shards[order], numbers[order], slots[order]
        first = np.ones(len(order), bool)
        first[1:] = (shards[1:] != shards[:-1]) | (numbers[1:] != numbers[:-1])
        starts = np.flatnonzero(first)
        edges, whose = starts.tolist(), zip(shards[starts].tolist(), numbers[starts].tolist(), strict=True)
        for (shard, number), start, stop in zip(whose, edges, [*edges[1:], len(order)], strict=True):
            yield Group(shard, number, order[start:stop], slots[start:stop])
