"""The order of samples of which only some are wanted: as of whole splits, but records hold any number of them."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import DatasetError
from walloc_data.order.permutation import Permutation, scramble

__all__ = ["FilteredOrder"]


class FilteredOrder:
    """The endless list of the wanted samples of one split, which are numbered from 0 in the order of their shards.

    `runs` are how many are wanted of each run of `block` samples that has any. Each epoch permutes the runs and
    shuffles as many together as hold `window` samples on average; without `shuffle` it is 0, 1, 2 and so on. Memory
    grows with the runs.
    """

    def __init__(self, runs: Sequence[int] | NDArray[np.int64], *, seed: int, shuffle: bool, window: int) -> None:
        self._counts = np.asarray(runs, np.int64)
        self.length = int(self._counts.sum())
        if not self.length or self._counts.min() < 1:
            raise DatasetError("a split without samples has no order")
        self.seed, self.shuffle = seed, shuffle
        self._first = np.cumsum(self._counts) - self._counts
        self._at_once = max(1, window * len(self._counts) // self.length)  # runs
        self._keep_recent()

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_epoch", "_mixed")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._keep_recent()

    def _keep_recent(self) -> None:
        self._epoch = lru_cache(maxsize=2)(self._permuted)
        self._mixed = lru_cache(maxsize=4)(self._shuffled)

    def samples(self, start: int, stop: int) -> NDArray[np.int64]:
        """Numbers of the samples at places from `start` to before `stop` of the list, int64."""
        parts = [np.zeros(0, np.int64)]
        while start < stop:
            epoch, place = divmod(start, self.length)
            count = min(stop - start, self.length - place)
            if self.shuffle:
                window = int(np.searchsorted(self._epoch(epoch)[1], place, side="right")) - 1
                first = place - int(self._epoch(epoch)[1][window])
                parts.append(self._mixed(epoch, window)[first : first + count])
            else:
                parts.append(np.arange(place, place + count))
            start += len(parts[-1])
        return np.concatenate(parts)

    def _permuted(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The runs in their order, and the place of each window's first sample."""
        permutation = Permutation(len(self._counts), key=int(scramble(self.seed, 2 * epoch)))
        runs = permutation(np.arange(len(self._counts)))
        counts = self._counts[runs]
        return runs, (np.cumsum(counts) - counts)[:: self._at_once]

    def _shuffled(self, epoch: int, window: int) -> NDArray[np.int64]:
        """Samples of a window."""
        runs = self._epoch(epoch)[0][window * self._at_once : (window + 1) * self._at_once]
        counts = self._counts[runs]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        samples = np.repeat(self._first[runs], counts) + within
        hashes = scramble(int(scramble(self.seed, 2 * epoch + 1)), samples)
        return np.asarray(samples[np.argsort(hashes, kind="stable")])
