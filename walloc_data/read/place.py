"""Where the next iteration of a stream begins, in memory that live workers of a `DataLoader` see too."""

import os
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

__all__ = ["Place"]


class Place:
    """An epoch, and how many of its samples are done; written by the process that trains, read by workers as well.

    `iteration` counts the loader's iterations and their ends, so that workers know what is not wanted any more.
    `begun` is whether workers of a `DataLoader` made by hand have begun there: nobody else knows how far they are.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._shared = torch.tensor([0, 0, 1, 0, 0, 0])  # epoch, samples, times set, that as workers began,
        # iteration, shards
        self._share()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_numbers"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._share()

    @property
    def _memory(self) -> NDArray[np.int64]:
        """What is shared with workers alone: ranks that are forked have a place of their own."""
        if self._process != os.getpid() and get_worker_info() is None:
            self._process, self._shared = os.getpid(), self._shared.clone()
            self._share()
        return self._numbers

    @property
    def epoch(self) -> int:
        """The epoch."""
        return int(self._memory[0])

    @property
    def done(self) -> int:
        """Samples of it that are done."""
        return int(self._memory[1])

    @property
    def shards(self) -> int:
        """The first shards of the split, which the order of this epoch is of; 0: of all."""
        return int(self._memory[5])

    @property
    def begun(self) -> bool:
        """Whether workers have begun there since it was set."""
        return bool(self._memory[3] == self._memory[2])

    @property
    def iteration(self) -> int:
        """The one that goes on, or ended last."""
        return int(self._memory[4])

    def turn(self) -> int:
        """Begin an iteration, or end one."""
        self._memory[4] += 1
        return self.iteration

    def set(self, epoch: int, done: int, shards: int = 0) -> None:
        """Begin there."""
        self._memory[0], self._memory[1], self._memory[5] = epoch, done, shards
        self._memory[2] += 1

    def begin(self) -> None:
        """Note, in a worker, that it has begun."""
        self._memory[3] = self._memory[2]

    def _share(self) -> None:
        memory: Any = self._shared
        if not memory.is_shared():  # as it is in a spawned worker, but not in a copy
            with suppress(RuntimeError, OSError):  # no shared memory at all: then there are no workers either
                memory.share_memory_()
        self._numbers = self._shared.numpy()  # the same memory: torch takes longer to find a number than to batch some
