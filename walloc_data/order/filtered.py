"""The order of samples of which only some are wanted: as of whole splits, but records hold any number of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from walloc_data.order.permutation import Permutation, scramble
from walloc_data.order.windows import WindowedOrder

__all__ = ["FilteredOrder"]


class FilteredOrder(WindowedOrder):
    """The endless list of the wanted samples of one split, which are numbered from 0 in the order of their shards.

    `runs` are how many are wanted of each run of `block` samples that has any. Each epoch permutes the runs and
    shuffles as many together as hold `window` samples on average; without `shuffle` it is 0, 1, 2 and so on. Memory
    grows with the runs.
    """

    def __init__(self, runs: Sequence[int] | NDArray[np.int64], *, seed: int, shuffle: bool, window: int) -> None:
        self._counts = np.asarray(runs, np.int64)
        super().__init__(int(self._counts.sum()), seed=seed, shuffle=shuffle)
        self._first = np.cumsum(self._counts) - self._counts
        self._at_once = max(1, window * len(self._counts) // self.length)  # runs

    def _window_at(self, epoch: int, place: int) -> tuple[int, int]:
        starts = self._epoch(epoch)[1]
        window = int(np.searchsorted(starts, place, side="right")) - 1
        return window, int(starts[window])

    def _permuted(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The runs in their order, and the place of each window's first sample."""
        permutation = Permutation(len(self._counts), key=int(scramble(self.seed, 2 * epoch)))
        runs = permutation(np.arange(len(self._counts)))
        counts = self._counts[runs]
        return runs, (np.cumsum(counts) - counts)[:: self._at_once]

    def _shuffled(self, epoch: int, window: int) -> NDArray[np.int64]:
        runs = self._epoch(epoch)[0][window * self._at_once : (window + 1) * self._at_once]
        counts = self._counts[runs]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        samples = np.repeat(self._first[runs], counts) + within
        hashes = scramble(int(scramble(self.seed, 2 * epoch + 1)), samples)
        return np.asarray(samples[np.argsort(hashes, kind="stable")])
