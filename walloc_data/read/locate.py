"""Where the samples of a split lie, by the counts of the manifest, and only if need be by those of an index."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from walloc_data.order import Views

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

    Of `views`, each counts as a sample here, and has another number as an entry: all views of a sample follow one
    another among entries, while shards have them run by run of `runs` samples (see `Manifest`).
    """

    def __init__(
        self,
        shards: Sequence[Sequence[int]],
        blocks: Sequence[int],
        records: Sequence[Sequence[int]],
        counts_of: Callable[[int], NDArray[np.int64]],
        *,
        runs: Sequence[int],
        views: int = 1,
    ) -> None:
        counts = [len(of_source) for of_source in shards]
        self.first = np.cumsum([0, *(samples for of_source in shards for samples in of_source)], dtype=np.int64)
        self.block = np.repeat(np.asarray(blocks, np.int64), counts)  # of each shard
        self._source = np.repeat(np.arange(len(counts)), counts)
        self._base = np.cumsum([0, *counts])
        found = np.array([number for of_source in records for number in of_source], np.int64)
        self._uneven = found != -(-np.diff(self.first) // self.block)
        if views > 1:  # each of which ends in a record of its own
            self._uneven |= np.diff(self.first) // views % self.block != 0
        self._any_uneven = bool(self._uneven.any())
        self._counts_of = counts_of
        self.views, self._lengths = views, np.asarray(runs, np.int64)
        self.first_sample = self.first // views

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

    def runs(self, samples: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """How many of some samples, given in order, lie in each run that has any, by source."""
        shards = np.searchsorted(self.first_sample, samples, side="right") - 1
        sources = self._source[shards]
        runs = (samples - self.first_sample[shards]) // self._lengths[sources]
        edges = np.flatnonzero(np.diff(shards, prepend=-1) | np.diff(runs, prepend=-1))
        counts = np.diff(edges, append=len(samples))
        return [counts[sources[edges] == source] for source in range(len(self._lengths))]

    def stored(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where some entries are in the order of what is stored."""
        if self.views == 1:
            return entries
        shards = np.searchsorted(self.first, entries, side="right") - 1
        length = self._lengths[self._source[shards]]
        inside, view = np.divmod(entries - self.first[shards], self.views)
        run, slot = np.divmod(inside, length)
        here = np.minimum(length, np.diff(self.first_sample)[shards] - run * length)
        found: NDArray[np.int64] = self.first[shards] + run * length * self.views + view * here + slot
        return found

    def turns(self, source: int, seed: int, chosen: NDArray[np.int64] | None) -> Views:
        """Which views samples of a source show when; of all samples `chosen`, where some are."""
        base, end = self._base[source : source + 2].tolist()
        edges = self.first_sample[base : end + 1]
        if chosen is not None:
            chosen = chosen[(edges[0] <= chosen) & (chosen < edges[-1])] - edges[0]
        return Views(self.views, np.diff(edges), int(self._lengths[source]), seed=seed, chosen=chosen)

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
