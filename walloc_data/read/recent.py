"""What was used last, by key, within a bound."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

from walloc_data.read.forked import renew_in_children

__all__ = ["Recent"]

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Recent(Generic[_K, _V]):
    """Values whose weights sum to `most` at the most, but for the last one put; least recently used out first.

    Threads may share it; a pickled copy is empty, a forked one its own.
    """

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._values: OrderedDict[_K, tuple[_V, int]] = OrderedDict()
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """Sum up anew: a thread may have been in the midst of `put`."""
        self._lock = threading.Lock()
        self._held = sum(weight for _, weight in self._values.values())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._most,)

    def __contains__(self, key: _K) -> bool:
        return key in self._values

    def get(self, key: _K) -> _V | None:
        """The value of a key, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: _K, value: _V, weight: int) -> None:
        """Keep a value, in the place of one of the same key."""
        with self._lock:
            self._held += weight - self._values.pop(key, (None, 0))[1]
            self._values[key] = value, weight
            while self._held > self._most and len(self._values) > 1:
                self._held -= self._values.popitem(last=False)[1][1]
