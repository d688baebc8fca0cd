"""Where the next iteration of a stream begins, in memory that live workers of a `DataLoader` see too."""

from contextlib import suppress
from typing import Any

import torch

__all__ = ["Place"]


class Place:
    """An epoch, and how many of its samples are done; written by the process that trains, read by workers as well.

    `begun` is whether workers of a `DataLoader` made by hand have begun there: nobody else knows how far they are.
    """

    def __init__(self) -> None:
        self._memory = torch.tensor([0, 0, 1, 0])  # epoch, samples, how often set, and that as workers last began
        self._share()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._share()

    @property
    def epoch(self) -> int:
        """The epoch."""
        return int(self._memory[0])

    @property
    def done(self) -> int:
        """Samples of it that are done."""
        return int(self._memory[1])

    @property
    def begun(self) -> bool:
        """Whether workers have begun there since it was set."""
        return bool(self._memory[3] == self._memory[2])

    def set(self, epoch: int, done: int) -> None:
        """Begin there."""
        self._memory[0], self._memory[1] = epoch, done
        self._memory[2] += 1

    def begin(self) -> None:
        """Note, in a worker, that it has begun."""
        self._memory[3] = self._memory[2]

    def _share(self) -> None:
        memory: Any = self._memory
        if not memory.is_shared():  # as it is in a spawned worker, but not in a copy
            with suppress(RuntimeError, OSError):  # no shared memory at all: then there are no workers either
                memory.share_memory_()
