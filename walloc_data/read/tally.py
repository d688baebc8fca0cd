"""A count that a process shares with its workers."""

import torch
from torch.utils.data import get_worker_info

__all__ = ["Tally"]

_PLACES = 512


class Tally:
    """Whole numbers that this process and its workers add up, each at a place of its own. A pickled copy is another."""

    def __init__(self) -> None:
        self._counts = torch.zeros(_PLACES, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def add(self, number: int) -> None:
        """Count so many more. Threads of one process must not do so at once."""
        worker = get_worker_info()
        self._counts[0 if worker is None else 1 + worker.id % (_PLACES - 1)] += number

    @property
    def total(self) -> int:
        """What was counted, wherever."""
        return int(self._counts.sum())
