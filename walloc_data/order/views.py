"""Which of its stored views a sample shows: another one each epoch, every one once in as many epochs as there are."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from walloc_data.order.permutation import scramble

__all__ = ["Order", "ViewedOrder", "Views"]


class Order(Protocol):
    """An endless list of numbers, epochs of `length` one behind the other; they are below `entries`."""

    length: int

    @property
    def entries(self) -> int: ...
    def samples(self, start: int, stop: int) -> NDArray[np.int64]: ...


class Views:
    """The views of the samples of a split: entry `count * i + v` is view v of sample i.

    `shards` are the samples of each shard, `block` those of a record; of a filter, `chosen` are the numbers of those
    that it keeps, which are numbered from 0 then. The views of a sample take turns, beginning with one that `seed` and
    the sample's record choose: samples of a record show views of one number, which lie in one record, so that an epoch
    reads no more than it shows.
    """

    def __init__(
        self,
        count: int,
        shards: Sequence[int] | NDArray[np.int64],
        block: int,
        *,
        seed: int,
        chosen: NDArray[np.int64] | None = None,
    ) -> None:
        samples = np.asarray(shards, np.int64)
        self.count, self._block, self._chosen = count, block, chosen
        self._key = int(scramble(seed, 1 << 62))  # apart from the keys of what is shuffled
        self._first_sample = np.concatenate([[0], np.cumsum(samples)])
        self._first_record = np.concatenate([[0], np.cumsum(-(-samples // block))])

    def entries(self, numbers: ArrayLike, epoch: int) -> NDArray[np.int64]:
        """The entries that samples, int64 `[N]`, show in an epoch."""
        numbers = np.asarray(numbers, np.int64)
        inside = numbers if self._chosen is None else self._chosen[numbers]
        shards = np.searchsorted(self._first_sample, inside, side="right") - 1
        records = self._first_record[shards] + (inside - self._first_sample[shards]) // self._block
        turn = (scramble(self._key, records) % np.uint64(self.count)).astype(np.int64)
        return np.asarray(numbers * self.count + (turn + epoch) % self.count)


class ViewedOrder:
    """The order of samples as one of entries: each time through them, another view of each."""

    def __init__(self, order: Any, views: Views) -> None:
        self._order, self._views = order, views
        self.length: int = order.length

    @property
    def entries(self) -> int:
        """Numbers are below it."""
        return self.length * self._views.count

    def samples(self, start: int, stop: int) -> NDArray[np.int64]:
        """Entries at places from `start` to before `stop` of the list, int64."""
        parts = [np.zeros(0, np.int64)]
        while start < stop:
            epoch, place = divmod(start, self.length)
            end = min(stop, start + self.length - place)
            parts.append(self._views.entries(self._order.samples(start, end), epoch))
            start = end
        return np.concatenate(parts)
