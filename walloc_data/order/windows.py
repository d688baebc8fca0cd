"""What orders of one split share: epochs one behind the other, each shuffled window by window."""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walloc_data.errors import DatasetError

__all__ = ["WindowedOrder"]


class WindowedOrder(ABC):
    """An endless list: the `length` samples of a split, which are numbered from 0, epoch after epoch.

    Without `shuffle` each epoch is 0, 1, 2 and so on. What was computed last is kept, and left behind by pickling.
    """

    def __init__(self, length: int, *, seed: int, shuffle: bool) -> None:
        if not length:
            raise DatasetError("a split without samples has no order")
        self.length, self.seed, self.shuffle = length, seed, shuffle
        self._keep_recent()

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_epoch", "_mixed")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._keep_recent()

    def _keep_recent(self) -> None:
        self._epoch = lru_cache(maxsize=2)(self._permuted)
        self._mixed = lru_cache(maxsize=4)(self._shuffled)

    @property
    def entries(self) -> int:
        """Numbers are below it."""
        return self.length

    def samples(self, start: int, stop: int) -> NDArray[np.int64]:
        """Numbers of the samples at places from `start` to before `stop` of the list, int64."""
        parts = [np.zeros(0, np.int64)]
        while start < stop:
            epoch, place = divmod(start, self.length)
            end = min(place + stop - start, self.length)
            if self.shuffle:
                window, first = self._window_at(epoch, place)
                parts.append(self._mixed(epoch, window)[place - first : end - first])
            else:
                parts.append(np.arange(place, end))
            start += len(parts[-1])
        return np.concatenate(parts)

    @abstractmethod
    def _permuted(self, epoch: int) -> Any:
        """What is shuffled of an epoch as a whole."""

    @abstractmethod
    def _window_at(self, epoch: int, place: int) -> tuple[int, int]:
        """Which window of an epoch holds this place, and at which place it begins."""

    @abstractmethod
    def _shuffled(self, epoch: int, window: int) -> NDArray[np.int64]:
        """Samples of a window, in their order."""
