"""Results made in threads before they are asked for, bounded by bytes."""

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Generic, TypeVar

from walloc_data.read.forked import renew_in_children
from walloc_data.storage.work import Work

__all__ = ["Ahead"]

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Ahead(Generic[_K, _V]):
    """Gives `make(key)`, and has the threads make what follows: as many as fit in `most` bytes, one at the least.

    It ends when it is closed, or when what it is for is not `wanted` any more.
    """

    def __init__(
        self,
        make: Callable[[_K], _V],
        size: Callable[[_V], int],
        *,
        threads: int,
        most: int,
        wanted: Callable[[], bool],
    ) -> None:
        self._make, self._size, self._most, self._threads, self._wanted = make, size, most, threads, wanted
        self._room = threads
        self.renew()
        renew_in_children(self)

    def renew(self) -> None:
        """Begin with new threads, and nothing made."""
        self._work = Work(self._threads, "walloc-batch", self._wanted)
        self._pending: dict[_K, Future[_V]] = {}

    def get(self, key: _K, following: Sequence[_K]) -> _V:
        """What `make` gives for `key`. `following` are the keys that will be asked for next, in order.

        Raises what `make` raises, or `Stopped`.
        """
        future = self._soon(key)
        if self._pending and next(iter(self._pending)) != (following[0] if following else None):  # asked out of turn
            for unwanted in self._pending.values():
                unwanted.cancel()
            self._pending.clear()
        for later in following[len(self._pending) : self._room]:
            self._pending[later] = self._soon(later)
        value = self._work.result(future)
        self._room = max(1, self._most // max(1, self._size(value)))
        return value

    def close(self) -> None:
        """End what is under way, and forget what is made."""
        self._work.stop()
        self._pending = {}

    def __del__(self) -> None:
        self._work.stop()

    def _soon(self, key: _K) -> Future[_V]:
        return self._pending.pop(key) if key in self._pending else self._work.submit(partial(self._make, key))
