"""The order of samples: an endless list that is a function of the counts in the manifest and a seed, and nothing else.

The list of a split is its epochs, one behind the other. Each epoch permutes the split's records (runs of `block`
samples; only a shard's last may be shorter), takes them `window` samples or so at a time, and shuffles the samples of
each such window. Any stretch of the list is computed from its place alone, in memory that grows with the shards, not
with the records. How the list is dealt to steps and ranks is another matter: see `cut`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import DatasetError
from walloc_data.numbers import whole_number
from walloc_data.order.permutation import Permutation, scramble
from walloc_data.order.views import Order
from walloc_data.order.windows import WindowedOrder

__all__ = ["MixedOrder", "SplitOrder"]

_BLOCK = 4096  # places of a mixture in which every dataset has its exact share


class SplitOrder(WindowedOrder):
    """The endless list of one split: samples are numbered from 0, shard after shard, as `LatentDataset` numbers them.

    `shards` are the samples of each, `block` those of a record, `window` those mixed with one another. Without
    `shuffle` every epoch is 0, 1, 2 and so on.
    """

    def __init__(
        self, shards: Sequence[int], block: int, *, seed: int, shuffle: bool = True, window: int = 2048
    ) -> None:
        samples = np.asarray(shards, np.int64)
        super().__init__(int(samples.sum()), seed=whole_number("seed", seed), shuffle=shuffle)
        self.block, window = whole_number("block", block, least=1), whole_number("window", window, least=1)
        self._window = max(1, window // self.block)  # records
        self._first_sample = np.concatenate([[0], np.cumsum(samples)])
        self._first_record = np.concatenate([[0], np.cumsum(-(-samples // self.block))])
        self._records = int(self._first_record[-1])
        short = samples % self.block != 0
        self._short = self._first_record[1:][short] - 1
        self._lacking = self.block - samples[short] % self.block

    def _window_at(self, epoch: int, place: int) -> tuple[int, int]:
        low, high = 0, -(-self._records // self._window)  # the window is in low to below high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._window_start(epoch, middle) <= place else (low, middle)
        return low, self._window_start(epoch, low)

    def _window_start(self, epoch: int, number: int) -> int:
        """The place of a window's first sample: as if records were full, less what short ones before it lack."""
        record = number * self._window
        places, lacking = self._epoch(epoch)[1:]
        return record * self.block - int(lacking[np.searchsorted(places, record)])

    def _permuted(self, epoch: int) -> tuple[Permutation, NDArray[np.int64], NDArray[np.int64]]:
        """Which record comes when; where the short ones come, in order, and what they lack, summed up."""
        permutation = Permutation(self._records, key=_key(self.seed, 2 * epoch))
        places = permutation.inverse(self._short)
        order = np.argsort(places)
        return permutation, places[order], np.concatenate([[0], np.cumsum(self._lacking[order])])

    def _shuffled(self, epoch: int, window: int) -> NDArray[np.int64]:
        last = min(self._records, (window + 1) * self._window)
        records = self._epoch(epoch)[0](np.arange(window * self._window, last))
        shards = np.searchsorted(self._first_record, records, side="right") - 1
        first = self._first_sample[shards] + (records - self._first_record[shards]) * self.block
        slots = first[:, None] + np.arange(self.block)
        samples = slots[slots < self._first_sample[shards + 1][:, None]]
        hashes = scramble(_key(self.seed, 2 * epoch + 1), samples)
        return np.asarray(samples[np.argsort(hashes, kind="stable")])


class MixedOrder:
    """One endless list of several, in proportion to `weights`: of every 4,096 places, each has its share, rounded.

    Samples of the second list are numbered behind those of the first, and so on.
    """

    def __init__(
        self,
        orders: Sequence[Order],
        weights: Sequence[float],
        *,
        seed: int,
        shuffle: bool = True,
    ) -> None:
        if len(orders) != len(weights) or not all(0 < weight < float("inf") for weight in weights):
            raise DatasetError(f"weights {list(weights)} are not one number above 0 a dataset")
        self.orders, self.seed, self.shuffle = list(orders), whole_number("seed", seed), shuffle
        edges = np.round(np.cumsum([0.0, *weights]) / sum(weights) * _BLOCK).astype(np.int64)
        self.shares = np.diff(edges)
        if self.shares.min() < 1:
            raise DatasetError(f"weights {list(weights)}: the smallest is below 1 of {_BLOCK} samples")
        self._first = np.cumsum([0, *(order.entries for order in orders)])
        self.length = sum(order.length for order in orders)

    @property
    def entries(self) -> int:
        """Numbers are below it."""
        return int(self._first[-1])

    def samples(self, start: int, stop: int) -> NDArray[np.int64]:
        """Numbers of the samples at places from `start` to before `stop` of the list, int64."""
        parts = [np.zeros(0, np.int64)]
        while start < stop:
            block, place = divmod(start, _BLOCK)
            count = min(stop - start, _BLOCK - place)
            dealt = self._dealt(block)
            numbers = np.empty(count, np.int64)
            for which, order in enumerate(self.orders):
                mine = dealt == which
                before, here = int(mine[:place].sum()), mine[place : place + count]
                begin = block * int(self.shares[which]) + before
                numbers[here] = order.samples(begin, begin + int(here.sum())) + self._first[which]
            parts.append(numbers)
            start += count
        return np.concatenate(parts)

    def _dealt(self, block: int) -> NDArray[np.int64]:
        """Which list each place of a block takes from."""
        dealt = np.repeat(np.arange(len(self.shares)), self.shares)
        hashes = scramble(_key(self.seed, block if self.shuffle else 0), np.arange(_BLOCK))
        return np.asarray(dealt[np.argsort(hashes, kind="stable")])


def _key(seed: int, number: int) -> int:
    return int(scramble(seed, number))
