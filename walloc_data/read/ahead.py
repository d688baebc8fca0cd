"""Results made in threads before they are asked for, bounded by bytes."""

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

__all__ = ["Ahead"]

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Ahead(Generic[_K, _V]):
    """Gives `make(key)`, and has the threads make what follows: as many as fit in `most` bytes, one at the least."""

    def __init__(self, make: Callable[[_K], _V], size: Callable[[_V], int], *, threads: int, most: int) -> None:
        self._make, self._size, self._most = make, size, most
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="walloc-batch")
        self._pending: dict[_K, Future[_V]] = {}
        self._room = threads

    def get(self, key: _K, following: Iterable[_K]) -> _V:
        """What `make` gives for `key`. `following` are the keys that will be asked for next, in order."""
        future = self._soon(key)
        kept: dict[_K, Future[_V]] = {}
        for later in following:
            if len(kept) >= self._room:
                break
            kept[later] = self._soon(later)
        for unwanted in self._pending.values():
            unwanted.cancel()
        self._pending = kept
        value = future.result()
        self._room = max(1, self._most // max(1, self._size(value)))
        return value

    def _soon(self, key: _K) -> Future[_V]:
        return self._pending.pop(key) if key in self._pending else self._pool.submit(self._make, key)
